"""What was recorded, as if it came in now: rows of a Parquet, Arrow or CSV file as messages, in the order of time.

A row with the columns turbine, t, power becomes {"t": "2014-03-01T12:00:00Z", "power": 512.5} on the topic
<prefix>/<turbine>. A cell that is empty or NaN is left out; a row without a time or an id is not sent.

Files are read in pieces (row groups of Parquet, batches of Arrow, 8 MB of CSV) and need not be sorted: a first pass
notes each piece's earliest time, and a row is let go once no later piece can hold an earlier one. So memory holds the
pieces that overlap in time, which is one for a sorted file.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportAttributeAccessIssue=false

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from ectype.clock import NS_PER_S, to_iso
from ectype.errors import EctypeError, Invalid, Misconfigured
from ectype.sources.base import Message, Reading
from ectype.sources.readings import readings

log = logging.getLogger("ectype.recording")

CSV_BLOCK = 8 << 20
HELD_ROWS = 20_000_000
_CHUNK = 1024
_FOREVER = int(np.iinfo(np.int64).max)
_NOTHING = pa.table({"at": pa.array([], pa.int64())})


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One row: who, when, and the values that are there."""

    name: str
    at_ns: int
    values: dict[str, float]


@final
class Recording:
    """A file of rows. Opening it looks at its columns and reads its times once.

    id_column: whose row it is; time_column: when (a time, ISO text or seconds since 1970; UTC without a zone).
    columns: file column -> property; None: every column of numbers under its own name. prefix: what topics
    begin with. Raises Misconfigured for a file or column that is not there, Invalid for one that is not usable.
    """

    def __init__(
        self,
        path: Path,
        *,
        id_column: str,
        time_column: str,
        columns: Mapping[str, str] | None = None,
        prefix: str = "replay",
    ) -> None:
        if not path.is_file():
            raise Misconfigured(f"there is no file {path} to replay")
        self.path = path
        self.prefix = prefix
        self._id = id_column
        self._time = time_column
        with _problems(path):
            self._file = _opened(path)
            self._columns = self._chosen(columns)
            self._file.prepare(id_column, time_column, tuple(self._columns))
            spans = [_span(self._times(table)) for table in self._file.times(time_column)]
        self._spans = [(s[0] if s else _FOREVER, s[1] if s else -_FOREVER) for s in spans]
        if not any(spans):
            raise Invalid(f"{path} has no row with a time in its column '{time_column}'")
        self.first_ns = min(first for first, _ in self._spans)
        self.last_ns = max(last for _, last in self._spans)

    def rows(self, start_ns: int | None = None, stop_ns: int | None = None) -> Iterator[Row]:
        """All rows with start_ns <= time < stop_ns, in the order of time."""
        low = -_FOREVER if start_ns is None else start_ns
        high = _FOREVER if stop_ns is None else stop_ns
        wanted = list(range(len(self._spans)))
        if self._file.any_order:
            inside = [k for k in wanted if self._spans[k][1] >= low and self._spans[k][0] < high]
            wanted = sorted(inside, key=lambda k: self._spans[k])
        held = _NOTHING
        with _problems(self.path):
            for place, table in enumerate(self._file.pieces(wanted)):
                horizon = min((self._spans[k][0] for k in wanted[place + 1 :]), default=_FOREVER)
                piece = self._prepared(table, low, high)
                held = pa.concat_tables([held, piece]) if held.num_rows else piece
                held = held.take(pa.array(np.argsort(held.column("at").to_numpy(), kind="stable")))
                ready = int(np.searchsorted(held.column("at").to_numpy(), horizon))
                yield from self._unpacked(held.slice(0, ready))
                held = held.slice(ready)
                if held.num_rows > HELD_ROWS:
                    raise Invalid(f"{self.path} is too large to replay out of order; sort it by '{self._time}' first")

    def message(self, row: Row) -> Message:
        """The row as a message, as its twin would have sent it."""
        body: dict[str, object] = {"t": to_iso(row.at_ns)}
        body.update(row.values)
        return Message(f"{self.prefix}/{row.name}", msgspec.json.encode(body), row.at_ns, "replay")

    async def messages(self) -> AsyncIterator[Message]:
        """All rows that hold a value, as messages; the file is read on another thread."""
        rows = self.rows()
        while chunk := await asyncio.to_thread(_some, rows):
            for row in chunk:
                if row.values:
                    yield self.message(row)

    def decode(self, message: Message) -> Iterator[Reading]:
        """The readings in one message, by the common convention."""
        return readings(message)

    def _chosen(self, columns: Mapping[str, str] | None) -> dict[str, str]:
        schema = self._file.schema
        there = ", ".join(schema.names)
        for name in (self._id, self._time, *(columns or ())):
            if name not in schema.names:
                raise Misconfigured(f"{self.path} has no column '{name}'; it has: {there}")
        numeric = [f.name for f in schema if _is_number(f.type) and f.name not in (self._id, self._time)]
        chosen = dict(columns) if columns is not None else {name: name for name in numeric}
        for name in chosen:
            if name not in numeric:
                raise Misconfigured(
                    f"{self.path}: column '{name}' holds no numbers; those that do: {', '.join(numeric)}"
                )
        if not chosen:
            raise Misconfigured(f"{self.path} has no column of numbers to replay; it has: {there}")
        return chosen

    def _times(self, table: pa.Table) -> pa.ChunkedArray:
        """The time column as int64 ns, null where there is none."""
        column = table.column(self._time)
        kind = column.type
        if pa.types.is_dictionary(kind):
            column = column.cast(kind.value_type)
            kind = column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            column = column.cast(pa.timestamp("ns", "UTC"))
        elif _is_number(kind):
            if pa.types.is_integer(kind):
                return pc.multiply_checked(column.cast(pa.int64()), NS_PER_S)
            return pc.cast(pc.round(pc.multiply(column.cast(pa.float64()), float(NS_PER_S))), pa.int64())
        elif not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
            raise Misconfigured(
                f"{self.path}: column '{self._time}' is {kind}, which is no time; choose another time column"
            )
        return column.cast(pa.timestamp("ns", getattr(column.type, "tz", None))).cast(pa.int64())

    def _prepared(self, table: pa.Table, low: int, high: int) -> pa.Table:
        """name, at and the values as plain columns, rows outside [low, high) and without name or time left out."""
        at = self._times(table)
        name = table.column(self._id).cast(pa.string())
        values = {to: table.column(of).cast(pa.float64()) for of, to in self._columns.items()}
        made = pa.table([name, at, *values.values()], names=["name", "at", *(f"v{k}" for k in range(len(values)))])
        there = pc.and_(pc.is_valid(made.column("name")), pc.is_valid(made.column("at")))
        kept = made.filter(there)
        if kept.num_rows < made.num_rows:
            log.warning("%s: %d rows without time or id are not sent", self.path, made.num_rows - kept.num_rows)
        at = kept.column("at")
        inside = pc.and_(pc.greater_equal(at, pa.scalar(low, pa.int64())), pc.less(at, pa.scalar(high, pa.int64())))
        return kept.filter(inside)

    def _unpacked(self, table: pa.Table) -> Iterator[Row]:
        properties = list(self._columns.values())
        for start in range(0, table.num_rows, _CHUNK):
            piece = table.slice(start, _CHUNK)
            names = piece.column("name").to_pylist()
            at = piece.column("at").to_pylist()
            columns = [piece.column(f"v{k}").to_numpy().tolist() for k in range(len(properties))]
            for row in zip(names, at, zip(*columns, strict=True), strict=True):
                yield Row(row[0], row[1], {p: v for p, v in zip(properties, row[2], strict=True) if v - v == 0})


class _Parquet:
    """Row groups, in any order."""

    any_order = True

    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(path)
        self.schema: pa.Schema = self._file.schema_arrow
        self._wanted: list[str] = []

    def prepare(self, name: str, time: str, values: Sequence[str]) -> None:
        self._wanted = list(dict.fromkeys([name, time, *values]))

    def times(self, time: str) -> Iterator[pa.Table]:
        for k in range(self._file.num_row_groups):
            yield self._file.read_row_group(k, columns=[time])

    def pieces(self, wanted: Sequence[int]) -> Iterator[pa.Table]:
        for k in wanted:
            yield self._file.read_row_group(k, columns=self._wanted)


class _Arrow:
    """Record batches of an IPC file, in any order."""

    any_order = True

    def __init__(self, path: Path) -> None:
        self._file = pa.ipc.open_file(pa.memory_map(str(path)))
        self.schema: pa.Schema = self._file.schema
        self._wanted: list[str] = []

    def prepare(self, name: str, time: str, values: Sequence[str]) -> None:
        self._wanted = list(dict.fromkeys([name, time, *values]))

    def times(self, time: str) -> Iterator[pa.Table]:
        for k in range(self._file.num_record_batches):
            yield self._batch(k).select([time])

    def pieces(self, wanted: Sequence[int]) -> Iterator[pa.Table]:
        for k in wanted:
            yield self._batch(k).select(self._wanted)

    def _batch(self, k: int) -> pa.Table:
        batch = self._file.get_batch(k)
        batch.validate(full=True)
        return pa.Table.from_batches([batch])


class _ArrowStream:
    """Record batches of an IPC stream, in the file's order alone."""

    any_order = False

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._stream() as reader:
            self.schema: pa.Schema = reader.schema
        self._wanted: list[str] = []

    def prepare(self, name: str, time: str, values: Sequence[str]) -> None:
        self._wanted = list(dict.fromkeys([name, time, *values]))

    def times(self, time: str) -> Iterator[pa.Table]:
        return self._read([time])

    def pieces(self, wanted: Sequence[int]) -> Iterator[pa.Table]:
        return self._read(self._wanted)

    def _stream(self) -> pa.ipc.RecordBatchStreamReader:
        return pa.ipc.open_stream(pa.memory_map(str(self._path)))

    def _read(self, columns: list[str]) -> Iterator[pa.Table]:
        with self._stream() as reader:
            for batch in reader:
                batch.validate(full=True)
                yield pa.Table.from_batches([batch]).select(columns)


class _Csv:
    """Blocks of lines, in the file's order alone. Types are those of the first block; all numbers are doubles."""

    any_order = False

    def __init__(self, path: Path) -> None:
        self._path = path
        with pa_csv.open_csv(path, read_options=pa_csv.ReadOptions(block_size=CSV_BLOCK)) as reader:
            found = reader.schema
        self.schema: pa.Schema = pa.schema(
            [
                pa.field(f.name, pa.float64() if _is_number(f.type) or pa.types.is_null(f.type) else f.type)
                for f in found
            ]
        )
        self._wanted: list[str] = []
        self._types: dict[str, pa.DataType] = {}

    def prepare(self, name: str, time: str, values: Sequence[str]) -> None:
        self._wanted = list(dict.fromkeys([name, time, *values]))
        self._types = {column: self.schema.field(column).type for column in self._wanted}
        self._types[name] = pa.string()

    def times(self, time: str) -> Iterator[pa.Table]:
        return self._read([time])

    def pieces(self, wanted: Sequence[int]) -> Iterator[pa.Table]:
        return self._read(self._wanted)

    def _read(self, columns: list[str]) -> Iterator[pa.Table]:
        options = pa_csv.ConvertOptions(
            include_columns=columns, column_types={c: self._types[c] for c in columns}, strings_can_be_null=True
        )
        block = pa_csv.ReadOptions(block_size=CSV_BLOCK)
        with pa_csv.open_csv(self._path, read_options=block, convert_options=options) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])


class _problems:  # noqa: N801  (a with-statement reads best in lower case)
    """What Arrow says about a file, as our errors, with the file's name."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, EctypeError):
            return
        if isinstance(error, pa.ArrowException | UnicodeDecodeError):
            raise Invalid(f"{self._path} cannot be replayed: {str(error).splitlines()[0]}") from error
        if isinstance(error, OSError):
            raise Misconfigured(f"{self._path} cannot be read: {error.strerror or error}") from error


def _opened(path: Path) -> "_Parquet | _Arrow | _ArrowStream | _Csv":
    """A reader of the format that the file begins like."""
    with path.open("rb") as file:
        head = file.read(6)
    if head == b"ARROW1":
        return _Arrow(path)
    if head[:4] == b"\xff\xff\xff\xff":
        return _ArrowStream(path)
    return _Parquet(path) if head[:4] == b"PAR1" else _Csv(path)


def _is_number(kind: pa.DataType) -> bool:
    t = pa.types
    return t.is_integer(kind) or t.is_floating(kind) or t.is_boolean(kind) or t.is_decimal(kind)


def _span(at: pa.ChunkedArray) -> tuple[int, int] | None:
    found = pc.min_max(at).as_py()
    return None if found["min"] is None else (found["min"], found["max"])


def _some(rows: Iterator[Row]) -> list[Row]:
    return [row for _, row in zip(range(_CHUNK), rows, strict=False)]
