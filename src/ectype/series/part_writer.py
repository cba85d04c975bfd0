"""Making parts (see part.py): from a run in memory, or from several parts, a series after the other.

Merging reads each part once from front to back and holds one series and a row group of each, so what it needs of
memory does not depend on how large the parts are.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false

import ctypes
import heapq
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ectype.series.part import INDEX, Index, Part, PartInfo, info_of
from ectype.series.run import Run
from ectype.series.samples import Samples, merge
from ectype.values.block import Float64s
from ectype.values.columns import arrow_column, arrow_known, arrow_texts

ROW_GROUP = 16_384
_FIELDS = [
    pa.field("series", pa.dictionary(pa.int32(), pa.utf8()), nullable=False),
    pa.field("at", pa.timestamp("ns", tz="UTC"), nullable=False),
    pa.field("value", pa.float64(), nullable=False),
]
_STD = pa.field("std", pa.float64(), nullable=True)


class Cancelled(OSError):
    """Nobody wants the part any more."""


@final
class PartWriter:
    """A new file at `path`, whole or not at all. Series are added by name, in order; `finish` gives it its name.

    value, std: a sample of each column, to choose its encoding by; std None: no row has one.
    """

    def __init__(self, path: Path, value: Float64s, std: Float64s | None, row_group: int) -> None:
        self._path = path
        self._partial = path.with_name(f"{path.name}.new")
        self._row_group = row_group
        self._std = std is not None
        fields, encodings = list(_FIELDS), {"at": "DELTA_BINARY_PACKED", "value": _encoding(value)}
        if std is not None:
            fields.append(_STD)
            encodings["std"] = _encoding(std)
        self._schema = pa.schema(fields)
        self._index = Index([], [0], [], [])
        self._waiting: list[tuple[str, Samples]] = []
        self._rows = 0  # how many are waiting
        self._file = pq.ParquetWriter(
            self._partial,
            self._schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=["series"],  # pyright: ignore[reportArgumentType]
            column_encoding=encodings,
            write_page_checksum=True,
            sorting_columns=[pq.SortingColumn(0), pq.SortingColumn(1)],
        )

    def add(self, name: str, samples: Samples) -> None:
        """All samples of the next series, by time."""
        index = self._index
        index.names.append(name)
        index.starts.append(index.starts[-1] + len(samples))
        index.first_ns.append(int(samples.at_ns[0]))
        index.last_ns.append(int(samples.at_ns[-1]))
        self._waiting.append((name, samples))
        self._rows += len(samples)
        if self._rows >= self._row_group:
            rest = self._rows % self._row_group  # all of the series just added: without it there were too few rows
            self._write(self._rows - rest)
            self._waiting = [(name, samples.take(slice(len(samples) - rest, None)))] if rest else []
            self._rows = rest

    def finish(self) -> PartInfo:
        """The part, on disk."""
        if self._rows:
            self._write(self._rows)
        self._file.add_key_value_metadata({INDEX: msgspec.json.encode(self._index)})
        self._file.close()
        with self._partial.open("rb") as file:
            os.fsync(file.fileno())
        self._partial.replace(self._path)
        return info_of(self._path)

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        self._partial.unlink(missing_ok=True)

    def _write(self, rows: int) -> None:
        """The first `rows` of those waiting, as row groups."""
        counts = np.array([len(samples) for _, samples in self._waiting])
        which = np.repeat(np.arange(len(counts), dtype=np.int32), counts)[:rows]
        names = arrow_texts([name for name, _ in self._waiting])
        at_ns = np.concatenate([samples.at_ns for _, samples in self._waiting])[:rows]
        value = np.concatenate([samples.value for _, samples in self._waiting])[:rows]
        columns = [
            pa.DictionaryArray.from_arrays(arrow_column(which, pa.int32(), np.int32), names),
            arrow_column(at_ns, _FIELDS[1].type, np.int64),
            arrow_column(value, pa.float64(), np.float64),
        ]
        if self._std:
            stds = [np.full(len(s), np.nan) if s.std is None else s.std for _, s in self._waiting]
            columns.append(arrow_known(np.concatenate(stds)[:rows]))
        self._file.write_table(pa.Table.from_arrays(columns, schema=self._schema), row_group_size=self._row_group)


def write_part(path: Path, run: Run, names: Sequence[str], row_group: int = ROW_GROUP) -> PartInfo:
    """Write `run` to a new file at `path`, whole or not at all; `names[id]` is what a series is called."""
    called = sorted((names[int(number)], k) for k, number in enumerate(run.ids))
    writer = PartWriter(path, run.value, run.std, row_group)
    try:
        for name, k in called:
            rows = slice(int(run.starts[k]), int(run.starts[k + 1]))
            writer.add(name, Samples(run.at_ns[rows], run.value[rows], None if run.std is None else run.std[rows]))
        return writer.finish()
    except BaseException:
        writer.abandon()
        raise


def merge_parts(
    path: Path,
    parts: Sequence[Part],
    names: Sequence[str],
    row_group: int = ROW_GROUP,
    wanted: Callable[[], bool] = lambda: True,
    since: Callable[[int], int] = lambda _: -(2**63),
) -> PartInfo:
    """Write all rows of `parts`, the earliest appended first, to a new part at `path`; of repeats the last one stays.

    wanted: asked before each series. since: the instant before which a series' rows are left out.
    Raises Cancelled once it says no, Damaged if a part is not what was written.
    """
    writer = writer_like(path, parts, row_group)
    try:
        streams = [_named(part, k, names) for k, part in enumerate(parts)]
        for name, pieces in groupby(heapq.merge(*streams, key=lambda each: each[:2]), key=lambda each: each[0]):
            if not wanted():
                raise Cancelled(f"{path.name} is not needed any more")
            found = list(pieces)
            samples = merge([samples for _, _, _, samples in found])
            first = int(np.searchsorted(samples.at_ns, since(found[0][2])))
            if first < len(samples):
                writer.add(name, samples.take(slice(first, None)) if first else samples)
        return writer.finish()
    except BaseException:
        writer.abandon()
        raise
    finally:
        del writer
        give_back()


def writer_like(path: Path, parts: Sequence[Part], row_group: int) -> PartWriter:
    """A writer whose columns are encoded as suits what the parts begin with."""
    sample = [samples for part in parts for _, samples in islice(part.in_order(), 1)]
    stds = [s.std for s in sample if s.std is not None]
    deviating = any(part.info.deviating for part in parts)
    std = np.concatenate(stds) if stds else np.empty(0) if deviating else None
    return PartWriter(path, np.concatenate([s.value for s in sample] or [np.empty(0)]), std, row_group)


def _named(part: Part, k: int, names: Sequence[str]) -> Iterator[tuple[str, int, int, Samples]]:
    for series, samples in part.in_order():
        yield names[series], k, series, samples


def give_back() -> None:
    """Let the system have memory that nobody uses. pyarrow's writer holds what it will say of each row group until the
    file is closed, tens of megabytes for a large part, and glibc keeps them for the next; elsewhere nothing is done.
    """
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _encoding(column: Float64s) -> str:
    """Readings of few digits repeat, which zstd sees best in plain doubles; other ones it packs better by byte planes.

    Measured on a million rows, bytes/sample plain and split: two decimals 2.6 and 5.0, full precision 7.6 and 6.5.
    """
    some = column[:: max(1, len(column) // 16_384)]
    return "PLAIN" if len(np.unique(some)) < 0.9 * len(some) else "BYTE_STREAM_SPLIT"
