import base64
from typing import Any

import pytest

from tests.server.fake import HEADER, T0_NS, FakeView, app_of, ask

T0_MS = T0_NS // 1_000_000


def get(path: str, view: FakeView | None = None, **options: Any) -> Any:
    response = ask(app_of(view or FakeView()), path, **options)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    return response.json()


def test_the_space_says_what_it_is() -> None:
    assert get("/api/space") == {
        "name": "farm",
        "size": 17,
        "root": base64.b64encode(b"\x00" * 32).decode(),
        "started_ns": T0_NS,
        "speed": 60.0,
        "version": "0.1.0",
        "who": "local user",
        "first_ms": T0_MS,
        "last_ms": T0_MS + 1000,
    }


def test_models_come_as_they_are() -> None:
    assert get("/api/models") == [{"@id": "dtmi:ectype:WindTurbine;1"}]


def test_twins_come_with_relationships_and_etags() -> None:
    answer = get("/api/twins")
    assert answer["size"] == 17
    assert answer["twins"][0] == {
        "$dtId": "R80711",
        "$etag": 'W/"16"',
        "$metadata": {"$model": "dtmi:ectype:WindTurbine;1"},
        "name": "Ré 1",
        "ratedPower": 2050,
    }
    assert answer["relationships"] == [
        {
            "$relationshipId": "n1",
            "$sourceId": "R80711",
            "$targetId": "R80721",
            "$relationshipName": "neighbours",
            "distance": 3.5,
        }
    ]


def test_one_twin_has_its_etag_in_the_header_too() -> None:
    response = ask(app_of(FakeView()), "/api/twins/R80711")
    assert response.json()["$etag"] == response.headers["etag"] == 'W/"16"'


def test_last_is_one_row_a_series_with_std_where_there_is_one() -> None:
    assert get("/api/last") == {
        "size": 17,
        "series": {"R80711.power": [T0_MS, 812.5, None], "R80711.p@estimated": [T0_MS, 0.9, 0.1]},
    }


def test_history_is_columns_in_milliseconds_with_null_for_nan() -> None:
    view = FakeView()
    answer = get(f"/api/history?series=a.p&series=a.p@estimated&from={T0_MS}&to=2014-03-01T13:00:00Z&points=50", view)
    times = [T0_MS, T0_MS + 600_000, T0_MS + 1_200_000]
    assert answer["series"]["a.p"] == {"t": times, "v": [1.5, None, 3.0], "std": None, "tiers": []}
    assert answer["series"]["a.p@estimated"]["std"] == [0.1, None, 0.3]
    assert view.asked[-1] == ("history", ["a.p", "a.p@estimated"], T0_NS, T0_NS + 3600 * 10**9, 50)


def test_history_without_bounds_is_all_of_it() -> None:
    view = FakeView()
    get("/api/history?series=a.p", view)
    assert view.asked[-1] == ("history", ["a.p"], -(2**63 - 1), 2**63 - 1, 800)


@pytest.mark.parametrize(
    "text", ["2014-03-01T13:00:00%2B01:00", "2014-03-01T13:00:00+01:00", "2014-03-01T12:00:00.000Z", "2014-03-01 12:00"]
)
def test_instants_are_understood_as_people_write_them(text: str) -> None:
    view = FakeView()
    get(f"/api/history?series=a.p&from={text}", view)
    assert view.asked[-1][2] == T0_NS


def test_forecasts_say_when_they_were_made() -> None:
    answer = get("/api/forecast?series=a.p@predicted")
    assert answer == {"series": {"a.p@predicted": {"issued_ms": T0_MS, "t": [T0_MS + 1000], "v": [7.0]}}}


def test_alarms_last_until_they_have_an_end() -> None:
    view = FakeView()
    assert get("/api/alarms?active=1&limit=5", view)["alarms"] == [
        {
            "id": "a1",
            "twin": "R80711",
            "name": "standstill",
            "severity": "critical",
            "text": "stands still",
            "since_ms": T0_MS,
            "until_ms": None,
            "cost_kwh": 12.5,
            "why": {"by": "neighbours"},
        }
    ]
    assert view.asked[-1] == ("alarms", True, 5)
    get("/api/alarms", view)
    assert view.asked[-1] == ("alarms", False, 200)


def test_entries_carry_the_exact_header_that_was_hashed() -> None:
    view = FakeView()
    answer = get("/api/log/entries?start=3&limit=2", view)
    assert view.asked[-1] == ("entries", 3, 5)
    first, second = answer["entries"]
    assert first["header"].encode() == HEADER
    assert (base64.b64decode(first["salt"]), base64.b64decode(first["body"])) == (b"s" * 16, b"{}")
    assert (second["index"], second["salt"], second["body"]) == (4, None, None)


def test_checkpoint_and_key_are_plain_text_for_foreign_tools() -> None:
    response = ask(app_of(FakeView()), "/api/log/checkpoint")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.text.endswith("— ectype/farm sig\n")
    assert ask(app_of(FakeView()), "/api/log/key").text == "ectype/farm+0+key\n"


def test_proofs_are_base64_like_checkpoints() -> None:
    view = FakeView()
    proof = get("/api/log/proof?index=4&size=9", view)
    assert view.asked[-1] == ("proof", 4, 9)
    assert proof["path"] == [base64.b64encode(b"p" * 32).decode()]
    assert base64.b64decode(proof["leaf_hash"]) == b"l" * 32
    get("/api/log/proof?index=4", view)
    assert view.asked[-1] == ("proof", 4, None)
    assert get("/api/log/consistency?from=3&to=9", view)["from_root"] == base64.b64encode(b"a" * 32).decode()


def test_head_answers_like_get_without_a_body() -> None:
    response = ask(app_of(FakeView()), "/api/space", method="HEAD")
    assert response.status_code == 200
