"""The documents fold: for each shared document, the Yjs updates that make it, ready to load.

A SQLite file beside the others. An update is opaque here; many small ones of a document are
merged into one now and then, which Yjs defines to be the same document.
"""

import logging
import sqlite3
from pathlib import Path
from typing import final

from pycrdt import merge_updates

from ectype.errors import Damaged
from ectype.log.entry import Entry

KIND = "document.update"
MEDIA_TYPE = "application/vnd.yjs.update"
_PREFIX = "doc:"
_MERGE_AT = 256
_VERSION = 1
_logger = logging.getLogger("ectype.collab")

_SCHEMA = """
create table if not exists updates (name text not null, log_index integer not null, data blob not null,
                                    primary key (name, log_index)) without rowid;
create table if not exists state (one integer primary key check (one = 1), version integer, size integer);
"""


def subject_of(name: str) -> str:
    """The log subject of the document `name`."""
    return _PREFIX + name


@final
class Documents:
    """What every shared document holds at log size `size`."""

    name = "documents"
    version = _VERSION

    def __init__(self, path: Path | None) -> None:
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        try:
            self._db.executescript("pragma journal_mode=wal; pragma synchronous=off;" + _SCHEMA)
            row = self._db.execute("select version, size from state").fetchone()
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise Damaged(f"{path}: {error}") from error
        if row is None or row[0] != _VERSION:
            self._db.executescript("delete from updates; delete from state;")
            self._db.execute("insert into state values (1, ?, 0)", (_VERSION,))
            row = (_VERSION, 0)
        self.size = int(row[1])

    @classmethod
    def open(cls, path: Path | None, log_size: int) -> "Documents":
        """The fold kept at `path`, or a new one when what is there is damaged or ahead of the log."""
        try:
            fold = cls(path)
            if fold.size <= log_size:
                return fold
            fold.close()
        except Damaged as error:
            _logger.warning("the documents are folded again from the log: %s", error)
        if path is not None:
            for old in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
                old.unlink(missing_ok=True)
        return cls(path)

    def apply(self, index: int, entry: Entry) -> None:
        """Take in entry `index`; it must be the next one."""
        if entry.kind == KIND and entry.subject.startswith(_PREFIX) and entry.body is not None:
            self._db.execute("begin")
            name = entry.subject[len(_PREFIX) :]
            self._db.execute("insert or replace into updates values (?, ?, ?)", (name, index, entry.body))
            self._db.execute("update state set size = ?", (index + 1,))
            self._db.execute("commit")
            self._merge(name)
        self.size = index + 1

    def save(self) -> None:
        """Write down how far this fold has come."""
        self._db.execute("update state set size = ?", (self.size,))

    def updates(self, name: str) -> list[bytes]:
        """The updates that make the document, in log order. Empty when nobody ever wrote in it."""
        rows = self._db.execute("select data from updates where name = ? order by log_index", (name,))
        return [bytes(data) for (data,) in rows]

    def names(self) -> list[str]:
        """Every document that somebody wrote in."""
        return [str(name) for (name,) in self._db.execute("select distinct name from updates order by name")]

    def close(self) -> None:
        """Close the file."""
        self.save()
        self._db.close()

    def _merge(self, name: str) -> None:
        (count,) = self._db.execute("select count(*) from updates where name = ?", (name,)).fetchone()
        if count < _MERGE_AT:
            return
        (last,) = self._db.execute("select max(log_index) from updates where name = ?", (name,)).fetchone()
        merged = merge_updates(*self.updates(name))
        self._db.execute("begin")
        self._db.execute("delete from updates where name = ?", (name,))
        self._db.execute("insert into updates values (?, ?, ?)", (name, last, merged))
        self._db.execute("commit")
