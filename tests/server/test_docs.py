import re
from pathlib import Path

from ectype.server.errors import _TABLE
from tests.server.fake import FakeView, app_of

DOCS = (Path(__file__).parents[2] / "docs" / "http.md").read_text("utf-8")


def test_every_route_has_its_section() -> None:
    sections = set(re.findall(r"^### `(?:GET|PATCH|WS) (\S+?)`", DOCS, re.MULTILINE))
    routes = {str(getattr(route, "path", "")) for route in app_of(FakeView()).routes} - {"/{path:path}"}
    assert sections == routes


def test_every_method_has_its_section() -> None:
    told = set(re.findall(r"^### `(GET|PATCH|WS) (\S+?)`", DOCS, re.MULTILINE))
    for route in app_of(FakeView()).routes:
        for method in (getattr(route, "methods", None) or {"WS"}) - {"HEAD"}:
            path = str(getattr(route, "path", ""))
            assert (method, path) in told or path == "/{path:path}"


def test_every_error_is_in_the_table() -> None:
    rows = set(re.findall(r"^\| (\d+) \| (\d+) \| `(\w+)` \|", DOCS, re.MULTILINE))
    for _, status, close, code in _TABLE:
        assert (str(status), str(close), code) in rows
