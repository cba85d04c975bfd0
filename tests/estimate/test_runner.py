from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ectype.clock import from_iso, to_iso
from ectype.errors import Invalid
from ectype.estimate import runner as runner_module
from ectype.estimate.runner import Fleet, Runner, TwinSetup
from ectype.estimate.ticks import Pending, gather
from ectype.values.block import Block

from .farm import IDS, TEN_MIN, USED, fleet, part, series, shipped, steady

STORM = from_iso("2014-12-27T00:00:00Z")
DAY = shipped(STORM, STORM + 144 * TEN_MIN)


def run(blocks, runner=None):
    runner = runner or Runner(fleet())
    outputs = [runner.advance(b) for b in blocks]
    estimated = Block.concat([o.estimated for o in outputs])
    return runner, estimated, [a for o in outputs for a in o.alarms], sum(o.late for o in outputs)


WHOLE = run([DAY])


def same(a, b):
    return (
        a.rows() == b.rows()
        if len(a) < 100
        else (
            [a.names[i] for i in a.series] == [b.names[i] for i in b.series]
            and np.array_equal(a.at_ns, b.at_ns)
            and np.array_equal(a.value, b.value)
            and np.array_equal(a.std, b.std, equal_nan=True)
        )
    )


@given(st.lists(st.integers(1, len(DAY) - 1), max_size=12, unique=True).map(sorted))
@settings(max_examples=15, deadline=None)
def test_estimates_and_alarms_do_not_depend_on_where_rows_are_cut_into_blocks(cuts):
    edges = [0, *cuts, len(DAY)]
    blocks = [part(DAY, slice(a, b)) for a, b in pairwise(edges)]
    runner, estimated, alarms, late = run(blocks)
    assert same(estimated, WHOLE[1])
    assert alarms == WHOLE[2]
    assert late == 0
    assert runner.snapshot() == WHOLE[0].snapshot()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_rows_of_one_instant_may_come_in_any_order(seed):
    order = np.lexsort((np.random.default_rng(seed).random(len(DAY)), DAY.at_ns))
    assert same(run([part(DAY, order)])[1], WHOLE[1])


@given(st.integers(1, 143))
@settings(max_examples=6, deadline=None)
def test_a_restored_runner_goes_on_as_if_nothing_had_happened(tick):
    early = part(DAY, DAY.at_ns < STORM + tick * TEN_MIN)
    late = part(DAY, DAY.at_ns >= STORM + tick * TEN_MIN)
    first, estimated, alarms, _ = run([early])
    second, more, others, _ = run([late], Runner(fleet(), snapshot=first.snapshot()))
    assert same(Block.concat([estimated, more]), WHOLE[1])
    assert alarms + others == WHOLE[2]
    assert second.snapshot() == WHOLE[0].snapshot()


def test_a_snapshot_of_another_fleet_or_of_nothing_is_refused():
    snapshot = WHOLE[0].snapshot()
    with pytest.raises(Invalid, match="another fleet"):
        Runner(fleet(IDS[:3]), snapshot=snapshot)
    for bad in (b"", b"nonsense", snapshot[: len(snapshot) // 2]):
        with pytest.raises(Invalid, match="no snapshot"):
            Runner(fleet(), snapshot=bad)


@pytest.fixture
def short(monkeypatch):
    """A mark every ten ticks."""
    monkeypatch.setattr(runner_module, "DEPTH", 10)


@pytest.mark.usefixtures("short")
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, len(DAY) - 1), max_size=12, unique=True).map(sorted))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_that_come_late_end_where_rows_in_order_do_bit_for_bit(seed, cuts):
    r = np.random.default_rng(seed)
    behind = np.where(r.random(len(DAY)) < 0.05, r.integers(0, 10 * TEN_MIN, len(DAY)), 0)
    last = DAY.at_ns == DAY.at_ns.max()
    order = np.lexsort((np.arange(len(DAY)), np.where(last, DAY.at_ns + 20 * TEN_MIN, DAY.at_ns + behind)))
    mixed = part(DAY, order)
    blocks = [part(mixed, slice(a, b)) for a, b in pairwise([0, *cuts, len(DAY)])]
    straight, wanted, alarms, _ = run([DAY], Runner(fleet()))
    runner, estimated, told, late = run(blocks)
    assert late == 0
    assert runner.snapshot() == straight.snapshot()
    assert last_told(estimated) == last_told(wanted)
    assert lasting(told) == lasting(alarms)
    over = {(a.twin, a.since_ns, a.until_ns) for a in alarms if a.change == "cleared"}
    assert over <= {(a.twin, a.since_ns, a.until_ns) for a in told if a.change == "cleared"}
    restored = Runner(fleet(), snapshot=runner.snapshot())
    assert restored.snapshot() == straight.snapshot()


def last_told(estimated):
    return {(name, at): (value, std) for name, at, value, std in estimated.rows()}


def lasting(alarms):
    """The alarms that last, as whoever reads them one after the other has them."""
    found = {}
    for a in alarms:
        if a.change == "cleared":
            found.pop(a.twin, None)
        else:
            found[a.twin] = a.since_ns
    return found


def test_a_standstill_that_late_readings_deny_is_cleared():
    block = shipped(STORM - 36 * TEN_MIN, STORM + 144 * TEN_MIN)
    runner, _, told, _ = run([block])
    raised = [a for a in told if a.change == "raised"]
    assert raised, "the storm stops a turbine"
    twin = raised[0].twin
    rows = np.array([block.names[i] == f"{twin}.power" for i in block.series])
    stopped = (block.at_ns >= raised[0].since_ns) & rows
    value = block.value.copy()
    value[stopped] = 900.0
    _, _, wanted, _ = run([Block(block.names, block.series, block.at_ns, value)])
    hole = part(block, ~stopped)
    late = Block(block.names, block.series[stopped], block.at_ns[stopped], value[stopped])
    flush = steady(1, start_ns=int(block.at_ns.max()) + 2 * TEN_MIN)
    runner, _, first, _ = run([hole, flush])
    runner, _, second, _ = run([late], runner)
    assert lasting([*first, *second]).get(twin) == lasting(wanted).get(twin)


def test_a_row_before_the_last_marks_is_counted_and_changes_nothing(monkeypatch):
    monkeypatch.setattr(runner_module, "DEPTH", 2)
    block = steady(6)
    runner, _, _, _ = run([block])
    before = runner.snapshot()
    output = runner.advance(Block.of([("R80711.power", int(block.at_ns[0]), 5.0)]))
    assert output.late == 1
    assert len(output.estimated) == 0
    assert runner.snapshot() == before


def test_a_late_repeat_changes_nothing():
    block = steady(6)
    runner, _, _, _ = run([block])
    before = runner.snapshot()
    output = runner.advance(Block.of([("R80711.power", int(block.at_ns[0]), 5.0)]))
    assert (output.late, len(output.estimated)) == (0, 0)
    assert runner.snapshot() == before


def test_a_tick_that_misses_a_sensor_waits_ten_minutes_and_no_longer():
    block = steady(3)
    first = int(block.at_ns[0])
    hole = part(block, ~((block.at_ns == first) & (block.series == block.names.index("R80736.vane"))))
    runner = Runner(fleet())
    assert len(runner.advance(part(hole, hole.at_ns == first)).estimated) == 0
    later = runner.advance(part(hole, hole.at_ns == first + TEN_MIN))
    assert sorted({int(t) for t in later.estimated.at_ns}) == [first, first + TEN_MIN]


def test_a_turbine_that_says_nothing_gets_no_estimates():
    block = steady(4)
    quiet = part(block, np.array([not block.names[i].startswith("R80721") for i in block.series]))
    _, estimated, _, _ = run([quiet])
    told = {estimated.names[i].partition(".")[0] for i in estimated.series}
    assert told == {"R80711", "R80736", "R80790"}


def test_impossible_readings_count_as_missing():
    block = steady(4)
    value = block.value.copy()
    value[np.array([block.names[i] == "R80721.temperature" for i in block.series])] = -273.2
    _, estimated, _, _ = run([Block(block.names, block.series, block.at_ns, value)])
    density = series(estimated, "R80721.airDensity@estimated")[1]
    assert density == pytest.approx(1.18, abs=0.02)


def test_other_series_twins_and_facets_are_passed_over():
    block = steady(3)
    extra = Block.of([("R80711.nacelle", 5, 1.0), ("pump.level", 5, 1.0), ("R80711.power@estimated", 5, 1.0)])
    assert same(run([Block.concat([extra, block])])[1], run([block])[1])


def test_a_space_without_turbines_costs_nothing():
    output = Runner(Fleet((TwinSetup("x", "dtmi:demo:Pump;1", {}),))).advance(steady(2))
    assert (len(output.estimated), output.predicted, output.alarms) == (0, (), ())


def test_a_height_that_is_no_number_is_told():
    with pytest.raises(Invalid, match="R1: elevation"):
        Runner(Fleet((TwinSetup("R1", "dtmi:ectype:WindTurbine;1", {"elevation": "high"}),)))


def test_of_repeats_the_first_counts():
    block = Block.of([("A.power", 10, 1.0), ("A.power", 10, 2.0)])
    ticks, _ = gather(Pending.none(1, 1), block, ("power",), ("A",), 600)
    assert ticks.values.ravel().tolist() == [1.0]


def test_forecasts_are_quantiles_in_order_six_hours_ahead():
    runner = Runner(fleet())
    output = runner.advance(DAY)
    assert {f.twin for f in output.predicted} == set(IDS)
    for f in output.predicted:
        middle = series(f.block, f"{f.twin}.power@predicted")
        low = series(f.block, f"{f.twin}.powerP05@predicted")[1]
        high = series(f.block, f"{f.twin}.powerP95@predicted")[1]
        assert middle[0].tolist() == [f.issued_at_ns + k * TEN_MIN for k in range(1, 37)]
        assert (low <= middle[1]).all()
        assert (middle[1] <= high).all()
        assert low.min() >= 0
        assert high.max() < 2100


def test_machine_code_takes_over_without_a_trace_in_the_numbers(tmp_path):
    runner = Runner(fleet(), cache_dir=tmp_path)
    runner.kernel.wait()
    blocks = [part(DAY, (DAY.at_ns - STORM) // TEN_MIN // 24 == k) for k in range(6)]
    assert same(run(blocks, runner)[1], WHOLE[1])
    assert runner.kernel.fast


def test_forecasts_are_those_of_the_first_tick_of_each_hour_however_rows_are_cut():
    rows = len(USED) * len(IDS)
    day = steady(30, start_ns=from_iso("2015-03-01T00:20:00Z"))

    def told(cuts):
        runner = Runner(fleet())
        blocks = [part(day, slice(a, b)) for a, b in pairwise([0, *cuts, len(day)])]
        return [f for b in blocks for f in runner.advance(b).predicted]

    whole, cut = told([]), told([3 * rows, 3 * rows + 7, 17 * rows])
    hours = ["00:20", "01:00", "02:00", "03:00", "04:00", "05:00"]
    assert [to_iso(f.issued_at_ns)[11:16] for f in whole if f.twin == IDS[0]] == hours
    assert [(f.twin, f.issued_at_ns, f.block.rows()) for f in whole] == [
        (f.twin, f.issued_at_ns, f.block.rows()) for f in cut
    ]


def test_the_yaw_misalignment_is_never_told_surer_than_the_season_allows():
    _, estimated, _, _ = run([shipped()])
    for i in IDS:
        _, value, std = series(estimated, f"{i}.yawMisalignment@estimated")
        assert std.min() >= 0.8
        assert std[-1] < 0.9
        # What three weeks said and what twelve said are the same number within what was told.
        assert abs(value[3 * 7 * 144] - value[-1]) < 1.96 * std[3 * 7 * 144]
