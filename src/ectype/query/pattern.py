"""The FROM of a statement: collections that hang together by relationships, joined from the best one to begin with.

Steps of one hop are joins in a fixed order. A step of several hops is a walk (a recursive query) over the rows found
so far, which carries the relationships it went along: it goes along each once, and what it gives are pairs of ends.

    WITH s0 AS (rows so far), w0 AS (walk from each of them), d0 AS (their ends, each once) SELECT … FROM d0 …
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

from ectype.query.syntax import Edge, Query
from ectype.query.where import Term, Terms

_FLIPPED = {">": "<", "<": ">", "-": "-"}


@final
@dataclass(slots=True)
class Source:
    """tables: what follows FROM, joined in this order; keys: the SQL of the key of each collection and relationship."""

    parts: list[str] = field(default_factory=list[str])
    tables: list[str] = field(default_factory=list[str])
    conditions: list[str] = field(default_factory=list[str])
    keys: dict[str, str] = field(default_factory=dict[str, str])

    def with_(self) -> str:
        """The queries that the statement begins with."""
        return f"WITH RECURSIVE {', '.join(self.parts)} " if self.parts else ""

    def from_(self) -> str:
        """FROM and WHERE."""
        where = f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""
        return f" FROM {' CROSS JOIN '.join(self.tables)}{where}"

    def ordered_keys(self) -> list[str]:
        """Keys that make a row what it is."""
        return [self.keys[alias] for alias in sorted(self.keys, key=lambda name: (name[0] == "r", int(name[1:])))]


def build(
    query: Query, terms: Terms, given: Sequence[Term], start: int, driver: Term | None, shown: set[str]
) -> Source:
    """The collections of `query` from that of index `start` on, which `driver` leads to; all of `given` hold.

    shown: the SQL names of the collections whose columns are selected.
    """
    return _Builder(query, terms, list(given), driver, shown).build(start)


@final
class _Builder:
    def __init__(self, query: Query, terms: Terms, given: list[Term], driver: Term | None, shown: set[str]) -> None:
        self.query = query
        self.terms = terms
        self.waiting = given
        self.driver = driver
        self.used = shown | {place.alias for term in given for place in term.places}
        self.joined: set[str] = set()
        self.source = Source()

    def build(self, start: int) -> Source:
        source = self.source
        if self.query.relationships:
            self._begin("relationships r0", "r0")
        else:
            self._begin(f"twins t{start}", f"t{start}")
            done = {start}
            left = list(enumerate(self.query.edges))
            while left:
                number, edge = next(each for each in left if each[1].source in done or each[1].target in done)
                left.remove((number, edge))
                forward = edge.source in done
                here, there = (edge.source, edge.target) if forward else (edge.target, edge.source)
                way = edge.way if forward else _FLIPPED[edge.way]
                if (edge.low, edge.high) == (0, 1):
                    self._hop(number, edge, way, f"t{here}", f"t{there}")
                else:
                    self._walk(number, edge, way, f"t{here}", f"t{there}")
                done.add(there)
        for alias in sorted(self.used - self.joined):
            self._join(alias)
        self._settle()
        source.conditions += [self._sql(term) for term in self.waiting]
        return source

    def _begin(self, table: str, alias: str) -> None:
        self.source.tables = [table]
        self.source.keys = {alias: f"{alias}.key"}
        self.joined = {alias}

    def _hop(self, number: int, edge: Edge, way: str, here: str, there: str) -> None:
        alias, keys = f"r{number}", self.source.keys
        at, reached = _ends(alias, way, keys[here])
        self.source.tables.append(f"relationships {alias} ON {at}{self._named(edge, alias)}")
        if self.query.once:
            self.source.conditions += [f"{alias}.key <> {key}" for name, key in keys.items() if name[0] == "r"]
        keys[alias], keys[there] = f"{alias}.key", reached
        self.joined.add(alias)
        if there in self.used:
            self._join(there)

    def _walk(self, number: int, edge: Edge, way: str, here: str, there: str) -> None:
        source = self.source
        self._settle()
        names = list(source.keys)
        columns = [f"k_{name}" for name in names]
        rows = ",".join(f"{source.keys[name]} AS k_{name}" for name in names)
        source.parts.append(f"s{number} AS (SELECT {rows}{source.from_()})")
        at, reached = _ends("r", way, "w.node")
        carried = "".join(f"w.{column}," for column in columns)
        first = f"SELECT {','.join(columns)},k_{here},0,',' FROM s{number}"
        step = (
            f"SELECT {carried}{reached},w.depth+1,w.path||r.key||',' FROM w{number} w"
            f" CROSS JOIN relationships r ON {at}{self._named(edge, 'r')}"
            f" WHERE w.depth<{edge.high} AND instr(w.path,','||r.key||',')=0"
        )
        source.parts.append(f"w{number}({','.join(columns)},node,depth,path) AS ({first} UNION ALL {step})")
        ends = f"SELECT DISTINCT {','.join(columns)},node AS k_{there} FROM w{number} WHERE depth>{edge.low}"
        source.parts.append(f"d{number} AS MATERIALIZED ({ends})")
        source.tables, source.conditions = [f"d{number}"], []
        source.keys = {name: f"d{number}.k_{name}" for name in [*names, there]}
        self.joined = set()
        if there in self.used:
            self._join(there)

    def _join(self, alias: str) -> None:
        table = "twins" if alias[0] == "t" else "relationships"
        self.source.tables.append(f"{table} {alias} ON {alias}.key = {self.source.keys[alias]}")
        self.source.keys[alias] = f"{alias}.key"
        self.joined.add(alias)

    def _settle(self) -> None:
        """The conditions on what is joined now hold from here on."""
        ready = [term for term in self.waiting if all(place.alias in self.joined for place in term.places)]
        self.waiting = [term for term in self.waiting if term not in ready]
        self.source.conditions += [self._sql(term) for term in ready]

    def _sql(self, term: Term) -> str:
        return term.driver if term is self.driver and term.driver is not None else term.sql

    def _named(self, edge: Edge, alias: str) -> str:
        if not edge.names:
            return ""
        return f" AND {alias}.name IN ({','.join(self.terms.bind(name) for name in edge.names)})"


def _ends(alias: str, way: str, here: str) -> tuple[str, str]:
    """Where a relationship hangs on `here`, and the key of its other end."""
    if way == ">":
        return f"{alias}.source = {here}", f"{alias}.target"
    if way == "<":
        return f"{alias}.target = {here}", f"{alias}.source"
    either = f"({alias}.source = {here} OR {alias}.target = {here})"
    return either, f"CASE WHEN {alias}.source = {here} THEN {alias}.target ELSE {alias}.source END"
