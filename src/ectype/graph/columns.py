"""Properties as typed columns: the SQL that a path into JSON is, and indexes on it, made when a query first needs one.

A value is typed as JSON is, in one order: numbers < texts < booleans. What is absent, null, an object or a list has
no value (SQL NULL), and comes apart by its `kind` (json_type). An index covers only the models that declare the
property, so it costs nothing for twins that cannot have it; a model that is put later and declares it too takes the
index away, and the next query makes it anew.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, final

import msgspec

What = Literal["value", "kind"]
Table = Literal["twins", "relationships"]
TRUE, FALSE = b"t", b"f"
"""How booleans are kept in a column: above all texts."""

MOST = 64
"""Indexes at a time; each costs every write a little. The oldest goes first."""


@final
@dataclass(frozen=True, slots=True)
class Column:
    """One path into the properties of twins or of relationships, by value or by kind."""

    table: Table
    path: tuple[str, ...]
    what: What = "value"

    def expression(self, alias: str = "") -> str:
        """Its SQL, in the very words in which an index of it is made."""
        return value(self.path, alias) if self.what == "value" else kind(self.path, alias)


def value(path: Sequence[str], alias: str = "") -> str:
    """SQL of the value at `path` in the properties of `alias`."""
    column, at = f"{alias}properties", literal(path)
    get = f"json_extract({column},{at})"
    numbers = f"WHEN 'integer' THEN {get} WHEN 'real' THEN {get}"
    rest = f"WHEN 'text' THEN {get} WHEN 'true' THEN x'74' WHEN 'false' THEN x'66'"
    return f"CASE json_type({column},{at}) {numbers} {rest} END"


def kind(path: Sequence[str], alias: str = "") -> str:
    """SQL of the kind of what is at `path`: `integer`, `real`, `text`, `true`, `false`, `null`, `array`, `object`."""
    return f"json_type({alias}properties,{literal(path)})"


def possible(path: Sequence[str]) -> bool:
    """Can there be a property at `path`? No name holds a quote, a backslash or a control character."""
    return all(name.isprintable() and '"' not in name and "\\" not in name for name in path)


def literal(path: Sequence[str]) -> str:
    """`path` as a JSON path that is an SQL literal. It must be `possible`."""
    text = "$" + "".join(f'."{name}"' for name in path)
    return "'" + text.replace("'", "''") + "'"


@final
class Columns:
    """The indexes of one database."""

    def __init__(self) -> None:
        self._among: dict[Column, str] = {}

    def load(self, db: sqlite3.Connection) -> None:
        """See what indexes there are."""
        rows = db.execute("SELECT tab, path, what, among FROM columns").fetchall()
        self._among = {
            Column(table, tuple(msgspec.json.decode(path)), what): among for table, path, what, among in rows
        }

    def known(self) -> Mapping[Column, str]:
        """What rows each index covers, as SQL to put into a filter (with `{alias}`). It stays as it is."""
        return self._among

    def make(self, db: sqlite3.Connection, column: Column) -> None:
        """Make the index of `column`. Takes about a second for a million twins that may have the property."""
        name, text = self._free_name(db), msgspec.json.encode(column.path).decode()
        if column.table == "twins":
            keys = [key for (key,) in db.execute(_DECLARING, (column.path[0],))]
            # Not IN: SQLite would build its list anew for every row while it makes the index.
            runs = " OR ".join(f"+{{alias}}model BETWEEN {low} AND {high}" for low, high in _runs(keys))
            among = f"({runs or '0'})"
        else:
            among = "length({alias}properties) > 2"
        row = (name, column.table, text, column.what, among)
        where = among.format(alias="")
        db.execute("BEGIN IMMEDIATE")
        try:
            for (old,) in db.execute(
                "SELECT name FROM columns ORDER BY made DESC LIMIT -1 OFFSET ?", (MOST - 1,)
            ).fetchall():
                self.drop(db, old)
            db.execute(f'CREATE INDEX "{name}" ON {column.table}({column.expression()}) WHERE {where}')
            db.execute("INSERT INTO columns SELECT ?, ?, ?, ?, ?, 1 + coalesce(max(made), 0) FROM columns", row)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        self.load(db)

    def declared(self, db: sqlite3.Connection, names: Sequence[str]) -> None:
        """A model that declares `names` is new: indexes that do not cover its twins go."""
        gone = [column for column in self._among if column.table == "twins" and column.path[0] in names]
        for column in gone:
            path = msgspec.json.encode(column.path).decode()
            key = (column.table, path, column.what)
            for (name,) in db.execute("SELECT name FROM columns WHERE (tab, path, what) = (?, ?, ?)", key).fetchall():
                self.drop(db, name)
        if gone:
            self._among = {column: among for column, among in self._among.items() if column not in gone}

    def clear(self, db: sqlite3.Connection) -> None:
        """No index is left."""
        for (name,) in db.execute("SELECT name FROM columns").fetchall():
            self.drop(db, name)
        self._among = {}

    @staticmethod
    def drop(db: sqlite3.Connection, name: str) -> None:
        """Take one index away."""
        db.execute(f'DROP INDEX IF EXISTS "{name}"')
        db.execute("DELETE FROM columns WHERE name = ?", (name,))

    @staticmethod
    def _free_name(db: sqlite3.Connection) -> str:
        (last,) = db.execute("SELECT coalesce(max(made), 0) FROM columns").fetchone()
        return f"column_{last + 1}"


def _runs(keys: Sequence[int]) -> list[tuple[int, int]]:
    """A few ranges that hold all of `keys` (which are sorted), and as little else as may be."""
    runs = [(key, key) for key in keys]
    while len(runs) > 1:
        gap, at = min((runs[k + 1][0] - runs[k][1], k) for k in range(len(runs) - 1))
        if gap > 1 and len(runs) <= _RUNS:
            break
        runs[at : at + 2] = [(runs[at][0], runs[at + 1][1])]
    return runs


_RUNS = 6
_TOO_MANY = "SELECT name FROM columns ORDER BY made DESC LIMIT -1 OFFSET ?"
_DECLARING = (
    "SELECT m.key FROM models m WHERE ?1 IN (SELECT value FROM json_each(m.names, '$.properties'))"
    " OR ?1 IN (SELECT value FROM json_each(m.names, '$.components')) ORDER BY m.key"
)
