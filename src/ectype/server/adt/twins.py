"""Digital twins: get, put, patch, delete."""

from ectype.errors import NotFound
from ectype.model.schema import JSON
from ectype.node.graph_view import Draft, Twin
from ectype.server.adt.bodies import read_object, read_patch
from ectype.server.adt.call import Answer, Call
from ectype.server.adt.etags import if_match, if_none


def shown(twin: Twin, call: Call) -> dict[str, JSON]:
    """A twin as JSON, as its api-version has it."""
    found = twin.to_dict()
    if call.first_version:
        metadata = found.get("$metadata")
        if isinstance(metadata, dict):
            metadata.pop("$lastUpdateTime", None)
    return found


async def get(call: Call) -> Answer:
    """GET /digitaltwins/{id}."""
    twin = call.view.twin(call.names[0])
    return Answer.of(shown(twin, call), etag=twin.etag)


async def put(call: Call) -> Answer:
    """PUT /digitaltwins/{id}: 200 also when it is new. The id in the URL wins."""
    twin_id = call.names[0]
    body = read_object(call.body, "a digital twin")
    must_be_new = if_none(call)
    before = call.view.find_twin(twin_id)
    body.pop("$etag", None)
    if before is not None:
        body["$etag"] = before.etag  # what it replaces: so the log tells an update from a birth
    body["$dtId"] = twin_id
    await call.view.write(Draft("twin.put", f"twin:{twin_id}", body), if_none=must_be_new)
    twin = call.view.twin(twin_id)
    return Answer.of(shown(twin, call), etag=twin.etag)


async def patch(call: Call) -> Answer:
    """PATCH /digitaltwins/{id}."""
    twin_id = call.names[0]
    operations = read_patch(call.body)
    return await patched(call, twin_id, operations)


async def patched(call: Call, twin_id: str, operations: list[JSON]) -> Answer:
    """Apply a patch to a twin; an empty one changes nothing."""
    if not operations:
        return Answer.nothing(call.view.twin(twin_id).etag)
    written = await call.view.write(Draft("twin.patch", f"twin:{twin_id}", operations), if_match(call))
    return Answer.nothing(f'W/"{written.index}"')


async def delete(call: Call) -> Answer:
    """DELETE /digitaltwins/{id}. What it was stays in the entry, for whoever is told of it."""
    twin_id = call.names[0]
    twin = call.view.find_twin(twin_id)
    if twin is None:
        raise NotFound(f"there is no digital twin {twin_id[:140]!r}")
    await call.view.write(Draft("twin.delete", f"twin:{twin_id}", twin.to_dict()), if_match(call))
    return Answer.nothing()
