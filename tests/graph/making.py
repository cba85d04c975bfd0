"""What the tests of the graph are made of: entries, and a small farm of types."""

from hashlib import sha256
from pathlib import Path

import msgspec

from ectype.graph.fold import Graph
from ectype.log.entry import Entry
from ectype.model import JSON
from tests.model.making import component, interface, prop, relationship, telemetry

PART, TURBINE, OFFSHORE, FARM = (f"dtmi:test:{name};1" for name in ("Part", "Turbine", "Offshore", "Farm"))
TYPES: list[dict[str, JSON]] = [
    interface("Part", prop("wear")),
    interface(
        "Turbine",
        prop("power"),
        prop("name", "string"),
        prop("limit", "integer", writable=True),
        telemetry("wind"),
        component("gear", "Part"),
        relationship("neighbours", "Turbine", properties=[prop("metres")]),
    ),
    interface("Offshore", prop("depth"), extends=TURBINE),
    interface("Farm", prop("name", "string"), relationship("contains", "Turbine"), relationship("knows")),
]


def entry(kind: str, subject: str, body: JSON, number: int = 0) -> Entry:
    return raw_entry(kind, subject, msgspec.json.encode(body), number)


def raw_entry(kind: str, subject: str, body: bytes | None, number: int = 0) -> Entry:
    header = f"{number} {kind} {subject} {sha256(body or b'').hexdigest()}".encode()
    return Entry(header, b"s" * 16, body, kind, subject, "author", 1000 + number, "application/json")


def put_types() -> list[tuple[str, str, JSON]]:
    return [("model.put", f"model:{each['@id']}", each) for each in TYPES]


def put_twin(twin: str, model: str = TURBINE, /, **properties: JSON) -> tuple[str, str, JSON]:
    return "twin.put", f"twin:{twin}", {"$dtId": twin, "$metadata": {"$model": model}, **properties}


def patch(name: str, *operations: JSON) -> tuple[str, str, JSON]:
    return "twin.patch", f"twin:{name}", list(operations)


def put_edge(source: str, edge: str, name: str, target: str, /, **properties: JSON) -> tuple[str, str, JSON]:
    return (
        "relationship.put",
        f"relationship:{source}/{edge}",
        {
            "$sourceId": source,
            "$relationshipId": edge,
            "$relationshipName": name,
            "$targetId": target,
            **properties,
        },
    )


def alarm(twin: str, name: str, since_ns: int, until_ns: int | None = None, /, **more: JSON) -> tuple[str, str, JSON]:
    body: dict[str, JSON] = {
        "twin": twin,
        "name": name,
        "severity": "warning",
        "text": "stands still",
        "since_ns": str(since_ns),
        **more,
    }
    if until_ns is None:
        return "alarm.raised", f"alarm:{twin}/{name}", body
    return "alarm.cleared", f"alarm:{twin}/{name}", {**body, "until_ns": str(until_ns)}


def apply_all(graph: Graph, *writes: tuple[str, str, JSON]) -> Graph:
    for write in writes:
        graph.apply(graph.size, entry(*write, graph.size))
    return graph


def farm() -> Graph:
    """Two turbines of a farm, in memory."""
    return apply_all(
        Graph.open(),
        *put_types(),
        put_twin("farm", FARM, name="La Haute Borne"),
        put_twin("t1", power=1.5, name="one"),
        put_twin("t2", OFFSHORE, depth=12, gear={"wear": 0.25}),
        put_edge("farm", "c1", "contains", "t1"),
        put_edge("farm", "c2", "contains", "t2"),
        put_edge("t1", "n", "neighbours", "t2", metres=300),
    )


def everything(graph: Graph) -> object:
    """All that a graph says."""
    return (
        graph.size,
        graph.models(),
        graph.twins(),
        graph.all_relationships(),
        graph.alarms(limit=10**6),
        graph.rejected(limit=10**6),
    )


def file_in(folder: Path) -> Path:
    return folder / "graph.sqlite"
