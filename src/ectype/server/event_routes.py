"""How the event routes do: what they delivered, what they could not, where they are in the log."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ectype.node.view import View
from ectype.server.gate import Gate, json_response
from ectype.server.query import no_parameters


def routes(gate: Gate) -> list[BaseRoute]:
    """`/api/routes`."""
    return [gate.route("/api/routes", get=_routes)]


async def _routes(request: Request, view: View) -> Response:
    no_parameters(request)
    told = [
        {
            "name": name,
            "position": state.position,
            "delivered": state.delivered,
            "retries": state.retries,
            "dead": state.dead,
            "error": state.last_error,
        }
        for name, state in sorted(view.graph.route_states().items())
    ]
    return json_response({"routes": told})
