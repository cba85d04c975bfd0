"""What the page about queries shows is so."""

import re
from pathlib import Path

import pytest

from ectype.log.fold import catch_up
from ectype.query import read as reading
from ectype.query import run
from ectype.query.grammar import LONGEST
from ectype.query.run import ROWS
from ectype.query.where import FUNCTIONS
from tests.graph.making import FARM, OFFSHORE, Graph, entry, put_edge, put_twin, put_types
from tests.series.making import Steps

PAGE = (Path(__file__).parents[2] / "docs" / "query.md").read_text()
QUERIES = [line for block in re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


def farm() -> Graph:
    log = Steps()
    for write in (
        *put_types(),
        put_twin("farm", FARM, name="La Haute Borne"),
        put_twin("t1", power=1.5, name="one"),
        put_twin("t2", OFFSHORE, depth=12, gear={"wear": 0.25}),
        put_edge("farm", "c1", "contains", "t1"),
        put_edge("farm", "c2", "contains", "t2"),
        put_edge("t1", "n", "neighbours", "t2", metres=300),
    ):
        log.entries.append(entry(*write, log.size))
    graph = Graph.open(None, log)
    catch_up(graph, log)
    return graph


@pytest.mark.parametrize("text", QUERIES)
def test_every_query_on_the_page_finds_something(text: str) -> None:
    assert run(farm(), text).rows


def test_the_example_in_python_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {"graph": farm()}
    exec(code, names)


def test_every_function_is_on_the_page() -> None:
    for name in FUNCTIONS:
        assert f"`{name}" in PAGE


def test_the_limits_are_those_of_the_code() -> None:
    row = f"| {reading.CHOICES:,}; {reading.CONDITIONS}; {reading.DEPTH} |"
    assert row in PAGE
    assert f"| {reading.JOINS}; {reading.HOPS} |" in PAGE
    assert f"| {LONGEST:,} |" in PAGE
    assert f"| {ROWS:,} |" in PAGE
