"""The graph as a fold: what `check` lets pass becomes rows of SQLite, the rest is kept as rejected.

Calls belong to one thread at a time. Reads see every entry that was applied, committed or not.
"""

import logging
import sqlite3
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import final

import msgspec

from ectype.errors import EctypeError, Invalid, NotFound, Unavailable
from ectype.graph import tables
from ectype.graph.changes import (
    Change,
    DecommissionModel,
    DeleteModel,
    DeleteRecord,
    DeleteRelationship,
    DeleteTwin,
    PutAlarm,
    PutBlock,
    PutModel,
    PutRecord,
    PutRelationship,
    PutTwin,
    RowFault,
)
from ectype.graph.check import check_write, concerns, read_json
from ectype.graph.facts import Alarm, Rejected, Relationship, Twin
from ectype.log.entry import Entry
from ectype.log.fold import Readable
from ectype.model.models import Models
from ectype.model.parse import parse
from ectype.model.schema import JSON

__all__ = ["Alarm", "Graph", "Rejected", "Relationship", "Twin"]

_COMMIT_EVERY = 1000
_log = logging.getLogger("ectype.graph")
_text: Callable[[object], bytes] = msgspec.json.Encoder().encode

_TWIN = "SELECT t.id, m.id, t.properties, t.last_index, t.at_ns FROM twins t JOIN models m ON m.key = t.model"
_PUT_TWIN = (
    "INSERT INTO twins(id, model, properties, last_index, at_ns)"
    " VALUES(?, (SELECT key FROM models WHERE id = ?), ?, ?, ?) ON CONFLICT(id) DO UPDATE SET"
    " model = excluded.model, properties = excluded.properties,"
    " last_index = excluded.last_index, at_ns = excluded.at_ns"
)
_PUT_EDGE = (
    "INSERT INTO relationships(source, id, name, target, properties, last_index, at_ns)"
    " SELECT s.key, ?, ?, t.key, ?, ?, ? FROM twins s, twins t WHERE s.id = ? AND t.id = ?"
    " ON CONFLICT(source, id) DO UPDATE SET name = excluded.name, target = excluded.target,"
    " properties = excluded.properties, last_index = excluded.last_index, at_ns = excluded.at_ns"
)
_OF_KINDS = "WHERE m.id IN (SELECT value FROM json_each(?)) ORDER BY t.id"
_EDGE = (
    "SELECT s.id, r.id, r.name, t.id, r.properties, r.last_index, r.at_ns"
    " FROM relationships r JOIN twins s ON s.key = r.source JOIN twins t ON t.key = r.target"
)
_ALARM = "SELECT id, twin, name, severity, text, since_ns, until_ns, cost_kwh FROM alarms"


@final
class Graph:
    """Types, twins, relationships and alarms at `size` entries of a log. See `Graph.open`."""

    name = "graph"
    version = tables.VERSION

    def __init__(self, db: sqlite3.Connection, path: Path | None, log: Readable | None) -> None:
        """Use `Graph.open`."""
        self._db = db
        self._path = path
        self._log = log
        self._models: Models | None = None
        self._uncommitted = 0
        self.size: int = db.execute("SELECT size FROM state").fetchone()[0]
        self._saved = self.size

    @classmethod
    def open(cls, folder: Path | None = None, log: Readable | None = None) -> "Graph":
        """The graph kept in `folder` (None: in memory, for branches and tests), as far as it had come.

        What is there but damaged, of another version or not of `log` is thrown away: the size is 0 then.
        Raises Unavailable if the folder cannot be written.
        """
        path = folder / "graph.sqlite" if folder is not None else None
        return cls(tables.connect(path, log), path, log)

    # ---- the fold

    def apply(self, index: int, entry: Entry) -> None:
        """Take in entry `index`, which must be `size`. Raises Unavailable if the disk does not take it."""
        if index != self.size:
            raise Invalid(f"the graph has seen {self.size} entries and cannot take number {index}")
        if not concerns(entry.kind):
            self.size += 1
            return
        try:
            if not self._uncommitted:
                self._db.execute("BEGIN")
            self._uncommitted += 1
            self._take(index, entry)
            self.size += 1
            if self._uncommitted >= _COMMIT_EVERY:
                self.save()
        except sqlite3.Error as error:
            raise self._lost(error) from error

    def save(self) -> None:
        """Let the file say what was folded so far. Raises Unavailable if the disk does not take it."""
        if self._saved == self.size:
            return
        root = self._log.root(self.size) if self._log is not None else b""
        try:
            if not self._uncommitted:
                self._db.execute("BEGIN")
            self._db.execute("UPDATE state SET size = ?, root = ?", (self.size, root))
            self._db.execute("COMMIT")
            self._uncommitted, self._saved = 0, self.size
        except sqlite3.Error as error:
            raise self._lost(error) from error

    def close(self) -> None:
        """Save and let the file go."""
        self.save()
        tables.close(self._db, self._path)

    def _lost(self, error: sqlite3.Error) -> Unavailable:
        """Go back to what the file holds; the log has the rest."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._uncommitted, self._models = 0, None
        try:
            self.size = self._saved = self._db.execute("SELECT size FROM state").fetchone()[0]
        except sqlite3.Error:
            _log.warning("%s cannot be read any more; delete it and start again: the log has everything", self._path)
        return Unavailable(f"{self._path}: the graph could not take entry {self.size}: {error}")

    def _take(self, index: int, entry: Entry) -> None:
        try:
            if entry.body is None:
                raise Invalid("its body is erased")
            change = check_write(self, entry.kind, entry.subject, read_json(entry.body))
        except EctypeError as error:
            row = (index, entry.kind, entry.subject, str(error))
            self._db.execute("INSERT INTO rejected VALUES(?, ?, ?, ?)", row)
            return
        if change is not None:
            self._write(change, index, entry.at_ns)

    def _write(self, change: Change, index: int, at_ns: int) -> None:
        run = self._db.execute
        match change:
            case PutTwin(twin_id, model, properties):
                run(_PUT_TWIN, (twin_id, model, _json(properties), index, at_ns))
            case DeleteTwin(twin_id):
                run("DELETE FROM twins WHERE id = ?", (twin_id,))
                # Nobody is left to end its alarms.
                run(
                    "UPDATE alarms SET until_ns = max(since_ns, ?) WHERE twin = ? AND until_ns IS NULL",
                    (at_ns, twin_id),
                )
            case PutRelationship(source, edge, name, target, properties):
                run(_PUT_EDGE, (edge, name, _json(properties), index, at_ns, source, target))
            case DeleteRelationship(source, edge):
                run(
                    "DELETE FROM relationships WHERE source = (SELECT key FROM twins WHERE id = ?) AND id = ?",
                    (source, edge),
                )
            case PutModel(dtmi, document, models):
                run(
                    "INSERT INTO models(id, document, last_index, at_ns) VALUES(?, ?, ?, ?) ON CONFLICT(id) DO UPDATE"
                    " SET document = excluded.document, last_index = excluded.last_index, at_ns = excluded.at_ns,"
                    " decommissioned = 0, deleted = 0",
                    (dtmi, _json(document), index, at_ns),
                )
                self._models = models
            case DeleteModel(dtmi):
                run("UPDATE models SET deleted = 1, last_index = ? WHERE id = ?", (index, dtmi))
                self._models = None
            case DecommissionModel(dtmi, decommissioned):
                run("UPDATE models SET decommissioned = ?, last_index = ? WHERE id = ?", (decommissioned, index, dtmi))
            case PutBlock(twins, relationships, faults):
                rows = [(t.id, t.model, _json(t.properties), index, at_ns) for t in twins]
                self._db.executemany(_PUT_TWIN, rows)
                edges = [(r.id, r.name, _json(r.properties), index, at_ns, r.source, r.target) for r in relationships]
                self._db.executemany(_PUT_EDGE, edges)
                if faults:
                    reason = f"{len(faults)} of its rows cannot be: {_first(faults)}"
                    run("INSERT INTO rejected VALUES(?, ?, ?, ?)", (index, "graph.put", "import:", reason))
            case PutRecord(kind, name, body):
                run("INSERT OR REPLACE INTO records VALUES(?, ?, ?, ?, ?)", (kind, name, _json(body), index, at_ns))
            case DeleteRecord(kind, name):
                run("DELETE FROM records WHERE kind = ? AND name = ?", (kind, name))
            case PutAlarm():
                self._write_alarm(change, index)

    def _write_alarm(self, alarm: PutAlarm, index: int) -> None:
        row = (alarm.severity, alarm.text, alarm.since_ns, alarm.until_ns, alarm.cost_kwh, alarm.twin, alarm.name)
        changed = self._db.execute(
            "UPDATE alarms SET severity = ?, text = ?, since_ns = ?, until_ns = ?, cost_kwh = ?"
            " WHERE twin = ? AND name = ? AND until_ns IS NULL",
            row,
        )
        if not changed.rowcount:
            self._db.execute(
                "INSERT INTO alarms(severity, text, since_ns, until_ns, cost_kwh, twin, name, id)"
                " VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, index),
            )

    # ---- types

    def models(self) -> Models:
        """All types. The same object until one is added."""
        if self._models is None:
            documents = self._db.execute("SELECT document FROM models WHERE NOT deleted ORDER BY key")
            self._models = parse([msgspec.json.decode(text) for (text,) in documents])
        return self._models

    def decommissioned(self, dtmi: str) -> bool:
        """Is that model decommissioned?"""
        row = self._db.execute("SELECT decommissioned FROM models WHERE id = ?", (_plain(dtmi),)).fetchone()
        return row is not None and bool(row[0])

    # ---- records

    def records(self, kind: str) -> dict[str, dict[str, JSON]]:
        """All event routes (`route`) or jobs (`job`), by name."""
        rows = self._db.execute("SELECT name, body FROM records WHERE kind = ? ORDER BY name", (kind,))
        return {name: _object(body) for name, body in rows}

    # ---- twins

    def models_of(self, twin_ids: Collection[str]) -> dict[str, str]:
        """The models of those of the twins that there are, by id."""
        rows = self._db.execute(
            "SELECT t.id, m.id FROM json_each(?) j JOIN twins t ON t.id = j.value JOIN models m ON m.key = t.model",
            (_text([_plain(each) for each in twin_ids]).decode(),),
        )
        return dict(rows.fetchall())

    def find_twin(self, twin_id: str) -> Twin | None:
        """That twin, or None."""
        row = self._db.execute(f"{_TWIN} WHERE t.id = ?", (_plain(twin_id),)).fetchone()
        return None if row is None else _twin(row)

    def twin(self, twin_id: str) -> Twin:
        """That twin. Raises NotFound."""
        found = self.find_twin(twin_id)
        if found is None:
            raise NotFound(f"there is no twin {twin_id[:140]!r}")
        return found

    def twins(self, model: str | None = None) -> list[Twin]:
        """All twins by id; with `model`, those of it or of a model that extends it."""
        if model is None:
            return [_twin(row) for row in self._db.execute(f"{_TWIN} ORDER BY t.id")]
        kinds = _text([each.id for each in self.models() if model in each.ancestors]).decode()
        rows = self._db.execute(f"{_TWIN} {_OF_KINDS}", (kinds,))
        return [_twin(row) for row in rows]

    # ---- relationships

    def find_relationship(self, source: str, relationship_id: str) -> Relationship | None:
        """That edge, or None."""
        names = (_plain(source), _plain(relationship_id))
        row = self._db.execute(f"{_EDGE} WHERE s.id = ? AND r.id = ?", names).fetchone()
        return None if row is None else _edge(row)

    def relationships(self, twin_id: str) -> list[Relationship]:
        """The edges that start at a twin, by id."""
        return [_edge(row) for row in self._db.execute(f"{_EDGE} WHERE s.id = ? ORDER BY r.id", (_plain(twin_id),))]

    def incoming(self, twin_id: str) -> list[Relationship]:
        """The edges that end at a twin, by source and id."""
        rows = self._db.execute(f"{_EDGE} WHERE t.id = ? ORDER BY s.id, r.id", (_plain(twin_id),))
        return [_edge(row) for row in rows]

    def all_relationships(self) -> list[Relationship]:
        """All edges, by source and id."""
        return [_edge(row) for row in self._db.execute(f"{_EDGE} ORDER BY s.id, r.id")]

    # ---- alarms, and what was rejected

    def alarms(self, active_only: bool = False, limit: int = 200) -> list[Alarm]:
        """The newest alarms first."""
        active = " WHERE until_ns IS NULL" if active_only else ""
        rows = self._db.execute(f"{_ALARM}{active} ORDER BY since_ns DESC, id DESC LIMIT ?", (max(0, limit),))
        return [Alarm(str(row[0]), *row[1:]) for row in rows]

    def rejected(self, limit: int = 200) -> list[Rejected]:
        """The newest entries that meant nothing to the graph, newest first."""
        rows = self._db.execute(
            "SELECT entry, kind, subject, reason FROM rejected ORDER BY entry DESC LIMIT ?", (limit,)
        )
        return [Rejected(*row) for row in rows]

    def counts(self) -> dict[str, int]:
        """How many models, twins, relationships, alarms and rejected entries there are."""
        names = ("models", "twins", "relationships", "alarms", "rejected")
        return {name: self._db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}  # noqa: S608


def _first(faults: tuple[RowFault, ...]) -> str:
    first = faults[0]
    return f"{first.list}[{first.row}] {first.id}: {first.reason}"


def _twin(row: tuple[str, str, str, int, int]) -> Twin:
    twin_id, model, properties, last_index, at_ns = row
    return Twin(twin_id, model, _object(properties), last_index, at_ns)


def _edge(row: tuple[str, str, str, str, str, int, int]) -> Relationship:
    source, edge, name, target, properties, last_index, at_ns = row
    return Relationship(source, edge, name, target, _object(properties), last_index, at_ns)


def _json(value: Mapping[str, JSON]) -> str:
    return _text(value).decode()


def _object(text: str) -> dict[str, JSON]:
    value: dict[str, JSON] = msgspec.json.decode(text)
    return value


def _plain(name: str) -> str:
    """`name`, as SQLite takes it: half of a surrogate pair names nothing."""
    return name.encode(errors="replace").decode()
