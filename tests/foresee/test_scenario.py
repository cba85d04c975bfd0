"""What-if on a branch, and the input that reaches a goal, against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Invalid
from ectype.foresee.fan import Fan, Start, draw
from ectype.foresee.goal import Goal, met
from ectype.foresee.scenario import scenarios
from ectype.foresee.steer import steer
from tests.foresee.plants import Cart, Tank, followed


@pytest.fixture(scope="module")
def cart():
    return followed(Cart, np.zeros((100, 1)))


@pytest.fixture(scope="module")
def tank():
    return followed(Tank, np.column_stack([np.full(200, 3.0), np.ones(200)]))


def test_a_change_makes_exactly_the_difference_that_physics_says(cart):
    start = Start.at(cart, steps=20, way="held")
    _, found = scenarios(start, ["push += 0.3 from 5 s", "x += 2", "v -= 1, x = 0"])
    t = np.arange(1, 21)
    for level in found[0].effect("x"):
        np.testing.assert_allclose(level, 0.15 * np.maximum(t - 5, 0) ** 2, atol=1e-9)
    np.testing.assert_allclose(found[1].effect("place"), 2.0, atol=1e-9)
    np.testing.assert_allclose(found[2].effect("v"), -1.0, atol=1e-9)


def test_a_change_of_nothing_changes_nothing(tank):
    _, (same, shut) = scenarios(Start.at(tank, steps=50, way="held"), ["pump += 0, outlet *= 1", "valve = shut"])
    assert not same.effect("h").any()
    assert not same.effect("level").any()
    assert (shut.effect("h")[0, 5:] > 0.1).all()


@given(st.floats(-5, 5), st.floats(0.1, 10))
def test_the_probability_of_a_goal_is_the_share_of_draws(threshold, by_s):
    rng = np.random.default_rng(1)
    values = rng.standard_normal((10, 40))
    fan = Fan(np.arange(10), {"h": values})
    asked = f"h >= {threshold:.3f} by {by_s:.3f} s"
    first = next(k for k in range(10) if k + 1 >= round(by_s, 3) - 1e-9)
    share = sum(all(v >= round(threshold, 3) for v in values[first:, j]) for j in range(40)) / 40
    assert met(fan, (Goal.of(asked),), 1.0) == share


def test_the_least_effort_to_a_place_is_the_known_one(cart):
    """min of the integral of u^2 from rest to x(T) = 5 with v(T) free: u = 3 d (T - t) / T^3, cost 3 d^2 / T^3."""
    start = Start.at(cart, steps=40, way="held", draws=200)
    d = 5.0 - float(start.first[0].mean()) - 40 * float(start.first[1].mean())
    found = steer(start, {"push": (-1.0, 1.0)}, [Goal.of("x >= 5")], cost="effort", sure=0.02, blocks=40)
    t = np.arange(40) + 0.5
    np.testing.assert_allclose(found.controls["push"], 3 * d * (40 - t) / 40**3, atol=0.002)
    assert found.cost == pytest.approx(3 * d**2 / 40**3, rel=0.01)


@pytest.mark.parametrize("sure", [0.6, 0.9, 0.98])
def test_the_goal_is_met_as_surely_as_asked_and_not_much_more(tank, sure):
    start = Start.at(tank, steps=60, way="held", draws=2000)
    goals = [Goal.of("h >= 12 by 50 s"), Goal.of("h <= 20 always")]
    found = steer(start, {"pump": (0.0, 10.0)}, goals, sure=sure, blocks=12)
    assert found.probability > sure - 0.03
    assert found.probability < sure + 0.5 * (1 - sure) + 0.03
    assert (found.controls["pump"] >= 0).all()
    assert (found.controls["pump"] <= 10).all()


def test_no_other_constant_input_is_cheaper(tank):
    start = Start.at(tank, steps=60, way="held", draws=500)
    goal = Goal.of("h >= 12")
    found = steer(start, {"pump": (0.0, 10.0)}, [goal], sure=0.9, blocks=12)
    cheapest = min(
        u * 60
        for u in np.linspace(0, 10, 101)
        if met(draw(start.with_inputs({"pump": np.full(60, u)})), (goal,), 1.0) >= 0.9
    )
    assert found.cost <= cheapest * 1.01


def test_what_cannot_be_reached_says_what_can(tank, cart):
    start = Start.at(tank, steps=10, way="held", draws=100)
    with pytest.raises(Invalid, match=r"no input within the bounds .* highest throughout reaches it with 0%"):
        steer(start, {"pump": (0.0, 1.0)}, [Goal.of("h >= 50")])
    with pytest.raises(Invalid, match="'valve' is a mode"):
        steer(start, {"valve": (0.0, 1.0)}, [Goal.of("h >= 5")])
    with pytest.raises(Invalid, match="'wind' is no input"):
        steer(start, {"wind": (0.0, 1.0)}, [Goal.of("h >= 5")])
    with pytest.raises(Invalid, match="nothing here is called 'money'"):
        steer(start, {"pump": (0.0, 1.0)}, [Goal.of("h >= 5")], cost="money")
    with pytest.raises(Invalid, match="after the end"):
        steer(start, {"pump": (0.0, 1.0)}, [Goal.of("h >= 5 by 1 h")])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pump", "changes nothing"),
        ("wind = 3", "nothing to change is called 'wind'"),
        ("pump = much", "is no number"),
        ("valve = ajar", "one of shut, open"),
        ("valve += 1", "is a mode"),
        ("outlet = 0.2 from 3 s", "without 'from'"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_with_what_to_write(tank, text, told):
    with pytest.raises(Invalid, match=told):
        scenarios(Start.at(tank, steps=5, way="held", draws=10), [text])


@pytest.mark.parametrize("text", ["level", "level > 3", "level >= x", "level >= 3 by noon"])
def test_a_goal_that_is_none_is_refused(text):
    with pytest.raises(Invalid, match=r"is no (goal|quantity)"):
        Goal.of(text)
