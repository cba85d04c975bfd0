"""The same rows in CSV, Parquet, Arrow file and Arrow stream are the same messages; MCAP as an independent writer made
it is read; damaged files are Invalid and nothing else.
"""

import asyncio
import io
from contextlib import aclosing, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ectype.errors import Invalid, Misconfigured
from ectype.sources.base import Message
from ectype.sources.folder import Folder
from ectype.sources.mcap import Mcap
from ectype.sources.recording import Recording
from tests.sources.outside.bed import opening

ROWS = pa.table(
    {
        "twin": ["a", "b", "a", "b"],
        "t": pa.array([3, 1, 2, 4], pa.timestamp("s", "UTC")),
        "power": [3.5, 1.5, None, 4.5],
        "note": ["x", "y", "z", "w"],
    }
)


def arrow(table: pa.Table, opener=pa.ipc.new_file) -> bytes:
    sink = pa.BufferOutputStream()
    with opener(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return sink.getvalue().to_pybytes()


def written(path: Path, kind: str) -> Path:
    if kind == "parquet":
        pq.write_table(ROWS, path, row_group_size=2)
    elif kind == "csv":
        pa_csv.write_csv(ROWS, path)
    else:
        path.write_bytes(arrow(ROWS, pa.ipc.new_file if kind == "arrow" else pa.ipc.new_stream))
    return path


async def collected(source) -> list[Message]:
    return [message async for message in source.messages()]


@pytest.mark.parametrize("kind", ["csv", "parquet", "arrow", "arrows"])
def test_all_formats_give_the_same_rows_in_the_order_of_time(kind: str, tmp_path: Path) -> None:
    rows = Recording(written(tmp_path / f"r.{kind}", kind), id_column="twin", time_column="t", prefix="p")
    found = [(m.topic, m.payload, m.at_ns) for m in asyncio.run(collected(rows))]
    assert found == [
        ("p/b", b'{"t":"1970-01-01T00:00:01Z","power":1.5}', 10**9),
        ("p/a", b'{"t":"1970-01-01T00:00:03Z","power":3.5}', 3 * 10**9),
        ("p/b", b'{"t":"1970-01-01T00:00:04Z","power":4.5}', 4 * 10**9),
    ]


def mcap(*channels: tuple[str, str, list[tuple[int, bytes]]]) -> bytes:
    writer_module = pytest.importorskip("mcap.writer", reason="mcap is not installed: pip install 'ectype[mcap]'")
    file = io.BytesIO()
    writer = writer_module.Writer(file, chunk_size=200)
    writer.start()
    for topic, encoding, messages in channels:
        channel = writer.register_channel(topic, encoding, 0)
        for at_ns, data in messages:
            writer.add_message(channel, at_ns, data, at_ns)
    writer.finish()
    return file.getvalue()


GOOD = [
    ("line/press-1", "json", [(20, b'{"power":2.5}'), (30, b'{"power":3.5}')]),
    ("cam", "protobuf", [(25, b"\x01")]),
]


def test_json_channels_of_mcap_are_messages_in_the_order_of_time(tmp_path: Path) -> None:
    path = tmp_path / "r.mcap"
    path.write_bytes(mcap(*GOOD, ("line/press-2/power", "json", [(21, b"7")])))
    found = asyncio.run(collected(Mcap(path, "inbox")))
    assert found == [
        Message("line/press-1", b'{"power":2.5}', 20, "inbox"),
        Message("line/press-2/power", b"7", 21, "inbox"),
        Message("line/press-1", b'{"power":3.5}', 30, "inbox"),
    ]


def test_mcap_without_json_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "r.mcap"
    path.write_bytes(mcap(GOOD[1]))
    with pytest.raises(Invalid, match="channels in protobuf only"):
        asyncio.run(collected(Mcap(path, "inbox")))


def test_a_chunk_that_does_not_decompress_is_told(tmp_path: Path) -> None:
    raw = bytearray(mcap(*GOOD))
    at = raw.index(b"\x28\xb5\x2f\xfd")  # the magic number of a zstd frame (RFC 8878, 3.1.1)
    raw[at + 4 : at + 12] = b"\xff" * 8
    (tmp_path / "r.mcap").write_bytes(raw)
    with pytest.raises(Invalid, match="no whole MCAP file: ZstdError"):
        asyncio.run(collected(Mcap(tmp_path / "r.mcap", "inbox")))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(kind=st.sampled_from(["mcap", "arrow", "arrows"]), data=st.data())
def test_damaged_files_are_refused_or_read(kind: str, data, tmp_path: Path) -> None:
    path = tmp_path / f"d.{kind}"
    raw = bytearray(
        mcap(*GOOD) if kind == "mcap" else arrow(ROWS, pa.ipc.new_file if kind == "arrow" else pa.ipc.new_stream)
    )
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(8, len(raw) - 1))] = data.draw(st.integers(0, 255))
    del raw[data.draw(st.integers(8, len(raw))) :]
    path.write_bytes(raw)
    with suppress(Invalid, Misconfigured):
        source = Mcap(path, "d") if kind == "mcap" else Recording(path, id_column="twin", time_column="t")
        asyncio.run(collected(source))


def test_the_folder_source_tells_the_formats_apart_by_their_first_bytes(tmp_path: Path) -> None:
    written(tmp_path / "a.bin", "arrow")
    (tmp_path / "b.bin").write_bytes(mcap(*GOOD))
    (tmp_path / "c.bin").write_bytes(mcap(*GOOD)[:60])

    async def scene() -> None:
        folder = Folder(opening(tmp_path.as_uri(), every_s=0.01), lambda: 0)
        async with aclosing(folder.batches()) as batches:
            topics = [m.topic for _ in range(2) for m in await anext(batches)]
            assert topics == ["peer/b", "peer/a", "peer/b", "line/press-1", "line/press-1"]
            (tmp_path / "d.csv").write_text("twin,t,power\nz,1970-01-01T00:00:09Z,1\n")
            assert [m.topic for m in await anext(batches)] == ["peer/z"]
        assert "no whole MCAP file" in (tmp_path / "failed" / "c.txt").read_text()

    asyncio.run(scene())
