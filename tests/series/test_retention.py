"""What is past is answered from tiers, and they say what the samples said: however they came, at any moment of the
work beside, after any restart, and when the history is folded again.
"""

import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectype.errors import Invalid, Misconfigured, Unavailable
from ectype.log.fold import catch_up
from ectype.series.fold import History, Sizes
from ectype.series.retention import Retention, Rule, TierRule, length_ns, read_retention
from tests.series.making import Row, Steps, block_entry
from tests.series.test_history import LIMITS, Inline, rows_of, same

SMALL = Sizes(run=4, part=10, row_group=3, fan=3)
RULES = Retention(
    (
        Rule(10, (TierRule(4, 40), TierRule(8)), "a.x"),
        Rule(20, (), "a.y"),
        Rule(None, (TierRule(4),), "b.x"),
    )
)
NAMES = ("a.x", "a.y", "b.x", "Z.x")

values = st.floats(-1e6, 1e6) | st.just(math.nan)
stds = st.just(math.nan) | st.floats(0, 10)
rows_near = st.lists(st.tuples(st.sampled_from(NAMES), st.integers(-12, 6), values, stds), max_size=20)
steps_taken = st.lists(
    st.tuples(rows_near, st.integers(0, 15)) | st.sampled_from(["save", "close", "kill"]), max_size=14
)


class Ages:
    """The rules by hand, a sample at a time: which are kept, and which count in stretches."""

    def __init__(self, rules: Retention) -> None:
        self.rules = rules
        self.kept: dict[str, dict[int, tuple[float, float]]] = {}
        self.late: dict[str, list[tuple[int, float]]] = {}
        self.newest: int | None = None
        self.appended: int | None = None

    def before(self, name: str, keep_ns: int | None) -> int:
        if keep_ns is None or self.newest is None or self.appended is None:
            return LIMITS[0]
        align = self.rules.of(name).align_ns
        return (min(self.newest, self.appended) - keep_ns) // align * align

    def add(self, rows: Sequence[Row], at_ns: int) -> list[Row]:
        """Takes rows in; returns those that it took: what comes late must not repeat (nobody could tell)."""
        due = {name: self.before(name, self.rules.of(name).raw_ns) for name in NAMES}
        taken: list[Row] = []
        known = {(name, at) for name in NAMES for at in self.kept.get(name, {})}
        known |= {(name, at) for name in NAMES for at, _ in self.late.get(name, [])}
        for name, at, value, std in rows:
            if at < due[name]:
                if (name, at) in known:
                    continue
                known.add((name, at))
                self.late.setdefault(name, []).append((at, value))
            else:
                self.kept.setdefault(name, {})[at] = (value, std)
            taken.append((name, at, value, std))
        if taken:
            times = [at for _, at, _, _ in taken] + ([] if self.newest is None else [self.newest])
            self.newest = max(times)
        self.appended = at_ns if self.appended is None else max(at_ns, self.appended)
        return taken

    def raw(self, name: str) -> list[tuple[int, float, float]]:
        due = self.before(name, self.rules.of(name).raw_ns)
        return [(at, *row) for at, row in sorted(self.kept.get(name, {}).items()) if at >= due]

    def stretch(self, name: str, from_ns: int, to_ns: int) -> list[tuple[int, float]]:
        """All samples that count, by time."""
        kept = [(at, value) for at, (value, _) in self.kept.get(name, {}).items()]
        return sorted(
            ((at, value) for at, value in kept + self.late.get(name, []) if from_ns <= at < to_ns), key=lambda s: s[0]
        )


def check(history: History, ages: Ages) -> None:
    for name in NAMES:
        rule = ages.rules.of(name)
        curve = history.curve(name)
        due = ages.before(name, rule.raw_ns)
        raw = [row for row in rows_of(curve.samples) if row[0] >= due]
        assert same(raw, ages.raw(name))
        past = [row for row in rows_of(curve.samples) if row[0] < due]
        bounds = [due, *(ages.before(name, tier.keep_ns) for tier in rule.tiers)]
        for tier, low, high in zip(rule.tiers, bounds[1:], bounds, strict=False):
            check_stretches(history, ages, name, tier.every_ns, low, high, past)
        lowest = min(bounds)
        assert all(at >= lowest for at, _, _ in past)
        for tier in rule.tiers[:1]:  # what is kept sample by sample too is told the same by a tier
            told = history.curve(name, finest_ns=tier.every_ns).samples
            ends = [at for at, _ in ages.stretch(name, due, 2**62)]
            if ends:
                check_stretches(history, ages, name, tier.every_ns, due, max(ends) + 1, rows_of(told))


def check_stretches(
    history: History,
    ages: Ages,
    name: str,
    every_ns: int,
    low: int,
    high: int,
    told: list[tuple[int, float, float]],
) -> None:
    times = [at for at, _ in ages.stretch(name, low, high)]
    if not times:
        assert not [at for at, _, _ in told if low <= at < high]
        return
    first = min(times) // every_ns * every_ns
    sums = history.sums(name, first, high - 1, every_ns)
    assert np.all(np.isin(sums.at_ns, [at for at in sums.at_ns.tolist() if first <= at < high]))
    for start in range(first, high, every_ns):
        samples = ages.stretch(name, start, start + every_ns)
        picks = [(at, value) for at, value, _ in told if start <= at < start + every_ns]
        assert bool(samples) == bool(picks)
        inside = (sums.at_ns >= start) & (sums.at_ns < start + every_ns)
        there = [value for _, value in samples if not math.isnan(value)]
        assert sums.count[inside].sum() == len(there)
        assert sums.total[inside].sum() == pytest.approx(math.fsum(there), rel=1e-9, abs=1e-6)
        if not samples:
            continue
        assert set(map(repr, picks)) <= set(map(repr, samples))
        assert same(picks[0], samples[0])
        assert same(picks[-1], samples[-1])
        numbers = [value for _, value in picks if not math.isnan(value)]
        assert (min(numbers, default=None), max(numbers, default=None)) == (
            min(there, default=None),
            max(there, default=None),
        )
        gaps = [at for at, value in samples if math.isnan(value)]
        assert [at for at, value in picks if math.isnan(value)][:1] == gaps[:1]


class OnDemand(Future[Any]):
    """Work that nobody does before it is asked for."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__()
        self._work = work

    def do(self) -> None:
        if self.done():
            return
        try:
            self.set_result(self._work())
        except OSError as error:
            self.set_exception(error)

    def result(self, timeout: float | None = None) -> Any:
        self.do()
        return super().result(timeout)


class Beside(Executor):
    def __init__(self) -> None:
        self.given: list[OnDemand] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.given.append(OnDemand(lambda: fn(*args, **kwargs)))
        return self.given[-1]


def opened(folder: Path, log: Steps, rules: Retention = RULES, executor: Executor | None = None) -> History:
    return History.open(folder, log, sizes=SMALL, executor=executor or Inline(), retention=rules)


@settings(max_examples=60, deadline=None)
@given(steps_taken, st.booleans())
def test_tiers_say_what_the_samples_said_through_every_restart(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[list[Row], int] | str], at_once: bool
) -> None:
    """The work beside is done at once, or at some time, or never: a kill may come between any two pieces of it."""
    folder, log, ages, now = tmp_path_factory.mktemp("series"), Steps(), Ages(RULES), 0
    beside = Beside()
    executor = Inline() if at_once else beside
    history = opened(folder, log, executor=executor)
    for step in steps:
        if isinstance(step, tuple):
            rows, later = step
            now += later
            taken = ages.add([(name, now + at, value, std) for name, at, value, std in rows], now)
            log.entries.append(block_entry("measured", taken, number=log.size, at_ns=now))
        elif step == "save":
            history.save()
        elif step == "work":
            for each in beside.given:
                each.do()
        else:
            if step == "close":
                history.close()
            history = opened(folder, log, executor=executor)
        catch_up(history, log)
        check(history, ages)
    history.close()
    again = opened(tmp_path_factory.mktemp("again"), log)
    catch_up(again, log)
    check(again, ages)
    again.close()


def long_log(entries: int = 200, step: int = 3) -> tuple[Steps, Ages]:
    log, ages = Steps(), Ages(RULES)
    for number in range(entries):
        now = number * step
        rows = [(name, now + k, math.sin(now + k) * 10 + k, 0.5) for k, name in enumerate(NAMES)]
        if number % 7 == 3:  # some come late: to what is a sample still, and to what is past
            rows += [("a.x", now - 5, 77.0 + number, math.nan), ("a.x", now - 31, -50.0 - number, math.nan)]
        if number % 5 == 1:  # and some again
            rows += [("a.x", now - 3, 5.5, math.nan), ("b.x", now - 61, 5.5, math.nan)]
        taken = ages.add(rows, now)
        log.entries.append(block_entry("measured", taken, number=log.size, at_ns=now))
    return log, ages


def test_what_is_past_leaves_the_disk_and_the_tiers_stay(tmp_path: Path) -> None:
    log, ages = long_log()
    history = opened(tmp_path, log)
    catch_up(history, log)
    check(history, ages)
    history.settle()
    history.save()
    check(history, ages)
    kept = sum(len(rows) for name, rows in ages.kept.items() if name in ("a.x", "a.y"))
    parts = list(tmp_path.glob("part-*.parquet"))
    assert parts
    assert list(tmp_path.glob("tier-*.parquet"))
    there = [name for part in parts for name in pq.read_table(part).column("series").to_pylist()]
    assert sum(name in ("a.x", "a.y") for name in there) < kept / 2
    assert sum(name == "Z.x" for name in there) > 150
    history.close()
    again = opened(tmp_path, log)
    assert again.size == log.size
    check(again, ages)
    again.close()


CHILD = """
import sys
from pathlib import Path
from ectype.log.fold import catch_up
from ectype.series.fold import History
from tests.series.test_retention import RULES, SMALL, long_log
log, _ = long_log()
history = History.open(Path(sys.argv[1]), log, sizes=SMALL, retention=RULES)
while history.size < log.size:
    catch_up(history, log, min(log.size, history.size + 7))
    history.save()
    print(history.size, flush=True)
"""


def test_a_process_that_is_killed_anywhere_loses_and_repeats_nothing(tmp_path: Path) -> None:
    log, ages = long_log()
    for lines in (2, 5, 1, 9):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        words = [sys.executable, "-c", CHILD, str(tmp_path)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment) as child:
            assert child.stdout is not None
            for _ in range(lines):
                child.stdout.readline()
            child.send_signal(signal.SIGKILL)
    history = opened(tmp_path, log)
    assert history.size > 0
    catch_up(history, log)
    check(history, ages)
    history.close()


def test_what_comes_late_and_again_counts_again_as_nobody_can_tell(tmp_path: Path) -> None:
    log = Steps()
    for number, at in enumerate((0, 1, 100, 1, 1)):
        log.entries.append(block_entry("measured", [("a.x", at, float(number), math.nan)], number=number, at_ns=100))
    history = opened(tmp_path, log)
    catch_up(history, log)
    sums = history.sums("a.x", 0, 7, 8)
    assert sums.count.sum() == 4.0
    assert [stretch.every_ns for stretch in sums.stretches] == [8]
    assert rows_of(history.range("a.x", 0, 7))[-1][:2] == (1, 4.0)
    history.close()


def test_a_clock_that_runs_ahead_makes_nothing_old(tmp_path: Path) -> None:
    log = Steps()
    log.entries.append(block_entry("measured", [("a.x", 5, 1.0, math.nan), ("a.y", 6, 1.0, math.nan)], at_ns=7))
    log.entries.append(block_entry("measured", [("a.x", 10**18, 2.0, math.nan)], number=1, at_ns=8))
    history = opened(tmp_path, log)
    catch_up(history, log)
    assert [row[0] for row in rows_of(history.range("a.x"))] == [5, 10**18]
    assert [row[0] for row in rows_of(history.range("a.y"))] == [6]
    assert [stretch.every_ns for stretch in history.curve("a.x").stretches][-1] is None
    history.close()


def test_a_series_without_tiers_is_not_kept_when_it_is_past_but_its_newest_is_known(tmp_path: Path) -> None:
    log = Steps()
    log.entries.append(block_entry("measured", [("Z.x", 100, 1.0, math.nan)], at_ns=100))
    log.entries.append(
        block_entry("measured", [("a.y", 5, 3.0, math.nan), ("a.y", 6, 4.0, math.nan)], number=1, at_ns=101)
    )
    history = opened(tmp_path, log)
    catch_up(history, log)
    assert len(history.range("a.y")) == 0
    assert history.last("a.y") == (6, 4.0, None)
    assert history.span() == (5, 100)
    history.close()


def test_other_rules_fold_the_log_again(tmp_path: Path) -> None:
    log, ages = long_log(60)
    history = opened(tmp_path, log)
    catch_up(history, log)
    history.close()
    again = opened(tmp_path, log, Retention())
    assert again.size == 0
    catch_up(again, log)
    everything = sorted({at for entry_rows in (ages.kept["a.x"], dict(ages.late.get("a.x", []))) for at in entry_rows})
    assert again.range("a.x").at_ns.tolist() == everything
    again.close()


def test_whoever_has_a_loop_is_told_when_rows_would_have_to_wait(tmp_path: Path) -> None:
    beside, log = Beside(), Steps()
    history = opened(tmp_path, log, executor=beside)
    for number in range(20):
        if history.busy:
            break
        log.entries.append(block_entry("measured", [("a.x", number, 1.0, math.nan)], number=number, at_ns=number))
        catch_up(history, log)
    assert 12 <= number < 20
    assert not beside.given[0].done()
    beside.given[0].do()
    assert not history.busy
    history.close()


def test_the_rule_of_a_series_is_the_first_that_fits(tmp_path: Path) -> None:
    (tmp_path / "retention.toml").write_text(
        """
        [[rule]]
        type = "dtmi:x:Pump;1"
        series = "*.vibration_?"
        raw = "7d"
        [[rule]]
        series = "*@estimated"
        raw = "90d"
        tiers = [{ every = "1min", keep = "2y" }, { every = "1h" }]
        """,
        "utf-8",
    )
    rules = read_retention(tmp_path, {"p1": "dtmi:x:Pump;1"}.get)
    day = 86_400 * 10**9
    assert rules.of("p1.vibration_x").raw_ns == 7 * day
    assert rules.of("p2.vibration_x").raw_ns is None
    assert rules.of("p1.vibration_xy").raw_ns is None
    kept = rules.of("p2.power@estimated")
    assert (kept.raw_ns, kept.align_ns) == (90 * day, 3600 * 10**9)
    assert kept.tiers == (TierRule(60 * 10**9, 730 * day), TierRule(3600 * 10**9))
    assert rules.widths() == (60 * 10**9, 3600 * 10**9)
    assert read_retention(tmp_path / "nowhere").of("a.x") == Rule()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[rule]\n", "retention.toml"),
        ('[[rule]]\nserie = "x"', "unknown field `serie`"),
        ('[[rule]]\nraw = "30"', "rule 1: '30' is no length"),
        ('[[rule]]\nraw = "0d"', "is no length"),
        ('[[rule]]\ntiers = [{ every = "forever" }]', "a tier's 'every'"),
        ('[[rule]]\ntiers = [{ every = "1h" }, { every = "90min" }]', "whole multiple"),
        ('[[rule]]\nraw = "30d"\ntiers = [{ every = "1h", keep = "2d" }]', "kept longer than the one before"),
    ],
)
def test_a_rule_that_cannot_be_meant_so_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "retention.toml").write_text(text, "utf-8")
    with pytest.raises(Misconfigured, match=told):
        read_retention(tmp_path)


def test_lengths_of_time_are_read_as_people_write_them() -> None:
    assert length_ns("10 s") == 10 * 10**9
    assert length_ns("forever") is None
    for wrong in ("", "1", "s", "-1s", "1m", "1.5h", "999999999y"):
        with pytest.raises(Invalid, match="is no length of time"):
            length_ns(wrong)


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_a_damaged_tier_is_never_believed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder, (log, ages) = tmp_path_factory.mktemp("series"), long_log(30)
    history = opened(folder, log)
    catch_up(history, log)
    history.close()
    path = data.draw(st.sampled_from(sorted(folder.glob("tier-*.parquet"))))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    again = opened(folder, log)
    catch_up(again, log)
    try:
        check(again, ages)
    except Unavailable:  # found while reading: then the next start is right
        again.close()
        again = opened(folder, log)
        assert catch_up(again, log) == log.size
        check(again, ages)
    again.close()
