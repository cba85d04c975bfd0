"""The documents fold: for each shared document, the Yjs updates that make it, ready to load.

A SQLite file beside the others. An update is opaque here; many small ones of a document are
merged into one now and then, which Yjs defines to be the same document.
"""

import logging
import sqlite3
from pathlib import Path
from typing import final

from pycrdt import merge_updates

from ectype.errors import Unavailable
from ectype.log.entry import Entry
from ectype.log.fold import Readable

KIND = "document.update"
MEDIA_TYPE = "application/vnd.yjs.update"
_PREFIX = "doc:"
_MERGE_AT = 256
_VERSION = 1
_logger = logging.getLogger("ectype.collab")

_SCHEMA = """
create table if not exists updates (name text not null, log_index integer not null, data blob not null,
                                    primary key (name, log_index)) without rowid;
create table if not exists state (one integer primary key check (one = 1), version integer, size integer, root blob);
"""


def subject_of(name: str) -> str:
    """The log subject of the document `name`."""
    return _PREFIX + name


@final
class Documents:
    """What every shared document holds at log size `size`. See `Documents.open`."""

    name = "documents"
    version = _VERSION

    def __init__(self, db: sqlite3.Connection, log: Readable | None) -> None:
        """Use `Documents.open`."""
        self._db = db
        self._log = log
        self.size: int = db.execute("select size from state").fetchone()[0]

    @classmethod
    def open(cls, folder: Path | None = None, log: Readable | None = None) -> "Documents":
        """The fold kept in `folder` (None: in memory), as far as it had come.

        What is there but damaged, of another version or not of `log` is thrown away: the size is 0 then.
        """
        if folder is None:
            return cls(_connect(None), log)
        path = folder / "documents.sqlite"
        try:
            db = _connect(path)
            version, size, root = db.execute("select version, size, root from state").fetchone()
            if version == _VERSION and (size == 0 or (log is not None and size <= log.size and root == log.root(size))):
                return cls(db, log)
            db.close()
        except sqlite3.OperationalError as error:  # locked, full, not ours: nothing that folding again would mend
            raise Unavailable(f"{path}: {error}") from error
        except (sqlite3.DatabaseError, TypeError) as error:
            _logger.warning("%s is damaged (%s); the documents are folded again from the log", path, error)
        for old in folder.glob(path.name + "*"):
            old.unlink(missing_ok=True)
        return cls(_connect(path), log)

    def apply(self, index: int, entry: Entry) -> None:
        """Take in entry `index`; it must be the next one."""
        if entry.kind == KIND and entry.subject.startswith(_PREFIX) and entry.body is not None:
            name = entry.subject[len(_PREFIX) :]
            self._db.execute("insert or replace into updates values (?, ?, ?)", (name, index, entry.body))
            self._merge(name)
        self.size = index + 1

    def save(self) -> None:
        """Let the file say what was folded so far."""
        root = self._log.root(self.size) if self._log is not None else b""
        self._db.execute("update state set size = ?, root = ?", (self.size, root))
        self._db.commit()

    def updates(self, name: str) -> list[bytes]:
        """The updates that make the document, in log order. Empty when nobody ever wrote in it."""
        rows = self._db.execute("select data from updates where name = ? order by log_index", (name,))
        return [bytes(data) for (data,) in rows]

    def names(self) -> list[str]:
        """Every document that somebody wrote in."""
        return [str(name) for (name,) in self._db.execute("select distinct name from updates order by name")]

    def close(self, *, save: bool = True) -> None:
        """Close the file; without `save` as if the process had died."""
        if save:
            self.save()
        self._db.close()

    def _merge(self, name: str) -> None:
        (count,) = self._db.execute("select count(*) from updates where name = ?", (name,)).fetchone()
        if count < _MERGE_AT:
            return
        (last,) = self._db.execute("select max(log_index) from updates where name = ?", (name,)).fetchone()
        merged = merge_updates(*self.updates(name))
        self._db.execute("delete from updates where name = ?", (name,))
        self._db.execute("insert into updates values (?, ?, ?)", (name, last, merged))


def _connect(path: Path | None) -> sqlite3.Connection:
    """A database with our tables. No flush to disk: the log has everything."""
    db = sqlite3.connect(path or ":memory:")
    db.executescript("pragma journal_mode=wal; pragma synchronous=off;" + _SCHEMA)
    db.execute("insert or ignore into state values (1, ?, 0, x'')", (_VERSION,))
    db.commit()
    return db
