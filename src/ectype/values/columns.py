"""Numbers between numpy and Arrow, by their buffers.

pyarrow's own `pa.array` and `to_numpy` import pandas where it is installed, which stops a node for half a second
at its first sample, and `cast` loads Arrow's compute library. A column of plain numbers needs neither.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false

from collections import deque
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_Number = TypeVar("_Number", np.int32, np.int64, np.float64)
_read: deque[tuple[pa.Array, tuple[str, ...]]] = deque(maxlen=8)


def arrow_column(values: NDArray[Any], type_: pa.DataType, dtype: type[np.generic]) -> pa.Array:
    """`values` [n] as an Arrow column of `type_`, whose numbers are `dtype`s. A NaN stays a NaN."""
    return pa.Array.from_buffers(type_, len(values), [None, pa.py_buffer(np.ascontiguousarray(values, dtype))])


def arrow_known(values: NDArray[np.float64]) -> pa.Array:
    """`values` [n] as a column of float64 in which a NaN is a null."""
    known = pa.py_buffer(np.packbits(~np.isnan(values), bitorder="little"))
    return pa.Array.from_buffers(
        pa.float64(), len(values), [known, pa.py_buffer(np.ascontiguousarray(values, np.float64))]
    )


def arrow_texts(texts: list[str] | tuple[str, ...]) -> pa.Array:
    """Texts as a column of utf8. Those of the last few tuples are remembered: blocks mostly name the same series."""
    return _texts_once(texts) if isinstance(texts, tuple) else _arrow_texts(texts)


@lru_cache(maxsize=8)
def _texts_once(texts: tuple[str, ...]) -> pa.Array:
    return _arrow_texts(texts)


def _arrow_texts(texts: list[str] | tuple[str, ...]) -> pa.Array:
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.Array.from_buffers(pa.utf8(), len(texts), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))])


@lru_cache(maxsize=64)
def shared(texts: tuple[str, ...]) -> tuple[str, ...]:
    """The same tuple for equal `texts`, so that who has two blocks sees at once that they name the same series."""
    return texts


def texts_of(column: pa.Array) -> tuple[str, ...]:
    """The texts of a column of utf8 without nulls. What was read lately is the same tuple again: blocks mostly name
    the same series, and a thousand texts take as long as ten thousand samples.
    """
    for known, texts in tuple(_read):
        if known.equals(column):
            return texts
    texts = shared(tuple(str(text) for text in column.to_pylist()))
    _read.append((arrow_texts(texts), texts))  # not `column`, which would hold on to all that lies beside it
    return texts


def numpy_column(column: "pa.Array | pa.ChunkedArray", dtype: type[_Number]) -> NDArray[_Number]:
    """The numbers of an Arrow column whose values are stored as `dtype`s; not copied where they lie in one piece.

    Nulls become NaN, which only floats have: a column of whole numbers must have none.
    """
    if isinstance(column, pa.ChunkedArray):
        pieces = [numpy_column(chunk, dtype) for chunk in column.chunks]
        return pieces[0] if len(pieces) == 1 else np.concatenate([np.empty(0, dtype), *pieces])
    start, stop = column.offset, column.offset + len(column)
    known, stored = column.buffers()
    if stored is None or start == stop:
        return np.empty(0, dtype)
    numbers = np.frombuffer(stored, dtype, count=stop)[start:]
    if column.null_count == 0 or known is None:
        return numbers
    there = np.unpackbits(np.frombuffer(known, np.uint8), count=stop, bitorder="little")[start:]
    return np.where(there, numbers, np.nan).astype(dtype)
