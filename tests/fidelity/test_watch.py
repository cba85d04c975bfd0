"""Does the live watch keep quiet while the twin is right, and speak soon when it is not?"""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Invalid
from ectype.estimate.trace import trace
from ectype.fidelity.watch import BINS, DriftWatch
from tests.alarms.plants import Plant

GRAPH = trace(Plant)
SENSORS = len(GRAPH.layout.sensors)
NORMAL = NormalDist()


def folded(watch, u, state=None, step_s=1.0, from_row=1):
    """States from u [k, sensors, n]; NaN where a sensor does not speak."""
    k, s, n = u.shape
    events, out = np.zeros((k, GRAPH.event_size, n)), np.zeros((k, GRAPH.output_size, n))
    events[:, 2 + len(GRAPH.layout.inputs) + s :] = np.isfinite(u)
    e = [NORMAL.inv_cdf(min(max(x, 1e-12), 1 - 1e-12)) if math.isfinite(x) else 0.0 for x in u.ravel().tolist()]
    out[:, GRAPH.belief_size :: 4] = np.array(e).reshape(u.shape)
    out[:, GRAPH.belief_size + 1 :: 4] = 1.0
    at = np.repeat(((from_row + np.arange(k)) * np.int64(step_s * 1e9))[:, None], n, 1)
    return watch.fold(watch.initial(n) if state is None else state, at, events, out, np.ones((k, n)))


def test_a_right_twin_raises_an_alarm_less_often_than_promised():
    """400 twins for 300 s, at most one false alarm in 1,000 s promised: 120 expected at most, 160 are too many."""
    rng = np.random.default_rng(0)
    watch = DriftWatch(GRAPH, false_every_s=1000.0, settle=0)
    raised = watch.raised_us(folded(watch, rng.random((300, SENSORS, 400))))[-1] > 0
    assert raised.sum() < 160


def test_a_twin_that_drifts_is_noticed_dated_and_cleared_when_it_no_longer_does():
    rng = np.random.default_rng(1)
    u = rng.random((900, SENSORS, 1))
    u[400:600, 0] = rng.beta(3, 1, (200, 1))
    watch = DriftWatch(GRAPH, false_every_s=10_000.0)
    states = folded(watch, u)[:, :, 0]
    told = watch.fidelity(states[599])
    assert told.about == GRAPH.layout.sensors[0].name
    assert 395 <= told.since_ns / 1e9 <= 410
    assert 400 < told.raised_ns / 1e9 < 480
    assert (told.over_ns, told.readings) == (None, 0)
    assert told.evidence > 1
    later = watch.fidelity(states[-1])
    assert later.raised_ns == told.raised_ns
    assert 600 < later.over_ns / 1e9 < 800
    assert later.readings == SENSORS * (900 - later.over_ns // 10**9 + 1)


def test_what_cannot_be_told_apart_is_counted():
    watch = DriftWatch(GRAPH, settle=50)
    u = np.random.default_rng(2).random((100, SENSORS, 1))
    u[80:, 0] = np.nan
    told = watch.fidelity(folded(watch, u)[-1, :, 0])
    assert told.readings == 50 * SENSORS - 20
    assert told.from_ns == 51 * 10**9
    assert (told.raised_ns, told.over_ns) == (0, 0)


@given(st.lists(st.floats(0.3, 0.9), min_size=2, max_size=60))
def test_the_bets_are_fair_whatever_came_before(history):
    """The density that the next u is met with integrates to one, so nothing can be won from a right twin."""
    watch = DriftWatch(GRAPH, false_every_s=1e15, settle=0)
    past = np.full((len(history), SENSORS, 1), np.nan)
    past[:, 0, 0] = history
    state = folded(watch, past)[-1]
    next_u = np.full((1, SENSORS, BINS), np.nan)
    next_u[0, 0] = (np.arange(BINS) + 0.5) / BINS
    after = folded(watch, next_u, np.repeat(state, BINS, 1), from_row=len(history))  # at the same instant: w = 0
    assert state[0, 0] < 0.05, "not at the bound"
    assert math.isclose((after[0, 0] / state[0, 0]).sum() / BINS, 1.0, rel_tol=1e-9)


def test_one_twin_is_as_in_a_fleet_however_rows_are_cut():
    u = np.random.default_rng(3).beta(1.3, 1, (200, SENSORS, 5))
    u[np.random.default_rng(4).random(u.shape) < 0.2] = np.nan
    watch = DriftWatch(GRAPH, false_every_s=1000.0)
    whole = folded(watch, u)
    first = folded(watch, u[:77, :, 2:3])
    second = folded(watch, u[77:, :, 2:3], first[-1], from_row=78)
    assert np.concatenate([first, second]).tobytes() == np.ascontiguousarray(whole[:, :, 2:3]).tobytes()


def test_a_reading_after_a_long_silence_is_no_alarm():
    watch = DriftWatch(GRAPH, false_every_s=100.0, settle=0)
    state = folded(watch, np.random.default_rng(5).random((20, SENSORS, 1)))[-1]
    after = folded(watch, np.full((1, SENSORS, 1), 0.5), state, from_row=10**7)
    assert watch.fidelity(after[0, :, 0]).raised_ns == 0


def test_nonsense_is_refused():
    with pytest.raises(Invalid, match="above zero"):
        DriftWatch(GRAPH, false_every_s=0.0)
