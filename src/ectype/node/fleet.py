"""The twins that an estimator may follow, and the news that they have changed."""

import asyncio
from collections.abc import Iterable
from typing import cast, final

from ectype.graph.fold import Graph
from ectype.log.frame import Frame
from ectype.model.interface import Property, Telemetry
from ectype.node.pipe import Kind, TwinRecord

_STRUCTURE = (
    "twin.put",
    "twin.delete",
    "relationship.put",
    "relationship.delete",
    "model.put",
    "graph.put",
    "graph.clear",
    "calibration.put",
)
_NEIGHBOURS = "neighbours"


@final
class FleetWatch:
    """Reads the fleet from the graph; says when it is another one."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._changed = asyncio.Event()
        self.parameters: tuple[bytes, ...] = ()  # paths in a patch that change how a twin is followed

    def watch(self, frame: Frame) -> None:
        """Notice a frame that changes which twins there are or how they stand to each other."""
        for entry in frame.entries:
            body = entry.body if entry.kind == "twin.patch" and self.parameters else None
            if entry.kind in _STRUCTURE or (body is not None and any(path in body for path in self.parameters)):
                self._changed.set()

    async def changed(self) -> None:
        """Return when the fleet has changed and half a second went by without another change."""
        await self._changed.wait()
        while self._changed.is_set():
            self._changed.clear()
            await asyncio.sleep(0.5)

    def links(self) -> list[tuple[str, str, str]]:
        """Every relationship: source, name, target."""
        return [(r.source, r.name, r.target) for r in self._graph.all_relationships()]

    def twins(self, links: Iterable[tuple[str, str, str]]) -> list[TwinRecord]:
        """Every twin with its properties and its neighbours by those links, in the order of their ids."""
        beside: dict[str, set[str]] = {}
        for source, name, target in links:
            if name == _NEIGHBOURS:
                beside.setdefault(source, set()).add(target)
                beside.setdefault(target, set()).add(source)
        return [
            TwinRecord(t.id, t.model, cast(dict[str, object], dict(t.properties)), sorted(beside.get(t.id, ())))
            for t in sorted(self._graph.twins(), key=lambda t: t.id)
        ]

    def kinds(self) -> dict[str, Kind]:
        """Every type that a twin may have, by id."""
        return {
            each.id: Kind(
                list(each.ancestors),
                {c.name: c.unit for c in each.contents.values() if isinstance(c, Property | Telemetry)},
            )
            for each in self._graph.models()
        }

    def calibrations(self) -> dict[str, dict[str, object]]:
        """The last calibration of each twin that has one."""
        return {name: cast(dict[str, object], body) for name, body in self._graph.records("calibration").items()}
