"""A fold with tables of its own: a SQLite file that says how far in which log the fold had come.

It is never synced: what is missing at its end is in the log.
"""

import logging
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import final

from ectype.errors import Unavailable
from ectype.log.fold import Readable

_logger = logging.getLogger("ectype.log")
_STATE = """
create table if not exists state (one integer primary key check (one = 1), version integer, size integer, root blob);
"""


@final
class FoldFile:
    """db: a database with the fold's tables; size: what it holds is true at that size of the log.

    path: None keeps it in memory. schema: statements that make the tables where they are missing.
    What is there but damaged, of another version or not of `log` is thrown away: the size is 0 then.
    Raises Unavailable where the file can neither be read nor made.
    """

    def __init__(self, path: Path | None, schema: str, version: int, log: Readable | None) -> None:
        self._path = path
        self._log = log
        found = None if path is None else _kept(path, schema, version, log)
        if found is None:
            found = _connect(path, schema, version)
        self.db = found
        self.size: int = found.execute("select size from state").fetchone()[0]

    @contextmanager
    def writing(self) -> Generator[None]:
        """Raises Unavailable if the disk does not take what is written within."""
        try:
            yield
        except sqlite3.Error as error:
            raise Unavailable(f"{self._path}: {error}; make room, then start again") from error

    def save(self, size: int) -> None:
        """Let the file say what was folded so far. Raises Unavailable if the disk does not take it."""
        root = self._log.root(size) if self._log is not None else b""
        with self.writing():
            self.db.execute("update state set size = ?, root = ?", (size, root))
            self.db.commit()


def _kept(path: Path, schema: str, version: int, log: Readable | None) -> sqlite3.Connection | None:
    """What is at `path`, if it is of this log and version; else None, and nothing is there any more."""
    try:
        db = _connect(path, schema, version)
        there, size, root = db.execute("select version, size, root from state").fetchone()
        if there == version and (size == 0 or (log is not None and size <= log.size and root == log.root(size))):
            return db
        db.close()
    except sqlite3.OperationalError as error:  # locked, full, not ours: nothing that folding again would mend
        raise Unavailable(f"{path}: {error}") from error
    except (sqlite3.DatabaseError, TypeError) as error:
        _logger.warning("%s is damaged (%s); it is made again from the log", path, error)
    for old in path.parent.glob(path.name + "*"):
        old.unlink(missing_ok=True)
    return None


def _connect(path: Path | None, schema: str, version: int) -> sqlite3.Connection:
    db = sqlite3.connect(path or ":memory:")
    db.executescript("pragma journal_mode=wal; pragma synchronous=off;" + schema + _STATE)
    db.execute("insert or ignore into state values (1, ?, 0, x'')", (version,))
    db.commit()
    return db
