import asyncio
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ectype.clock import from_iso
from ectype.errors import Invalid, Misconfigured
from ectype.sources import recording as module
from ectype.sources.recording import Recording, Row
from tests.sources.source_suite import SourceSuite

DATA = Path(__file__).parents[2] / "../shared/data/la_haute_borne/scada_10min.parquet"


def table(rows) -> pa.Table:
    """(name, seconds, a, b) rows; None is null."""
    names, seconds, a, b = zip(*rows, strict=True)
    return pa.table(
        {
            "name": pa.array(names, pa.string()),
            "t": pa.array([None if s is None else s * 1000 for s in seconds], pa.timestamp("ms")),
            "a": pa.array(a, pa.float64()),
            "b": pa.array(b, pa.int32()),
            "note": pa.array(["x"] * len(names)),
        }
    )


SOME = [("p", 20, 1.5, 1), ("q", 10, float("nan"), 2), ("p", 10, None, None), ("q", 20, 2.5, None), ("p", 30, 3.0, 3)]


def write(path: Path, content: pa.Table, group: int = 2) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(content, path, row_group_size=group)
    else:
        pa_csv.write_csv(content, path)
    return path


def opened(path: Path, **how) -> Recording:
    return Recording(path, **{"id_column": "name", "time_column": "t", **how})


class TestParquet(SourceSuite):
    def make(self, tmp_path: Path) -> Recording:
        return opened(write(tmp_path / "some.parquet", table(SOME)))

    def make_wrong(self, tmp_path: Path) -> None:
        opened(tmp_path / "missing.parquet")


class TestCsv(SourceSuite):
    def make(self, tmp_path: Path) -> Recording:
        return opened(write(tmp_path / "some.csv", table(SOME)))

    def make_wrong(self, tmp_path: Path) -> None:
        opened(write(tmp_path / "some.csv", table(SOME)), id_column="turbine")


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_rows_come_in_the_order_of_time_without_empty_cells(tmp_path, kind):
    rows = list(opened(write(tmp_path / f"some.{kind}", table(SOME))).rows())
    assert rows == [
        Row("q", 10 * 10**9, {"b": 2.0}),
        Row("p", 10 * 10**9, {}),
        Row("p", 20 * 10**9, {"a": 1.5, "b": 1.0}),
        Row("q", 20 * 10**9, {"a": 2.5}),
        Row("p", 30 * 10**9, {"a": 3.0, "b": 3.0}),
    ]


def test_a_row_becomes_the_message_its_twin_would_send(tmp_path):
    recording = opened(write(tmp_path / "some.parquet", table(SOME)), prefix="farm", columns={"a": "power"})

    async def read():
        return [m async for m in recording.messages()]

    messages = asyncio.run(read())
    assert [(m.topic, json.loads(m.payload)) for m in messages] == [
        ("farm/p", {"t": "1970-01-01T00:00:20Z", "power": 1.5}),
        ("farm/q", {"t": "1970-01-01T00:00:20Z", "power": 2.5}),
        ("farm/p", {"t": "1970-01-01T00:00:30Z", "power": 3.0}),
    ]


rows = st.lists(
    st.tuples(st.sampled_from(["p", "q"]), st.integers(0, 40), st.floats(-9, 9), st.integers(0, 9)),
    min_size=1,
    max_size=40,
)


@given(rows, st.integers(1, 7), st.integers(-1, 41), st.integers(-1, 41))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_is_played_as_sorting_it_whole_would(tmp_path, some, group, start, stop):
    recording = opened(write(tmp_path / "any.parquet", table(some), group))
    got = [
        (r.at_ns // 10**9, r.name, r.values["a"], r.values["b"]) for r in recording.rows(start * 10**9, stop * 10**9)
    ]
    assert sorted(got) == sorted((t, n, a, b) for n, t, a, b in some if start <= t < stop)
    assert all(a[0] <= b[0] for a, b in pairwise(got))
    assert recording.first_ns == min(t for _, t, _, _ in some) * 10**9
    assert recording.last_ns == max(t for _, t, _, _ in some) * 10**9


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_sorted_file_is_held_one_piece_at_a_time(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(module, "CSV_BLOCK", 4096)
    monkeypatch.setattr(module, "HELD_ROWS", 100)
    some = [("p", k, float(k), 1) for k in range(5000)]
    path = write(tmp_path / f"long.{kind}", table(some), 100)
    assert [r.at_ns for r in opened(path).rows()] == [k * 10**9 for k in range(5000)]
    path = write(
        tmp_path / f"shuffled.{kind}", table([some[k] for k in np.random.default_rng(1).permutation(5000)]), 100
    )
    with pytest.raises(Invalid, match="sort it by 't' first"):
        list(opened(path).rows())


def test_csv_numbers_need_not_look_like_those_of_the_first_block(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CSV_BLOCK", 1024)
    lines = [f"7,{k},{'' if k < 400 else k / 2},{k if k % 2 else k + 0.5}" for k in range(500)]
    path = tmp_path / "grows.csv"
    path.write_text("id,t,late,mixed\n" + "\n".join(lines) + "\n")
    got = list(Recording(path, id_column="id", time_column="t").rows())
    assert got[0] == Row("7", 0, {"mixed": 0.5})
    assert got[499] == Row("7", 499 * 10**9, {"late": 249.5, "mixed": 499.0})


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array(["2014-03-01T12:00:00Z"]), "2014-03-01T12:00:00Z"),
        (pa.array([1393675200]), "2014-03-01T12:00:00Z"),
        (pa.array([1393675200.5]), "2014-03-01T12:00:00.5Z"),
        (
            pa.array([from_iso("2014-03-01T12:00:00Z") // 1000], pa.timestamp("us", "Europe/Paris")),
            "2014-03-01T12:00:00Z",
        ),
        (pa.array([16130], pa.date32()), "2014-03-01T00:00:00Z"),
        (pa.array(["2014-03-01T12:00:00Z"]).dictionary_encode(), "2014-03-01T12:00:00Z"),
    ],
)
def test_times_may_be_written_in_several_ways(tmp_path, column, expected):
    path = write(tmp_path / "times.parquet", pa.table({"name": ["p"], "t": column, "a": [1]}))
    assert [r.at_ns for r in opened(path).rows()] == [from_iso(expected)]


def test_rows_of_nobody_or_no_time_are_left_out_and_told(tmp_path, caplog):
    path = write(tmp_path / "holes.parquet", table([(None, 1, 1.0, 1), ("p", None, 1.0, 1), ("p", 2, 1.0, 1)]))
    assert len(list(opened(path).rows())) == 1
    assert "without time or id" in caplog.text


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"id_column": "turbine"}, "no column 'turbine'; it has: name, t, a, b, note"),
        ({"time_column": "when"}, "no column 'when'"),
        ({"columns": {"c": "power"}}, "no column 'c'"),
        ({"columns": {"note": "power"}}, "'note' holds no numbers; those that do: a, b"),
    ],
)
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_wrong_column_is_told_with_those_there_are(tmp_path, kind, how, says):
    with pytest.raises(Misconfigured, match=says):
        opened(write(tmp_path / f"some.{kind}", table(SOME)), **how)


def test_a_file_that_cannot_be_played_is_told(tmp_path):
    with pytest.raises(Misconfigured, match="there is no file"):
        opened(tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(Invalid, match=r"empty\.csv"):
        opened(tmp_path / "empty.csv")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1" + bytes(50))
    with pytest.raises(Invalid, match=r"cut\.parquet"):
        opened(tmp_path / "cut.parquet")
    (tmp_path / "odd.csv").write_text("name,t,a\np,yesterday,1\n")
    with pytest.raises(Invalid, match=r"odd\.csv"):
        opened(tmp_path / "odd.csv")
    (tmp_path / "ragged.csv").write_text("name,t,a\np,1,1\np,2\n")
    with pytest.raises(Invalid, match=r"ragged\.csv"):
        list(opened(tmp_path / "ragged.csv").rows())
    (tmp_path / "void.csv").write_text("name,t,a\n,,\n")
    with pytest.raises((Invalid, Misconfigured)):
        opened(tmp_path / "void.csv")


@pytest.mark.skipif(not DATA.exists(), reason="../shared/data is not beside the repository")
def test_the_wind_farm_is_played_turbine_by_turbine_in_time():
    recording = Recording(DATA, id_column="turbine", time_column="t", columns={"P_avg": "power", "Ws_avg": "windSpeed"})
    start, stop = from_iso("2014-06-01"), from_iso("2014-06-02")
    got = list(recording.rows(start, stop))
    assert len(got) == 4 * 144
    assert [r.name for r in got[:4]] == ["R80711", "R80721", "R80736", "R80790"]
    assert all(a.at_ns <= b.at_ns for a, b in pairwise(got))
