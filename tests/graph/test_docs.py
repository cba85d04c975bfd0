"""The pages about the graph and the history say what is so."""

import re
from pathlib import Path

from ectype.graph.check import concerns
from ectype.model import Models, check_properties, check_telemetry, parse
from tests.graph.making import alarm, apply_all, farm, patch, put_edge, put_twin, put_types

DOCS = Path(__file__).parents[2] / "docs"


def documented(page: str) -> set[str]:
    return set(re.findall(r"^\| `([a-z.]+)` \|", (DOCS / page).read_text(), re.MULTILINE))


def test_every_kind_of_entry_has_a_row() -> None:
    written = [
        put_types()[0],
        put_twin("t"),
        patch("t"),
        ("twin.delete", "", None),
        put_edge("t", "e", "neighbours", "u"),
        ("relationship.delete", "", None),
        alarm("t", "a", 1),
        alarm("t", "a", 1, 2),
        *((kind, "", None) for kind in ("model.delete", "model.decommission", "relationship.patch", "telemetry")),
        *((kind, "", None) for kind in ("graph.put", "graph.clear", "route.put", "route.delete")),
        *((kind, "", None) for kind in ("job.put", "job.delete")),
    ]
    assert documented("graph.md") == {kind for kind, *_ in written}
    assert all(concerns(kind) for kind in documented("graph.md"))
    assert documented("history.md") == {"measured", "estimated", "predicted"}


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
