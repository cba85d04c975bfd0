"""The planner says what loops over dictionaries say, whatever the graph, the query and the indexes."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectype.graph.columns import Column
from ectype.graph.fold import Graph
from ectype.model import JSON
from ectype.query import plan, run
from tests.query.making import PATHS, Described, chains, conditions, described, graph_of
from tests.query.naive import Naive

COLUMNS = [Column("twins", tuple(path.split(".")), what) for path in PATHS for what in ("value", "kind")]
COLUMNS += [Column("relationships", (path,), "value") for path in ("weight", "note")]


def counted(rows: list[dict[str, JSON]]) -> Counter[bytes]:
    return Counter(msgspec.json.encode(rounded(row), order="sorted") for row in rows)


def rounded(value: JSON) -> JSON:
    """Sums of floats come out a little differently in another order; 1.0 is 1."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 else float(f"{value:.9g}")
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    return [rounded(part) for part in value] if isinstance(value, list) else value


def all_pages(graph: Graph, text: str, limit: int) -> list[dict[str, JSON]]:
    rows: list[dict[str, JSON]] = []
    page = run(graph, text, limit=limit)
    rows += page.rows
    while page.next is not None:
        assert len(page.rows) == limit
        page = run(graph, None, after=page.next, limit=limit)
        rows += page.rows
    return rows


def agree(described: Described, text: str, limit: int, indexed: list[Column], many: int = plan.MANY) -> None:
    graph = graph_of(described)
    for column in indexed:
        graph.make_column(column)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "MANY", many)
        assert counted(all_pages(graph, text, limit)) == counted(Naive(graph).run(text)), text


limits = st.integers(1, 20)
indexes = st.lists(st.sampled_from(COLUMNS), max_size=4, unique=True)
many = st.sampled_from([1, 2, plan.MANY])


@settings(max_examples=100)
@given(described, conditions(["T"]), limits, indexes, many)
def test_filters_of_twins(described: Described, where: str, limit: int, indexed: list[Column], many: int) -> None:
    agree(described, f"SELECT * FROM DIGITALTWINS T WHERE {where}", limit, indexed, many)


@settings(max_examples=80)
@given(described, conditions(["R"], twins=False), limits, indexes)
def test_filters_of_relationships(described: Described, where: str, limit: int, indexed: list[Column]) -> None:
    agree(described, f"SELECT R FROM RELATIONSHIPS R WHERE {where}", limit, indexed)


@settings(max_examples=80)
@given(described, st.data(), limits, indexes)
def test_joins(described: Described, data: st.DataObject, limit: int, indexed: list[Column]) -> None:
    joins = data.draw(
        st.sampled_from(
            [
                "JOIN b RELATED a.has",
                "JOIN b RELATED a.has r",
                "JOIN b RELATED a.has r JOIN c RELATED b.feeds",
                "JOIN b RELATED a.has JOIN c RELATED a.has s",
                "JOIN b RELATED a.feeds JOIN c RELATED b.has JOIN d RELATED a.has",
            ]
        )
    )
    names = ["a", *(word for word in "bcd" if f"JOIN {word}" in joins)]
    where = data.draw(conditions(names))
    shown = ", ".join([*names, *(r for r in ("r", "s") if f" {r}" in joins.replace("JOIN", ""))])
    agree(described, f"SELECT {shown} FROM DIGITALTWINS a {joins} WHERE {where}", limit, indexed)


@settings(max_examples=150, deadline=None)
@given(described, chains(), st.data(), limits, indexes)
def test_patterns(
    described: Described,
    chain: tuple[str, list[str], list[str]],
    data: st.DataObject,
    limit: int,
    indexed: list[Column],
) -> None:
    text, names, edges = chain
    where = data.draw(conditions(names) if not edges else conditions(names) | conditions(edges, twins=False))
    shown = data.draw(st.sampled_from(["*", ", ".join([*names, *edges]), f"{names[-1]}.$dtId"]))
    agree(described, f"SELECT {shown} FROM DIGITALTWINS MATCH {text} WHERE {where}", limit, indexed)


@settings(max_examples=100)
@given(described, st.data(), limits)
def test_groups(described: Described, data: st.DataObject, limit: int) -> None:
    keys = st.sampled_from(["T.x", "T.size", "T.$metadata.$model", "T.labels.red"])
    by = data.draw(st.lists(keys, max_size=2, unique=True))
    sums = "COUNT() AS n, COUNT(T.x) AS c, SUM(T.size) AS s, AVG(T.part.wear) AS m, MIN(T.x) AS low, MAX(T.size) AS h"
    shown = ", ".join([*(f"{path} AS g{k}" for k, path in enumerate(by)), sums])
    order = data.draw(st.sampled_from(["", " ORDER BY n DESC", " ORDER BY low, s DESC"]))
    group = f" GROUP BY {', '.join(by)}{order}" if by else ""
    agree(described, f"SELECT {shown} FROM DIGITALTWINS T{group}", limit, [])


@settings(max_examples=100)
@given(described, conditions(["T"]), st.sampled_from(["x", "size", "place.x"]), st.booleans(), limits, indexes)
def test_order_does_not_depend_on_pages_and_indexes(
    described: Described, where: str, key: str, down: bool, limit: int, indexed: list[Column]
) -> None:
    graph = graph_of(described)
    text = f"SELECT T.$dtId, T.{key} AS k FROM DIGITALTWINS T WHERE {where} ORDER BY T.{key}{' DESC' * down}"
    whole = run(graph, text).rows
    for column in indexed:
        graph.make_column(column)
    assert all_pages(graph, text, limit) == whole
    assert counted(whole) == counted(Naive(graph).run(text))
    ranks = [rank(row.get("k")) for row in whole]
    assert ranks == sorted(ranks, reverse=down)


def rank(value: JSON) -> tuple[int, float, bytes]:
    match value:
        case bool():
            return 3, value, b""
        case int() | float():
            return 1, value, b""
        case str():
            return 2, 0, value.encode()
        case _:
            return 0, 0, b""
