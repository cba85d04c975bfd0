"""Tables in, blocks out: long or wide, typed this way or that, they mean the same."""

from contextlib import suppress
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectype.errors import Invalid
from ectype.ingest.table import ROWS_PER_BLOCK, blocks_of_arrow, blocks_of_json
from ectype.values.arrow import to_arrow
from ectype.values.block import Block

NOON_NS = 1_393_675_200_000_000_000
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["R1", "R2", "dial-3"]),
        st.sampled_from(["power", "windSpeed"]),
        st.integers(-(2**62) // 10**9, 2**62 // 10**9),
        st.floats(allow_nan=False, allow_infinity=False) | st.none(),
    ),
    max_size=40,
)


def stream(table: pa.Table | pa.RecordBatch, rows: int | None = None) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        if isinstance(table, pa.Table):
            writer.write_table(table, max_chunksize=rows)
        else:
            writer.write_batch(table)
    return sink.getvalue().to_pybytes()


def rows_of(blocks: list[Block]) -> list[tuple[str, int, float]]:
    return [row[:3] for block in blocks for row in block.rows()]


def plain(rows) -> list[tuple[str, int, float]]:
    return [(f"{twin}.{name}", at_s * 10**9, value) for twin, name, at_s, value in rows if value is not None]


def long_table(rows, unit: str, dictionaries: bool) -> pa.Table:
    text = pa.dictionary(pa.int16(), pa.utf8()) if dictionaries else pa.utf8()
    scale = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    return pa.table(
        {
            "value": pa.array([r[3] for r in rows], pa.float64()),
            "time": pa.array([r[2] * scale for r in rows], pa.int64()).cast(pa.timestamp(unit)),
            "property": pa.array([r[1] for r in rows], pa.utf8()).cast(text),
            "twin": pa.array([r[0] for r in rows], pa.utf8()).cast(text),
        }
    )


@settings(max_examples=60)
@given(ROWS, st.sampled_from(["s", "ms", "us", "ns"]), st.booleans(), st.integers(1, 50))
def test_a_long_table_means_its_rows_in_order(rows, unit, dictionaries, chunk) -> None:
    found = blocks_of_arrow(stream(long_table(rows, unit, dictionaries), chunk))
    assert rows_of(found) == plain(rows)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.none() | st.floats(-1e9, 1e9), st.none() | st.integers(-(2**40), 2**40)), max_size=30))
def test_a_wide_table_means_each_column_as_a_series(rows) -> None:
    at = list(range(len(rows)))
    table = pa.table(
        {
            "time": pa.array(at, pa.timestamp("ms", tz="Europe/Paris")),
            "power": pa.array([a for a, _ in rows], pa.float64()),
            "speed": pa.array([b for _, b in rows], pa.int64()),
        }
    )
    wanted = [("R1.power", t * 10**6, a) for t, (a, _) in zip(at, rows, strict=True) if a is not None]
    wanted += [("R1.speed", t * 10**6, float(b)) for t, (_, b) in zip(at, rows, strict=True) if b is not None]
    assert rows_of(blocks_of_arrow(stream(table), "R1")) == wanted
    named = table.rename_columns(["time", "R1.power", "R1.speed"])
    assert rows_of(blocks_of_arrow(stream(named))) == wanted


def test_our_own_blocks_can_be_pushed_as_they_are() -> None:
    block = Block.of([("R1.power", NOON_NS, 1.5, 0.25), ("R2.power", NOON_NS + 1, -2.0)])
    (found,) = blocks_of_arrow(to_arrow(block))
    assert found.rows() == block.rows()


def test_small_batches_become_large_blocks() -> None:
    n = 25_000
    table = pa.table(
        {
            "series": pa.DictionaryArray.from_arrays(np.zeros(n, np.int32), ["R1.power"]),
            "time": pa.array(np.arange(n), pa.timestamp("ns")),
            "value": pa.array(np.arange(n, dtype=np.float32)),
        }
    )
    found = blocks_of_arrow(stream(table, 1000))
    assert [len(block) for block in found] == [ROWS_PER_BLOCK, ROWS_PER_BLOCK, 5_000]
    assert np.array_equal(np.concatenate([b.value for b in found]), np.arange(n))


TIME = pa.array([0], pa.timestamp("ns"))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"value": [1.0]}, "there is no column 'time'"),
        ({"time": [1], "value": [1.0], "series": ["R1.power"]}, "cast it to an Arrow timestamp"),
        ({"time": TIME, "value": [1.0]}, "has series, or twin and property"),
        ({"time": TIME}, "nothing beside 'time'"),
        ({"time": TIME, "value": ["many"], "series": ["R1.power"]}, "a value is a number"),
        ({"time": TIME, "value": [1.0], "series": [7]}, "must be text"),
        ({"time": TIME, "value": [1.0], "series": pa.array([None], pa.utf8())}, "'series' is null in 1 rows"),
        ({"time": pa.array([None], pa.timestamp("s")), "R1.power": [1.0]}, "'time' is null in 1 rows"),
        ({"time": pa.array([2**61], pa.timestamp("s")), "R1.power": [1.0]}, "outside 1677 to 2262"),
        ({"time": TIME, "R1.power": [float("inf")]}, "R1.power is infinite"),
        ({"time": TIME, "twin": ["R 1"], "property": ["p"], "value": [1.0]}, "cannot name a twin"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(columns, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        blocks_of_arrow(stream(pa.table(columns)))


@settings(max_examples=300)
@given(st.data())
def test_damaged_streams_are_refused_or_read_but_never_break_anything(data) -> None:
    whole = bytearray(stream(long_table([("R1", "power", 5, 1.0), ("R2", "power", 6, None)], "ms", True)))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    del whole[data.draw(st.integers(len(whole) // 2, len(whole))) :]
    try:
        for block in blocks_of_arrow(bytes(whole)):
            assert len(block.rows()) <= 2
    except Invalid:
        pass


@given(st.binary(max_size=200))
def test_no_bytes_break_the_decoders(data: bytes) -> None:
    for read in (blocks_of_arrow, lambda raw: blocks_of_json(raw, 0)):
        with suppress(Invalid):
            read(data)


def test_json_readings_become_a_block() -> None:
    text = (
        b'[{"twin":"R1","property":"power","value":1.5,"t":"2014-03-01T12:00:00Z"},'
        b'{"twin":"R1","property":"on","value":true}]'
    )
    at_ns = int(datetime(2014, 3, 1, 12, tzinfo=UTC).timestamp()) * 10**9
    assert rows_of(blocks_of_json(text, 17)) == [("R1.power", at_ns, 1.5), ("R1.on", 17, 1.0)]
    assert blocks_of_json(b"[]", 0) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{}", "Expected `array`"),
        (b'[{"twin":"R1","property":"power"}]', r"missing required field `value` - at `\$\[0\]`"),
        (b'[{"twin":"R1","property":"power","value":"2"}]', r"at `\$\[0\].value`"),
        (b'[{"twin":"R1","property":"power","value":1,"time":0}]', "unknown field `time`"),
        (b'[{"twin":"R1","property":"power","value":1},{"twin":"R 1","property":"p","value":1}]', "reading 1: "),
        (b'[{"twin":"R1","property":"power","value":1,"t":1393675200000}]', "divide milliseconds by 1000"),
        (b"\xff", "send a list like"),
    ],
)
def test_what_is_wrong_with_json_is_said(text: bytes, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        blocks_of_json(text, 0)
