"""What stands on the wire where implementers trip, and bad input of every kind."""

import json

import httpx
import pytest

from tests.server.adt.conftest import FLOOR, ROOM, Place, room

MERGE = {"content-type": "application/json-patch+json"}


def code(response: httpx.Response) -> tuple[int, str]:
    told = response.json()["error"]
    assert response.headers["x-ms-error-code"] == told["code"]
    assert told["message"]
    return response.status_code, told["code"]


def test_put_answers_200_also_when_it_creates_and_the_url_wins(http: httpx.Client) -> None:
    response = http.put("/digitaltwins/u1", json={"$dtId": "other", **room(temperature=1)})
    assert (response.status_code, response.json()["$dtId"]) == (200, "u1")
    assert response.headers["etag"] == response.json()["$etag"]
    assert http.get("/digitaltwins/other").status_code == 404


@pytest.mark.parametrize("version", ["2020-10-31", "2022-05-31", "2023-06-30", "2023-10-31"])
def test_every_version_is_spoken_and_the_first_lacks_the_twins_own_time(place: Place, version: str) -> None:
    with place.http(version) as http:
        http.put("/digitaltwins/v1", json=room())
        metadata = http.get("/digitaltwins/v1").json()["$metadata"]
        assert ("$lastUpdateTime" in metadata) == (version != "2020-10-31")


def test_a_version_is_required_and_must_be_one(place: Place) -> None:
    with place.http(None) as http:
        assert code(http.get("/digitaltwins/x")) == (400, "MissingApiVersionParameter")
        assert code(http.get("/digitaltwins/x?api-version=1999-01-01")) == (400, "UnsupportedApiVersion")


def test_an_unknown_model_or_property_is_a_failed_validation_with_details(http: httpx.Client) -> None:
    for body in (room("dtmi:test:Gone;1"), room(colour="red"), room(temperature="hot"), {"temperature": 1}):
        response = http.put("/digitaltwins/bad", json=body)
        assert code(response) == (400, "ValidationFailed")
        assert response.json()["error"]["details"][0]["message"]
    assert http.get("/digitaltwins/bad").status_code == 404


def test_a_patch_that_is_an_object_is_a_problem_without_an_error(http: httpx.Client) -> None:
    http.put("/digitaltwins/p1", json=room(temperature=1))
    response = http.patch("/digitaltwins/p1", json={"op": "remove"}, headers=MERGE)
    assert response.status_code == 400
    assert response.headers["content-type"].startswith("application/problem+json")
    assert "error" not in response.json()


def test_patches_take_add_replace_remove_and_the_model(http: httpx.Client) -> None:
    http.put("/digitaltwins/p2", json=room(temperature=1))

    def patch(*operations: dict[str, object]) -> httpx.Response:
        return http.patch("/digitaltwins/p2", json=list(operations), headers=MERGE)

    empty = patch()
    assert (empty.status_code, empty.headers["etag"]) == (204, http.get("/digitaltwins/p2").headers["etag"])
    assert patch({"op": "add", "path": "/name", "value": "x"}).status_code == 204
    for wrong in (
        {"op": "test", "path": "/name", "value": "x"},
        {"op": "move", "from": "/name", "path": "/x"},
        {"op": "remove", "path": "/many"},
        {"op": "add"},
    ):
        assert code(patch(wrong)) == (400, "JsonPatchInvalid")
    assert code(patch({"op": "add", "path": "/colour", "value": 1})) == (400, "ValidationFailed")
    assert code(patch({"op": "replace", "path": "/$metadata/$model", "value": FLOOR})) == (400, "ValidationFailed")
    both = (
        {"op": "replace", "path": "/$metadata/$model", "value": FLOOR},
        {"op": "remove", "path": "/name"},
        {"op": "remove", "path": "/temperature"},
        {"op": "add", "path": "/level", "value": 3},
    )
    response = patch(*both)
    assert response.status_code == 204
    read = http.get("/digitaltwins/p2")
    assert (read.json()["$metadata"]["$model"], read.headers["etag"]) == (FLOOR, response.headers["etag"])
    assert code(http.patch("/digitaltwins/none", json=[{"op": "add", "path": "/x", "value": 1}])) == (
        404,
        "DigitalTwinNotFound",
    )


def test_a_property_may_say_when_it_was_so(http: httpx.Client) -> None:
    at = "2024-01-02T03:04:05Z"
    body = room(temperature=1)
    body["$metadata"] = {"$model": ROOM, "temperature": {"sourceTime": at}}
    assert http.put("/digitaltwins/st", json=body).json()["$metadata"]["temperature"]["sourceTime"] == at


def test_lists_page_by_a_link_that_stays_on_the_list(http: httpx.Client) -> None:
    seen: list[str] = []
    url = "/models"
    while url:
        page = http.get(url, headers={"max-items-per-page": "1"}).json()
        seen += [each["id"] for each in page["value"]]
        assert len(page["value"]) == 1
        assert len(seen) < 100
        url = page.get("nextLink", "")
    assert seen == sorted(seen)
    assert len(seen) >= 4
    assert code(http.get("/models", headers={"max-items-per-page": "none"})) == (400, "InvalidArgument")
    assert code(http.get("/models?continuationToken=nonsense")) == (400, "BadRequest")


DEEP = b'{"$metadata":{"$model":"' + ROOM.encode() + b'"},"name":' + b"[" * 5000 + b"]" * 5000 + b"}"
BAD_BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "NaN": b'{"temperature":NaN,"$metadata":{"$model":"dtmi:test:Room;1"}}',
    "infinite": b'{"temperature":1e999,"$metadata":{"$model":"dtmi:test:Room;1"}}',
    "twice": b'{"temperature":1,"temperature":2,"$metadata":{"$model":"dtmi:test:Room;1"}}',
    "no UTF-8": b'{"name":"\xff\xfe","$metadata":{"$model":"dtmi:test:Room;1"}}',
    "half a pair": b'{"name":"\\ud800","$metadata":{"$model":"dtmi:test:Room;1"}}',
    "deep": DEEP,
    "bare": b"3",
    "list": b"[]",
    "a name of the system": b'{"$name":1,"$metadata":{"$model":"dtmi:test:Room;1"}}',
    "beyond 64 bits": b'{"many":123456789012345678901234567890,"$metadata":{"$model":"dtmi:test:Room;1"}}',
    "long": json.dumps({**room(), "name": "x" * 1_000_000}).encode(),
    "a model that is a list": b'{"$metadata":{"$model":[]}}',
    "metadata that is a text": b'{"$metadata":"x"}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_bad_input_is_a_clear_4xx_and_nothing_is_written(http: httpx.Client, place: Place, body: bytes) -> None:
    http.put("/digitaltwins/b1", json=room(temperature=1))
    before = http.get("/digitaltwins/b1").json()
    size = place.node.log.size
    for method, path in (
        ("PUT", "/digitaltwins/b1"),
        ("PUT", "/digitaltwins/b2"),
        ("PATCH", "/digitaltwins/b1"),
        ("PUT", "/digitaltwins/b1/relationships/r"),
        ("POST", "/models"),
        ("PATCH", "/digitaltwins/b1/components/thermostat"),
        ("PATCH", "/models/dtmi:test:Room;1"),
        ("POST", "/digitaltwins/b9/telemetry"),
    ):
        if body == b"[]" and method == "PATCH":
            continue  # an empty patch is fine
        response = http.request(method, path, content=body, headers={"content-type": "application/json"})
        assert 400 <= response.status_code < 500, (method, path, response.text[:200])
        assert response.json()
    assert http.get("/digitaltwins/b1").json() == before
    assert place.node.log.size == size


def test_a_whole_number_of_64_bits_comes_back_as_it_went(http: httpx.Client) -> None:
    body = {**room(), "many": 2**63 - 1}
    assert http.put("/digitaltwins/n1", json=body).json()["many"] == 2**63 - 1
    assert http.get("/digitaltwins/n1").json()["many"] == 2**63 - 1


@pytest.mark.parametrize("twin_id", ["a b", "a%2Fb", "%00", "x" * 200, "%F0%9F%92%A9", "$x"])
def test_an_id_that_cannot_be_is_refused(http: httpx.Client, twin_id: str) -> None:
    assert 400 <= http.put(f"/digitaltwins/{twin_id}", json=room()).status_code < 500


def test_what_is_not_there_and_what_is_not_taken(http: httpx.Client) -> None:
    assert code(http.get("/digitaltwins")) == (404, "NotFound")
    assert code(http.post("/digitaltwins/x")) == (405, "MethodNotAllowed")
    assert http.head("/models").status_code == 200
    assert code(http.put("/digitaltwins/x", json=room(), headers={"if-none-match": 'W/"1"'})) == (
        400,
        "InvalidArgument",
    )


def test_a_foreign_etag_matches_nothing(http: httpx.Client) -> None:
    http.put("/digitaltwins/fe", json=room(temperature=1))
    patch = [{"op": "add", "path": "/temperature", "value": 2}]
    told = http.patch("/digitaltwins/fe", json=patch, headers={"if-match": 'W/"0b1c-uuid"'})
    assert code(told) == (412, "PreconditionFailed")
    assert http.patch("/digitaltwins/fe", json=patch, headers={"if-match": "*"}).status_code == 204


def asking(text: str) -> bytes:
    return json.dumps({"query": text}).encode()


BAD_QUERIES = {
    "no JSON": b"{",
    "wrong UTF-8": b'{"query": "SELECT \xff"}',
    "a name twice": b'{"query": "SELECT * FROM DIGITALTWINS", "query": "x"}',
    "NaN": b'{"query": NaN}',
    "deep JSON": b'{"query": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "a number": b'{"query": 7}',
    "nothing": b"{}",
    "10,000 values": asking(f"SELECT * FROM DIGITALTWINS T WHERE T.$dtId IN [{', '.join(['1'] * 10_000)}]"),
    "deep conditions": asking(f"SELECT * FROM DIGITALTWINS T WHERE {'NOT (' * 5000}T.a = 1{')' * 5000}"),
    "many conditions": asking(f"SELECT * FROM DIGITALTWINS T WHERE {' AND '.join(['T.a = 1'] * 5000)}"),
    "a long text": asking(f"SELECT * FROM DIGITALTWINS T WHERE T.name = '{'x' * 1_000_000}'"),
    "a text without end": asking("SELECT * FROM DIGITALTWINS T WHERE T.name = 'x"),
    "six joins": asking("SELECT a FROM DIGITALTWINS a" + "".join(f" JOIN b{n} RELATED a.r" for n in range(6))),
    "half a character": b'{"query": "SELECT * FROM DIGITALTWINS T WHERE T.name = \'\\ud800"}',
    "a foreign token": json.dumps({"continuationToken": "e30="}).encode(),
    "an odd token": json.dumps({"continuationToken": "\u0000"}).encode(),
}


@pytest.mark.parametrize("body", BAD_QUERIES.values(), ids=BAD_QUERIES.keys())
def test_a_query_that_cannot_be_is_a_clear_4xx(http: httpx.Client, body: bytes) -> None:
    response = http.post("/query", content=body, headers={"content-type": "application/json"})
    assert 400 <= response.status_code < 500, response.text[:200]
    error = response.json()["error"]
    assert error["code"]
    assert len(error["message"]) < 2000
    assert response.headers["x-ms-error-code"] == error["code"]
