"""Event routes: list, get, put, delete. Endpoints are named in the space's endpoints.toml."""

from ectype.errors import Invalid
from ectype.model.schema import JSON
from ectype.node.graph_view import BadFilter, NoEndpoint
from ectype.server.adt.bodies import read_object
from ectype.server.adt.call import Answer, Call
from ectype.server.adt.errors import AdtError
from ectype.server.adt.paging import after, listing, page_size


def _shown(name: str, route: dict[str, JSON]) -> dict[str, JSON]:
    return {"id": name, **route}


async def list_all(call: Call) -> Answer:
    """GET /eventroutes."""
    page = call.view.routes(after(call), page_size(call))
    return listing(call, [_shown(*each) for each in page.items], page.after)


async def get(call: Call) -> Answer:
    """GET /eventroutes/{id}."""
    return Answer.of(_shown(call.names[0], call.view.route(call.names[0])))


async def put(call: Call) -> Answer:
    """PUT /eventroutes/{id}."""
    body = read_object(call.body, '{"endpointName": "…", "filter": "true"}')
    endpoint, text = body.get("endpointName"), body.get("filter")
    if not isinstance(endpoint, str):
        raise AdtError(400, "EventRouteEndpointInvalid", '"endpointName" names an endpoint')
    if not isinstance(text, str):
        raise AdtError(400, "EventRouteFilterInvalid", '"filter" is a text; true lets everything pass')
    try:
        await call.view.put_route(call.names[0], endpoint, text)
    except NoEndpoint as error:
        raise AdtError(400, "EventRouteEndpointInvalid", str(error)) from error
    except BadFilter as error:
        raise AdtError(400, "EventRouteFilterInvalid", str(error)) from error
    except Invalid as error:
        raise AdtError(400, "EventRouteIdInvalid", str(error)) from error
    return Answer.nothing()


async def delete(call: Call) -> Answer:
    """DELETE /eventroutes/{id}."""
    await call.view.delete_route(call.names[0])
    return Answer.nothing()
