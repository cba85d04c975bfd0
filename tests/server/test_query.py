import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from ectype.clock import to_iso
from ectype.errors import Invalid
from ectype.server.query import Query
from tests.server.fake import FakeView, app_of, ask, message_of


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/api/history", "'series' is missing"),
        ("/api/history?series=a&fro=1", "no parameter 'fro' here; it takes series, from, to, points"),
        ("/api/history?series=a&from=1&from=2", "'from' is there 2 times"),
        ("/api/history?series=a&from=noon", "not an instant"),
        ("/api/history?series=a&from=", "not an instant"),
        ("/api/history?series=a&from=1e9", "not an instant"),
        ("/api/history?series=a&from=99999999999999", "out of reach"),
        ("/api/history?series=a&to=9999-01-01", "out of reach"),
        ("/api/history?series=a&points=1", "whole number from 2 to 100000"),
        ("/api/history?series=a&points=8.5", "whole number"),
        ("/api/history?" + "&".join(["series=a"] * 257), "257 times; at most 256"),
        ("/api/forecast", "'series' is missing"),
        ("/api/alarms?active=yes", "whole number from 0 to 1"),
        ("/api/alarms?limit=0", "from 1 to 10000"),
        ("/api/log/entries?start=-1", "from 0"),
        ("/api/log/entries?limit=5000", "1 to 1000"),
        ("/api/log/proof", "'index' is missing"),
        ("/api/log/proof?index=99999999999999999999999", "not a whole number"),
        ("/api/log/consistency?from=1", "'to' is missing"),
        ("/api/space?x=1", "it takes none"),
        ("/api/twins?query=all", "it takes none"),
    ],
)
def test_a_wrong_parameter_is_named_with_the_way_to_write_it(path: str, says: str) -> None:
    view = FakeView()
    response = ask(app_of(view), path)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["code"] == "Invalid"
    assert says in message_of(response)
    assert view.asked == []


BOUND_MS = (2**63 - 1) // 10**6


@given(st.integers(-BOUND_MS + 1, BOUND_MS - 1))
def test_an_instant_in_milliseconds_or_as_text_is_the_same(ms: int) -> None:
    for text in (str(ms), to_iso(ms * 10**6)):
        assert Query(QueryParams([("from", text)]), "from").instant_ns("from", 0) == ms * 10**6


@pytest.mark.parametrize("text", [str(BOUND_MS + 1), str(-BOUND_MS - 1), "1600-01-01", "9999-12-31T23:59:59-12:00"])
def test_an_instant_that_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="out of reach"):
        Query(QueryParams([("from", text)]), "from").instant_ns("from", 0)


@given(st.text(max_size=30))
def test_any_text_is_a_value_or_invalid(text: str) -> None:
    query = Query(QueryParams([("a", text)]), "a")
    for read in (
        lambda: query.integer("a", -5, 5),
        lambda: query.instant_ns("a", 0),
        lambda: query.flag("a"),
        lambda: query.optional_integer("a", 0, 9),
    ):
        with contextlib.suppress(Invalid):
            assert isinstance(read(), int)
