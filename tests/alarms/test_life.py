"""Remaining useful life against the inverse Gaussian, and against when it really ended."""

import numpy as np
import pytest
from scipy.stats import invgauss

from ectype.alarms.life import life
from ectype.calibrate.remade import remade
from ectype.errors import Invalid
from ectype.foresee.fan import Start, draw
from ectype.foresee.goal import Goal
from tests.alarms.plants import Bearing, Ending, events_of, follow


def test_first_passage_of_wiener_wear_is_inverse_gaussian():
    """Chhikara and Folks 1989; looked at each second only, so the barrier is 0.583 q farther (Siegmund 1985)."""
    f = follow(Bearing, events_of(Bearing, 50)[:, :, 0])
    f.beliefs[-1] = [0.0, 1e-12]
    fan = draw(Start.at(f, steps=400, way="held", draws=4000))
    found = life(fan, Goal.of("wear >= 1.0"), 1.0)
    far = 1.0 + 0.583 * 0.02
    mean, shape = far / 0.01, (far / 0.02) ** 2
    for level in (0.05, 0.25, 0.5, 0.75, 0.95):
        assert found.quantile(level) == pytest.approx(invgauss.ppf(level, mean / shape, scale=shape), rel=0.03)
    assert found.beyond == 0


def test_the_interval_holds_when_it_really_ended():
    events = events_of(Bearing, 260, twins=120, seed=3)
    inside = judged = 0
    for i in range(120):
        now = 40
        f = follow(Bearing, events[:now, :, i])
        found = life(draw(Start.at(f, steps=200, way="held", draws=300)), Goal.of("gap >= 1.2"), 1.0)
        past = np.flatnonzero(events[now:, 3 - 1, i] >= 1.2)
        truth = past[0] + 1 if len(past) else np.inf
        low, high = found.quantile(0.05), found.quantile(0.95)
        inside += (low is None or low <= truth) and (high is None or truth <= high)
        judged += 1
    assert 0.83 < inside / judged < 0.97


def test_what_lives_on_is_counted_not_guessed():
    f = follow(Bearing, events_of(Bearing, 50)[:, :, 0])
    found = life(draw(Start.at(f, steps=10, way="held", draws=100)), Goal.of("wear >= 100"), 1.0)
    assert found.beyond == 1
    assert found.quantile(0.5) is None
    with pytest.raises(Invalid, match="has no time"):
        life(draw(Start.at(f, steps=10, way="held", draws=100)), Goal.of("wear >= 1 always"), 1.0)


def test_a_calibrated_behaviour_ends_where_it_did():
    assert remade(Ending, "Again").end_of_life == Ending.end_of_life
    assert Ending.end_of_life.threshold == "wear >= 1"
