"""The documents fold: for each shared document, the Yjs updates that make it, ready to load.

A SQLite file beside the others. An update is opaque here; many small ones of a document are
merged into one now and then, which Yjs defines to be the same document.
"""

from pathlib import Path
from typing import final

from pycrdt import merge_updates

from ectype.log.entry import Entry
from ectype.log.fold import Readable
from ectype.log.fold_file import FoldFile

KIND = "document.update"
MEDIA_TYPE = "application/vnd.yjs.update"
_PREFIX = "doc:"
_MERGE_AT = 256
_VERSION = 1

_SCHEMA = """
create table if not exists updates (name text not null, log_index integer not null, data blob not null,
                                    primary key (name, log_index)) without rowid;
"""


def subject_of(name: str) -> str:
    """The log subject of the document `name`."""
    return _PREFIX + name


@final
class Documents:
    """What every shared document holds at log size `size`. See `Documents.open`."""

    name = "documents"
    version = _VERSION

    def __init__(self, file: FoldFile) -> None:
        """Use `Documents.open`."""
        self._file = file
        self._db = file.db
        self.size = file.size

    @classmethod
    def open(cls, folder: Path | None = None, log: Readable | None = None) -> "Documents":
        """The fold kept in `folder` (None: in memory), as far as it had come. See `FoldFile`."""
        return cls(FoldFile(folder and folder / "documents.sqlite", _SCHEMA, _VERSION, log))

    def apply(self, index: int, entry: Entry) -> None:
        """Take in entry `index`; it must be the next one. Raises Unavailable if the disk does not take it."""
        if entry.kind == KIND and entry.subject.startswith(_PREFIX) and entry.body is not None:
            name = entry.subject[len(_PREFIX) :]
            with self._file.writing():
                self._db.execute("insert or replace into updates values (?, ?, ?)", (name, index, entry.body))
                self._merge(name)
        self.size = index + 1

    def save(self) -> None:
        """Let the file say what was folded so far. Raises Unavailable if the disk does not take it."""
        self._file.save(self.size)

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
