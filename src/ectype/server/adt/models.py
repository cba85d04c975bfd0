"""Models: add, list, get, decommission, delete."""

from collections.abc import Mapping

from ectype.errors import Conflict
from ectype.model.schema import JSON
from ectype.node.graph_view import Draft, Model, instant
from ectype.server.adt.bodies import read_json, read_patch
from ectype.server.adt.call import Answer, Call
from ectype.server.adt.errors import AdtError
from ectype.server.adt.paging import after, listing, page_size

_AT_ONCE = 250


def shown(model: Model, with_definition: bool) -> dict[str, object]:
    """A model as JSON."""
    found: dict[str, object] = {
        "id": model.id,
        "displayName": _words(model.document, "displayName"),
        "description": _words(model.document, "description"),
        "uploadTime": instant(model.at_ns).replace("Z", "+00:00"),
        "decommissioned": model.decommissioned,
    }
    if with_definition:
        found["model"] = model.document
    return found


def _words(document: Mapping[str, JSON], name: str) -> JSON:
    value = document.get(name)
    return {"en": value} if isinstance(value, str) else value if isinstance(value, dict) else {}


def _flag(call: Call, name: str) -> bool:
    value = (call.query(name) or "false").lower()
    if value not in ("true", "false"):
        raise AdtError(400, "InvalidArgument", f"{name} is true or false")
    return value == "true"


async def add(call: Call) -> Answer:
    """POST /models: all of them or none."""
    documents = read_json(call.body, "a list of DTDL interfaces")
    if not isinstance(documents, list):
        raise AdtError(400, "BadRequest", "the body must be a JSON list of DTDL interfaces")
    if not documents:
        raise AdtError(400, "InvalidArgument", "the list of models is empty")
    if len(documents) > _AT_ONCE:
        raise AdtError(400, "LimitExceeded", f"at most {_AT_ONCE} models can be added at once, not {len(documents)}")
    made = await call.view.put_models(documents)
    return Answer.of([shown(model, with_definition=False) for model in made], 201)


def codes_of_conflict(call: Call, error: Conflict) -> AdtError:
    """A model that is there already, as each version calls it."""
    return AdtError(409, "ModelIdAlreadyExists" if call.first_version else "ModelAlreadyExists", str(error))


async def list_all(call: Call) -> Answer:
    """GET /models."""
    page = call.view.models(call.queries("dependenciesFor"), after(call), page_size(call))
    with_definition = _flag(call, "includeModelDefinition")
    return listing(call, [shown(model, with_definition) for model in page.items], page.after)


async def get(call: Call) -> Answer:
    """GET /models/{id}."""
    with_definition = _flag(call, "includeModelDefinition")
    return Answer.of(shown(call.view.model(call.names[0]), with_definition))


async def update(call: Call) -> Answer:
    """PATCH /models/{id}: nothing but `/decommissioned` can change."""
    dtmi = call.names[0]
    operations = read_patch(call.body)
    call.view.model(dtmi)
    for operation in operations:
        assert isinstance(operation, dict)
        value = operation.get("value")
        if operation.get("op") not in ("replace", "add") or operation["path"] != "/decommissioned":
            raise AdtError(400, "JsonPatchInvalid", 'of a model only "/decommissioned" can be replaced')
        if not isinstance(value, bool):
            raise AdtError(400, "JsonPatchInvalid", '"/decommissioned" is true or false')
        await call.view.write(Draft("model.decommission", f"model:{dtmi}", {"decommissioned": value}))
    return Answer.nothing()


async def delete(call: Call) -> Answer:
    """DELETE /models/{id}. Twins of it stay."""
    dtmi = call.names[0]
    call.view.model(dtmi)
    await call.view.write(Draft("model.delete", f"model:{dtmi}", {}))
    return Answer.nothing()
