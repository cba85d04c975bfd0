"""Blocks as Arrow IPC streams: what a measurement entry carries, readable by any Arrow library.

Columns: series dictionary<int32, utf8>, at timestamp[ns, UTC], value float64, and std float64 (nullable)
when the block claims any. Metadata of the schema: whatever the author adds, as text.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ectype.errors import Invalid
from ectype.values.block import Block

MEDIA_TYPE = "application/vnd.apache.arrow.stream"

_FIELDS = [
    pa.field("series", pa.dictionary(pa.int32(), pa.utf8()), nullable=False),
    pa.field("at", pa.timestamp("ns", tz="UTC"), nullable=False),
    pa.field("value", pa.float64(), nullable=False),
]
_PLAIN = pa.schema(_FIELDS)
_WITH_STD = pa.schema([*_FIELDS, pa.field("std", pa.float64(), nullable=True)])


def to_arrow(block: Block, metadata: Mapping[str, str] | None = None) -> bytes:
    """One Arrow IPC stream holding `block` as a single record batch."""
    n = len(block)
    indices = pa.Array.from_buffers(pa.int32(), n, [None, _buffer(block.series, np.int32)])
    columns = [
        pa.DictionaryArray.from_arrays(indices, _texts(block.names)),
        pa.Array.from_buffers(_FIELDS[1].type, n, [None, _buffer(block.at_ns, np.int64)]),
        pa.Array.from_buffers(pa.float64(), n, [None, _buffer(block.value, np.float64)]),
    ]
    schema = _PLAIN
    if block.std is not None:
        known = pa.py_buffer(np.packbits(~np.isnan(block.std), bitorder="little"))
        columns.append(pa.Array.from_buffers(pa.float64(), n, [known, _buffer(block.std, np.float64)]))
        schema = _WITH_STD
    if metadata:
        schema = schema.with_metadata(dict(metadata))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch(columns, schema=schema))
    return sink.getvalue().to_pybytes()


def from_arrow(data: bytes | memoryview) -> Block:
    """The block in an Arrow IPC stream. Raises Invalid for anything that is not one."""
    return from_arrow_with_metadata(data)[0]


def from_arrow_with_metadata(data: bytes | memoryview) -> tuple[Block, dict[str, str]]:
    """The block and its schema's metadata. Raises Invalid for anything that is not one."""
    try:
        with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
            metadata = {k.decode(): v.decode() for k, v in (reader.schema.metadata or {}).items()}
            if reader.schema.names not in (_PLAIN.names, _WITH_STD.names):
                raise Invalid(f"a block has the columns series, at, value[, std], not {reader.schema.names}")
            blocks = [_block(batch) for batch in reader]
    except (pa.ArrowException, OSError, UnicodeDecodeError, ValueError, KeyError) as error:
        raise Invalid(f"this is not an Arrow stream of samples: {error}") from error
    return Block.concat(blocks), metadata


def _block(batch: pa.RecordBatch) -> Block:
    batch.validate(full=True)
    if any(column.null_count for column in batch.columns[:3]):
        raise Invalid("a block's series, at and value must not be null")
    column = batch.column(0)
    if not isinstance(column, pa.DictionaryArray):
        column = column.dictionary_encode()
    std = batch.column(3).to_numpy(zero_copy_only=False).astype(np.float64) if batch.num_columns == 4 else None
    return Block(
        tuple(str(name) for name in column.dictionary.to_pylist()),
        _as(column.indices, pa.int32()).to_numpy(zero_copy_only=False),
        _as(batch.column(1), _FIELDS[1].type).view(pa.int64()).to_numpy(zero_copy_only=False),
        _as(batch.column(2), pa.float64()).to_numpy(zero_copy_only=False),
        std,
    )


def _as(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    """`column` in that type; untouched when it has it, as casting loads Arrow's whole compute library."""
    return column if column.type == wanted else column.cast(wanted)


# Arrays are made from buffers and not by `pa.array`: that imports pandas where it is installed, which stops a node
# for seconds at its first sample, and costs more for small blocks.
def _buffer(column: NDArray[Any], dtype: type[np.generic]) -> pa.Buffer:
    return pa.py_buffer(np.ascontiguousarray(column, dtype))


def _texts(names: tuple[str, ...]) -> pa.Array:
    encoded = [name.encode() for name in names]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.Array.from_buffers(pa.utf8(), len(names), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))])
