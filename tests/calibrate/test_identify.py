"""What the data cannot tell is found, named, and told how to be told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectype.calibrate.calibration import calibrate
from ectype.calibrate.experiment import experiments
from ectype.calibrate.identify import _sparse, identify
from ectype.calibrate.remade import remade
from ectype.estimate.behaviour import Behaviour, Input, LogNormal, Normal, Parameter, Sensor, State
from ectype.estimate.maths import sqrt
from ectype.estimate.trace import trace
from tests.calibrate.plants import Cart, Tank, recorded


class Metered(Behaviour, model="dtmi:test:Metered;1"):
    """As Tank, and what flows in has a name."""

    h = State("cm", init=(9, 1), q="0.01 cm/sqrt(s)", low=0.01)
    gain = Parameter("cm^3/(V*s)", prior=LogNormal(5.0, 0.3))
    area = Parameter("cm^2", prior=LogNormal(50.0, 0.3))
    outlet = Parameter("cm^0.5/s", prior=LogNormal(0.1, 0.3))
    pump = Input("V", max_age="20 s")
    level = Sensor("cm", sigma="0.05 cm")

    def derivative(self, t):
        return {self.h: self.gain / self.area * self.pump - self.outlet * sqrt(self.h)}

    def observe(self, t):
        return {self.level: self.h}

    def outputs(self, t):
        return {"inflow": self.gain * self.pump}


def test_a_pair_that_no_reading_tells_apart_is_found_and_named():
    said = identify(calibrate(Tank, recorded(Tank, [5.0, 40.0, 0.12], k=200, dt=2.0, level=3.0)))
    assert [u.names for u in said.untold] == [("gain", "area")]
    (untold,) = said.untold
    assert untold.seen < 0.1
    assert untold.move[0] == pytest.approx(untold.move[1], rel=0.01), "both go up together: their ratio stays"
    assert "gain and area apart: gain +24% with area +24%" in untold.sentence
    assert "gain with area" in said.sentence
    assert said.singular[-1] < 0.1 < 10 < said.singular[-2]


def test_what_is_all_told_is_said_to_be():
    said = identify(calibrate(Cart, recorded(Cart, [1.4, 0.2])))
    assert said.untold == ()
    assert "tell all 2 parameters" in said.sentence


def test_a_sensor_of_the_flow_tells_the_pair_apart_and_a_sensor_of_the_level_does_not():
    found = calibrate(Metered, recorded(Metered, [5.0, 40.0, 0.12], k=200, dt=2.0, level=3.0))
    (untold,) = identify(found).untold
    ways = experiments(found, untold)
    assert [(w.kind, w.name) for w in ways] == [("sensor", "inflow"), ("measure", "gain")]
    assert ways[0].left < 0.1
    assert "gain or area" in ways[1].sentence


def test_the_experiment_that_is_proposed_does_tell():
    """An input that never moved: its gain is unknown; moved as proposed, it is known as well as was promised."""

    class Pushed(Behaviour, model="dtmi:test:Pushed;1", filter="ekf"):
        x = State("m", init=(0, 0.5), q="0.02 m/sqrt(s)")
        rate = Parameter("1/s", prior=Normal(0.5, 0.1))
        gain = Parameter("1", prior=LogNormal(1.0, 0.5))
        push = Input("m/s", max_age="10 s")
        place = Sensor("m", sigma="0.05 m")

        def derivative(self, t):
            return {self.x: self.gain * self.push - self.rate * self.x}

        def observe(self, t):
            return {self.place: self.x}

    still = recorded(Pushed, [0.6, 1.5], swing=0.0)[0]
    found = calibrate(Pushed, still)
    said = identify(found)
    assert ("gain",) in [u.names for u in said.untold]
    untold = next(u for u in said.untold if u.names == ("gain",))
    best = experiments(found, untold)[0]
    assert (best.kind, best.name) == ("input", "push")
    moved = calibrate(Pushed, recorded(Pushed, [0.6, 1.5], swing=1.0, hold=15))
    assert moved.estimates["gain"].shrunk == pytest.approx(best.left, rel=0.6)
    assert identify(moved).untold == ()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_the_sparse_basis_spans_the_same_space(seed, size):
    basis, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((6, size)))
    sparse = _sparse(basis)
    assert np.linalg.matrix_rank(sparse) == size
    np.testing.assert_allclose(basis @ (basis.T @ sparse), sparse, atol=1e-8)
    assert (np.abs(sparse) < 1e-12).sum() >= size * (size - 1), "each column lacks the pivots of the others"


def test_a_behaviour_remade_without_change_has_the_same_graph():
    for behaviour in (Cart, Tank, Metered):
        assert trace(remade(behaviour, "Again")).digest == trace(behaviour).digest
