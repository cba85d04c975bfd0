"""The graph as a fold: what `check` lets pass becomes rows of SQLite, the rest is kept as rejected.

Calls belong to one thread at a time. Reads see every entry that was applied, committed or not. Whoever wants to read
at length, or in another thread, takes a `reading`: the graph as it is now, which stays so.
"""

import logging
import sqlite3
from collections.abc import Collection, Generator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import final

import msgspec

from ectype.errors import EctypeError, Invalid, NotFound, Unavailable
from ectype.graph import tables
from ectype.graph.changes import (
    Change,
    Clear,
    DecommissionModel,
    DeleteModel,
    DeleteTwin,
    PutBlock,
    PutModel,
    PutTwin,
)
from ectype.graph.check import check_write, concerns, read_json
from ectype.graph.columns import Column, Columns
from ectype.graph.facts import Alarm, Model, Rejected, Relationship, Twin
from ectype.graph.past import Past
from ectype.graph.reading import EDGE, TWIN, Reading, Types, as_edge, as_twin, as_value
from ectype.graph.recent import Recent
from ectype.graph.rows import Rows, as_json, patched
from ectype.log.entry import Entry
from ectype.log.fold import Readable
from ectype.model.models import Models
from ectype.model.schema import JSON

__all__ = ["Alarm", "Graph", "Model", "Rejected", "Relationship", "Twin"]

_COMMIT_EVERY = 20_000  # rows
_READERS = 4  # idle connections that are kept
_log = logging.getLogger("ectype.graph")

_OF_KINDS = "WHERE m.id IN (SELECT value FROM json_each(?)) ORDER BY t.id"
_MODEL = "SELECT id, document, at_ns, decommissioned FROM models WHERE NOT deleted"
_ALARM = "SELECT id, twin, name, severity, text, since_ns, until_ns, cost_kwh, why FROM alarms"


@final
class Graph:
    """Types, twins, relationships and alarms at `size` entries of a log. See `Graph.open`."""

    name = "graph"
    version = tables.VERSION

    def __init__(
        self, db: sqlite3.Connection, path: Path | None, log: Readable | None, watch: tables.Watch | None = None
    ) -> None:
        """Use `Graph.open`."""
        self._db = db
        self._path = path
        self.log = log
        self._watch = watch
        self._rows = Rows(db)
        self.columns = Columns()
        self.columns.load(db)
        self._types = Types()
        self._recent = Recent()
        self._readers: list[sqlite3.Connection] = []
        self._past = Past[Graph](self._blank, self._copied)
        self._passing = False
        self._uncommitted = 0
        self.busy = False
        self._foreseen: dict[int, tuple[Entry, Change | None]] = {}
        self.size: int = db.execute("SELECT size FROM state").fetchone()[0]
        self._saved = self.size

    @classmethod
    def open(cls, folder: Path | None = None, log: Readable | None = None) -> "Graph":
        """The graph kept in `folder` (None: in memory, for branches and tests), as far as it had come.

        What is there but damaged, of another version or not of `log` is thrown away: the size is 0 then. (That a
        large file is damaged turns out a little later; then all calls raise Unavailable until it is opened again.)
        Raises Unavailable if the folder cannot be written.
        """
        path = folder / "graph.sqlite" if folder is not None else None
        if folder is not None:
            rmtree(folder / "past", ignore_errors=True)  # what a process that was killed had looked back at
        db, watch = tables.connect(path, log)
        return cls(db, path, log, watch)

    # ---- the fold

    def apply(self, index: int, entry: Entry) -> None:
        """Take in entry `index`, which must be `size`. Raises Unavailable if the disk does not take it."""
        if index != self.size:
            raise Invalid(f"the graph has seen {self.size} entries and cannot take number {index}")
        if not concerns(entry.kind):
            self.size += 1
            return
        if self._watch is not None:
            self._look()
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
        root = self.log.root(self.size) if self.log is not None else b""
        try:
            if not self._uncommitted:
                self._db.execute("BEGIN")
            state = (self.size, root, self._rows.twins, self._rows.relationships)
            self._db.execute("UPDATE state SET size = ?, root = ?, twins = ?, relationships = ?", state)
            self._db.execute("COMMIT")
            self._uncommitted, self._saved = 0, self.size
        except sqlite3.Error as error:
            raise self._lost(error) from error

    def close(self) -> None:
        """Save and let the file go."""
        self._past.close()
        for reader in self._readers:
            reader.close()
        self._readers = []
        if self._watch is not None:
            self._watch.wait()
            if self._watch.reason is not None and self._path is not None:
                self._db.close()
                tables.discard(self._path)
                return
        if self._passing and self._path is not None:
            self._db.close()
            rmtree(self._path.parent, ignore_errors=True)
            return
        self.save()
        tables.close(self._db, self._path)

    def _look(self) -> None:
        """Has the watch of a large file found anything?"""
        watch = self._watch
        if watch is not None and watch.reason is not None:
            if self._path is not None:
                self._path.with_name(f"{self._path.name}.sum").write_text("damaged 0\n")
            raise Unavailable(f"{self._path} {watch.reason}: start again, and it is folded again from the log")
        if watch is not None and watch.done:
            self._watch = None
            tables.autocheckpoint(self._db)

    def _lost(self, error: sqlite3.Error) -> Unavailable:
        """Go back to what the file holds; the log has the rest."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._uncommitted = 0
        try:
            self._rewind()
        except sqlite3.Error:
            _log.warning("%s cannot be read any more; delete it and start again: the log has everything", self._path)
        return Unavailable(f"{self._path}: the graph could not take entry {self.size}: {error}")

    def _rewind(self) -> None:
        """Be what the file says."""
        self._types = Types()
        self._recent.clear()
        self.size = self._saved = self._db.execute("SELECT size FROM state").fetchone()[0]
        self._rows.reload()
        self.columns.load(self._db)

    def foresee(self, index: int, entry: Entry, change: Change | None) -> None:
        """Whoever appends `entry` has judged it against the graph as it will be just before `index`.

        If it is that very entry which comes by that number, it is not judged again.
        """
        self._foreseen[index] = (entry, change)

    def forget(self) -> None:
        """What was foreseen will not come."""
        self._foreseen.clear()

    def _judge(self, index: int, entry: Entry) -> Change | None:
        foreseen = self._foreseen.pop(index, None)
        if foreseen is not None and foreseen[0] is entry:
            return foreseen[1]
        if entry.body is None:
            raise Invalid("its body is erased")
        return check_write(self, entry.kind, entry.subject, read_json(entry.body))

    def _take(self, index: int, entry: Entry) -> None:
        try:
            change = self._judge(index, entry)
        except EctypeError as error:
            row = (index, entry.kind, entry.subject, str(error))
            self._db.execute("INSERT INTO rejected VALUES(?, ?, ?, ?)", row)
            return
        if change is None:
            return
        if isinstance(change, PutTwin) and change.touched is not None:
            self._patch(change, index, entry.at_ns)
            return
        self._uncommitted += self._rows.write(change, index, entry.at_ns)
        self._forget(change)
        if isinstance(change, PutModel | DeleteModel | DecommissionModel | Clear):
            self._types = Types(change.models if isinstance(change, PutModel) else None)
            if isinstance(change, PutModel):
                self.columns.declared(self._db, list(change.models.interface(change.id).contents))
            elif isinstance(change, Clear):
                self.columns.clear(self._db)

    def _patch(self, change: PutTwin, index: int, at_ns: int) -> None:
        before = self.find_twin(change.id)
        if before is not None:  # it passed the check, so it is there
            text = as_json(change.properties)
            after = patched(before, change, as_value(text), index, at_ns, self._components(change.model))
            self._rows.patch(after, text)
            self._uncommitted += 1
            self._recent.keep(after, len(text))

    def _forget(self, change: Change) -> None:
        """Keep no twin that may be another after `change`."""
        match change:
            case PutTwin(twin_id) | DeleteTwin(twin_id):
                self._recent.forget(twin_id)
            case PutBlock(twins):
                for twin in twins:
                    self._recent.forget(twin.id)
            case PutModel() | DeleteModel() | DecommissionModel() | Clear():
                self._recent.clear()
            case _:
                pass

    # ---- to read at length

    @contextmanager
    def reading(self) -> Generator[Reading]:
        """The graph as it is now, for one thread to read while the fold goes on (or, in memory, stands still)."""
        if self._watch is not None:
            self._look()
        if self._path is None:
            self.save()
            yield self._as_reading(self._db)
            return
        if self._uncommitted:
            self.save()
        db = self._readers.pop() if self._readers else tables.open_reader(self._path)
        try:
            db.execute("BEGIN")
            db.execute("SELECT size FROM state").fetchone()  # from here on it sees what is committed now
            yield self._as_reading(db)
        finally:
            db.execute("ROLLBACK")
            if len(self._readers) < _READERS:
                self._readers.append(db)
            else:
                db.close()

    def _as_reading(self, db: sqlite3.Connection) -> Reading:
        rows = self._rows
        return Reading(db, self.size, self._types, self.columns.known(), rows.twins, rows.relationships)

    @contextmanager
    def past(self, size: int) -> "Generator[Graph]":
        """The graph as it was when the log had `size` entries, for one caller at a time. What it costs: see `Past`."""
        if self.log is None:
            raise Invalid("this graph has no log to look back in")
        with self._past.at(size, self.log) as found:
            yield found

    def _blank(self, number: int) -> "Graph":
        if self._path is None:
            return Graph.open()
        folder = self._path.parent / "past" / str(number)
        rmtree(folder, ignore_errors=True)
        made = Graph.open(folder)
        made._passing = True
        return made

    def _copied(self, graph: "Graph", number: int) -> "Graph":
        graph.save()
        made = self._blank(number)
        graph._db.backup(made._db)
        made._rewind()
        return made

    def make_column(self, column: Column) -> None:
        """Make an index for `column` (see Columns.make). May run in another thread while nothing is applied."""
        self.begin_column()
        self.finish_column(column)

    def begin_column(self) -> None:
        """Before `finish_column` in another thread: until that is over, `busy` is true and nothing may be applied."""
        self.save()
        if self._uncommitted:
            raise Invalid("the graph is being written")
        self.busy = True

    def finish_column(self, column: Column) -> None:
        """Make the index, with a connection of its own. Raises Unavailable if the disk does not take it."""
        db = self._db
        try:
            if self._path is not None:
                db = tables.open_file(self._path)
                db.execute("PRAGMA threads=2")
                if self._watch is not None:
                    db.execute("PRAGMA wal_autocheckpoint=0")
            if column not in self.columns.known():
                self.columns.make(db, column)
        except sqlite3.Error as error:
            raise Unavailable(f"{self._path}: no index could be made: {error}") from error
        finally:
            self.busy = False
            if db is not self._db:
                db.close()

    # ---- types

    def models(self) -> Models:
        """All types. The same object until one is added."""
        return self._types.models(self._db)

    def decommissioned(self, dtmi: str) -> bool:
        """Is that model decommissioned?"""
        row = self._db.execute("SELECT decommissioned FROM models WHERE id = ?", (_plain(dtmi),)).fetchone()
        return row is not None and bool(row[0])

    def model_facts(self, dtmis: Collection[str] | None = None) -> list[Model]:
        """The types of those ids (None: all) as they were put, by id."""
        if dtmis is None:
            rows = self._db.execute(f"{_MODEL} ORDER BY id")
        else:
            text = msgspec.json.encode([_plain(each) for each in dtmis]).decode()
            rows = self._db.execute(f"{_MODEL} AND id IN (SELECT value FROM json_each(?)) ORDER BY id", (text,))  # noqa: S608
        return [Model(dtmi, as_value(text), at_ns, bool(gone)) for dtmi, text, at_ns, gone in rows]

    def _components(self, model: str) -> frozenset[str]:
        """The names of the parts that twins of `model` have."""
        return self._types.components(self._db, model)

    # ---- records

    def records(self, kind: str) -> dict[str, dict[str, JSON]]:
        """All event routes (`route`) or jobs (`job`), by name."""
        rows = self._db.execute("SELECT name, body FROM records WHERE kind = ? ORDER BY name", (kind,))
        return {name: as_value(body) for name, body in rows}

    # ---- twins

    def models_of(self, twin_ids: Collection[str]) -> dict[str, str]:
        """The models of those of the twins that there are, by id."""
        rows = self._db.execute(
            "SELECT t.id, m.id FROM json_each(?) j CROSS JOIN twins t ON t.id = j.value"
            " JOIN models m ON m.key = t.model",
            (msgspec.json.encode([_plain(each) for each in twin_ids]).decode(),),
        )
        return dict(rows.fetchall())

    def find_twin(self, twin_id: str) -> Twin | None:
        """That twin, or None."""
        found = self._recent.find(twin_id)
        if found is None:
            row = self._db.execute(f"{TWIN} WHERE t.id = ?", (_plain(twin_id),)).fetchone()
            if row is None:
                return None
            found = as_twin(row, self._components)
            self._recent.keep(found, len(row[2]))
        return found

    def twin(self, twin_id: str) -> Twin:
        """That twin. Raises NotFound."""
        found = self.find_twin(twin_id)
        if found is None:
            raise NotFound(f"there is no twin {twin_id[:140]!r}")
        return found

    def twins(self, model: str | None = None) -> list[Twin]:
        """All twins by id; with `model`, those of it or of a model that extends it."""
        if model is None:
            return [as_twin(row, self._components) for row in self._db.execute(f"{TWIN} ORDER BY t.id")]
        kinds = msgspec.json.encode([each.id for each in self.models() if model in each.ancestors]).decode()
        rows = self._db.execute(f"{TWIN} {_OF_KINDS}", (kinds,))
        return [as_twin(row, self._components) for row in rows]

    # ---- relationships

    def find_relationship(self, source: str, relationship_id: str) -> Relationship | None:
        """That edge, or None."""
        names = (_plain(source), _plain(relationship_id))
        row = self._db.execute(f"{EDGE} WHERE s.id = ? AND r.id = ?", names).fetchone()
        return None if row is None else as_edge(row)

    def relationships(self, twin_id: str) -> list[Relationship]:
        """The edges that start at a twin, by id."""
        return [as_edge(row) for row in self._db.execute(f"{EDGE} WHERE s.id = ? ORDER BY r.id", (_plain(twin_id),))]

    def relationships_after(self, twin_id: str, name: str | None, after: str, limit: int) -> list[Relationship]:
        """At most `limit` of the edges that start at a twin (those called `name`, if given), by id, beyond `after`."""
        named = "" if name is None else " AND r.name = ?"
        values = [twin_id, after, *([] if name is None else [name])]
        sql = f"{EDGE} WHERE s.id = ? AND r.id > ?{named} ORDER BY r.id LIMIT ?"
        return [as_edge(row) for row in self._db.execute(sql, (*map(_plain, values), limit))]

    def incoming_after(self, twin_id: str, source: str, edge: str, limit: int) -> list[Relationship]:
        """At most `limit` of the edges that end at a twin, by source and id, beyond edge `edge` of `source`."""
        sql = f"{EDGE} WHERE t.id = ? AND (s.id, r.id) > (?, ?) ORDER BY s.id, r.id LIMIT ?"
        return [as_edge(row) for row in self._db.execute(sql, (*map(_plain, (twin_id, source, edge)), limit))]

    def incoming(self, twin_id: str) -> list[Relationship]:
        """The edges that end at a twin, by source and id."""
        rows = self._db.execute(f"{EDGE} WHERE t.id = ? ORDER BY s.id, r.id", (_plain(twin_id),))
        return [as_edge(row) for row in rows]

    def all_relationships(self) -> list[Relationship]:
        """All edges, by source and id."""
        return [as_edge(row) for row in self._db.execute(f"{EDGE} ORDER BY s.id, r.id")]

    # ---- alarms, and what was rejected

    def alarms(self, active_only: bool = False, limit: int = 200) -> list[Alarm]:
        """The newest alarms first."""
        active = " WHERE until_ns IS NULL" if active_only else ""
        rows = self._db.execute(f"{_ALARM}{active} ORDER BY since_ns DESC, id DESC LIMIT ?", (max(0, limit),))
        return [Alarm(str(row[0]), *row[1:]) for row in rows]

    def alarm_since(self, twin_id: str, name: str, since_ns: int) -> Alarm | None:
        """The newest alarm of that name that began then."""
        row = self._db.execute(
            f"{_ALARM} WHERE since_ns = ? AND twin = ? AND name = ? ORDER BY id DESC LIMIT 1", (since_ns, twin_id, name)
        ).fetchone()
        return None if row is None else Alarm(str(row[0]), *row[1:])

    def rejected(self, limit: int = 200) -> list[Rejected]:
        """The newest entries that meant nothing to the graph, newest first."""
        rows = self._db.execute(
            "SELECT entry, kind, subject, reason FROM rejected ORDER BY entry DESC LIMIT ?", (limit,)
        )
        return [Rejected(*row) for row in rows]

    def counts(self) -> dict[str, int]:
        """How many models, twins, relationships, alarms and rejected entries there are."""
        names = ("alarms", "rejected")
        counted = {name: self._db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}  # noqa: S608
        models = self._db.execute("SELECT count(*) FROM models WHERE NOT deleted").fetchone()[0]
        return {"models": models, "twins": self._rows.twins, "relationships": self._rows.relationships, **counted}


def _plain(name: str) -> str:
    """`name`, as SQLite takes it: half of a surrogate pair names nothing."""
    return name.encode(errors="replace").decode()
