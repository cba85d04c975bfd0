"""Does the mill's twin know time, energy and load of a part that it was not shown, and does it say how sure it is?"""

import functools

import numpy as np
import pytest
from examples.cnc_mill.drives import drive
from examples.cnc_mill.energy import Shown, leave_one_out, relative_rms
from examples.cnc_mill.machine import SPEED, Axis, Spindle
from examples.cnc_mill.order import TURNS, in_order, wrapped
from examples.cnc_mill.quality import by_level, clopper_pearson, ranked, settings, watch
from examples.cnc_mill.records import FOLDER, STEP_S, read
from examples.cnc_mill.trade import Feed, even
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

from ectype.calibrate.calibration import calibrate
from ectype.estimate.emit_numpy import NumpyKernel
from ectype.estimate.simulate import simulate
from ectype.estimate.trace import trace

recorded = pytest.mark.skipif(
    not (FOLDER / "cnc_mill.parquet").exists(), reason="the mill's recordings (../shared/data/cnc_mill) are absent"
)
parts = functools.cache(read)


@functools.cache
def every():
    return Shown.of([p for p in parts() if p.finished])


@recorded
def test_recordings_are_put_in_the_order_of_time():
    """Energy does not depend on the order; whether the tool leaps does."""
    assert sum(p.ordered.before for p in parts()) > 1500
    assert sum(p.ordered.after for p in parts()) < 10
    for p in parts():
        line = p.columns["M1_sequence_number"]
        line = line[line > 2]
        assert (np.diff(line) < 0).sum() <= 3
        turned = wrapped(np.diff(p.columns["S1_ActualPosition"]))
        assert turned.sum() == pytest.approx(SPEED * STEP_S * (len(p.power) - 1), rel=0.01, abs=60)  # nothing is lost


@recorded
def test_time_and_energy_of_parts_that_were_not_shown_are_foretold():
    """One at feed 20, the only one at 12, one at 3: 0.5 % in time; Wh nearer than 5 %, nearer still once it began."""
    judged, _ = leave_one_out(parts(), which=(2, 10, 18))
    assert len(judged) == 3
    for j in judged:
        assert j.cost.seconds == pytest.approx(j.part.seconds, rel=0.005)
        low, _, high = j.cost.interval
        assert 0.03 < (high - low) / j.part.spindle_wh < 0.15
    came = [j.part.spindle_wh for j in judged]
    assert sum(j.inside for j in judged) >= 2
    assert relative_rms([j.cost.interval[1] for j in judged], came) < 0.05
    assert relative_rms([j.started for j in judged], came) < 0.03


@recorded
def test_lost_parts_are_noticed_by_what_no_sensor_reads():
    alarms = by_level([watch(p, every()) for p in parts()])
    noticed = {n for n, s in alarms.lost.items() if s is not None}
    assert set(alarms.lost) == {4, 5, 7, 16}
    assert noticed >= {5, 7}
    assert alarms.lost[7] > 10
    assert len(alarms.false) <= 1


@recorded
def test_the_drive_is_explained_better_than_by_the_usual_formula():
    found = drive([p for p in parts() if p.number in (1, 2, 11, 3, 8, 12, 16)], "Y1")
    assert len(found.usual) == 4
    assert (found.free > found.usual).all()
    assert np.median(found.following) > 0.8
    assert all(0.5 < fit.nis < 1.6 and 0.85 < fit.covered < 0.97 for fit in found.fits.values())


@recorded
def test_what_is_known_before_goes_with_failed_inspections():
    area, chance = ranked(settings(parts()), parts())
    assert area > 0.9
    assert chance < 0.01


@recorded
def test_a_good_part_at_the_slow_feed_is_cheaper_once_blocks_cost_little():
    rng = np.random.default_rng(0)
    slow, fast = (Feed.of(parts(), f, rng) for f in (3.0, 20.0))
    assert (slow.passed, slow.begun, fast.passed, fast.begun) == (6, 6, 1, 5)
    assert (slow.rate > fast.rate).mean() > 0.98
    more = even(slow, fast, "wh")
    assert 0 < more < 5
    assert np.median(fast.good_wh(2 * more)) > np.median(slow.good_wh(2 * more))


@trials(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([3.0, 6.0, 20.0]))
def test_shuffled_packets_of_a_made_up_run_are_put_back(seed, feed):
    """A zigzag over three layers, its clock wrapped and rounded to three digits as in the recordings."""
    rng = np.random.default_rng(seed)
    columns = made_up(feed, rng)
    rows = len(columns["row"])
    packets = np.split(np.arange(rows), np.arange(10, rows, 10))
    shuffled = np.concatenate([packets[i] for i in rng.permutation(len(packets))])
    found = in_order({n: v[shuffled] for n, v in columns.items()})
    np.testing.assert_array_equal(found.columns["row"], columns["row"])
    assert found.after == 0


def made_up(feed, rng):
    """Columns of a run; `row` numbers them. Lines of 16 mm along X with 4 mm along Y between them."""
    corners = [(0.0, 0.0, 29.0)]
    for layer in range(3):
        for k in range(5):
            x, y, z = corners[-1]
            corners += [(16.0 - x, y, z), (16.0 - x, y + (4.0 if layer % 2 == 0 else -4.0), z)]
            del k
        x, y, z = corners[-1]
        corners.append((x, y, z - 1.0))
    corners = np.array(corners)
    along = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))]
    s = np.arange(0.0, along[-1], feed * STEP_S)
    at = np.stack([np.interp(s, along, corners[:, a]) for a in range(3)], axis=1)
    velocity = np.gradient(at, STEP_S, axis=0)
    line = np.searchsorted(along, s, side="right") + 8.0
    line[::10] = 2.0
    turns = rng.uniform(-TURNS / 2, TURNS / 2) + SPEED * STEP_S * np.arange(len(s))
    clock = wrapped(turns)
    digits = 10.0 ** (np.floor(np.log10(np.maximum(np.abs(clock), 1.0))) - 2)
    columns = {"M1_sequence_number": line, "row": np.arange(len(s), dtype=float)}
    columns |= {f"{a}1_ActualPosition": at[:, i] for i, a in enumerate("XYZ")}
    columns |= {f"{a}1_ActualVelocity": velocity[:, i] for i, a in enumerate("XYZ")}
    columns |= {"S1_ActualPosition": np.round(clock / digits) * digits, "S1_ActualVelocity": np.full(len(s), SPEED)}
    return columns | {"S1_CommandVelocity": np.full(len(s), SPEED)}


@pytest.mark.parametrize("behaviour", [Spindle, Axis])
def test_filters_are_as_sure_as_they_should_be_on_simulated_mills(behaviour):
    """400 mills that obey the behaviour: mean NIS and the state's mean squared error in its own covariance are 1."""
    graph, rng, n, k = trace(behaviour), np.random.default_rng(3), 400, 80
    constants = np.repeat([[p.value] for p in graph.layout.constants], n, axis=1)
    events = np.zeros((k, graph.event_size, n))
    events[:, 0], events[:, 1], events[:, -1] = STEP_S * np.arange(1, k + 1)[:, None], STEP_S, 1.0
    inputs = len(graph.layout.inputs)
    events[:, 2 : 2 + inputs] = rng.standard_normal((k, inputs, n)) * 2.0
    first = np.array([[s.init[0]] for s in graph.layout.states])
    first = first + np.array([[s.init[1]] for s in graph.layout.states]) * rng.standard_normal((graph.size, n))
    world = simulate(behaviour, first, constants, events, rng)
    _, out = NumpyKernel(graph).fold(graph.initial(n), constants, world.events, np.ones((k, n)))
    assert out[:, graph.belief_size + 2].mean() == pytest.approx(1.0, abs=0.03)  # 32,000 chi-squares of 1: sd 0.008
    miss = out[:, : graph.size] - world.truth
    for i in range(graph.size):
        assert (miss[-1, i] ** 2 / out[-1, graph.variance_row(i)]).mean() == pytest.approx(1.0, abs=0.3)  # sd 0.07


def test_the_ripple_of_a_turn_is_told_from_the_cut():
    """A simulated spindle that takes 0.8 J a mm: found from stretches in air and in the block, ripple and all."""
    graph, rng = trace(Spindle), np.random.default_rng(4)
    names = [p.name for p in graph.layout.constants]
    true = {"idle": 175.0, "cutting": 0.8, "grip": 140.0}
    constants = np.array([[true[n]] for n in names])
    records = []
    for _ in range(6):
        events = np.zeros((150, graph.event_size, 1))
        events[:, 0], events[:, 1], events[:, -1] = STEP_S * np.arange(1, 151)[:, None], STEP_S, 1.0
        events[:, 2] = np.repeat(rng.choice([0.0, 20.0], 10), 15)[:, None]
        events[:, 3] = 0.1 * rng.standard_normal((150, 1))
        first = np.array([[4.0], [12.0], [12.0]]) * rng.standard_normal((3, 1))
        records.append(simulate(Spindle, first, constants, events, rng).events[:, :, 0])
    found = calibrate(Spindle, records, shooting=False).estimates
    for name, value in true.items():
        e = found[name]
        assert abs(e.value - value) < 2 * (e.high - e.low) / 2
    assert found["cutting"].high - found["cutting"].low < 0.5


def test_few_parts_say_little():
    """The exact interval of 0 of 14 ends where fourteen passes are a chance of 2.5 %."""
    low, high = clopper_pearson(0, 14)
    assert low == 0.0
    assert (1 - high) ** 14 == pytest.approx(0.025)
    assert clopper_pearson(4, 4)[1] == 1.0
