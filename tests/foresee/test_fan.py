"""Forecasts against what a linear Gaussian plant does in closed form, and against what came."""

import numpy as np
import pytest

from ectype.errors import Invalid
from ectype.estimate.emit_plain import PlainKernel
from ectype.foresee.ahead import paths
from ectype.foresee.fan import Start, draw
from ectype.foresee.followed import Followed
from ectype.foresee.skill import skill
from tests.foresee.plants import Cart, Tank, followed


@pytest.fixture(scope="module")
def cart():
    rng = np.random.default_rng(3)
    return followed(Cart, np.repeat(rng.choice([-0.1, 0.0, 0.1], 300), 10)[:, None])


def test_a_fan_has_the_mean_and_the_spread_of_the_kalman_prediction(cart):
    start = Start.at(cart, steps=30, way="held", draws=20_000)
    fan = draw(start)
    belief, push = cart.beliefs[-1], cart.inputs()[-1, 0]
    mean, cov = belief[:2], np.array([[belief[2], belief[3]], [belief[3], belief[4]]])
    a, b = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([0.5, 1.0])
    for k in range(30):
        mean, cov = a @ mean + b * push, a @ cov @ a.T + np.diag([0.02**2, 0.05**2])
        for i, name in enumerate("xv"):
            std = np.sqrt(cov[i, i])
            assert abs(fan.of(name)[k].mean() - mean[i]) < 4.5 * std / np.sqrt(20_000)
            assert abs(fan.of(name)[k].std() / std - 1) < 0.03
        assert abs(fan.of("place")[k].std() / np.sqrt(cov[0, 0] + 0.05**2) - 1) < 0.03
    low, middle, high = fan.quantiles("x")
    assert (low < middle).all()
    assert (middle < high).all()


def test_parameters_that_are_not_sure_widen_the_fan():
    inputs = np.column_stack([np.full(200, 3.0), np.ones(200)])
    sure = followed(Tank, inputs)
    drawn = 0.1 * np.exp(0.1 * np.random.default_rng(0).standard_normal((1, 500)))
    unsure = followed(Tank, inputs, posterior=drawn)
    spread = [draw(Start.at(f, steps=100, way="held")).of("h")[-1].std() for f in (sure, unsure)]
    assert spread[1] > 3 * spread[0]


def test_forecasts_are_as_sure_as_they_should_be_and_beat_persistence(cart):
    found = skill(cart, steps=6, way="recorded", origins=500, draws=200)["place"]
    assert [s.steps for s in found] == [1, 3, 6]
    for s in found:
        assert s.origins > 150
        assert 0.86 < s.covered < 0.94
        assert s.skill > 0.2
        assert s.rms < s.rms_persistence


def test_nothing_after_the_instant_counts():
    rng = np.random.default_rng(5)
    inputs = np.column_stack([3 + np.sin(np.arange(300) / 9) + 0.1 * rng.standard_normal(300), np.ones(300)])
    other = inputs.copy()
    other[200:] = 0.0
    one, two = followed(Tank, inputs), followed(Tank, other)
    at = int(one.at_ns[199])
    fans = [draw(Start.at(f, steps=20, at_ns=at, draws=50)).of("h") for f in (one, two)]
    assert np.array_equal(*fans)


def test_inputs_alike_go_on_as_they_went_on_before():
    t = np.arange(600)
    inputs = np.column_stack([3 + np.sin(t / 9), t // 300 % 2])
    f = followed(Tank, inputs)
    real = inputs[500:520, 0]
    errors = {
        way: np.abs(np.median(paths(f, 499, way, 1.0, 20, 200, np.random.default_rng(0))[:, 0], 1) - real).mean()
        for way in ("alike", "held", "recorded")
    }
    assert errors["recorded"] == 0
    assert errors["alike"] < 0.3 * errors["held"]
    modes = paths(f, 499, "alike", 1.0, 20, 200, np.random.default_rng(0))[:, 1]
    assert set(np.unique(modes)) <= {0.0, 1.0}


def test_what_cannot_be_forecast_is_told(cart):
    with pytest.raises(Invalid, match=r"need .* of past"):
        Start.at(cart, steps=20, at_ns=int(cart.at_ns[10]))
    with pytest.raises(Invalid, match="record ends"):
        Start.at(cart, steps=2, way="recorded")
    with pytest.raises(Invalid, match="begins after"):
        Start.at(cart, steps=2, at_ns=0)
    with pytest.raises(Invalid, match="one step or more"):
        Start.at(cart, steps=0)
    with pytest.raises(Invalid, match=r"nothing here is called 'y'; there are: .*x"):
        draw(Start.at(cart, steps=2, way="held")).of("y")
    with pytest.raises(Invalid, match="no ten instants"):
        skill(cart, steps=2995)


def test_the_state_drawn_goes_with_the_parameters_drawn():
    inputs = np.column_stack([np.full(300, 3.0), np.ones(300)])
    drawn = np.array([[0.08, 0.1, 0.12]])
    f = followed(Tank, inputs, posterior=drawn)
    each = f.believed(299, drawn)
    for column, outlet in enumerate(drawn[0]):
        again = Followed.by(f.graph, PlainKernel(f.graph), np.array([outlet]), f.at_ns, f.events)
        np.testing.assert_allclose(each[:, column], again.beliefs[-1], rtol=1e-6)
    assert each[0, 0] > each[0, 1] > each[0, 2]


def test_a_record_that_begins_later_goes_on_from_what_was_believed_before():
    inputs = np.column_stack([np.full(250, 3.0), np.ones(250)])
    drawn = np.array([[0.08, 0.1, 0.12]])
    f = followed(Tank, inputs, posterior=drawn)

    def last(count: int, before: np.ndarray | None) -> np.ndarray:
        part = f.at_ns[-count:], f.events[-count:], f.beliefs[-count:], f.constants, drawn
        return Followed(f.graph, f.kernel, *part, before=before).believed(count - 1, drawn)

    whole = f.believed(249, drawn)
    np.testing.assert_array_equal(last(200, f.beliefs[49]), whole)
    off = np.abs(last(3, f.beliefs[246]) - whole)[0], np.abs(last(3, None) - whole)[0]
    assert off[0].sum() < 0.6 * off[1].sum()
    assert off[0][1] == 0, "with the parameters that the record was followed with"
