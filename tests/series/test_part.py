"""A part: what was written is read, each series by itself, and not one changed byte is believed."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectype.errors import Damaged
from ectype.series.compaction import Sizes, due
from ectype.series.part import Part, open_part
from ectype.series.part_writer import Cancelled, merge_parts, write_part
from ectype.series.run import Run

LIMITS = (-(2**63), 2**63 - 1)
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
    assert sum(part.sound) == 2
    assert part.slice(1, 100, 200) is None
    assert part.slice(3, 0, 100) is None
    assert sum(part.sound) == 2


def test_the_extremes_of_time_are_times(tmp_path: Path) -> None:
    ends = [-(2**63), 2**63 - 1]
    part = written(tmp_path, run_of([(0, at, 1.0) for at in ends]))
    found = part.slice(0, *ends)
    assert found is not None
    assert found.at_ns.tolist() == ends


@settings(max_examples=60)
@given(st.lists(row_lists, min_size=2, max_size=4), st.integers(1, 7))
def test_parts_merged_answer_like_their_runs_merged(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[tuple[int, int, float]]], row_group: int
) -> None:
    """Every other run has standard deviations; a merged part has them as NaN where nobody claimed one."""
    folder = tmp_path_factory.mktemp("merge")
    several = [run_of(some, [0.5] * len(some) if k % 2 else None) for k, some in enumerate(rows)]
    infos = [write_part(folder / f"part-{k}.parquet", run, NAMES, 3) for k, run in enumerate(several)]
    parts = [open_part(folder, info, NAMES.index) for info in infos]
    whole = open_part(folder, merge_parts(folder / "whole.parquet", parts, NAMES, row_group), NAMES.index)
    expected = Run.merge(several)
    assert whole.rows == len(expected)
    for series in range(len(NAMES)):
        told, right = whole.slice(series, *LIMITS), expected.slice(series, *LIMITS)
        assert (told is None) == (right is None)
        if told is not None and right is not None:
            for column in ("at_ns", "value", "std"):
                np.testing.assert_array_equal(getattr(told, column), getattr(right, column))


def test_a_merge_that_nobody_wants_any_more_leaves_nothing_behind(tmp_path: Path) -> None:
    run = Run.of(np.zeros(5, np.int32), np.arange(5), np.ones(5), None)
    part = open_part(tmp_path, write_part(tmp_path / "part.parquet", run, NAMES), NAMES.index)
    with pytest.raises(Cancelled):
        merge_parts(tmp_path / "whole.parquet", [part, part], NAMES, wanted=lambda: False)
    assert [path.name for path in tmp_path.iterdir()] == ["part.parquet"]


def test_as_many_as_the_fan_of_a_size_are_due_and_what_would_be_too_large_is_not() -> None:
    sizes = Sizes(part=100, fan=3, most=1000)
    assert due([100, 100], sizes) is None
    assert due([300, 100, 100, 105], sizes) == slice(1, 4)
    assert due([300, 300, 290], sizes) == slice(0, 3)
    assert due([900, 900, 900], sizes) is None
    assert due([100, 300, 100, 100], sizes) is None
    assert due([], sizes) is None
