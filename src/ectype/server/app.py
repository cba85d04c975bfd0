"""The HTTP application: a view of the space on one side, REST, two WebSockets and a page on the other.

    request ─► guard (Host, Origin) ─► route ─► gate (who asks → View) ─► handler ─► JSON

There is no rule here that Python or the command line lacks. `docs/http.md` describes every route.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import final

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from ectype.server import behaviours, event_routes, feed, grafana, history, log, push, rooms, sources, space, twins
from ectype.server.adt.door import Door
from ectype.server.auth import Views
from ectype.server.errors import http_exception
from ectype.server.gate import Gate
from ectype.server.guard import Guard
from ectype.server.static import page_route


def create_app(views: Views, *, allowed_hosts: Collection[str], static: Path | None) -> ASGIApp:
    """The application over `views`.

    allowed_hosts: the names (without port) that it may be called by; all others are refused, see `guard`.
    static: the folder of the built page; None, or one without index.html: a page that says how to build it.
    """
    return Guard(Door(_Routed(routes_of(views, static)), views), allowed_hosts)


def routes_of(views: Views, static: Path | None) -> list[BaseRoute]:
    """All routes but those of the Azure Digital Twins API, which its door has; the page comes last.

    A request asks them one after the other, so what comes thousands of times a second stands first.
    """
    gate = Gate(views)
    areas = (twins, push, space, sources, behaviours, event_routes, history, grafana, log, feed, rooms)
    return [*(route for area in areas for route in area.routes(gate)), page_route(views, static)]


@final
class _Routed:
    """Starlette's router without Starlette's layers for errors: endpoints tell their own, and here are the router's."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._router = Router(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, also where there is nothing."""
        scope["app"] = self  # so that the router raises what it finds wrong
        try:
            await self._router(scope, receive, send)
        except HTTPException as error:
            await http_exception(scope, error)(scope, receive, send)
