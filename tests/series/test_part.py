"""A part: what was written is read, each series by itself, and not one changed byte is believed."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectype.errors import Damaged
from ectype.series.part import Part, open_part, write_part
from ectype.series.run import Run

NAMES = ["b.x", "a.x", "c.x@estimated", "a.y"]


def run_of(rows: list[tuple[int, int, float]], std: list[float] | None = None) -> Run:
    columns = list(zip(*rows, strict=True))
    return Run.of(
        np.array(columns[0], np.int32),
        np.array(columns[1], np.int64),
        np.array(columns[2], np.float64),
        None if std is None else np.array(std),
    )


def written(folder: Path, run: Run, row_group: int = 3) -> Part:
    info = write_part(folder / "part.parquet", run, NAMES, row_group)
    return open_part(folder, info, NAMES.index)


row_lists = st.lists(
    st.tuples(st.integers(0, 3), st.integers(-5, 30), st.floats(allow_nan=False)), min_size=1, max_size=60
)


@settings(max_examples=60)
@given(row_lists, st.integers(-6, 31), st.integers(-6, 31), st.integers(1, 9))
def test_a_part_answers_like_the_run_it_was_made_of(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, float]], low: int, high: int, row_group: int
) -> None:
    run = run_of(rows)
    part = written(tmp_path_factory.mktemp("part"), run, row_group)
    for series in range(5):
        expected, found = run.slice(series, low, high), part.slice(series, low, high)
        if expected is None:
            assert found is None
        else:
            assert found is not None
            assert found.at_ns.tolist() == expected.at_ns.tolist()
            assert found.value.tolist() == expected.value.tolist()
            assert found.std is None
    loaded = part.load()
    assert loaded.series().tolist() == run.series().tolist()
    assert loaded.at_ns.tolist() == run.at_ns.tolist()
    assert loaded.value.tolist() == run.value.tolist()


def test_any_parquet_reader_sees_names_times_and_missing_deviations(tmp_path: Path) -> None:
    run = run_of([(0, 5, 1.0), (1, 7, 2.0), (1, 6, 3.0)], [0.5, float("nan"), 0.25])
    written(tmp_path, run)
    table = pq.read_table(tmp_path / "part.parquet")
    assert table.column("series").to_pylist() == ["a.x", "a.x", "b.x"]
    assert table.column("at").cast("int64").to_pylist() == [6, 7, 5]
    assert table.column("value").to_pylist() == [3.0, 2.0, 1.0]
    assert table.column("std").to_pylist() == [0.25, None, 0.5]


def test_no_changed_byte_is_believed(tmp_path: Path) -> None:
    run = run_of([(k % 4, k, k / 3) for k in range(24)], [k / 7 for k in range(24)])
    part = written(tmp_path, run, row_group=12)
    content = part.path.read_bytes()
    for at in range(4, len(content)):  # the magic at its head says nothing about the rows
        changed = bytearray(content)
        changed[at] ^= 1 << at % 8
        part.path.write_bytes(changed)
        with pytest.raises(Damaged, match="is damaged"):
            open_part(tmp_path, part.info, NAMES.index).load()


def test_no_part_of_a_part_is_believed(tmp_path: Path) -> None:
    part = written(tmp_path, run_of([(k % 4, k, k / 3) for k in range(24)]))
    content = part.path.read_bytes()
    for length in range(len(content)):
        part.path.write_bytes(content[:length])
        with pytest.raises(Damaged, match="is damaged"):
            open_part(tmp_path, part.info, NAMES.index)


def test_only_the_row_groups_of_the_question_are_read(tmp_path: Path) -> None:
    part = written(tmp_path, run_of([(k % 2, k, float(k)) for k in range(60)]), row_group=5)
    found = part.slice(1, 20, 31)
    assert found is not None
    assert found.at_ns.tolist() == [21, 23, 25, 27, 29, 31]
    assert len(part.sound) == 2
    assert part.slice(1, 100, 200) is None
    assert part.slice(3, 0, 100) is None
    assert len(part.sound) == 2


def test_the_extremes_of_time_are_times(tmp_path: Path) -> None:
    ends = [-(2**63), 2**63 - 1]
    part = written(tmp_path, run_of([(0, at, 1.0) for at in ends]))
    found = part.slice(0, *ends)
    assert found is not None
    assert found.at_ns.tolist() == ends
