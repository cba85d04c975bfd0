"""The graph as it was at one moment, for whoever reads at length: a query, a list in pages."""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import msgspec

from ectype.graph.columns import Column
from ectype.graph.facts import Relationship, Twin
from ectype.graph.rows import read_names, read_times
from ectype.model.models import Models
from ectype.model.parse import parse
from ectype.model.schema import JSON

TWIN = (
    "SELECT t.id, m.id, t.properties, t.last_index, t.at_ns, t.part, t.put_ns, t.times"
    " FROM twins t JOIN models m ON m.key = t.model"
)
EDGE = (
    "SELECT s.id, r.id, r.name, t.id, r.properties, r.last_index, r.at_ns, r.part"
    " FROM relationships r JOIN twins s ON s.key = r.source JOIN twins t ON t.key = r.target"
)
TwinRow = tuple[str, str, str, int, int, int | None, int, str | None]
EdgeRow = tuple[str, str, str, str, str, int, int, int | None]


@final
class Types:
    """The types of one moment, each read when it is first asked for. A change of the types makes another."""

    def __init__(self, models: Models | None = None) -> None:
        self._models = models
        self._components: dict[str, frozenset[str]] = {}

    def models(self, db: sqlite3.Connection) -> Models:
        """All of them."""
        if self._models is None:
            documents = db.execute("SELECT document FROM models WHERE NOT deleted ORDER BY last_index, key")
            self._models = parse([msgspec.json.decode(text) for (text,) in documents])
        return self._models

    def components(self, db: sqlite3.Connection, model: str) -> frozenset[str]:
        """The names of the parts that twins of `model` have."""
        found = self._components.get(model)
        if found is None:
            row = db.execute("SELECT names FROM models WHERE id = ?", (model,)).fetchone()
            found = self._components[model] = frozenset(read_names(row[0]).components) if row else frozenset[str]()
        return found


@final
@dataclass(frozen=True, slots=True)
class Reading:
    """The graph at `size` entries. It is given back before the graph is closed.

    columns: the indexes there are (see Columns.known); twins, relationships: how many there are.
    """

    db: sqlite3.Connection
    size: int
    types: Types
    columns: Mapping[Column, str]
    twins: int
    relationships: int

    def models(self) -> Models:
        """All types."""
        return self.types.models(self.db)

    def components(self, model: str) -> frozenset[str]:
        """The names of the parts that twins of `model` have."""
        return self.types.components(self.db, model)


def as_twin(row: TwinRow, components: Callable[[str], frozenset[str]]) -> Twin:
    """The twin that a row of TWIN_COLUMNS is."""
    twin_id, model, properties, last_index, at_ns, part, put_ns, times = row
    written = {} if times is None else read_times(times)
    return Twin(twin_id, model, as_value(properties), last_index, at_ns, part, put_ns, written, components(model))


def as_edge(row: EdgeRow) -> Relationship:
    """The relationship that a row of EDGE_COLUMNS is."""
    source, edge, name, target, properties, last_index, at_ns, part = row
    return Relationship(source, edge, name, target, as_value(properties), last_index, at_ns, part)


def as_value(text: str) -> dict[str, JSON]:
    """The object that a JSON column holds."""
    value: dict[str, JSON] = msgspec.json.decode(text)
    return value
