"""The history: whatever the order in which samples come, and however it is restarted, it is the log's."""

import math
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectype.errors import Invalid, Misconfigured, Unavailable
from ectype.log.entry import Entry
from ectype.log.fold import catch_up
from ectype.series.fold import Forecast, History, Sizes
from ectype.series.samples import Samples
from tests.series.making import Oracle, Row, Steps, block_entry

SMALL = Sizes(run=4, part=10, row_group=3, fan=3)
NAMES = ("a.x", "a.y", "b.x", "Z.x")
LIMITS = (-(2**63), 2**63 - 1)

times = st.integers(0, 12) | st.integers(*LIMITS)
values = st.floats(allow_nan=True, allow_infinity=True, width=64)
stds = st.just(math.nan) | st.floats(0, 10)
row_lists = st.lists(st.tuples(st.sampled_from(NAMES), times, values, stds), max_size=25)
entry_lists = st.lists(row_lists, max_size=8)


class Inline(Executor):
    """Does at once what it is given."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except OSError as error:
            future.set_exception(error)
        return future


def rows_of(samples: Samples) -> list[tuple[int, float, float]]:
    std = [math.nan] * len(samples) if samples.std is None else samples.std.tolist()
    return list(zip(samples.at_ns.tolist(), samples.value.tolist(), std, strict=True))


def same(left: object, right: object) -> bool:
    return repr(left) == repr(right)  # NaN is the same as NaN here, and -0.0 is not 0.0


def check(history: History, oracle: Oracle, from_ns: int, to_ns: int) -> None:
    for name in NAMES:
        assert same(rows_of(history.range(name, from_ns, to_ns)), oracle.range(name, from_ns, to_ns))
        assert same(rows_of(history.range(name)), oracle.range(name, *LIMITS))
        last = history.last(name)
        plain = None if last is None else (last[0], last[1], math.nan if last[2] is None else last[2])
        assert same(plain, oracle.last(name))
        assert same(history.last_all().get(name), last)
    assert history.series_names() == sorted(oracle.series)
    every = [at for rows in oracle.series.values() for at in rows]
    assert history.span() == ((min(every), max(every)) if every else None)


def measured(log: Steps, oracle: Oracle, rows: list[Row]) -> None:
    log.entries.append(block_entry("measured", rows, number=log.size))
    oracle.add(rows)


@given(entry_lists, times, times)
def test_in_memory_it_is_what_a_dictionary_says(entries: list[list[Row]], from_ns: int, to_ns: int) -> None:
    log, oracle, history = Steps(), Oracle(), History.open(sizes=SMALL)
    for rows in entries:
        measured(log, oracle, rows)
        catch_up(history, log)
        check(history, oracle, from_ns, to_ns)


@settings(max_examples=60)
@given(st.lists(row_lists | st.sampled_from(["save", "close", "kill"]), max_size=14), times, times)
def test_on_disk_it_is_what_a_dictionary_says_through_every_restart(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[Row] | str], from_ns: int, to_ns: int
) -> None:
    folder, log, oracle = tmp_path_factory.mktemp("series"), Steps(), Oracle()
    history = History.open(folder, log, sizes=SMALL, executor=Inline())
    for step in steps:
        match step:
            case list():
                measured(log, oracle, step)
            case "save":
                history.save()
            case _:
                if step == "close":
                    history.close()
                history = History.open(folder, log, sizes=SMALL, executor=Inline())
                if step == "close":
                    assert history.size == log.size
        catch_up(history, log)
        check(history, oracle, from_ns, to_ns)
    history.close()


def filled(folder: Path, log: Steps, oracle: Oracle, entries: int = 12, offset: int = 0) -> History:
    history = History.open(folder, log, sizes=SMALL, executor=Inline())
    for number in range(offset, offset + entries):
        measured(log, oracle, [(name, number * 10 + k, number + k / 10, 0.1 * k) for k, name in enumerate(NAMES)])
    catch_up(history, log)
    return history


def test_a_restart_after_a_close_folds_nothing_again(tmp_path: Path) -> None:
    log, oracle = Steps(), Oracle()
    filled(tmp_path, log, oracle).close()
    again = History.open(tmp_path, log, sizes=SMALL)
    assert catch_up(again, log) == 0
    check(again, oracle, *LIMITS)


def test_a_restart_after_a_kill_folds_what_came_after_the_last_save(tmp_path: Path) -> None:
    log, oracle = Steps(), Oracle()
    filled(tmp_path, log, oracle).save()
    filled(tmp_path, log, oracle, offset=20)
    again = History.open(tmp_path, log, sizes=SMALL)
    assert catch_up(again, log) == 12
    check(again, oracle, *LIMITS)


@settings(max_examples=40)
@given(data=st.data())
def test_a_damaged_file_is_never_believed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder, log, oracle = tmp_path_factory.mktemp("series"), Steps(), Oracle()
    filled(folder, log, oracle).close()
    path = data.draw(st.sampled_from(sorted(folder.iterdir())))
    kind = data.draw(st.sampled_from(["flip", "cut", "gone"]))
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    if kind == "gone":
        path.unlink()
    elif kind == "cut":
        path.write_bytes(content[:at])
    else:
        content[at] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
    again = History.open(folder, log, sizes=SMALL, executor=Inline())
    catch_up(again, log)
    try:
        check(again, oracle, *LIMITS)
    except Unavailable:  # found while reading: then the next start is right
        again.close()
        again = History.open(folder, log, sizes=SMALL, executor=Inline())
        assert catch_up(again, log) == log.size
        check(again, oracle, *LIMITS)
    again.close()


def test_a_history_of_another_log_or_a_shorter_one_is_thrown_away(tmp_path: Path) -> None:
    log, oracle = Steps(), Oracle()
    filled(tmp_path, log, oracle).close()
    shorter = Steps()
    shorter.entries = log.entries[:5]
    assert History.open(tmp_path, shorter).size == 0
    assert not list(tmp_path.iterdir())
    filled(tmp_path, log, Oracle(), entries=0).close()
    other = Steps()
    other.entries = list(reversed(log.entries))
    assert History.open(tmp_path, other).size == 0


def test_rows_in_a_part_that_is_being_made_are_there(tmp_path: Path) -> None:
    class Later(Executor):
        def __init__(self) -> None:
            self.work: list[tuple[Future[Any], Any]] = []

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            self.work.append((future, fn))
            return future

    log, oracle, later = Steps(), Oracle(), Later()
    history = History.open(tmp_path, log, sizes=Sizes(run=4, part=12, row_group=5), executor=later)
    for number in range(5):
        measured(log, oracle, [(name, number, float(number), math.nan) for name in NAMES])
    catch_up(history, log)
    assert len(later.work) == 1
    check(history, oracle, *LIMITS)
    history.save()
    future, work = later.work[0]
    future.set_result(work())
    check(history, oracle, *LIMITS)
    history.save()
    measured(log, oracle, [("a.x", 99, 1.0, math.nan)])
    catch_up(history, log)
    history.save()
    assert len(list(tmp_path.glob("part-*"))) == 1
    check(History.open(tmp_path, log), oracle_at(oracle), *LIMITS)


def oracle_at(oracle: Oracle) -> Oracle:
    return oracle


def test_a_disk_that_takes_no_part_loses_nothing(tmp_path: Path) -> None:
    class Full(Executor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(OSError(28, "No space left on device"))
            return future

    log, oracle = Steps(), Oracle()
    history = History.open(tmp_path, log, sizes=SMALL, executor=Full())
    for number in range(30):
        measured(log, oracle, [("a.x", number, 1.0, math.nan)])
        catch_up(history, log)
    check(history, oracle, *LIMITS)


def test_a_part_is_made_in_a_thread_of_its_own_by_default(tmp_path: Path) -> None:
    log, oracle = Steps(), Oracle()
    history = History.open(tmp_path, log, sizes=SMALL)
    measured(log, oracle, [("a.x", number, 1.0, math.nan) for number in range(100)])
    catch_up(history, log)
    check(history, oracle, *LIMITS)
    history.close()
    assert list(tmp_path.glob("part-*"))
    check(History.open(tmp_path, log), oracle, *LIMITS)


def test_samples_without_a_standard_deviation_have_none() -> None:
    log, history = Steps(), History.open()
    measured(log, Oracle(), [("a.x", 1, 2.0, math.nan), ("a.y", 1, 2.0, 0.5)])
    catch_up(history, log)
    assert history.range("a.x").std is None
    assert history.range("a.y").std is not None
    assert history.last("a.x") == (1, 2.0, None)
    assert history.last("nobody.x") is None
    assert len(history.range("nobody.x")) == 0


def test_estimates_are_series_of_their_own() -> None:
    log, history = Steps(), History.open()
    log.entries.append(block_entry("measured", [("a.x", 1, 1.0, math.nan)]))
    log.entries.append(block_entry("estimated", [("a.x@estimated", 1, 2.0, 0.1)]))
    catch_up(history, log)
    assert history.last_all() == {"a.x": (1, 1.0, None), "a.x@estimated": (1, 2.0, 0.1)}


@given(st.lists(st.tuples(st.sampled_from(["a.x@predicted", "b.x@predicted"]), st.integers(0, 5)), max_size=10))
def test_of_forecasts_the_newest_stays(issues: list[tuple[str, int]]) -> None:
    log, history = Steps(), History.open()
    expected: dict[str, tuple[int, float]] = {}
    for number, (name, issued) in enumerate(issues):
        rows = [(name, 20, 0.0, math.nan), (name, 10, float(number), math.nan)]
        log.entries.append(block_entry("predicted", rows, {"issued_at_ns": str(issued)}, number))
        if name not in expected or expected[name][0] <= issued:
            expected[name] = (issued, float(number))
    catch_up(history, log)
    assert history.forecast_names() == sorted(expected)
    for name, (issued, value) in expected.items():
        found = history.forecast(name)
        assert isinstance(found, Forecast)
        assert (found.issued_ns, found.at_ns.tolist(), found.value.tolist()) == (issued, [10, 20], [value, 0.0])
    assert history.series_names() == []
    assert history.forecast("nobody.x@predicted") is None


def test_a_forecast_survives_a_restart(tmp_path: Path) -> None:
    log = Steps()
    log.entries.append(block_entry("predicted", [("a.x@predicted", 5, 1.0, 0.5)], {"issued_at_ns": "3"}))
    history = History.open(tmp_path, log)
    catch_up(history, log)
    history.close()
    found = History.open(tmp_path, log).forecast("a.x@predicted")
    assert found is not None
    assert found.std is not None
    assert (found.issued_ns, found.at_ns.tolist(), found.std.tolist()) == (3, [5], [0.5])


NONSENSE = [
    Entry(b"1", b"", None, "measured", "block:x", "author", 0, "application/json"),
    Entry(b"2", b"s", b"no arrow", "measured", "block:x", "author", 0, "application/json"),
    block_entry("measured", [("a.x@estimated", 1, 1.0, math.nan)]),
    block_entry("measured", [("good.x", 1, 1.0, math.nan), ("no series", 1, 1.0, math.nan)]),
    block_entry("estimated", [("a.x", 1, 1.0, math.nan)]),
    block_entry("predicted", [("a.x@predicted", 1, 1.0, math.nan)]),
    block_entry("predicted", [("a.x", 1, 1.0, math.nan)], {"issued_at_ns": "1"}),
    block_entry("predicted", [("a.x@predicted", 1, 1.0, math.nan)], {"issued_at_ns": "9" * 40}),
]


def test_nonsense_is_counted_and_kept_out(tmp_path: Path) -> None:
    log = Steps()
    log.entries += NONSENSE
    history = History.open(tmp_path, log)
    assert catch_up(history, log) == len(NONSENSE)
    assert history.rejected_count == len(NONSENSE)
    assert [index for index, *_ in history.rejected()] == list(range(len(NONSENSE)))
    assert history.series_names() == []
    before = history.rejected()
    history.close()
    assert History.open(tmp_path, log).rejected() == before


def test_other_kinds_only_move_its_size() -> None:
    history = History.open()
    history.apply(0, Entry(b"h", b"s", b"{}", "twin.put", "twin:a", "author", 0, "application/json"))
    assert (history.size, history.rejected_count) == (1, 0)
    with pytest.raises(Invalid, match="cannot take number 5"):
        history.apply(5, NONSENSE[0])


def test_a_folder_without_its_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="needs the log"):
        History.open(tmp_path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be opened"):
        History.open(tmp_path / "file" / "series", Steps())
