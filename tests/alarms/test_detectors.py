"""CUSUM and NIS windows, as a fold over a fleet: as often wrong as they say, as quick as published, the same however
rows come.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from ectype.alarms.cusum import K, first_shift, run_length, threshold, thresholds
from ectype.alarms.detectors import Detectors
from ectype.alarms.windows import log_tail, tail
from ectype.errors import Invalid
from tests.alarms.plants import Bearing, Plant, Tracked, events_of, kernel_of


def folded(detectors, graph, e, present=None, step_s=1.0, state=None, from_row=0):
    """States from residuals e [k, sensors, n], as if a filter had found them with a predicted deviation of one."""
    k, s, n = e.shape
    events = np.zeros((k, graph.event_size, n))
    events[:, 2 + len(graph.layout.inputs) + s :] = 1.0 if present is None else present
    out = np.zeros((k, graph.output_size, n))
    out[:, graph.belief_size :: 4], out[:, graph.belief_size + 1 :: 4] = e, 1.0
    at = np.repeat((np.int64(10**18) + (from_row + np.arange(k)) * np.int64(step_s * 1e9))[:, None], n, 1)
    return detectors.fold(detectors.initial(n) if state is None else state, at, events, out, np.ones((k, n)))


def seconds(detectors, state):
    """(since, raised, over) of an alarm, in seconds after the first reading."""
    told = detectors.episode(state)
    return [None if t is None else (t - 10**18) // 10**9 for t in (told.since_ns, told.raised_ns, told.over_ns)]


GRAPH = kernel_of(Bearing)[0]


def cusum_alone(false_every_s):
    """Of one sensor; half of the rate is that of windows which never end."""
    return Detectors(GRAPH, false_every_s=false_every_s / 2, window=10**9, settle=0)


@pytest.mark.parametrize(("h", "arl"), [(4, 168), (5, 465)])
def test_the_run_length_is_the_published_one(h, arl):
    """Montgomery, Introduction to Statistical Quality Control, table 9.3: k = 1/2, two-sided, no shift."""
    assert run_length(h) == pytest.approx(arl, rel=0.01)
    assert threshold(run_length(h)) == pytest.approx(h, abs=1e-3)


def test_false_alarms_come_as_often_as_asked():
    rng = np.random.default_rng(0)
    detectors = cusum_alone(100)
    raised = detectors.lasting(folded(detectors, GRAPH, rng.standard_normal((1000, 1, 200)))) > 0
    lengths = np.where(raised.any(0), raised.argmax(0) + 1, 1000)
    assert 80 < np.mean(lengths) < 122


def test_a_shift_of_one_standard_deviation_is_noticed_after_about_ten_readings():
    """Montgomery, the same table: h = 5, shift 1: 10.4 readings."""
    rng = np.random.default_rng(1)
    detectors = cusum_alone(run_length(5.0))
    quiet = folded(detectors, GRAPH, np.zeros((10, 1, 500)))[-1]
    states = folded(detectors, GRAPH, rng.standard_normal((300, 1, 500)) + 1.0, state=quiet, from_row=10)
    assert np.mean((detectors.lasting(states) > 0).argmax(0) + 1) == pytest.approx(10.4, abs=0.7)


def test_it_says_since_when_and_when_it_is_over():
    detectors = cusum_alone(465)
    e = np.concatenate([np.zeros(100), np.full(50, -2.0), np.zeros(100)])[:, None, None]
    states = folded(detectors, GRAPH, e)
    since, raised, over = seconds(detectors, states[-1, :, 0])
    assert (since, raised) == (100, 103)
    assert 150 <= over <= 165
    assert seconds(detectors, states[149, :, 0]) == [100, 103, None]
    assert detectors.noticed(states[149, :, 0])[0].about == "gap"


@given(st.lists(st.floats(-6, 6), min_size=2, max_size=60), st.floats(60, 5000))
def test_cusum_is_the_textbook_recursion(values, arl):
    up = down = 0.0
    first = None
    for i, x in enumerate(values):
        x = min(max(x, -4.0), 4.0)
        up, down = max(0.0, up + x - K), max(0.0, down - x - K)
        if first is None and i > 0 and max(up, down) > threshold(arl):
            first = i
        if i == 0:
            up = down = 0.0
    detectors = Detectors(GRAPH, false_every_s=arl / 2, window=10**9, settle=1)
    raised = detectors.lasting(folded(detectors, GRAPH, np.array(values)[:, None, None]))[:, 0] > 0
    assert (int(raised.argmax()) if raised.any() else None) == first


def test_one_wild_reading_is_no_shift():
    e = np.zeros((100, 1, 1))
    e[50] = 1000.0
    detectors = cusum_alone(500)
    assert not detectors.lasting(folded(detectors, GRAPH, e)).any()


def test_the_rate_is_one_of_time_whatever_the_distance_of_readings():
    """Ten times as many readings an hour: the same false alarms an hour, not ten times as many."""
    rng = np.random.default_rng(5)
    detectors = cusum_alone(1000)
    for step_s, k in ((1.0, 4000), (10.0, 400)):
        states = folded(detectors, GRAPH, rng.standard_normal((k, 1, 20)), step_s=step_s)
        begun = (np.diff(detectors.raised_us(states), axis=0) > 0).sum()
        assert 50 < begun < 120, "80 are due"


@given(st.integers(1, 400), st.floats(0, 5))
def test_the_tail_of_chi_squared_is_that_of_scipy(count, ratio):
    ours = float(tail(np.array([float(count)]), np.array([count * ratio]))[0])
    assert ours == pytest.approx(float(chi2.sf(count * ratio, count)), rel=1e-9, abs=1e-300)


@given(st.integers(1, 1000), st.floats(0.1, 12))
def test_its_logarithm_in_a_trace_is_as_good_as_it_says(count, ratio):
    wanted = float(chi2.logsf(count * ratio, count))
    ours = float(log_tail(np.array(float(count)), np.array(count * ratio)))
    if ratio <= 1:
        assert ours == 0.0
    elif -600 < wanted < np.log(0.01):
        assert ours == pytest.approx(wanted, abs=0.01)


def test_windows_of_a_right_twin_are_too_loud_as_often_as_asked():
    rng = np.random.default_rng(2)
    graph = kernel_of(Plant)[0]
    detectors = Detectors(graph, false_every_s=50 / 0.03 / 4, window=50, settle=0)
    e = np.sign(np.arange(50) % 2 - 0.5)[:, None, None] * np.abs(rng.standard_normal((50, 3, 1300)))
    noticed = [detectors.noticed(s) for s in folded(detectors, graph, e)[-1].T]
    assert 20 < sum(any(n.by == "nis" for n in found) for found in noticed) < 62, "39 of 1,300 are due"


def test_windows_that_follow_each_other_are_one_alarm_until_a_quiet_one():
    detectors = Detectors(GRAPH, false_every_s=10**6, window=25, settle=0)
    e = np.concatenate([np.zeros(100), np.tile([3.0, -3.0], 50), np.zeros(100)])[:, None, None]
    states = folded(detectors, GRAPH, e)
    assert seconds(detectors, states[-1, :, 0]) == [100, 124, 224]
    assert [n.by for n in detectors.noticed(states[199, :, 0])] == ["nis"]


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_cuts_and_snapshots_change_nothing(data):
    behaviour = data.draw(st.sampled_from([Plant, Tracked]))
    graph, kernel = kernel_of(behaviour)
    events = events_of(behaviour, 120, twins=3, seed=1, after={"outlet": 0.13}, at=70)
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    flags = 2 + len(graph.layout.inputs) + len(graph.layout.sensors)
    events[:, flags:] *= rng.random(events[:, flags:].shape) < 0.8
    constants = np.array([[p.value] * 3 for p in behaviour.layout.constants]).reshape(-1, 3)
    active = (rng.random((120, 3)) < 0.9).astype(float)
    _, out = kernel.fold(graph.initial(3), constants, events, active)
    at = np.round(events[:, 0] * 1e9).astype(np.int64)
    detectors = Detectors(graph, false_every_s=20_000.0, window=20, settle=30)
    whole = detectors.fold(detectors.initial(3), at, events, out, active)
    cuts = [0, *sorted(data.draw(st.sets(st.integers(1, 119), max_size=6))), 120]
    state, parts = detectors.initial(3), []
    for a, b in itertools.pairwise(cuts):
        state = np.frombuffer(state.tobytes()).reshape(state.shape)  # as a snapshot keeps it
        parts.append(detectors.fold(state, at[a:b], events[a:b], out[a:b], active[a:b]))
        state = parts[-1][-1]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    for twin in range(3):  # alone, and without the rows in which it has nothing
        rows = active[:, twin] > 0
        one = slice(twin, twin + 1)
        given = at[rows][:, one], events[rows][:, :, one], out[rows][:, :, one], np.ones((rows.sum(), 1))
        alone = detectors.fold(detectors.initial(1), *given)
        assert alone[-1, :, 0].tobytes() == whole[-1, :, twin].tobytes()
    assert (detectors.lasting(whole) > 0).any()


def test_rates_that_make_no_sense_are_refused():
    with pytest.raises(Invalid, match="ten readings or more"):
        threshold(3)
    assert thresholds(np.array(3.0)) == threshold(10)
    for wrong in ({"false_every_s": 0.0}, {"window": 0}, {"settle": -1}):
        with pytest.raises(Invalid, match="above zero"):
            Detectors(GRAPH, **wrong)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_first_shift_of_plain_residuals(sign):
    h = threshold(500.0)
    e = sign * np.concatenate([np.zeros(50), np.full(50, 1.5)])
    assert first_shift(e, h) == 49 + int(np.floor(h / (1.5 - K))) + 1
    assert first_shift(np.zeros(100), h) is None
    assert first_shift(sign * np.r_[np.zeros(10), 100.0, np.zeros(10)], h) is None  # one reading counts up to 4
