"""The graph as it will be once everything that is on its way to the disk is folded.

A writer checks against this, not against the fold, so it never waits for the disk to check the next write,
also of the same twin: all of them share one flush. What a check looked at and is not folded yet is told as
`consulted`, and becomes an expectation of the append: if the disk refuses the earlier write, the later fails too.
"""

from collections import deque
from collections.abc import Collection, Mapping
from typing import Any, final

from ectype.graph.changes import (
    Change,
    Clear,
    DecommissionModel,
    DeleteModel,
    DeleteRelationship,
    DeleteTwin,
    PutBlock,
    PutModel,
    PutRelationship,
    PutTwin,
)
from ectype.graph.facts import Relationship, Twin
from ectype.graph.fold import Graph
from ectype.model.models import Models

_Edge = tuple[str, str]


@final
class Overlay:
    """Facts: the fold's, and above them what is pending. Implements `ectype.graph.facts.Facts`."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._twins: dict[str, tuple[int, str, Twin | None]] = {}
        self._edges: dict[_Edge, tuple[int, str, Relationship | None]] = {}
        self._models: dict[str, tuple[int, str, Models]] = {}  # under one key, ""
        self._decommissioned: dict[str, tuple[int, str, bool]] = {}
        self._cleared: dict[str, tuple[int, str, bool]] = {}  # under one key, ""
        self._order: deque[tuple[int, dict[Any, tuple[int, str, Any]], Any]] = deque()
        self._undo: list[tuple[dict[Any, tuple[int, str, Any]], Any, tuple[int, str, Any] | None]] = []
        self.consulted: dict[str, int] = {}
        self.round = 0

    def begin(self) -> None:
        """Forget what the fold has by now; what is added from here on can be taken back."""
        self.consulted = {}
        self.round += 1
        self._undo = []
        size, order = self._graph.size, self._order
        while order and order[0][0] < size:
            index, pending, key = order.popleft()
            if key in pending and pending[key][0] == index:
                del pending[key]

    def rollback(self) -> None:
        """Take back what was added since `begin`. Only before anything else could be added."""
        for pending, key, before in reversed(self._undo):
            if before is None:
                del pending[key]
            else:
                pending[key] = before
        self._undo = []

    def clear(self) -> None:
        """Forget everything that is pending: it has been folded, or it was refused."""
        for pending in (self._twins, self._edges, self._models, self._decommissioned, self._cleared):
            pending.clear()
        self._order.clear()
        self._undo = []

    def add(self, change: Change | None, index: int, subject: str, at_ns: int) -> None:
        """Entry `index` about `subject` is on its way."""
        match change:
            case PutTwin():
                self._put_twin(change, index, subject, at_ns)
            case DeleteTwin(twin_id):
                self._set(self._twins, twin_id, (index, subject, None))
            case PutRelationship():
                self._put_edge(change, index, subject, at_ns)
            case DeleteRelationship(source, edge):
                self._set(self._edges, (source, edge), (index, subject, None))
            case PutBlock(twins, relationships):
                for part, twin in enumerate(twins):
                    self._put_twin(twin, index, subject, at_ns, part)
                for part, relationship in enumerate(relationships, len(twins)):
                    self._put_edge(relationship, index, subject, at_ns, part)
            case PutModel(dtmi, _, models):
                self._set(self._models, "", (index, subject, models))
                self._set(self._decommissioned, dtmi, (index, subject, False))
            case DeleteModel(dtmi):
                left = {name: each for name, each in self.models().interfaces.items() if name != dtmi}
                self._set(self._models, "", (index, subject, Models(left)))
            case DecommissionModel(dtmi, decommissioned):
                self._set(self._decommissioned, dtmi, (index, subject, decommissioned))
            case Clear():
                for pending in (self._twins, self._edges):
                    for key in list(pending):
                        self._set(pending, key, (index, subject, None))
                self._set(self._models, "", (index, subject, Models()))
                self._set(self._cleared, "", (index, subject, True))
            case _:
                pass

    def _set(self, pending: dict[Any, tuple[int, str, Any]], key: Any, value: tuple[int, str, Any]) -> None:
        self._undo.append((pending, key, pending.get(key)))
        pending[key] = value
        self._order.append((value[0], pending, key))

    def _note(self, index: int, subject: str) -> None:
        """A check relies on that entry. (A block's subject is that of its whole job: no expectation can be had.)"""
        if not subject.startswith("import:"):
            self.consulted[subject] = index

    def _put_twin(self, put: PutTwin, index: int, subject: str, at_ns: int, part: int | None = None) -> None:
        twin = Twin(put.id, put.model, put.properties, index, at_ns, part)
        self._set(self._twins, put.id, (index, subject, twin))

    def _put_edge(self, put: PutRelationship, index: int, subject: str, at_ns: int, part: int | None = None) -> None:
        edge = Relationship(put.source, put.id, put.name, put.target, put.properties, index, at_ns, part)
        self._set(self._edges, (put.source, put.id), (index, subject, edge))

    # ---- facts

    def models(self) -> Models:
        """All types."""
        pending = self._models.get("")
        if pending is None:
            return self._graph.models()
        index, subject, models = pending
        self._note(index, subject)
        return models

    def decommissioned(self, dtmi: str) -> bool:
        """Is that model decommissioned?"""
        if dtmi in self._decommissioned:
            index, subject, so = self._decommissioned[dtmi]
            self._note(index, subject)
            return so
        return self._graph.decommissioned(dtmi)

    def find_twin(self, twin_id: str) -> Twin | None:
        """That twin, if there is one."""
        pending = self._twins.get(twin_id)
        if pending is None:
            return None if self._cleared else self._graph.find_twin(twin_id)
        index, subject, twin = pending
        self._note(index, subject)
        return twin

    def models_of(self, twin_ids: Collection[str]) -> Mapping[str, str]:
        """The models of those of the twins that there are, by id."""
        if not self._twins and not self._cleared:
            return self._graph.models_of(twin_ids)
        pending = self._twins
        found = {} if self._cleared else self._graph.models_of([each for each in twin_ids if each not in pending])
        for twin_id in twin_ids:
            if twin_id in pending:
                index, subject, twin = pending[twin_id]
                self._note(index, subject)
                if twin is not None:
                    found[twin_id] = twin.model
        return found

    def find_relationship(self, source: str, relationship_id: str) -> Relationship | None:
        """That edge, if there is one."""
        pending = self._edges.get((source, relationship_id))
        if pending is None:
            return None if self._cleared else self._graph.find_relationship(source, relationship_id)
        index, subject, edge = pending
        self._note(index, subject)
        return edge

    def relationships(self, twin_id: str) -> list[Relationship]:
        """The edges that start at a twin."""
        return self._merged(self._graph.relationships(twin_id), twin_id, None)

    def incoming(self, twin_id: str) -> list[Relationship]:
        """The edges that end at a twin."""
        return self._merged(self._graph.incoming(twin_id), None, twin_id)

    def _merged(self, folded: list[Relationship], source: str | None, target: str | None) -> list[Relationship]:
        if self._cleared:
            folded = []
        if not self._edges:
            return folded
        found = [edge for edge in folded if (edge.source, edge.id) not in self._edges]
        for index, subject, edge in self._edges.values():
            if edge is None or source not in (None, edge.source) or target not in (None, edge.target):
                continue
            self._note(index, subject)
            found.append(edge)
        return found
