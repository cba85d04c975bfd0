"""What a path means: the SQL of its value and of its kind, in a collection of twins or of relationships.

`value` is typed as in `ectype.graph.columns` (numbers < texts < booleans, else NULL). `kind` is what json_type says,
NULL where there is nothing. What is not there is no error: a filter on it finds nothing.
"""

from dataclasses import dataclass
from typing import final

from ectype.graph.columns import Column, kind, literal, possible, value
from ectype.query.errors import Unparsable
from ectype.query.syntax import Path, Query

ABSENT = "NULL"


@final
@dataclass(frozen=True, slots=True)
class Cell:
    """SQL of one path. column: to make an index of; at_ns: SQL of an instant in nanoseconds, if it is one.

    key: (SQL of a key, SQL of the keys that belong to ids), where an id is better looked up than computed.
    """

    value: str
    kind: str
    column: Column | None = None
    alias: str = ""
    at_ns: str | None = None
    key: tuple[str, str] | None = None


NOTHING = Cell(ABSENT, ABSENT)


@final
@dataclass(frozen=True, slots=True)
class Place:
    """One collection: alias: its SQL name; twins, or else relationships."""

    alias: str
    twins: bool


@final
class Scope:
    """The collections of a query by name, and what paths mean among them."""

    def __init__(self, query: Query) -> None:
        self.text = query.text
        if query.relationships:
            self.places: tuple[Place, ...] = (Place("r0", False),)
            names = [query.nodes[0]]
        else:
            twins = [Place(f"t{k}", True) for k in range(len(query.nodes))]
            edges = [Place(f"r{k}", False) for k, edge in enumerate(query.edges) if edge.alias is not None]
            self.places = (*twins, *edges)
            names = [*query.nodes, *(edge.alias for edge in query.edges if edge.alias is not None)]
        self.named = {name: place for name, place in zip(names, self.places, strict=True) if name is not None}
        self.only = self.places[0] if len(self.places) == 1 else None

    def find(self, path: Path) -> tuple[Place, tuple[str, ...]]:
        """The collection that a path begins at, and the rest of it. Raises Unparsable if that is not clear."""
        place = self.named.get(path.names[0])
        if place is not None:
            return place, path.names[1:]
        if self.only is not None:
            return self.only, path.names
        known = ", ".join(self.named) or "none has a name"
        shown = ".".join(path.names)[:80]
        raise Unparsable(f"of which collection is {shown!r}? There are: {known}", self.text, path.at)

    def collection(self, path: Path) -> Place | None:
        """The collection that a path of one name is, if it is one."""
        return self.named.get(path.names[0]) if len(path.names) == 1 else None

    def cell(self, path: Path) -> tuple[Place, Cell]:
        """What a path means. Raises Unparsable for the name of a collection alone."""
        place, names = self.find(path)
        if not names:
            raise Unparsable(f"{path.names[0]!r} is a collection; name a property of it", self.text, path.at)
        return place, (_twin if place.twins else _relationship)(place.alias, names)


def _twin(alias: str, names: tuple[str, ...]) -> Cell:
    if not names[0].startswith("$"):
        return _property(Column("twins", names), alias)
    match [names[0].lower(), *names[1:]]:
        case ["$dtid"]:
            return _text(f"{alias}.id")
        case ["$etag"]:
            return _etag(alias)
        case ["$metadata"]:
            return Cell(ABSENT, "'object'")
        case ["$metadata", word] if word.lower() == "$model":
            keys = "SELECT key FROM models WHERE id IN ({ids})"
            return _text(f"(SELECT id FROM models WHERE key = {alias}.model)", (f"{alias}.model", keys))
        case ["$metadata", word] if word.lower() == "$lastupdatetime":
            return _instant(f"{alias}.at_ns", "'text'")
        case ["$metadata", name] if possible([name]):
            there = kind([name], f"{alias}.")
            return Cell(ABSENT, f"CASE WHEN {there} IS NOT NULL THEN 'object' END")
        case ["$metadata", name, "lastUpdateTime"] if possible([name]):
            at, there = literal([name]), kind([name], f"{alias}.")
            first = f"CASE json_type({alias}.times,{at}) WHEN 'array' THEN json_extract({alias}.times,{at[:-1]}[0]')"
            written = f"coalesce({first} ELSE json_extract({alias}.times,{at}) END,{alias}.put_ns)"
            return _instant(
                f"CASE WHEN {there} IS NOT NULL THEN {written} END", f"CASE WHEN {there} IS NOT NULL THEN 'text' END"
            )
        case ["$metadata", name, "sourceTime"] if possible([name]):
            source = f"json_extract({alias}.times,{literal([name])[:-1]}[1]')"
            return Cell(source, f"CASE WHEN {source} IS NOT NULL THEN 'text' END")
        case _:
            return NOTHING


def _relationship(alias: str, names: tuple[str, ...]) -> Cell:
    if not names[0].startswith("$"):
        return _property(Column("relationships", names), alias)
    keys = "SELECT key FROM twins WHERE id IN ({ids})"
    match [name.lower() for name in names]:
        case ["$relationshipid"]:
            return _text(f"{alias}.id")
        case ["$relationshipname"]:
            return _text(f"{alias}.name")
        case ["$sourceid"]:
            return _text(f"(SELECT id FROM twins WHERE key = {alias}.source)", (f"{alias}.source", keys))
        case ["$targetid"]:
            return _text(f"(SELECT id FROM twins WHERE key = {alias}.target)", (f"{alias}.target", keys))
        case ["$etag"]:
            return _etag(alias)
        case _:
            return NOTHING


def _property(column: Column, alias: str) -> Cell:
    if not possible(column.path):
        return NOTHING
    return Cell(value(column.path, f"{alias}."), kind(column.path, f"{alias}."), column, alias)


def _text(sql: str, key: tuple[str, str] | None = None) -> Cell:
    return Cell(sql, "'text'", key=key)


def _etag(alias: str) -> Cell:
    return _text(f"('W/\"' || {alias}.last_index || coalesce('.' || {alias}.part, '') || '\"')")


def _instant(at_ns: str, there: str) -> Cell:
    seconds = f"strftime('%Y-%m-%dT%H:%M:%S',({at_ns})/1000000000,'unixepoch')"
    shown = f"({seconds} || '.' || substr(printf('%09d',({at_ns})%1000000000),1,7) || 'Z')"
    return Cell(shown, there, at_ns=f"({at_ns})")
