"""The marks fold: which readings are not good, and why. What has no mark is good.

A mark follows from an entry of kind `quality`:

    {"items": [{"series": "R80711.power", "at_ns": "1393…", "value": 9000.0,
                "quality": "bad", "reasons": ["range: 9000 is above 2200"]}]}

It is of the reading with that instant and that value. Of one instant the last mark counts; where history holds another
value for the instant by now (it was sent again, put right), the mark is of a reading that is no more, and says nothing.

A SQLite file beside the history's, as a type with wrong limits may mark every reading there is: memory stays bounded.
Like the others it is never synced; what is missing at its end is in the log.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

import msgspec
import numpy as np
from numpy.typing import NDArray

from ectype.log.entry import Entry
from ectype.log.fold import Readable
from ectype.log.fold_file import FoldFile
from ectype.series.samples import Samples
from ectype.values.block import Float64s, Int64s

KIND = "quality"
GOOD, SUSPECT, BAD = 0, 1, 2
WORDS: tuple[Literal["good", "suspect", "bad"], ...] = ("good", "suspect", "bad")

Levels = NDArray[np.int8]

_VERSION = 1
_LIMIT = 1 << 63
_ASKED = 500  # instants of one statement
_FEW = 5000  # samples that are looked up one by one: a curve's, of a stretch that may hold millions of marks

# The counts follow the marks by triggers, so that one that is said twice counts once.
_SCHEMA = """
create table if not exists series (id integer primary key, name text not null unique,
                                   suspect integer not null default 0, bad integer not null default 0);
create table if not exists marks (series integer not null, at_ns integer not null, value real, bad integer not null,
                                  reasons text not null, primary key (series, at_ns)) without rowid;
create trigger if not exists said after insert on marks begin
    update series set bad = bad + new.bad, suspect = suspect + 1 - new.bad where id = new.series;
end;
create trigger if not exists again after update on marks begin
    update series set bad = bad + new.bad - old.bad, suspect = suspect + old.bad - new.bad where id = new.series;
end;
"""
_PUT = """
insert into marks values (?, ?, ?, ?, ?)
on conflict (series, at_ns) do update set value = excluded.value, bad = excluded.bad, reasons = excluded.reasons
"""


@final
class Item(msgspec.Struct, frozen=True):
    """What an entry says of one reading; a value that JSON cannot hold (an infinity) is None."""

    series: str
    at_ns: str
    value: float | None
    quality: Literal["suspect", "bad"]
    reasons: list[str] = []

    @property
    def instant(self) -> int | None:
        """at_ns as a number; None if it is none, or none that fits."""
        digits = self.at_ns.removeprefix("-")
        if not digits.isascii() or not digits.isdecimal() or len(digits) > 19:
            return None
        at_ns = int(self.at_ns)
        return at_ns if -_LIMIT <= at_ns < _LIMIT else None


class _Body(msgspec.Struct, frozen=True):
    items: list[Item] = []


_decode = msgspec.json.Decoder(_Body).decode
_words = msgspec.json.Decoder(list[str]).decode


def items_of(entry: Entry) -> list[Item]:
    """What a `quality` entry says; nothing if its body is erased or something else."""
    if entry.body is None:
        return []
    try:
        return _decode(entry.body).items
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []


def same_values(marked: Float64s, value: Float64s) -> NDArray[np.bool_]:
    """[n] whether each marked value is that of the reading; NaN in `marked` stands for any that JSON cannot hold."""
    return (marked == value) | (np.isnan(marked) & ~np.isfinite(value))


@final
@dataclass(frozen=True, slots=True)
class SeriesMarks:
    """How many readings of a series were marked, and the newest by time: when, how, why."""

    series: str
    suspect: int
    bad: int
    at_ns: int
    value: float | None
    level: int
    reasons: tuple[str, ...]


@final
class Marks:
    """The marks at `size` entries of a log. Calls belong to one thread. See `Marks.open`."""

    name = "marks"
    version = _VERSION

    def __init__(self, file: FoldFile) -> None:
        """Use `Marks.open`."""
        self._file = file
        self._db = file.db
        self.size = file.size
        self._ids: dict[str, int] = dict(file.db.execute("select name, id from series"))

    @classmethod
    def open(cls, folder: Path | None = None, log: Readable | None = None) -> "Marks":
        """The fold kept in `folder` (None: in memory), as far as it had come. See `FoldFile`."""
        return cls(FoldFile(folder and folder / "marks.sqlite", _SCHEMA, _VERSION, log))

    # ---- the fold

    def apply(self, index: int, entry: Entry) -> None:
        """Take in entry `index`; it must be the next one. Raises Unavailable if the disk does not take it."""
        if entry.kind == KIND:
            with self._file.writing():
                self._db.executemany(_PUT, self._rows(entry))
        self.size = index + 1

    def save(self) -> None:
        """Let the file say what was folded so far. Raises Unavailable if the disk does not take it."""
        self._file.save(self.size)

    def close(self, *, save: bool = True) -> None:
        """Close the file; without `save` as if the process had died."""
        if save:
            self.save()
        self._db.close()

    def _rows(self, entry: Entry) -> list[tuple[int, int, float | None, bool, str]]:
        """What the entry says, as rows of `marks`."""
        rows: list[tuple[int, int, float | None, bool, str]] = []
        for item in items_of(entry):
            at_ns = item.instant
            if at_ns is not None:
                why = msgspec.json.encode(item.reasons).decode()
                rows.append((self._identify(item.series), at_ns, item.value, item.quality == "bad", why))
        return rows

    def _identify(self, series: str) -> int:
        known = self._ids.get(series)
        if known is None:
            known = self._ids[series] = len(self._ids)
            self._db.execute("insert into series (id, name) values (?, ?)", (known, series))
        return known

    # ---- questions

    def levels(self, series: str, samples: Samples) -> Levels:
        """[n] the quality of each sample: GOOD, SUSPECT or BAD."""
        level = np.zeros(len(samples), np.int8)
        known = self._ids.get(series)
        if known is None or not len(samples):
            return level
        columns = "at_ns, value, bad"
        if len(samples) > _FEW:
            query = f"select {columns} from marks where series = ? and at_ns between ? and ?"  # noqa: S608 - a constant
            found = self._db.execute(query, (known, int(samples.at_ns[0]), int(samples.at_ns[-1]))).fetchall()
        else:
            found = list(self._at(known, columns, samples.at_ns))
        if not found:
            return level
        at_ns = np.array([row[0] for row in found], np.int64)
        value = np.array([np.nan if row[1] is None else row[1] for row in found])
        bad = np.array([row[2] for row in found], np.int8)
        row = np.minimum(np.searchsorted(at_ns, samples.at_ns), len(at_ns) - 1)
        here = (at_ns[row] == samples.at_ns) & same_values(value[row], samples.value)
        level[here] = SUSPECT + bad[row[here]]
        return level

    def reasons(self, series: str, at_ns: Int64s) -> list[tuple[str, ...]]:
        """[n] why the readings at these instants, ascending, were marked; nothing where none was."""
        known = self._ids.get(series)
        if known is None:
            return [()] * len(at_ns)
        why = {at: tuple(_words(reasons)) for at, reasons in self._at(known, "at_ns, reasons", at_ns)}
        return [why.get(at, ()) for at in at_ns.tolist()]

    def _at(self, known: int, columns: str, at_ns: Int64s) -> Iterator[tuple[Any, ...]]:
        """Columns of the marks at these instants, in their order."""
        asked: Sequence[int] = at_ns.tolist()
        for start in range(0, len(asked), _ASKED):
            some = asked[start : start + _ASKED]
            places = ", ".join("?" * len(some))
            query = f"select {columns} from marks where series = ? and at_ns in ({places}) order by at_ns"  # noqa: S608 - constants
            yield from self._db.execute(query, (known, *some))

    def before(self, series: str, at_ns: int, count: int) -> Int64s:
        """The instants of the last `count` marks of a series at or before `at_ns`, descending."""
        known = self._ids.get(series)
        if known is None:
            return np.empty(0, np.int64)
        query = "select at_ns from marks where series = ? and at_ns <= ? order by at_ns desc limit ?"
        return np.array([at for (at,) in self._db.execute(query, (known, at_ns, count))], np.int64)

    def of(self, series: str) -> SeriesMarks | None:
        """What was marked of one series; None if nothing was."""
        known = self._ids.get(series)
        if known is None:
            return None
        query = """select s.suspect, s.bad, m.at_ns, m.value, m.bad, m.reasons from series s
                   join marks m on m.series = s.id where s.id = ? order by m.at_ns desc limit 1"""
        row = self._db.execute(query, (known,)).fetchone()
        if row is None:
            return None
        return SeriesMarks(series, row[0], row[1], row[2], row[3], SUSPECT + row[4], tuple(_words(row[5])))

    def series(self) -> list[str]:
        """The series of which readings were marked, those with most bad ones first."""
        query = "select name from series order by bad desc, suspect desc, name"
        return [str(name) for (name,) in self._db.execute(query)]
