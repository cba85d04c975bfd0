"""A part: sorted rows as one Parquet file, of which a question reads only what it must.

    columns    series dictionary<utf8>, at timestamp[ns, UTC], value double, std double (when any row has one)
    order      by series name, then time; row groups of 16k rows or more, with statistics; page checksums
    metadata   "ectype.series": {"names", "starts", "first_ns", "last_ns"}: where each series' rows are, and from when

Any Parquet reader can read it. A file never changes once it has its name. Of each open part, memory holds the
metadata and no rows.
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
from ectype.series.run import Run
from ectype.series.samples import Samples
from ectype.values.block import Int32s, Int64s
from ectype.values.columns import numpy_column

_Number = TypeVar("_Number", np.int64, np.float64)
INDEX = b"ectype.series"


class PartInfo(msgspec.Struct, frozen=True):
    """A part as a snapshot lists it: its name, its length, and the CRC-32 of its footer and of each row group.

    Parquet's own page checksums leave out page headers and the footer.
    """

    file: str
    bytes: int
    footer: int
    groups: tuple[int, ...]


class Index(msgspec.Struct):
    """Where the rows of each series are, in the file's order: [k] names, [k+1] starts, [k] first_ns and last_ns."""

    names: list[str]
    starts: list[int]
    first_ns: list[int]
    last_ns: list[int]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """An open part. ids [k] ascending; start, stop, first_ns, last_ns [k]; groups, offsets [g+1]: the first row and
    byte of each row group; sound: the row groups whose checksum was right.
    """

    info: PartInfo
    path: Path
    ids: Int32s
    start: Int64s
    stop: Int64s
    first_ns: Int64s
    last_ns: Int64s
    groups: Int64s
    group_first_ns: Int64s
    group_last_ns: Int64s
    offsets: tuple[int, ...]
    metadata: pq.FileMetaData
    sound: set[int]

    def slice(self, series: int, from_ns: int, to_ns: int) -> Samples | None:
        """The samples of a series from `from_ns` to `to_ns`, both included; None if there are none.

        Raises Damaged if the file is not what was written.
        """
        k = int(np.searchsorted(self.ids, series))
        if k == len(self.ids) or self.ids[k] != series or self.first_ns[k] > to_ns or self.last_ns[k] < from_ns:
            return None
        start, stop = int(self.start[k]), int(self.stop[k])
        low = int(np.searchsorted(self.groups, start, side="right")) - 1
        high = int(np.searchsorted(self.groups, stop))
        wanted = [g for g in range(low, high) if self.group_first_ns[g] <= to_ns and self.group_last_ns[g] >= from_ns]
        if not wanted:
            return None
        # Of each group only the rows of this series: the first and the last may hold others too.
        first_row, picks = 0, list[tuple[int, int]]()
        for g in wanted:
            begin, end = int(self.groups[g]), int(self.groups[g + 1])
            picks.append((first_row + max(start, begin) - begin, first_row + min(stop, end) - begin))
            first_row += end - begin
        table = self._read(wanted)
        at_ns = _pick(numpy_column(table.column("at"), np.int64), picks)
        rows = slice(int(np.searchsorted(at_ns, from_ns)), int(np.searchsorted(at_ns, to_ns, side="right")))
        if rows.start >= rows.stop:
            return None
        value = _pick(numpy_column(table.column("value"), np.float64), picks)
        std = None
        if "std" in table.column_names:
            std = _pick(numpy_column(table.column("std"), np.float64), picks)[rows]
        return Samples(at_ns[rows], value[rows], std)

    @property
    def rows(self) -> int:
        """How many it holds."""
        return int(self.groups[-1])

    def in_order(self) -> Iterator[tuple[int, Samples]]:
        """(series, samples) of all rows in the order of the file, a row group at a time: a series that goes over
        several comes in several pieces. Raises Damaged if the file is not what was written.
        """
        order = np.argsort(self.start, kind="stable")
        k = 0
        for g in range(len(self.groups) - 1):
            table = self._read([g])
            begin, end = int(self.groups[g]), int(self.groups[g + 1])
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
        table = self._read(list(range(len(self.groups) - 1)))
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
        columns = [name for name in ("at", "value", "std") if name in self.metadata.schema.names]
        try:
            self._check(groups)
            with pa.memory_map(str(self.path)) as source, pq.ParquetFile(source, metadata=self.metadata) as file:
                return file.read_row_groups(groups, columns=columns, use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise Damaged(f"{self.path} is damaged: {error}") from error

    def _check(self, groups: list[int]) -> None:
        """Compare row groups with their checksums, each once."""
        if self.sound.issuperset(groups):
            return
        with self.path.open("rb") as file:
            for g in groups:
                if g not in self.sound and _crc(file, self.offsets[g], self.offsets[g + 1]) != self.info.groups[g]:
                    raise Damaged(f"{self.path} is damaged in row group {g}, at byte {self.offsets[g]} or after")
                self.sound.add(g)


def open_part(folder: Path, info: PartInfo, identify: Callable[[str], int]) -> Part:
    """The part in `folder` that `info` describes; `identify` gives a series' id. Raises Damaged if it is not that."""
    path = folder / info.file
    try:
        if path.stat().st_size != info.bytes or _footer(path) != info.footer:
            raise Damaged(f"{path} is damaged: it is not the file that the snapshot names")
        metadata = pq.read_metadata(path)
        index = msgspec.json.decode((metadata.metadata or {})[INDEX], type=Index)
    except (OSError, pa.ArrowException, KeyError, msgspec.MsgspecError) as error:
        raise Damaged(f"{path} is damaged: {error}") from error
    ids = np.array([identify(name) for name in index.names], np.int32)
    order = np.argsort(ids)
    starts = np.array(index.starts, np.int64)
    groups = [metadata.row_group(g) for g in range(metadata.num_row_groups)]
    times = [group.column(1).statistics for group in groups]
    return Part(
        info,
        path,
        ids[order],
        starts[:-1][order],
        starts[1:][order],
        np.array(index.first_ns, np.int64)[order],
        np.array(index.last_ns, np.int64)[order],
        np.append(0, np.cumsum([group.num_rows for group in groups])).astype(np.int64),
        np.array([each.min_raw for each in times], np.int64),
        np.array([each.max_raw for each in times], np.int64),
        _offsets(metadata, path),
        metadata,
        set(),
    )


def _ranges(start: Int64s, stop: Int64s) -> Int64s:
    """The rows start[0] … stop[0]-1, start[1] … stop[1]-1, and so on."""
    return np.concatenate([np.arange(a, b) for a, b in zip(start.tolist(), stop.tolist(), strict=True)])


def _pick(column: NDArray[_Number], picks: list[tuple[int, int]]) -> NDArray[_Number]:
    if len(picks) == 1:
        return column[picks[0][0] : picks[0][1]]
    return np.concatenate([column[a:b] for a, b in picks])


def info_of(path: Path) -> PartInfo:
    """What a snapshot says of the file at `path`, which was just written."""
    offsets = _offsets(pq.read_metadata(path), path)
    with path.open("rb") as file:
        groups = tuple(_crc(file, a, b) for a, b in pairwise(offsets))
    return PartInfo(path.name, path.stat().st_size, _footer(path), groups)


def _offsets(metadata: pq.FileMetaData, path: Path) -> tuple[int, ...]:
    """The first byte of each row group, and the first after the last."""
    first = [metadata.row_group(g).column(0) for g in range(metadata.num_row_groups)]
    offsets = [min(each.data_page_offset, each.dictionary_page_offset or each.data_page_offset) for each in first]
    return (*offsets, path.stat().st_size - metadata.serialized_size - 8)


def _crc(file: BinaryIO, start: int, stop: int) -> int:
    file.seek(start)
    return zlib.crc32(file.read(stop - start))


def _footer(path: Path) -> int:
    """CRC-32 of the footer, which Parquet itself does not protect. -1 if there is none."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - 8))
        tail = file.read(8)
        length = int.from_bytes(tail[:4], "little") + 8
        if tail[4:] != b"PAR1" or length > end:
            return -1
        file.seek(end - length)
        return zlib.crc32(file.read())
