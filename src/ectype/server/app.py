"""The HTTP application: a view of the space on one side, REST, two WebSockets and a page on the other.

    request ─► guard (Host, Origin) ─► route ─► gate (who asks → View) ─► handler ─► JSON

There is no rule here that Python or the command line lacks. `docs/http.md` describes every route.
"""

from collections.abc import Collection
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

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
    inner = Starlette(routes=routes_of(views, static), exception_handlers={HTTPException: http_exception})
    # Not as Starlette's own middleware: its layer for errors, which these two never need, would stand before them.
    return Guard(Door(inner, views), allowed_hosts)


def routes_of(views: Views, static: Path | None) -> list[BaseRoute]:
    """All routes but those of the Azure Digital Twins API, which its door has; the page comes last."""
    gate = Gate(views)
    areas = (space, sources, behaviours, push, event_routes, twins, history, grafana, log, feed, rooms)
    return [*(route for area in areas for route in area.routes(gate)), page_route(views, static)]
