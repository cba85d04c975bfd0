"""The source that docs/write-a-source.md shows, as its reader would type it in."""

import asyncio
import re
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest

from ectype.errors import Misconfigured, Unavailable
from ectype.sources import connector
from ectype.sources.connector import Opening
from tests.sources.outside.bed import first, play, values

PAGE = Path(__file__).parents[3] / "docs" / "write-a-source.md"


@pytest.fixture
def gauge(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's code, installed as a package that declares it would be."""
    text = PAGE.read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    module = ModuleType("my_package.gauge")
    exec(code, module.__dict__)
    (line,) = re.findall(r'gauge = "(.*)"', text)
    point = EntryPoint("gauge", line, "ectype.sources")
    monkeypatch.setitem(__import__("sys").modules, "my_package", ModuleType("my_package"))
    monkeypatch.setitem(__import__("sys").modules, "my_package.gauge", module)
    monkeypatch.setattr(connector, "entry_points", lambda group, name=None: [point] if name in (None, "gauge") else [])


def test_it_is_found_by_its_scheme_and_reads_what_changes(gauge: None, tmp_path: Path) -> None:
    level = tmp_path / "level"
    level.write_text("1.5")

    async def work() -> None:
        told = Opening("tank", f"gauge://{level}", {"value": "tank-1.level"})
        coming = asyncio.ensure_future(first(told, lambda c: len(c) >= 1))
        await coming
        level.write_text("2.5")
        assert values(await first(told, bool)) == {"tank-1.level": [2.5]}
        level.unlink()
        with pytest.raises(Unavailable, match="cannot be read"):
            await first(told, bool)

    play(work)


def test_what_cannot_work_is_said(gauge: None) -> None:
    with pytest.raises(Misconfigured, match='binds "value"'):
        connector.open_connector(Opening("tank", "gauge:///x", {"level": "tank-1.level"}), lambda: 0)
    with pytest.raises(Misconfigured, match="gauge"):
        connector.open_connector(Opening("tank", "gopher:///x", {"level": "tank-1.level"}), lambda: 0)
