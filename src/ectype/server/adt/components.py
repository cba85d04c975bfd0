"""Components of a twin: read and patched alone; their ETag is the twin's."""

from ectype.model.schema import JSON
from ectype.node.graph_view import Twin
from ectype.server.adt.bodies import read_patch
from ectype.server.adt.call import Answer, Call
from ectype.server.adt.errors import AdtError
from ectype.server.adt.twins import patched


def declared(call: Call, twin: Twin, name: str) -> None:
    """Raise ComponentNotFound unless the twin's model has that component."""
    if not call.view.has_component(twin, name):
        raise AdtError(404, "ComponentNotFound", f"twin {twin.id!r} has no component {name[:80]!r}")


async def get(call: Call) -> Answer:
    """GET /digitaltwins/{id}/components/{path}."""
    twin_id, name = call.names
    twin = call.view.twin(twin_id)
    declared(call, twin, name)
    value = twin.to_dict().get(name)
    empty: dict[str, JSON] = {"$metadata": {}}
    return Answer.of(value if isinstance(value, dict) else empty, etag=twin.etag)


async def patch(call: Call) -> Answer:
    """PATCH /digitaltwins/{id}/components/{path}: the twin's patch, one level up."""
    twin_id, name = call.names
    prefix = "/" + name.replace("~", "~0").replace("/", "~1")
    operations = read_patch(call.body)
    moved: list[JSON] = [
        {**each, "path": prefix + str(each["path"])} if isinstance(each, dict) else each for each in operations
    ]
    return await patched(call, twin_id, moved)
