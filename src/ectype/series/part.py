"""A part: sorted rows as one Parquet file, of which a question reads only what it must.

    columns    series dictionary<utf8>, at timestamp[ns, UTC], value double, std double (when any row has one)
    order      by series name, then time; row groups of 16k rows or more, with statistics; page checksums
    metadata   "ectype.series": {"names", "starts", "first_ns", "last_ns"}: where each series' rows are, and from when

Any Parquet reader can read it. A file never changes once it has its name. Of each open part, memory holds some sixty
bytes a row group, as many a series, and no rows: what Parquet says of the row groups of a question is read with them.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false

import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, TypeVar, final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ectype.errors import Damaged
from ectype.series import footer
from ectype.series.run import Run
from ectype.series.samples import Samples
from ectype.values.block import Int32s, Int64s
from ectype.values.columns import numpy_column

_Number = TypeVar("_Number", np.int64, np.float64)
INDEX = b"ectype.series"
_SAID_AT_ONCE = 64  # row groups: more would only take memory


class PartInfo(msgspec.Struct, frozen=True):
    """A part as a snapshot lists it: its name, its length, the CRC-32 of its footer and how much of that precedes the
    list of row groups, whether it has standard deviations, and its row groups (see `Groups`).

    Parquet's own page checksums leave out page headers and the footer.
    """

    file: str
    length: int
    footer: int
    head: int
    deviating: bool
    groups: bytes


@final
@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """The row groups of a part. rows, begins, said [g+1]: the first row, the first byte and the first byte in the
    footer of each; crc [g]: the CRC-32 of a group's bytes followed by those in the footer; first_ns, last_ns [g].
    """

    rows: Int64s
    begins: Int64s
    said: Int64s
    crc: Int64s
    first_ns: Int64s
    last_ns: Int64s

    def __len__(self) -> int:
        return len(self.crc)

    def pack(self) -> bytes:
        """As bytes: the six columns, each little-endian."""
        columns = (self.rows, self.begins, self.said, self.crc, self.first_ns, self.last_ns)
        return np.concatenate(columns).astype("<i8").tobytes()

    @classmethod
    def unpack(cls, data: bytes) -> "Groups":
        """What `pack` gave."""
        numbers = np.frombuffer(data, "<i8")
        g = (len(numbers) - 3) // 6
        return cls(*np.split(numbers, np.cumsum([g + 1, g + 1, g + 1, g, g])))


class Index(msgspec.Struct):
    """Where the rows of each series are, in the file's order: [k] names, [k+1] starts, [k] first_ns and last_ns."""

    names: list[str]
    starts: list[int]
    first_ns: list[int]
    last_ns: list[int]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """An open part. ids [k] ascending; start, stop, first_ns, last_ns [k]; head: what its footer begins with;
    sound [g]: 1 for the row groups whose checksum was right.
    """

    info: PartInfo
    path: Path
    ids: Int32s
    start: Int64s
    stop: Int64s
    first_ns: Int64s
    last_ns: Int64s
    groups: Groups
    head: bytes
    sound: bytearray

    def slice(self, series: int, from_ns: int, to_ns: int) -> Samples | None:
        """The samples of a series from `from_ns` to `to_ns`, both included; None if there are none.

        Raises Damaged if the file is not what was written.
        """
        return self.slices(series, 1, from_ns, to_ns)[0]

    def slices(self, series: int, count: int, from_ns: int, to_ns: int) -> "list[Samples | None]":
        """The same of series, series + 1, … whose rows follow each other in the file, with one look into it."""
        none: list[Samples | None] = [None] * count
        k = int(np.searchsorted(self.ids, series))
        if k == len(self.ids) or self.ids[k] != series:
            return none
        which = slice(k, k + count)
        if not ((self.first_ns[which] <= to_ns) & (self.last_ns[which] >= from_ns)).any():
            return none
        groups = self.groups
        low = int(np.searchsorted(groups.rows, self.start[k], side="right")) - 1
        high = int(np.searchsorted(groups.rows, self.stop[k + count - 1]))
        wanted = [g for g in range(low, high) if groups.first_ns[g] <= to_ns and groups.last_ns[g] >= from_ns]
        if not wanted:
            return none
        table = self._read(wanted)
        return [self._pick(table, wanted, each, from_ns, to_ns) for each in range(k, k + count)]

    def _pick(self, table: pa.Table, groups: list[int], k: int, from_ns: int, to_ns: int) -> Samples | None:
        """Of the rows of some row groups those of one series: the first and the last group may hold others too."""
        start, stop = int(self.start[k]), int(self.stop[k])
        first_row, picks = 0, list[tuple[int, int]]()
        for g in groups:
            begin, end = int(self.groups.rows[g]), int(self.groups.rows[g + 1])
            if begin < stop and end > start:
                picks.append((first_row + max(start, begin) - begin, first_row + min(stop, end) - begin))
            first_row += end - begin
        if not picks:
            return None
        at_ns = _picked(numpy_column(table.column("at"), np.int64), picks)
        rows = slice(int(np.searchsorted(at_ns, from_ns)), int(np.searchsorted(at_ns, to_ns, side="right")))
        if rows.start >= rows.stop:
            return None
        value = _picked(numpy_column(table.column("value"), np.float64), picks)
        std = None
        if "std" in table.column_names:
            std = _picked(numpy_column(table.column("std"), np.float64), picks)[rows]
        return Samples(at_ns[rows], value[rows], std)

    @property
    def rows(self) -> int:
        """How many it holds."""
        return int(self.groups.rows[-1])

    def in_order(self) -> Iterator[tuple[int, Samples]]:
        """(series, samples) of all rows in the order of the file, a row group at a time: a series that goes over
        several comes in several pieces. Raises Damaged if the file is not what was written.
        """
        order = np.argsort(self.start, kind="stable")
        k = 0
        for g in range(len(self.groups)):
            table = self._read([g])
            begin, end = int(self.groups.rows[g]), int(self.groups.rows[g + 1])
            at_ns, value = numpy_column(table.column("at"), np.int64), numpy_column(table.column("value"), np.float64)
            std = numpy_column(table.column("std"), np.float64) if "std" in table.column_names else None
            while k < len(order) and self.start[order[k]] < end:
                i = order[k]
                rows = slice(max(int(self.start[i]), begin) - begin, min(int(self.stop[i]), end) - begin)
                yield int(self.ids[i]), Samples(at_ns[rows], value[rows], None if std is None else std[rows])
                if self.stop[i] > end:
                    break
                k += 1

    def load(self) -> Run:
        """All of its rows. Raises Damaged if the file is not what was written."""
        table = self._read(list(range(len(self.groups))))
        counts = self.stop - self.start
        # The file is in order of names, a run in that of ids.
        rows = _ranges(self.start, self.stop)
        return Run(
            self.ids,
            np.append(0, np.cumsum(counts)),
            numpy_column(table.column("at"), np.int64)[rows],
            numpy_column(table.column("value"), np.float64)[rows],
            numpy_column(table.column("std"), np.float64)[rows] if "std" in table.column_names else None,
        )

    def _read(self, groups: list[int]) -> pa.Table:
        """The rows of row groups, which come one after the other or nearly."""
        columns = ["at", "value", "std"] if self.info.deviating else ["at", "value"]
        try:
            said = self._said(groups)
            metadata = pq.read_metadata(pa.BufferReader(footer.file_of(self.head, said)))
            with pa.memory_map(str(self.path)) as source, pq.ParquetFile(source, metadata=metadata) as file:
                return file.read_row_groups(list(range(len(groups))), columns=columns, use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise Damaged(f"{self.path} is damaged: {error}") from error

    def _said(self, groups: list[int]) -> list[bytes]:
        """What the footer says of row groups, whose checksums are compared, each once."""
        begin, bounds = int(self.groups.said[groups[0]]), self.groups.said
        with self.path.open("rb") as file:
            file.seek(begin)
            text = file.read(int(bounds[groups[-1] + 1]) - begin)
            said = [text[int(bounds[g]) - begin : int(bounds[g + 1]) - begin] for g in groups]
            for g, each in zip(groups, said, strict=True):
                first, stop = int(self.groups.begins[g]), int(self.groups.begins[g + 1])
                if not self.sound[g] and _crc(file, first, stop, each) != self.groups.crc[g]:
                    raise Damaged(f"{self.path} is damaged in row group {g}, at byte {first} or after")
                self.sound[g] = 1
        return said


def open_part(folder: Path, info: PartInfo, identify: Callable[[str], int]) -> Part:
    """The part in `folder` that `info` describes; `identify` gives a series' id. Raises Damaged if it is not that."""
    path = folder / info.file
    try:
        text = _footer(path)
        if path.stat().st_size != info.length or zlib.crc32(text) != info.footer:
            raise Damaged(f"{path} is damaged: it is not the file that the snapshot names")
        groups = Groups.unpack(info.groups)
        rest = text[int(groups.said[-1]) - (info.length - len(text)) : -8]
        whole = pq.read_metadata(pa.BufferReader(footer.file_of(text[: info.head], [], rest)))
        index = msgspec.json.decode((whole.metadata or {})[INDEX], type=Index)
    except (OSError, pa.ArrowException, KeyError, msgspec.MsgspecError) as error:
        raise Damaged(f"{path} is damaged: {error}") from error
    ids = np.array([identify(name) for name in index.names], np.int32)
    order = np.argsort(ids)
    starts = np.array(index.starts, np.int64)
    return Part(
        info,
        path,
        ids[order],
        starts[:-1][order],
        starts[1:][order],
        np.array(index.first_ns, np.int64)[order],
        np.array(index.last_ns, np.int64)[order],
        groups,
        text[: info.head],
        bytearray(len(groups)),
    )


def _ranges(start: Int64s, stop: Int64s) -> Int64s:
    """The rows start[0] … stop[0]-1, start[1] … stop[1]-1, and so on."""
    return np.concatenate([np.arange(a, b) for a, b in zip(start.tolist(), stop.tolist(), strict=True)])


def _picked(column: NDArray[_Number], picks: list[tuple[int, int]]) -> NDArray[_Number]:
    if len(picks) == 1:
        return column[picks[0][0] : picks[0][1]]
    return np.concatenate([column[a:b] for a, b in picks])


def info_of(path: Path) -> PartInfo:
    """What a snapshot says of the file at `path`, which was just written."""
    text, size = _footer(path), path.stat().st_size
    found = footer.layout(text[:-8])
    head, said = text[: found.head], [text[a:b] for a, b in pairwise(found.groups)]
    rows, starts, times, deviating = [0], list[int](), list[tuple[int, int]](), False
    for first in range(0, len(said), _SAID_AT_ONCE):
        metadata = pq.read_metadata(pa.BufferReader(footer.file_of(head, said[first : first + _SAID_AT_ONCE])))
        deviating = "std" in metadata.schema.names
        for g in range(metadata.num_row_groups):
            group = metadata.row_group(g)
            series, at = group.column(0), group.column(1).statistics
            rows.append(rows[-1] + group.num_rows)
            starts.append(min(series.data_page_offset, series.dictionary_page_offset or series.data_page_offset))
            times.append((at.min_raw, at.max_raw))
    bounds = [*starts, size - len(text)]
    with path.open("rb") as file:
        crc = [_crc(file, a, b, each) for (a, b), each in zip(pairwise(bounds), said, strict=True)]
    first_ns, last_ns = np.array(times, np.int64).reshape(-1, 2).T
    packed = Groups(
        np.array(rows, np.int64),
        np.array(bounds, np.int64),
        np.array(found.groups, np.int64) + (size - len(text)),
        np.array(crc, np.int64),
        first_ns,
        last_ns,
    ).pack()
    return PartInfo(path.name, size, zlib.crc32(text), found.head, deviating, packed)


def _crc(file: BinaryIO, start: int, stop: int, said: bytes) -> int:
    file.seek(start)
    return zlib.crc32(said, zlib.crc32(file.read(stop - start)))


def _footer(path: Path) -> bytes:
    """The footer with its length and magic, which Parquet itself does not protect; nothing if there is none."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - 8))
        tail = file.read(8)
        length = int.from_bytes(tail[:4], "little") + 8
        if tail[4:] != footer.MAGIC or length > end:
            return b""
        file.seek(end - length)
        return file.read()
