"""How long does a query take, as a campus grows from ten thousand twins to a million?

    python bench/query_campus.py            10,000 and 100,000 twins
    python bench/query_campus.py --million  and 1,000,000: some minutes, 1 GB of disk
    python bench/query_campus.py --quick    10,000 twins, a few seconds, for CI

In process, with what a server would do: a page of at most 100 rows, each as JSON, from a text that was not seen
before. Beside it the same question as hand-written SQL to the same SQLite file, which is the physical limit.

  filter       one property that has an index, equal to a value: p50
  pattern up   three hops from a sensor to its building: p50
  pattern down three hops from a building to its 800 sensors, the first page of them: p50
  count        of all twins: p50
  first        a filter on a property that all twins have and nobody filtered on before (`name`), once
  then         the same from then on: p50
"""

import argparse
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from campus import PER_BUILDING, filled, resident_mb
from ectype.graph.columns import Column
from ectype.graph.fold import Graph
from ectype.query import run
from ectype.query.page import read_token

ASSET = Column("twins", ("identifiers", "asset"))
NAME = Column("twins", ("name",))
UP = "(s)-[:isPointOf]->(r)-[:isPartOf]->(l)-[:isPartOf]->(b)"
DOWN = "(b)-[:hasPart]->(l)-[:hasPart]->(r)-[:hasPoint]->(s)"
TWIN = "SELECT id, properties, last_index FROM twins"
HOPS = (
    "SELECT t.id, t.properties, t.last_index FROM relationships a CROSS JOIN relationships b ON b.source = a.target"
    " CROSS JOIN relationships c ON c.source = b.target CROSS JOIN twins t ON t.key = c.target"
    " WHERE a.source = (SELECT key FROM twins WHERE id = ?) AND a.name = ? AND b.name = ? AND c.name = ? LIMIT 100"
)


def p50_ms(do: Callable[[int], object], count: int) -> float:
    took: list[float] = []
    for number in range(count):
        began = time.perf_counter()
        do(number)
        took.append(1e3 * (time.perf_counter() - began))
    return median(took)


def asked(graph: Graph, text: str) -> int:
    page = run(graph, text)
    if page.next is not None:
        read_token(page.next)
    return len(json.dumps(page.rows))


def measure(twins: int, folder: Path, count: int) -> None:
    graph, took, rows = filled(folder / f"graph-{twins}", twins)
    graph.make_column(ASSET)
    db = sqlite3.connect(folder / f"graph-{twins}" / "graph.sqlite")
    among = graph.columns.known()[ASSET].format(alias="")
    buildings = max(1, twins // PER_BUILDING)
    links, rate = rows - twins, rows / took
    print(
        f"\n{twins:,} twins, {links:,.0f} relationships; folded at {rate:,.0f} rows/s, {resident_mb():,.0f} MB resident"
    )

    def bare(sql: str, *bound: object) -> None:
        json.dumps([(name, json.loads(text)) for name, text, *_ in db.execute(sql, bound).fetchall()])

    def asset(number: int) -> str:
        return f"A-{number * 7919 % twins:08d}"

    def building(number: int) -> str:
        return f"b{number % buildings}"

    up = ("isPointOf", "isPartOf", "isPartOf")
    down = ("hasPart", "hasPart", "hasPoint")
    sensor = "-l1-r2-s3"
    where = f"{among} AND {ASSET.expression()} = ?"
    pairs: list[tuple[str, float, Callable[[int], object], Callable[[int], object]]] = [
        (
            "filter",
            3,
            lambda k: asked(graph, f"SELECT * FROM DIGITALTWINS T WHERE T.identifiers.asset = '{asset(k)}'"),
            lambda k: bare(f"{TWIN} WHERE {where}", asset(k)),
        ),
        (
            "pattern up",
            4,
            lambda k: asked(graph, f"SELECT b FROM DIGITALTWINS MATCH {UP} WHERE s.$dtId = '{building(k)}{sensor}'"),
            lambda k: bare(HOPS, building(k) + sensor, *up),
        ),
        (
            "pattern down",
            4,
            lambda k: asked(graph, f"SELECT s FROM DIGITALTWINS MATCH {DOWN} WHERE b.$dtId = '{building(k)}'"),
            lambda k: bare(HOPS, building(k), *down),
        ),
        (
            "count",
            10,
            lambda k: asked(graph, f"SELECT COUNT() AS n{k} FROM DIGITALTWINS"),
            lambda k: db.execute("SELECT count(*) FROM twins").fetchone(),
        ),
    ]
    print(f"{'':14}{'query':>10}{'bare SQL':>12}{'asked for':>12}")
    for name, bar, query, sql in pairs:
        show(name, p50_ms(query, count), p50_ms(sql, count), bar)
    began = time.perf_counter()
    asked(graph, "SELECT * FROM DIGITALTWINS T WHERE T.name = 'b0-l1-r1 of campus'")
    first = 1e3 * (time.perf_counter() - began)
    graph.save()
    began = time.perf_counter()
    db.execute("CREATE INDEX bare_name ON twins(json_extract(properties,'$.\"name\"'))")
    limit = 1e3 * (time.perf_counter() - began)
    show("first", first, limit, 1500)
    named = "json_extract(properties,'$.\"name\"') = ?"
    then = p50_ms(
        lambda k: asked(graph, f"SELECT * FROM DIGITALTWINS T WHERE T.name = '{building(k)}-l1-r1 of campus'"), count
    )
    show("then", then, p50_ms(lambda k: bare(f"{TWIN} WHERE {named}", f"{building(k)}-l1-r1 of campus"), count), 5)
    db.close()
    graph.close()


def show(name: str, query: float, bare: float, bar: float) -> None:
    print(f"{name:14}{query:>7.2f} ms{bare:>9.2f} ms{bar:>9,} ms   ratio {query / bare:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--million", action="store_true")
    asked_for = parser.parse_args()
    sizes = [10_000] if asked_for.quick else [10_000, 100_000, 1_000_000] if asked_for.million else [10_000, 100_000]
    with tempfile.TemporaryDirectory() as name:
        for twins in sizes:
            measure(twins, Path(name), 30 if asked_for.quick else 200)


if __name__ == "__main__":
    main()
