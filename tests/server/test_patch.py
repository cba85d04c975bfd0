import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Invalid
from ectype.server.twins import etag, parse_if_match, parse_patch
from tests.server.fake import FakeView, app_of, ask, message_of

PATCH = [{"op": "replace", "path": "/name", "value": "A"}]


def patch(view: FakeView, body: Any = PATCH, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(app_of(view), "/api/twins/R80711", "PATCH", content=content, headers=named)


def test_a_patch_is_answered_with_the_new_etag() -> None:
    view = FakeView()
    response = patch(view, content_type="application/json-patch+json; charset=utf-8", if_match='W/"16"')
    assert (response.status_code, response.headers["etag"], response.content) == (204, 'W/"17"', b"")
    assert view.asked[-1] == ("patch", "R80711", PATCH, 16)


def test_without_if_match_nothing_is_demanded() -> None:
    view = FakeView()
    assert patch(view).status_code == 204
    assert patch(view, if_match="*").status_code == 204
    assert view.asked[-1][-1] is None


def test_somebody_was_first_is_412_and_says_which_etag_holds_now() -> None:
    response = patch(FakeView(), if_match='W/"12"')
    assert (response.status_code, response.headers["etag"]) == (412, 'W/"16"')
    assert response.json()["error"]["code"] == "Conflict"


@pytest.mark.parametrize("header", ["16", 'W/"x"', 'W/"1", W/"2"', '""', 'W/"-1"'])
def test_an_if_match_that_is_no_etag_is_refused(header: str) -> None:
    response = patch(FakeView(), if_match=header)
    assert response.status_code == 400
    assert "send back what $etag said" in message_of(response)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no JSON Patch"),
        (b"{}", "no JSON Patch"),
        (b"[1]", "no JSON Patch"),
        (b"\xff\xfe", "no JSON Patch"),
        (b"[" * 100_000, "no JSON Patch"),
        (b'[{"op":"add","path":"/a","value":' + b"[" * 50_000 + b"]" * 50_000 + b"}]", "no JSON Patch"),
        ([], "1 to 1000 operations, not 0"),
        ([{"op": "add"}], 'operation 0 of the patch needs "op" and "path"'),
        ([*PATCH, {"op": 1, "path": "/a"}], "operation 1"),
    ],
)
def test_a_body_that_is_no_patch_says_what_one_looks_like(body: Any, says: str) -> None:
    view = FakeView()
    response = patch(view, body)
    assert response.status_code == 400
    assert says in message_of(response)
    assert view.asked == []


def test_another_media_type_is_refused() -> None:
    assert "not text/xml" in message_of(patch(FakeView(), content_type="text/xml"))


def test_a_body_too_large_is_413() -> None:
    response = patch(FakeView(), b"[" + b" " * (1 << 20) + b"]")
    assert response.status_code == 413
    assert "1 MiB" in message_of(response)


def test_another_method_is_405_and_says_which_it_takes() -> None:
    response = ask(app_of(FakeView()), "/api/twins/R80711", "DELETE")
    assert response.status_code == 405
    assert "PATCH" in response.headers["allow"]
    assert response.json()["error"]["code"] == "MethodNotAllowed"


@given(st.integers(0, 10**18 - 1))
def test_an_etag_sent_back_is_the_index_it_was_made_of(index: int) -> None:
    assert parse_if_match([etag(index)]) == index
    assert parse_if_match([f'"{index}"']) == index


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(st.fixed_dictionaries({"op": st.text(), "path": st.text(), "value": json_values}), min_size=1, max_size=4)
)
def test_any_patch_arrives_as_it_was_sent(operations: list[Any]) -> None:
    assert parse_patch(json.dumps(operations).encode()) == operations


@given(st.binary(max_size=80))
def test_any_other_bytes_are_invalid(body: bytes) -> None:
    try:
        operations = parse_patch(body)
    except Invalid:
        return
    assert operations == json.loads(body)
