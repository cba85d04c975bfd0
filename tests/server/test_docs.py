import re
from pathlib import Path

from starlette.routing import Route, WebSocketRoute

from ectype.server.app import routes_of
from ectype.server.errors import _TABLE
from tests.server.fake import FakeView, views_of

DOCS = (Path(__file__).parents[2] / "docs" / "http.md").read_text("utf-8")


def documented() -> list[Route | WebSocketRoute]:
    """The routes that docs/http.md is about: not the Azure Digital Twins API, which has a page of its own."""
    return [route for route in routes_of(views_of(FakeView()), None) if isinstance(route, Route | WebSocketRoute)]


def test_every_route_has_its_section() -> None:
    sections = set(re.findall(r"^### `(?:GET|PATCH|POST|WS) (\S+?)`", DOCS, re.MULTILINE))
    routes = {route.path for route in documented()} - {"/{path:path}"}
    assert sections == routes


def test_every_method_has_its_section() -> None:
    told = set(re.findall(r"^### `(GET|PATCH|POST|WS) (\S+?)`", DOCS, re.MULTILINE))
    for route in documented():
        for method in (getattr(route, "methods", None) or {"WS"}) - {"HEAD"}:
            assert (method, route.path) in told or route.path == "/{path:path}"


def test_every_error_is_in_the_table() -> None:
    rows = set(re.findall(r"^\| (\d+) \| (\d+) \| `(\w+)` \|", DOCS, re.MULTILINE))
    for _, status, close, code in _TABLE:
        assert (str(status), str(close), code) in rows
