"""Blocks as Arrow IPC streams: what a measurement entry carries, readable by any Arrow library.

Columns: series dictionary<int32, utf8>, at timestamp[ns, UTC], value float64, and std float64 (nullable)
when the block claims any. Metadata of the schema: whatever the author adds, as text.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from ectype.errors import Invalid
from ectype.values.block import Block
from ectype.values.columns import arrow_column, arrow_known, arrow_texts, numpy_column, texts_of

MEDIA_TYPE = "application/vnd.apache.arrow.stream"

_FIELDS = [
    pa.field("series", pa.dictionary(pa.int32(), pa.utf8()), nullable=False),
    pa.field("at", pa.timestamp("ns", tz="UTC"), nullable=False),
    pa.field("value", pa.float64(), nullable=False),
]
_PLAIN = pa.schema(_FIELDS)
_WITH_STD = pa.schema([*_FIELDS, pa.field("std", pa.float64(), nullable=True)])


_WORTH = 1000  # rows from which on a stream's beginning is remembered
_REMEMBERED = 64
_END = b"\xff\xff\xff\xff\0\0\0\0"
_heads: dict[tuple[tuple[str, ...], int], bytes] = {}


def to_arrow(block: Block, metadata: Mapping[str, str] | None = None) -> bytes:
    """One Arrow IPC stream holding `block` as a single record batch."""
    columns = [
        pa.DictionaryArray.from_arrays(arrow_column(block.series, pa.int32(), np.int32), arrow_texts(block.names)),
        arrow_column(block.at_ns, _FIELDS[1].type, np.int64),
        arrow_column(block.value, pa.float64(), np.float64),
    ]
    schema = _PLAIN
    if block.std is not None:
        columns.append(arrow_known(block.std))
        schema = _WITH_STD
    if metadata:
        schema = schema.with_metadata(dict(metadata))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch(columns, schema=schema))
    return sink.getvalue().to_pybytes()


def joined_to_arrow(blocks: Sequence[Block]) -> bytes:
    """What `to_arrow` makes of all `blocks`, one after the other; each sample is copied once.

    Between the columns of a stream stands nothing that depends on the samples: what comes before them depends on the
    names and the count of rows alone, and is remembered from the last stream that had them.
    """
    names, rows = blocks[0].names, sum(map(len, blocks))
    if rows < _WORTH or any(block.names is not names or block.std is not None for block in blocks):
        return to_arrow(Block.concat(blocks))
    columns = [
        *(np.ascontiguousarray(block.series, np.int32).data for block in blocks),
        b"\0" * (-4 * rows % 8),
        *(np.ascontiguousarray(block.at_ns, np.int64).data for block in blocks),
        *(np.ascontiguousarray(block.value, np.float64).data for block in blocks),
        _END,
    ]
    head = _heads.get((names, rows))
    if head is not None:
        return b"".join([head, *columns])
    whole = to_arrow(Block.concat(blocks))
    head = whole[: len(whole) - 20 * rows - (-4 * rows % 8) - len(_END)]
    if b"".join([head, *columns]) == whole:  # pyarrow lays it out as we think
        if len(_heads) >= _REMEMBERED:
            _heads.clear()
        _heads[names, rows] = head
    return whole


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
    return Block(
        texts_of(column.dictionary),
        numpy_column(_as(column.indices, pa.int32()), np.int32),
        numpy_column(_as(batch.column(1), _FIELDS[1].type), np.int64),
        numpy_column(_as(batch.column(2), pa.float64()), np.float64),
        numpy_column(_as(batch.column(3), pa.float64()), np.float64) if batch.num_columns == 4 else None,
    )


def _as(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    """`column` in that type; untouched when it has it, as casting loads Arrow's whole compute library."""
    return column if column.type == wanted else column.cast(wanted)
