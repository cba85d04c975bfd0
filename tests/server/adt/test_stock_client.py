"""The official client of Azure Digital Twins, synchronous and asynchronous, does everything it can do."""

import re

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.digitaltwins.core import DigitalTwinsClient

from tests.model.making import interface, prop
from tests.server.adt.conftest import FLOOR, LAB, MODELS, ROOM, THERMOSTAT, Place, room


def code(error: pytest.ExceptionInfo[HttpResponseError]) -> str:
    assert error.value.response is not None
    found = error.value.response.json()["error"]["code"]
    assert error.value.response.headers["x-ms-error-code"] == found
    return found


def test_a_twin_is_made_read_changed_and_deleted(client: DigitalTwinsClient) -> None:
    made = client.upsert_digital_twin("a1", room(temperature=20.5, name="one", thermostat={"target": 21}))
    assert (made["$dtId"], made["temperature"], made["$metadata"]["$model"]) == ("a1", 20.5, ROOM)
    assert re.fullmatch(r'W/"\d+"', made["$etag"])
    told = made["$metadata"]["temperature"]["lastUpdateTime"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", told)
    client.update_digital_twin("a1", [{"op": "replace", "path": "/temperature", "value": 22}])
    read = client.get_digital_twin("a1")
    assert read["temperature"] == 22
    assert read["$metadata"]["temperature"]["lastUpdateTime"] > told
    assert read["$metadata"]["name"]["lastUpdateTime"] == told
    assert read["thermostat"]["target"] == 21
    client.delete_digital_twin("a1")
    with pytest.raises(ResourceNotFoundError) as error:
        client.get_digital_twin("a1")
    assert code(error) == "DigitalTwinNotFound"


def test_an_etag_guards_a_twin(client: DigitalTwinsClient) -> None:
    old = client.upsert_digital_twin("e1", room(temperature=1))["$etag"]
    patch = [{"op": "add", "path": "/temperature", "value": 2}]
    client.update_digital_twin("e1", patch, match_condition=MatchConditions.IfNotModified, etag=old)
    with pytest.raises(ResourceModifiedError):
        client.update_digital_twin("e1", patch, match_condition=MatchConditions.IfNotModified, etag=old)
    with pytest.raises(ResourceModifiedError):
        client.delete_digital_twin("e1", match_condition=MatchConditions.IfNotModified, etag=old)
    with pytest.raises(ResourceExistsError):
        client.upsert_digital_twin("e1", room(), match_condition=MatchConditions.IfMissing)
    new = client.get_digital_twin("e1")["$etag"]
    client.delete_digital_twin("e1", match_condition=MatchConditions.IfNotModified, etag=new)
    client.upsert_digital_twin("e1", room(), match_condition=MatchConditions.IfMissing)


def test_a_component_is_read_and_patched_alone(client: DigitalTwinsClient) -> None:
    client.upsert_digital_twin("c1", room(thermostat={"target": 20}))
    client.update_component("c1", "thermostat", [{"op": "replace", "path": "/target", "value": 23}])
    part = client.get_component("c1", "thermostat")
    assert part["target"] == 23
    assert "lastUpdateTime" in part["$metadata"]["target"]
    with pytest.raises(ResourceNotFoundError) as missing:
        client.get_component("c1", "fridge")
    assert code(missing) == "ComponentNotFound"
    client.upsert_digital_twin("c2", room())
    with pytest.raises(HttpResponseError) as error:
        client.update_component("c2", "thermostat", [{"op": "replace", "path": "/target", "value": 23}])
    assert code(error) == "JsonPatchInvalid"


def test_relationships_lead_from_twin_to_twin(client: DigitalTwinsClient) -> None:
    client.upsert_digital_twin("f1", {"$metadata": {"$model": FLOOR}, "level": 1})
    for name in ("r1", "r2"):
        client.upsert_digital_twin(name, room())
        made = client.upsert_relationship(
            "f1", f"holds-{name}", {"$relationshipName": "holds", "$targetId": name, "$sourceId": "ignored"}
        )
        assert (made["$sourceId"], made["$relationshipId"]) == ("f1", f"holds-{name}")
    client.upsert_relationship("r1", "n", {"$relationshipName": "next", "$targetId": "r2", "door": "oak"})
    client.update_relationship("r1", "n", [{"op": "replace", "path": "/door", "value": "steel"}])
    assert client.get_relationship("r1", "n")["door"] == "steel"
    outgoing = list(client.list_relationships("f1"))
    assert [each["$targetId"] for each in outgoing] == ["r1", "r2"]
    paged = list(client.list_relationships("f1", headers={"max-items-per-page": "1"}))
    assert [each["$relationshipId"] for each in paged] == ["holds-r1", "holds-r2"]
    assert list(client.list_relationships("f1", relationship_id="knows")) == []
    incoming = list(client.list_incoming_relationships("r2", headers={"max-items-per-page": "1"}))
    assert [(each.source_id, each.relationship_name) for each in incoming] == [("f1", "holds"), ("r1", "next")]
    assert incoming[0].relationship_link == "/digitaltwins/f1/relationships/holds-r2"
    with pytest.raises(HttpResponseError) as error:
        client.delete_digital_twin("r1")
    assert (error.value.status_code, code(error)) == (400, "RelationshipsNotDeleted")
    with pytest.raises(ResourceExistsError):
        client.upsert_relationship(
            "r1", "n", {"$relationshipName": "next", "$targetId": "r2"}, match_condition=MatchConditions.IfMissing
        )
    etag = client.get_relationship("r1", "n")["$etag"]
    client.delete_relationship("r1", "n", match_condition=MatchConditions.IfNotModified, etag=etag)
    with pytest.raises(ResourceNotFoundError) as missing:
        client.get_relationship("r1", "n")
    assert code(missing) == "RelationshipNotFound"


def test_a_relationship_that_cannot_be_says_why(client: DigitalTwinsClient) -> None:
    client.upsert_digital_twin("w1", room())
    client.upsert_digital_twin("w2", {"$metadata": {"$model": FLOOR}})
    for target, name, status, called in (
        ("w1", "next", 400, "OperationNotAllowed"),
        ("w2", "next", 400, "ValidationFailed"),
        ("w2", "nonsense", 400, "ValidationFailed"),
        ("w9", "next", 404, "TargetTwinNotFound"),
    ):
        with pytest.raises(HttpResponseError) as error:
            client.upsert_relationship("w1", "x", {"$relationshipName": name, "$targetId": target})
        assert (error.value.status_code, code(error)) == (status, called)
    with pytest.raises(HttpResponseError) as error:
        client.upsert_relationship("w1", "x", {"$targetId": "w2"})
    assert code(error) == "InvalidRelationship"
    with pytest.raises(ResourceNotFoundError) as missing:
        client.upsert_relationship("w9", "x", {"$relationshipName": "next", "$targetId": "w1"})
    assert code(missing) == "DigitalTwinNotFound"


def test_models_are_listed_with_what_they_need(client: DigitalTwinsClient) -> None:
    assert {ROOM, FLOOR, LAB, THERMOSTAT} <= {each.id for each in client.list_models()}
    needed = {each.id for each in client.list_models(dependencies_for=[LAB], include_model_definition=True)}
    assert needed == {LAB, ROOM, THERMOSTAT}
    one = client.get_model(ROOM, include_model_definition=True)
    assert one.model == MODELS[1]
    assert one.upload_time is not None
    assert one.description == {}
    assert client.get_model(ROOM).model is None
    with pytest.raises(ResourceNotFoundError) as error:
        list(client.list_models(dependencies_for=["dtmi:test:Nothing;1"]))
    assert code(error) == "ModelNotFound"


def test_a_model_is_decommissioned_and_deleted(client: DigitalTwinsClient) -> None:
    client.create_models([interface("Old", prop("x")), interface("Older", extends="dtmi:test:Old;1")])
    client.upsert_digital_twin("o1", room("dtmi:test:Older;1"))
    client.decommission_model("dtmi:test:Older;1")
    assert client.get_model("dtmi:test:Older;1").decommissioned
    with pytest.raises(HttpResponseError) as error:
        client.upsert_digital_twin("o2", room("dtmi:test:Older;1"))
    assert error.value.status_code == 400
    client.update_digital_twin("o1", [{"op": "add", "path": "/x", "value": 1}])
    with pytest.raises(HttpResponseError) as error:
        client.delete_model("dtmi:test:Old;1")
    assert (error.value.status_code, code(error)) == (409, "ModelReferencesNotDeleted")
    client.delete_model("dtmi:test:Older;1")
    client.delete_model("dtmi:test:Old;1")
    assert client.get_digital_twin("o1")["x"] == 1
    client.delete_digital_twin("o1")
    with pytest.raises(ResourceExistsError):
        client.create_models(MODELS[:1])


def test_models_that_are_wrong_are_refused_together(client: DigitalTwinsClient) -> None:
    for documents, called in (
        ([], "InvalidArgument"),
        ([{}], "DTDLParserError"),
        ([interface("Fine"), interface("Broken", extends="dtmi:test:Gone;1")], "DTDLParserError"),
    ):
        with pytest.raises(HttpResponseError) as error:
            client.create_models(documents)
        assert (error.value.status_code, code(error)) == (400, called)
    with pytest.raises(ResourceNotFoundError):
        client.get_model("dtmi:test:Fine;1")


def test_telemetry_goes_to_the_log(client: DigitalTwinsClient, place: Place) -> None:
    client.upsert_digital_twin("t1", room(thermostat={}))
    client.publish_telemetry("t1", {"motion": 1})
    client.publish_component_telemetry("t1", "thermostat", {"now": 20.5}, message_id="m-1")

    async def newest() -> list[object]:
        log = place.node.log
        return [entry.body for _, entry in log.read(log.size - 2)]

    first, second = place.do(newest)
    assert b'"payload":{"motion":1}' in first
    assert b'"component":"thermostat"' in second
    assert b'"message_id":"m-1"' in second
    with pytest.raises(ResourceNotFoundError):
        client.publish_telemetry("t9", {"motion": 1})


def test_a_query_sees_what_was_just_written(client: DigitalTwinsClient) -> None:
    client.upsert_digital_twin("q0", room(temperature=0))
    for number in range(1, 6):
        client.upsert_digital_twin(f"q{number}", room(temperature=100 + number))
        found = list(client.query_twins("SELECT * FROM digitaltwins T WHERE T.temperature > 100"))
        assert [each["$dtId"] for each in found] == [f"q{each}" for each in range(1, number + 1)]
    query = "SELECT * FROM digitaltwins T WHERE T.temperature > 100"
    paged = list(client.query_twins(query, headers={"max-items-per-page": "2"}))
    assert [each["temperature"] for each in paged] == [101, 102, 103, 104, 105]
    with pytest.raises(HttpResponseError) as error:
        list(client.query_twins("foo"))
    assert code(error) == "SqlQueryError"
    for number in range(1, 6):
        client.delete_digital_twin(f"q{number}")
