"""Relationships of a twin, and those that lead to it."""

from urllib.parse import quote

from ectype.model.schema import JSON
from ectype.node.graph_view import Draft, Relationship
from ectype.server.adt.bodies import read_object, read_patch
from ectype.server.adt.call import Answer, Call
from ectype.server.adt.errors import AdtError
from ectype.server.adt.etags import if_match, if_none
from ectype.server.adt.paging import after, listing, page_size


def _existing(call: Call) -> Relationship:
    source, relationship_id = call.names
    found = call.view.relationship(source, relationship_id)
    if found is None:
        raise AdtError(
            404, "RelationshipNotFound", f"twin {source[:140]!r} has no relationship {relationship_id[:140]!r}"
        )
    return found


def _subject(call: Call) -> str:
    return f"relationship:{call.names[0]}/{call.names[1]}"


async def get(call: Call) -> Answer:
    """GET /digitaltwins/{id}/relationships/{relationshipId}."""
    found = _existing(call)
    return Answer.of(found.to_dict(), etag=found.etag)


async def put(call: Call) -> Answer:
    """PUT /digitaltwins/{id}/relationships/{relationshipId}. The ids in the URL win."""
    source, relationship_id = call.names
    body = read_object(call.body, "a relationship")
    must_be_new = if_none(call)
    target = body.get("$targetId")
    before = call.view.relationship(source, relationship_id)
    if not isinstance(target, str) or not isinstance(body.get("$relationshipName"), str):
        raise AdtError(400, "InvalidRelationship", 'a relationship needs "$targetId" and "$relationshipName"')
    if target == source:
        raise AdtError(400, "OperationNotAllowed", f"twin {source!r} cannot have a relationship to itself")
    if call.view.find_twin(target) is None:
        raise AdtError(404, "TargetTwinNotFound", f"there is no digital twin {target[:140]!r} to lead to")
    body.pop("$etag", None)
    if before is not None:
        body["$etag"] = before.etag
    body |= {"$sourceId": source, "$relationshipId": relationship_id}
    await call.view.write(Draft("relationship.put", _subject(call), body), if_none=must_be_new)
    found = _existing(call)
    return Answer.of(found.to_dict(), etag=found.etag)


async def patch(call: Call) -> Answer:
    """PATCH /digitaltwins/{id}/relationships/{relationshipId}."""
    operations: list[JSON] = read_patch(call.body)
    found = _existing(call)
    if not operations:
        return Answer.nothing(found.etag)
    written = await call.view.write(Draft("relationship.patch", _subject(call), operations), if_match(call))
    return Answer.nothing(f'W/"{written.index}"')


async def delete(call: Call) -> Answer:
    """DELETE /digitaltwins/{id}/relationships/{relationshipId}."""
    found = _existing(call)
    await call.view.write(Draft("relationship.delete", _subject(call), found.to_dict()), if_match(call))
    return Answer.nothing()


async def list_outgoing(call: Call) -> Answer:
    """GET /digitaltwins/{id}/relationships, of one name if `relationshipName` is given."""
    name = call.query("relationshipName") or None
    page = call.view.relationships(call.names[0], name, after(call), page_size(call))
    return listing(call, [each.to_dict() for each in page.items], page.after)


async def list_incoming(call: Call) -> Answer:
    """GET /digitaltwins/{id}/incomingrelationships."""
    page = call.view.incoming(call.names[0], after(call), page_size(call))
    items: list[object] = [
        {
            "$relationshipId": each.id,
            "$sourceId": each.source,
            "$relationshipName": each.name,
            "$relationshipLink": f"/digitaltwins/{quote(each.source, safe='')}/relationships/{quote(each.id, safe='')}",
        }
        for each in page.items
    ]
    return listing(call, items, page.after)
