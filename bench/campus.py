"""What does a synthetic campus cost to fold, and how much room does it take?

    python bench/campus.py             100,000 twins
    python bench/campus.py --twins N   any number
    python bench/campus.py --quick     10,000 twins, a few seconds, for CI

Also the generator that other benchmarks import: buildings, levels, rooms and sensors as RealEstateCore has them (its
types from the folder of shared data; where that is absent, five types of the same names and shapes), with three
relationships a twin. The baseline is the same rows in a bare SQLite file with the same indexes, by executemany.
"""

import argparse
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from ectype.graph.fold import Graph
from ectype.log.entry import Entry

SHARED = Path(__file__).parents[1] / ".." / "shared" / "data" / "ontologies" / "realestatecore-dtdlv2" / "models.json"
REC, BRICK = "dtmi:org:w3id:rec", "dtmi:org:brickschema:schema:Brick"
BUILDING, LEVEL, ROOM = f"{REC}:Building;1", f"{REC}:Level;1", f"{REC}:Room;1"
SENSOR = f"{BRICK}:Temperature_Sensor;1"
POINT, SPACE = f"{BRICK}:Point;1", f"{REC}:Space;1"
USED = (BUILDING, LEVEL, ROOM, SENSOR)
LEVELS, ROOMS, SENSORS = 10, 20, 4
PER_BUILDING = 1 + LEVELS * (1 + ROOMS * (1 + SENSORS))  # 1,011 twins
Row = dict[str, Any]


def types(*, whole: bool = False) -> list[Row]:
    """The interfaces that the campus needs, each after what it extends or contains; `whole`: all of RealEstateCore."""
    if not SHARED.exists():
        return _own_types()
    documents = {each["@id"]: each for each in json.loads(SHARED.read_text())}
    ordered: dict[str, Row] = {}

    def put(dtmi: str) -> None:
        if dtmi in ordered:
            return
        document = documents[dtmi]
        extends = document.get("extends", [])
        for each in [extends] if isinstance(extends, str) else extends:
            put(each)
        for content in document.get("contents", []):
            if "Component" in content["@type"]:
                put(content["schema"])
        ordered[dtmi] = document

    for dtmi in documents if whole else USED:
        put(dtmi)
    return list(ordered.values())


def _own_types() -> list[Row]:
    def interface(dtmi: str, *contents: Row, **more: Any) -> Row:
        return {
            "@context": "dtmi:dtdl:context;2",
            "@id": dtmi,
            "@type": "Interface",
            "contents": list(contents),
            **more,
        }

    def prop(name: str, schema: Any) -> Row:
        return {"@type": "Property", "name": name, "schema": schema, "writable": True}

    def to(name: str) -> Row:
        return {"@type": "Relationship", "name": name}

    tags = {"name": "tagName", "schema": "string"}, {"name": "tagValue", "schema": "boolean"}
    custom = prop("customTags", {"@type": "Map", "mapKey": tags[0], "mapValue": tags[1]})
    keys = {"name": "namespace", "schema": "string"}, {"name": "identifier", "schema": "string"}
    identifiers = prop("identifiers", {"@type": "Map", "mapKey": keys[0], "mapValue": keys[1]})
    links = [to(name) for name in ("hasPart", "isPartOf", "hasPoint", "isLocationOf")]
    return [
        interface(SPACE, prop("name", "string"), custom, identifiers, *links),
        interface(BUILDING, extends=SPACE),
        interface(LEVEL, prop("levelNumber", "integer"), extends=SPACE),
        interface(ROOM, extends=SPACE),
        interface(POINT, prop("name", "string"), custom, identifiers, to("isPointOf")),
        interface(SENSOR, extends=POINT),
    ]


def twin(dtmi: str, name: str, number: int, **more: Any) -> Row:
    return {
        "$dtId": name,
        "$metadata": {"$model": dtmi},
        "name": f"{name} of campus",
        "customTags": {"renovated": number % 7 == 0, "lab": number % 3 == 0},
        "identifiers": {"asset": f"A-{number:08d}", "zone": f"Z{number % 1000}"},
        **more,
    }


def link(source: str, name: str, target: str) -> Row:
    return {
        "$sourceId": source,
        "$relationshipId": f"{name}-{target}"[:128],
        "$relationshipName": name,
        "$targetId": target,
    }


def rows(twins: int) -> Iterator[tuple[str, Row]]:
    """`twins` twins and some three relationships for each, ends before what leads to them."""
    number = 0
    while number < twins:
        building = f"b{number // PER_BUILDING}"
        for name, kind, parent, more in _building(building):
            if number == twins:
                return
            yield "twins", twin(kind, name, number, **more)
            number += 1
            if parent is None:
                continue
            point = kind == SENSOR
            yield "relationships", link(parent, "hasPoint" if point else "hasPart", name)
            yield "relationships", link(name, "isPointOf" if point else "isPartOf", parent)
            yield "relationships", link(building, "isLocationOf", name)


def _building(building: str) -> Iterator[tuple[str, str, str | None, Row]]:
    yield building, BUILDING, None, {}
    for level in range(LEVELS):
        floor = f"{building}-l{level}"
        yield floor, LEVEL, building, {"levelNumber": level}
        for each in range(ROOMS):
            room = f"{floor}-r{each}"
            yield room, ROOM, floor, {}
            for sensor in range(SENSORS):
                yield f"{room}-s{sensor}", SENSOR, room, {}


def blocks(twins: int, size: int = 1000) -> Iterator[bytes]:
    """The campus as bodies of `graph.put`, of up to `size` rows each."""
    block: dict[str, list[Row]] = {"twins": [], "relationships": []}
    count = 0
    for name, row in rows(twins):
        block[name].append(row)
        count += 1
        if count == size:
            yield msgspec.json.encode(block)
            block, count = {"twins": [], "relationships": []}, 0
    if count:
        yield msgspec.json.encode(block)


class Size:
    """A log of which only size and root are asked."""

    size = 0

    def read(self, start: int, stop: int | None = None) -> Iterator[tuple[int, Entry]]:
        raise NotImplementedError

    def root(self, size: int | None = None) -> bytes:
        return sha256(str(size).encode()).digest()


def entry(kind: str, subject: str, body: bytes, index: int) -> Entry:
    return Entry(
        b"h%d" % index, b"s" * 16, body, kind, subject, "author", 1_700_000_000_000_000_000 + index, "application/json"
    )


def filled(folder: Path, twins: int, *, whole: bool = False) -> tuple[Graph, float, float]:
    """A graph of the campus in `folder`, how many seconds applying its blocks took, and how many rows there are."""
    log = Size()
    graph = Graph.open(folder, log)
    for document in types(whole=whole):
        graph.apply(
            graph.size, entry("model.put", f"model:{document['@id']}", msgspec.json.encode(document), graph.size)
        )
    took = 0.0
    for number, body in enumerate(blocks(twins)):
        each = entry("graph.put", f"import:{number}", body, graph.size)
        began = time.perf_counter()
        graph.apply(graph.size, each)
        took += time.perf_counter() - began
    log.size = graph.size
    began = time.perf_counter()
    graph.save()
    counts = graph.counts()
    assert counts["rejected"] == 0, graph.rejected(1)
    assert counts["twins"] == twins
    return graph, took + time.perf_counter() - began, counts["twins"] + counts["relationships"]


def bare(path: Path, twins: int) -> tuple[float, int]:
    """Rows a second into the same tables of a bare SQLite file, from dictionaries, and its bytes."""
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-128000;"
        "CREATE TABLE twins(key INTEGER PRIMARY KEY, id TEXT UNIQUE, model TEXT, properties TEXT);"
        "CREATE TABLE relationships(key INTEGER PRIMARY KEY, source INTEGER, id TEXT, name TEXT, target INTEGER,"
        " UNIQUE(source, id));"
        "CREATE INDEX o ON relationships(source, name, target); CREATE INDEX i ON relationships(target, name, source);"
    )
    took, count = 0.0, 0
    for body in blocks(twins):
        block = msgspec.json.decode(body)
        nodes = [(t["$dtId"], t["$metadata"]["$model"], json.dumps(t)) for t in block["twins"]]
        edges = [
            (e["$relationshipId"], e["$relationshipName"], e["$sourceId"], e["$targetId"])
            for e in block["relationships"]
        ]
        began = time.perf_counter()
        db.execute("BEGIN")
        db.executemany("INSERT INTO twins(id, model, properties) VALUES(?, ?, ?)", nodes)
        db.executemany(
            "INSERT INTO relationships(source, id, name, target)"
            " SELECT s.key, ?1, ?2, t.key FROM twins s, twins t WHERE s.id = ?3 AND t.id = ?4",
            edges,
        )
        db.execute("COMMIT")
        took += time.perf_counter() - began
        count += len(nodes) + len(edges)
    db.close()
    return count / took, path.stat().st_size


def resident_mb() -> float:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    return next(int(line.split()[1]) / 1024 for line in status.read_text().splitlines() if line.startswith("VmRSS"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--twins", type=int, default=100_000)
    asked = parser.parse_args()
    twins = 10_000 if asked.quick else asked.twins
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        graph, took, count = filled(folder / "graph", twins)
        memory = resident_mb()
        graph.close()
        size = (folder / "graph" / "graph.sqlite").stat().st_size
        opened = time.perf_counter()
        child = os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", _OPEN, str(folder / "graph")])
        opened = time.perf_counter() - opened
        rate, bytes_ = bare(folder / "bare.sqlite", twins)
        assert child == 0
    whence = "RealEstateCore" if SHARED.exists() else "own types"
    print(f"{twins:,} twins, {count - twins:,.0f} relationships, of {whence}")
    fold = count / took
    print(
        f"fold      {fold:>10,.0f} rows/s, checked     bare SQLite {rate:>10,.0f}, unchecked   ratio {fold / rate:.2f}"
    )
    print(f"bytes     {size / twins:>10,.0f} a twin, and its edges bare SQLite {bytes_ / twins:>10,.0f}")
    print(f"resident  {memory:>10,.0f} MB after folding")
    print(f"open      {opened:>10.2f} s for a process that starts, opens it and finds a twin")


_OPEN = """
import sys
from pathlib import Path
from ectype.graph.fold import Graph
graph = Graph.open(Path(sys.argv[1]))
assert graph.find_twin("b0-l0-r0").properties["name"]
"""

if __name__ == "__main__":
    main()
