"""Columns go to Arrow and come back as they were, without the libraries that would stop a node."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ectype.values.columns import arrow_column, arrow_known, arrow_texts, numpy_column

_FLOATS = st.lists(st.floats(width=64), max_size=40)

_FIRST_SAMPLE = """
import sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        assert name not in ("pandas", "pyarrow.compute"), f"{name} is imported"

import numpy as np
from ectype.values.arrow import from_arrow, to_arrow
from ectype.values.block import Block
sys.meta_path.insert(0, Watch())
block = Block(("a.b",), np.zeros(3, np.int32), np.arange(3), np.ones(3), np.array([1.0, np.nan, 2.0]))
back = from_arrow(to_arrow(block))
assert back.names == block.names and back.value.tolist() == [1.0, 1.0, 1.0]
assert back.std is not None and np.isnan(back.std[1])
"""


@given(_FLOATS, st.integers(0, 5), st.integers(0, 40))
def test_numbers_come_back_from_any_slice_as_arrow_itself_says(values: list[float], start: int, length: int) -> None:
    column = arrow_known(np.array(values, np.float64)).slice(start, length)

    back = numpy_column(column, np.float64)

    told = [np.nan if each is None else each for each in column.to_pylist()]
    np.testing.assert_array_equal(back, np.array(told, np.float64))


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20), st.lists(st.integers(0, 9), max_size=4))
def test_instants_come_back_in_however_many_pieces_they_lie(at_ns: list[int], cuts: list[int]) -> None:
    column = arrow_column(np.array(at_ns, np.int64), pa.timestamp("ns", tz="UTC"), np.int64)
    edges = sorted({0, len(at_ns), *(cut for cut in cuts if cut < len(at_ns))})
    pieces = [column.slice(a, b - a) for a, b in pairwise(edges)]

    back = numpy_column(pa.chunked_array(pieces, column.type), np.int64)

    assert back.tolist() == at_ns


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=10))
def test_texts_are_what_arrow_reads(texts: list[str]) -> None:
    column = arrow_texts(texts)

    column.validate(full=True)
    assert column.to_pylist() == texts


def test_a_first_sample_imports_neither_pandas_nor_the_compute_library() -> None:
    done = subprocess.run([sys.executable, "-c", _FIRST_SAMPLE], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
