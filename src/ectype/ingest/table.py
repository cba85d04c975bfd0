"""Tables that somebody pushes, Arrow streams or lists of JSON readings, as blocks of samples.

    long    series (or twin and property), time, value[, std]      one row a sample, in any order of the columns
    wide    time, R80711.power, R80711.windSpeed, …                one column a series; with `twin` given, a property

Text columns may be dictionaries, which is far quicker. `time` (or `at`, as our own blocks call it) is an Arrow
timestamp of any unit; without a zone it is UTC. A null or NaN is "no value now", and an infinity is refused.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false, reportUnknownLambdaType=false

from collections.abc import Iterator, Sequence
from typing import cast

import msgspec
import numpy as np
import pyarrow as pa

from ectype.errors import Invalid
from ectype.ids import series_id
from ectype.sources.readings import instant, number, series_of
from ectype.values.block import Block, Float64s, Int32s, Int64s
from ectype.values.columns import numpy_column, shared, texts_of

ROWS_PER_BLOCK = 10_000  # smaller batches are put together
_MOST_COLUMNS = 4096
_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1000, "ns": 1}
_DENSE = 1 << 20  # pairs of twin and property up to which they are counted and not sorted
_TIMES = ("time", "at")
_EXAMPLE = "send series (or twin and property), time and value, or time and one column a series"


class _Reading(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    twin: str
    property: str
    value: float | bool
    t: str | int | float | None = None


_readings = msgspec.json.Decoder(list[_Reading])


def blocks_of_json(data: bytes, now_ns: int) -> list[Block]:
    """`[{"twin": "R80711", "property": "power", "value": 512.5, "t": "2014-03-01T12:00:00Z"}, …]` as blocks.

    Without `t` a reading counts for `now_ns`. Raises Invalid, with the place, if any of it is not right.
    """
    try:
        rows = _readings.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(
            f'{error}; send a list like [{{"twin": "R80711", "property": "power", "value": 512.5, '
            f'"t": "2014-03-01T12:00:00Z"}}]'
        ) from None
    found: list[tuple[str, int, float]] = []
    for place, row in enumerate(rows):
        try:
            at_ns = now_ns if row.t is None else instant(row.t)
            found.append((series_of(row.twin, row.property), at_ns, number(row.property, row.value)))
        except Invalid as error:
            raise Invalid(f"reading {place}: {error}") from None
    return [Block.of(found)] if found else []


def blocks_of_arrow(data: bytes | bytearray | memoryview, twin: str | None = None) -> list[Block]:
    """An Arrow IPC stream, long or wide, as blocks. twin: whose the columns of a wide table are.

    The blocks look into `data`, which must not change. Raises Invalid for all of it if any of it is not right.
    """
    try:
        with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
            read = _reader_of(reader.schema, twin)
            return list(_used(list(_gathered(read(batch) for batch in _valid(reader)))))
    except (pa.ArrowException, OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise Invalid(f"this is not an Arrow IPC stream of samples: {error}") from error


def _valid(reader: pa.RecordBatchStreamReader) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        batch.validate(full=True)  # lengths, offsets and indices from outside are not to be trusted
        yield batch


def _reader_of(schema: pa.Schema, twin: str | None):
    """What makes a block of a batch with these columns."""
    names = cast("list[str]", schema.names)
    if len(set(names)) != len(names) or len(names) > _MOST_COLUMNS:
        raise Invalid(f"a table has at most {_MOST_COLUMNS} columns, each of another name")
    time = next((name for name in _TIMES if name in names), None)
    if time is None:
        raise Invalid(f"there is no column 'time' among {_some(names)}; {_EXAMPLE}")
    kind = schema.field(time).type
    if not pa.types.is_timestamp(kind):
        raise Invalid(f"'{time}' is {kind}; cast it to an Arrow timestamp, as a plain number does not say its unit")
    if "value" in names and twin is None:
        named = [name for name in names if name not in (time, "value", "std")]
        if named != ["series"] and sorted(named) != ["property", "twin"]:
            raise Invalid(f"a table with 'value' has series, or twin and property, beside it, not {_some(named)}")
        return lambda batch: _long(batch, time)
    rest = [name for name in names if name != time]
    series = shared(tuple(name if twin is None else series_id(twin, name) for name in rest))
    if not rest:
        raise Invalid(f"there is nothing beside '{time}'; {_EXAMPLE}")
    return lambda batch: _wide(batch, time, rest, series)


def _long(batch: pa.RecordBatch, time: str) -> Block:
    at_ns = _instants(batch.column(time), time)
    value = _numbers(batch.column("value"), "value")
    if "series" in batch.schema.names:
        names, which = _texts(batch.column("series"), "series")
    else:
        twins, of_twin = _texts(batch.column("twin"), "twin")
        properties, of_property = _texts(batch.column("property"), "property")
        names, which = _pairs(twins, of_twin, properties, of_property)
    std = _numbers(batch.column("std"), "std") if "std" in batch.schema.names else None
    return _known_only(names, which, at_ns, value, std)


def _wide(batch: pa.RecordBatch, time: str, columns: Sequence[str], series: tuple[str, ...]) -> Block:
    at_ns = _instants(batch.column(time), time)
    value = np.concatenate([_numbers(batch.column(name), name) for name in columns])
    which = np.repeat(np.arange(len(series), dtype=np.int32), len(at_ns))
    return _known_only(series, which, np.tile(at_ns, len(series)), value, None)


def _known_only(names: tuple[str, ...], which: Int32s, at_ns: Int64s, value: Float64s, std: Float64s | None) -> Block:
    """A block of the rows that have a value."""
    if not np.isfinite(value).all():
        there = ~np.isnan(value)
        wrong = np.isinf(value)
        if wrong.any():
            series = names[which[int(wrong.argmax())]]
            raise Invalid(f"{series} is infinite in one of {len(value)} rows; send a null where there is no value")
        which, at_ns, value = which[there], at_ns[there], value[there]
        std = None if std is None else std[there]
    return Block(names, which, at_ns, value, std)


def _texts(column: pa.Array, name: str) -> tuple[tuple[str, ...], Int32s]:
    """The distinct texts, and which of them each row has."""
    kind = column.type
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(inner) or pa.types.is_large_string(inner)):
        raise Invalid(f"'{name}' is {kind}; it must be text, best as a dictionary")
    encoded = cast(pa.DictionaryArray, column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode())
    indices = encoded.indices
    if column.null_count or encoded.dictionary.null_count:
        raise Invalid(f"'{name}' is null in {column.null_count} rows; every value is of some series")
    which = numpy_column(indices if indices.type == pa.int32() else indices.cast(pa.int32()), np.int32)
    return texts_of(encoded.dictionary), which


def _pairs(
    twins: Sequence[str], of_twin: Int32s, properties: Sequence[str], of_property: Int32s
) -> tuple[tuple[str, ...], Int32s]:
    """The distinct series of twin and property, and which of them each row has."""
    code = of_twin.astype(np.int64) * max(len(properties), 1) + of_property
    if len(twins) * len(properties) <= _DENSE:
        used = np.flatnonzero(np.bincount(code, minlength=len(twins) * len(properties)))
        place = np.zeros(len(twins) * len(properties), np.int32)
        place[used] = np.arange(len(used))
        which = place[code]
    else:
        used, inverse = np.unique(code, return_inverse=True)
        which = inverse.astype(np.int32)
    width = max(len(properties), 1)
    return shared(tuple(series_of(twins[c // width], properties[c % width]) for c in used.tolist())), which


def _instants(column: pa.Array, name: str) -> Int64s:
    if column.null_count:
        raise Invalid(f"'{name}' is null in {column.null_count} rows; every value has its time")
    at = numpy_column(column, np.int64)
    unit = _NS[column.type.unit]
    if unit == 1 or not len(at):
        return at
    if max(abs(int(at.min())), abs(int(at.max()))) * unit >= 1 << 63:
        raise Invalid(f"'{name}' holds instants outside 1677 to 2262; is its unit, {column.type.unit}, right?")
    return at * unit


def _numbers(column: pa.Array, name: str) -> Float64s:
    """The values; NaN where there is none."""
    kind = column.type
    if kind != pa.float64():
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
            raise Invalid(f"'{name}' is {kind}; a value is a number, true or false")
        if pa.types.is_boolean(kind):
            column = column.cast(pa.int8())
        column = column.cast(pa.float64(), safe=False)
    return numpy_column(column, np.float64)


def _gathered(blocks: Iterator[Block]) -> Iterator[Block]:
    """The same samples, those of small batches in fewer blocks."""
    held: list[Block] = []
    rows = 0
    for block in blocks:
        if rows and rows + len(block) > ROWS_PER_BLOCK:
            yield Block.concat(held)
            held, rows = [], 0
        if len(block):
            held.append(block)
            rows += len(block)
    if held:
        yield Block.concat(held)


def _used(blocks: Sequence[Block]) -> Iterator[Block]:
    """The blocks with those names only that have a row: a dictionary may hold more than its batches use."""
    of = {id(block.names): block.names for block in blocks}
    used = {key: np.zeros(len(names), np.bool_) for key, names in of.items()}
    for block in blocks:
        used[id(block.names)] |= np.bincount(block.series, minlength=len(block.names)) > 0
    left: dict[int, tuple[tuple[str, ...], Int32s]] = {}
    for key, there in used.items():
        if not there.all():
            names = shared(tuple(of[key][k] for k in np.flatnonzero(there).tolist()))
            left[key] = names, np.cumsum(there, dtype=np.int32) - np.int32(1)
    for block in blocks:
        kept = left.get(id(block.names))
        yield block if kept is None else Block(kept[0], kept[1][block.series], block.at_ns, block.value, block.std)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:40]) for name in names[:6])
    return shown + (f" and {len(names) - 6} more" if len(names) > 6 else "") if names else "no columns"
