"""The pages about the graph and the history say what is so."""

import re
from pathlib import Path

from ectype.graph import check
from ectype.model import Models, check_properties, check_telemetry, parse
from tests.graph.making import alarm, apply_all, farm

DOCS = Path(__file__).parents[2] / "docs"


def documented(page: str) -> set[str]:
    return set(re.findall(r"^\| `([a-z.]+)` \|", (DOCS / page).read_text(), re.MULTILINE))


def test_every_kind_of_entry_has_a_row() -> None:
    assert documented("graph.md") == set(check._RULES)  # pyright: ignore[reportPrivateUsage]
    assert documented("history.md") == {"measured", "estimated", "predicted"}


def test_every_kind_that_the_code_appends_is_on_some_page() -> None:
    source = "\n".join(path.read_text() for path in (DOCS.parent / "src" / "ectype").rglob("*.py"))
    told = "\n".join(path.read_text() for path in DOCS.rglob("*.md"))
    for kind in set(re.findall(r'\bkind="([a-z.-]+)"', source)) - {"stable"}:
        assert f"`{kind}`" in told, f"no page says what an entry of kind {kind!r} is"


def test_the_first_example_runs() -> None:
    code = re.findall(r"```python\n(.*?)```", (DOCS / "graph.md").read_text(), re.DOTALL)[0]
    names: dict[str, object] = {}
    exec(code, names)
    assert names["parse"] is parse
    assert names["check_properties"] is check_properties
    assert names["check_telemetry"] is check_telemetry
    models = names["models"]
    assert isinstance(models, Models)
    assert len(models) == 1


def test_alarms_go_the_way_the_page_says() -> None:
    graph = apply_all(farm(), alarm("t1", "still", 1), alarm("t1", "still", 1, 5), alarm("t2", "still", 2, 3))
    assert [(each.twin, each.until_ns) for each in graph.alarms()] == [("t2", 3), ("t1", 5)]
