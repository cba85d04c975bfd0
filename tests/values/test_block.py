"""Blocks of samples, and the Arrow streams that carry them."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Invalid
from ectype.values.arrow import from_arrow, from_arrow_with_metadata, joined_to_arrow, to_arrow
from ectype.values.block import Block

names = st.sampled_from(["R1.power", "R1.power@estimated", "R2.windSpeed", "é.x"])
numbers = st.floats(allow_nan=False)
rows = st.lists(
    st.tuples(names, st.integers(-(2**62), 2**62), numbers)
    | st.tuples(names, st.integers(-(2**62), 2**62), numbers, st.floats(min_value=0, allow_nan=False)),
    max_size=30,
)


def plain(given_rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return [(*row, None) if len(row) == 3 else row for row in given_rows]


@given(rows)
def test_a_block_holds_its_rows_in_the_order_they_came(given_rows: list[tuple[str, int, float]]) -> None:
    assert Block.of(given_rows).rows() == plain(given_rows)  # type: ignore[arg-type]


@given(st.lists(rows, max_size=4))
def test_a_concatenation_holds_the_rows_of_all_its_blocks(parts: list[list[tuple[str, int, float]]]) -> None:
    whole = Block.concat([Block.of(part) for part in parts])
    assert whole.rows() == plain([row for part in parts for row in part])
    assert len(set(whole.names)) == len(whole.names)


@given(rows, st.dictionaries(st.text(max_size=5).filter(lambda t: "\0" not in t), st.text(max_size=5), max_size=2))
def test_arrow_carries_a_block_and_its_metadata_unchanged(
    given_rows: list[tuple[str, int, float]], metadata: dict[str, str]
) -> None:
    block = Block.of(given_rows)
    back, said = from_arrow_with_metadata(to_arrow(block, metadata))
    assert back.rows() == block.rows()
    assert said == metadata


@given(st.lists(st.integers(0, 900), min_size=1, max_size=4), st.integers(1, 3), st.booleans(), st.integers(0, 9))
def test_blocks_joined_are_byte_for_byte_what_arrow_writes_of_all(
    counts: list[int], distinct: int, same: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    shared = tuple(f"R{k}.power" for k in range(distinct))

    def block(count: int) -> Block:
        names = shared if same else (*shared,)
        every = rng.integers(0, distinct, 2 * count).astype(np.int32)[::2]  # not in one piece of memory
        return Block(names, every, rng.integers(0, 1 << 60, count), rng.normal(size=count))

    blocks = [block(count) for count in counts]
    for _ in range(2):  # the second time its beginning is remembered
        assert joined_to_arrow(blocks) == to_arrow(Block.concat(blocks))


def test_blocks_that_name_the_same_series_share_their_names() -> None:
    first, second = (from_arrow(to_arrow(Block.of([("a.b", k, 2.0), ("a.c", k, 3.0)]))) for k in range(2))
    assert first.names is second.names
    other = from_arrow(to_arrow(Block.of([("a.b", 1, 2.0), ("a.d", 1, 3.0)])))
    assert other.names == ("a.b", "a.d")


def test_a_block_checks_its_columns() -> None:
    ints, floats = np.zeros(2, np.int64), np.zeros(2)
    with pytest.raises(Invalid, match="equally long"):
        Block(("a.b",), np.zeros(1, np.int32), ints, floats)
    with pytest.raises(Invalid, match="does not name"):
        Block(("a.b",), np.array([0, 1], np.int32), ints, floats)
    with pytest.raises(Invalid, match="does not name"):
        Block(("a.b",), np.array([0, -1], np.int32), ints, floats)


def test_other_bytes_are_no_block() -> None:
    good = to_arrow(Block.of([("a.b", 1, 2.0)]))
    for bad in (b"", b"junk", good[:40], good[:-60]):
        with pytest.raises(Invalid):
            from_arrow(bad)


def test_an_arrow_stream_with_other_columns_is_no_block() -> None:
    table = pa.table({"x": [1]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(Invalid, match="columns"):
        from_arrow(sink.getvalue().to_pybytes())
