"""The space as a whole, and the types its twins have."""

import base64

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ectype.node.view import View
from ectype.server.gate import Gate, json_response
from ectype.server.query import NS_PER_MS, no_parameters


def routes(gate: Gate) -> list[BaseRoute]:
    """`/api/space` and `/api/models`."""
    return [gate.route("/api/space", get=_space), gate.route("/api/models", get=_models)]


async def _space(request: Request, view: View) -> Response:
    no_parameters(request)
    info, span = view.space(), view.span()
    return json_response(
        {
            "name": info.name,
            "size": info.size,
            "root": base64.b64encode(info.root).decode(),
            "started_ns": info.started_ns,
            "speed": info.speed,
            "version": info.version,
            "who": info.who,
            "first_ms": None if span is None else span[0] // NS_PER_MS,
            "last_ms": None if span is None else span[1] // NS_PER_MS,
        }
    )


async def _models(request: Request, view: View) -> Response:
    no_parameters(request)
    return json_response(view.models())
