"""Does the live watch keep quiet while the twin is right, and speak soon when it is not?"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Invalid
from ectype.fidelity.watch import BINS, Watch, fold


def first_alarm(us, every):
    watch = Watch.begun(us.shape[1])
    for k, u in enumerate(us):
        watch = fold(watch, u)
        if watch.drifted(every):
            return k
    return None


def test_a_right_twin_raises_an_alarm_less_often_than_promised():
    """200 runs of 300 readings, at most one false alarm in 1,000 promised: 60 expected at most, 85 are too many."""
    rng = np.random.default_rng(0)
    assert sum(first_alarm(rng.random((300, 2)), 1000.0) is not None for _ in range(200)) < 85


def test_a_twin_that_drifts_is_noticed_after_any_time_in_which_it_did_not():
    rng = np.random.default_rng(1)
    quiet, shifted = rng.random((400, 1)), rng.beta(3, 1, (300, 1))
    at = first_alarm(np.concatenate([quiet, shifted]), 10_000.0)
    assert at is not None
    assert 400 <= at < 500


@given(st.lists(st.floats(0, 1), max_size=60))
def test_the_bets_are_fair_whatever_came_before(history):
    """The density that the next u is met with integrates to one, so nothing can be won from a right twin."""
    watch = Watch.begun(1)
    for u in history:
        watch = fold(watch, np.array([u]))
    now = float(np.logaddexp(0.0, watch.evidence[0]))
    bets = [math.exp(fold(watch, np.array([(b + 0.5) / BINS])).evidence[0] - now) for b in range(BINS)]
    assert math.isclose(sum(bets) / BINS, 1.0, rel_tol=1e-12)


def test_a_sensor_that_does_not_speak_changes_nothing_and_nonsense_is_refused():
    watch = fold(Watch.begun(2), np.array([0.3, np.nan]))
    assert watch.evidence[1] == -np.inf
    assert watch.fell[1].sum() == 0
    assert not Watch.begun(2).drifted(100)
    with pytest.raises(Invalid, match="one probability for each of 2"):
        fold(watch, np.array([0.3, 1.3]))
    with pytest.raises(Invalid, match="above 1"):
        watch.drifted(0.5)
