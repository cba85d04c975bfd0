"""The SQLite file of the graph: its tables, and whether a file that is found can be believed.

    models         key, id, document (DTDL), names (of what it contains, inherited too), last_index, at_ns,
                   decommissioned, deleted (twins of it may be left)
    twins          key, id, model -> models, properties (JSON), last_index, part, at_ns, put_ns, times
    relationships  key, source -> twins, id, name, target -> twins, properties (JSON), last_index, part, at_ns
    alarms         id (index of the raising entry), twin, name, severity, text, since_ns, until_ns, cost_kwh, why
    records        kind (route, job), name, body (JSON), last_index, at_ns
    rejected       entry, kind, subject, reason
    columns        the indexes that queries asked for (see columns.py)
    state          size and root of the log that all of this follows from; how many twins and relationships there are

Twins are joined by small integer keys. Properties stay JSON: a filter gets its index as an expression on them,
typed as JSON is; no table changes with a model. `part` is the row in a block that was put at once, else null.
A property was last written at `put_ns`, when the whole twin was, unless `times` (JSON) says otherwise:
{"speed": 1700…, "gear": [1700…, "the source's own time"]}.

The file is its own snapshot. It is never synced: WAL keeps it whole, and what is missing at its end is in the log.
When it is closed its checksum is written beside it; a file that does not match, was left open and does not pass
SQLite's own check, is of another version or of another log, is thrown away and folded again. A large file is
looked at beside the work (see `Watch`), so that a big graph starts at once.
"""

import logging
import sqlite3
import zlib
from pathlib import Path
from threading import Thread
from typing import final

from ectype.errors import Unavailable
from ectype.log.fold import Readable

VERSION = 4
_APPLICATION = 0x45435447  # "ECTG"
_CHUNK = 1 << 20
LARGE = 96 << 20  # bytes; about 0.1 s of checksum
_log = logging.getLogger("ectype.graph")

_TABLES = """
CREATE TABLE models(
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, document TEXT NOT NULL, names TEXT NOT NULL,
    last_index INTEGER NOT NULL, at_ns INTEGER NOT NULL,
    decommissioned INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0);
CREATE TABLE twins(
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, model INTEGER NOT NULL REFERENCES models(key),
    properties TEXT NOT NULL, last_index INTEGER NOT NULL, part INTEGER, at_ns INTEGER NOT NULL,
    put_ns INTEGER NOT NULL, times TEXT);
CREATE INDEX twins_of_model ON twins(model);
CREATE TABLE relationships(
    key INTEGER PRIMARY KEY, source INTEGER NOT NULL REFERENCES twins(key), id TEXT NOT NULL, name TEXT NOT NULL,
    target INTEGER NOT NULL REFERENCES twins(key), properties TEXT NOT NULL,
    last_index INTEGER NOT NULL, part INTEGER, at_ns INTEGER NOT NULL, UNIQUE(source, id));
CREATE INDEX relationships_out ON relationships(source, name, target);
CREATE INDEX relationships_in ON relationships(target, name, source);
CREATE TABLE alarms(
    id INTEGER PRIMARY KEY, twin TEXT NOT NULL, name TEXT NOT NULL, severity TEXT NOT NULL, text TEXT NOT NULL,
    since_ns INTEGER NOT NULL, until_ns INTEGER, cost_kwh REAL, why TEXT);
CREATE UNIQUE INDEX alarms_active ON alarms(twin, name) WHERE until_ns IS NULL;
CREATE INDEX alarms_newest ON alarms(since_ns DESC, id DESC);
CREATE TABLE records(
    kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, last_index INTEGER NOT NULL, at_ns INTEGER NOT NULL,
    PRIMARY KEY(kind, name)) WITHOUT ROWID;
CREATE TABLE rejected(entry INTEGER PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE columns(
    name TEXT PRIMARY KEY, tab TEXT NOT NULL, path TEXT NOT NULL, what TEXT NOT NULL, among TEXT NOT NULL,
    made INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE state(
    one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL, root BLOB NOT NULL,
    twins INTEGER NOT NULL, relationships INTEGER NOT NULL);
INSERT INTO state VALUES(1, 0, x'', 0, 0);
"""


@final
class Watch:
    """Looks at a large file beside the work. `reason`: what is wrong with it, once that is known."""

    def __init__(self, path: Path, sealed: str | None) -> None:
        self.reason: str | None = None
        self._path = path
        self._sealed = sealed
        self._thread = Thread(target=self._look, name="ectype-graph-watch", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Has all of it been looked at?"""
        return not self._thread.is_alive()

    def wait(self) -> None:
        """Return once it has."""
        self._thread.join()

    def _look(self) -> None:
        """The file does not change meanwhile: nothing is moved into it from its write-ahead log before `done`."""
        try:
            if self._sealed is not None:
                damaged = self._sealed != _checksum(self._path)
            else:
                db = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)
                damaged = db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",)
                db.close()
        except (OSError, sqlite3.DatabaseError):
            damaged = True
        if damaged:
            self.reason = "is damaged"


def connect(path: Path | None, log: Readable | None) -> tuple[sqlite3.Connection, Watch | None]:
    """The database in the file at `path` (None: in memory), empty unless it is whole and follows from `log`.

    Whether a large one is whole, its watch tells later. Raises Unavailable if the file cannot be made.
    """
    try:
        if path is None:
            return _create(":memory:"), None
        path.parent.mkdir(parents=True, exist_ok=True)
        reason = _open_reason(path, log)
        if reason:
            _log.warning("%s %s: it is thrown away and folded again from the log", path, reason)
            discard(path)
        sum_file = _checksum_file(path)
        sealed = sum_file.read_text() if sum_file.exists() else None
        sum_file.unlink(missing_ok=True)
        if reason or not path.exists():
            return _create(str(path)), None
        db = open_file(path)
        if path.stat().st_size <= LARGE:
            return db, None
        db.execute("PRAGMA wal_autocheckpoint=0")
        return db, Watch(path, sealed)
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(f"{path}: the graph's file cannot be opened: {error}") from error


def close(db: sqlite3.Connection, path: Path | None) -> None:
    """Close, and seal the file with its checksum."""
    try:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        if path is not None:
            _checksum_file(path).write_text(_checksum(path))
    except (OSError, sqlite3.Error) as error:  # the next start sees no checksum, and looks closer
        _log.warning("%s could not be closed well: %s", path, error)


def discard(path: Path) -> None:
    """Take the file and all that belongs to it away."""
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.name}-journal", f"{path.name}.sum"):
        path.with_name(name).unlink(missing_ok=True)


def _open_reason(path: Path, log: Readable | None) -> str | None:
    """Why the file cannot be believed; None if it can, or is not there."""
    if not path.exists():
        discard(path)  # what is left of a file that is gone
        return None
    sealed, large = _checksum_file(path), path.stat().st_size > LARGE
    if sealed.exists() and not large and sealed.read_bytes() != _checksum(path).encode():
        return "is damaged"
    if sealed.exists() and large and int(sealed.read_bytes().split()[-1]) != path.stat().st_size:
        return "is damaged"
    db = None
    try:
        db = sqlite3.connect(str(path))
        if not sealed.exists() and not large and db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            return "is damaged"
        marks = (db.execute("PRAGMA application_id").fetchone()[0], db.execute("PRAGMA user_version").fetchone()[0])
        if marks != (_APPLICATION, VERSION):
            return "is of another version"
        size, root = db.execute("SELECT size, root FROM state").fetchone()
        if log is not None and size and (size > log.size or root != log.root(size)):
            return "is not of this log"
    except (sqlite3.DatabaseError, TypeError, ValueError):
        return "is damaged"
    finally:
        if db is not None:
            db.close()
    return None


def open_file(path: Path) -> sqlite3.Connection:
    """A connection to the file that may write."""
    return _connect(str(path))


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection to the file that only reads; it may go from thread to thread."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=64)
    db.execute("PRAGMA query_only=1")
    db.execute("PRAGMA cache_size=-32000")
    db.execute("PRAGMA temp_store=MEMORY")
    return db


def _connect(name: str) -> sqlite3.Connection:
    db = sqlite3.connect(name, isolation_level=None, check_same_thread=False, cached_statements=256)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=OFF" if name == ":memory:" else "PRAGMA synchronous=NORMAL")
    db.execute("PRAGMA cache_size=-128000")  # taken as it is needed: pages of indexes while a million twins come in
    db.execute("PRAGMA temp_store=MEMORY")
    autocheckpoint(db)
    return db


def autocheckpoint(db: sqlite3.Connection) -> None:
    """Let what is in the write-ahead log go into the file, now and then."""
    db.execute("PRAGMA wal_autocheckpoint=8000")
    db.execute("PRAGMA journal_size_limit=67108864")


def _create(name: str) -> sqlite3.Connection:
    db = _connect(name)
    db.executescript(f"BEGIN; {_TABLES}; PRAGMA application_id={_APPLICATION}; PRAGMA user_version={VERSION}; COMMIT;")
    return db


def _checksum_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.sum")


def _checksum(path: Path) -> str:
    crc, size = 0, 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
            size += len(chunk)
    return f"{crc:08x} {size}\n"
