"""A footer cut down says of its row groups what the whole one says, and pyarrow is who reads both."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false

from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectype.series.footer import file_of, layout


def written(path: Path, rows: int, row_group: int) -> bytes:
    """The footer of a file with columns of several types, some with missing values."""
    table = pa.table(
        {
            "name": pa.array([f"n{k // 3}" for k in range(rows)]).dictionary_encode(),
            "at": pa.array(range(rows), pa.timestamp("ns", tz="UTC")),
            "value": pa.array([None if k % 7 == 1 else k / 3 for k in range(rows)], pa.float64()),
        }
    )
    pq.write_table(table, path, row_group_size=row_group, write_page_checksum=True, compression="zstd")
    content = path.read_bytes()
    return content[-8 - int.from_bytes(content[-8:-4], "little") : -8]


@settings(max_examples=30)
@given(st.integers(1, 60), st.integers(1, 9), st.data())
def test_the_rows_of_some_row_groups_are_read_by_a_footer_of_those_alone(
    tmp_path_factory: pytest.TempPathFactory, rows: int, row_group: int, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("footer") / "file.parquet"
    footer = written(path, rows, row_group)
    whole = pq.ParquetFile(path)
    found = layout(footer)
    count = whole.metadata.num_row_groups
    assert len(found.groups) == count + 1
    chosen = sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1)))
    said = [footer[found.groups[g] : found.groups[g + 1]] for g in chosen]
    assert b"".join(footer[a:b] for a, b in pairwise(found.groups)) == footer[found.groups[0] : found.groups[-1]]
    for rest in (b"\x00", footer[found.groups[-1] :]):
        small = pq.read_metadata(pa.BufferReader(file_of(footer[: found.head], said, rest)))
        assert small.num_row_groups == len(chosen)
        for k, g in enumerate(chosen):
            for column in (1, 2):  # without the name of the writer, pyarrow does not believe statistics of texts
                assert (
                    small.row_group(k).column(column).to_dict() == whole.metadata.row_group(g).column(column).to_dict()
                )
        read = pq.ParquetFile(path, metadata=small).read_row_groups(list(range(len(chosen))), columns=["at", "value"])
        assert read.equals(whole.read_row_groups(chosen, columns=["at", "value"]))
    assert (pq.read_metadata(path).metadata or {}) == (
        pq.read_metadata(pa.BufferReader(file_of(footer[: found.head], [], footer[found.groups[-1] :]))).metadata or {}
    )
    whole.close()


@given(st.binary(max_size=200))
def test_what_is_no_footer_is_refused(data: bytes) -> None:
    try:
        found = layout(data)
    except ValueError:
        return
    assert 0 <= found.head < found.groups[0] <= found.groups[-1]


def test_a_footer_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    footer = written(tmp_path / "file.parquet", 20, 4)
    last = layout(footer).groups[-1]
    for length in range(last):
        with pytest.raises(ValueError, match="no footer"):
            layout(footer[:length])
