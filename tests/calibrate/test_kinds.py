"""Whatever a behaviour may be: with step, with modes, composed, with something that drifts, at a bound."""

import numpy as np
import pytest

from ectype.calibrate.calibration import calibrate
from ectype.calibrate.identify import identify
from ectype.estimate.behaviour import Behaviour, Input, LogNormal, Mode, Normal, Parameter, Sensor, State
from ectype.estimate.compose import compose
from ectype.estimate.emit_numpy import NumpyKernel
from ectype.estimate.maths import exp, where
from ectype.estimate.trace import trace
from tests.calibrate.plants import Cart, recorded


class Heater(Behaviour, model="dtmi:test:Heater;1"):
    """Discrete steps, a mode that switches it, a sensor that is curved and only usable when warm."""

    warm = State("K", init=(5, 2), q="0.05 K/sqrt(s)")
    power = Parameter("K/s", prior=LogNormal(1.0, 0.5))
    loss = Parameter("1/s", prior=LogNormal(0.1, 0.5))
    switch = Mode("off", "on", max_age="1 h")
    glow = Sensor("1", sigma="0.02 1", gate=8)
    probe = Sensor("K", sigma="0.3 K")

    def step(self, t, dt):
        keep = exp(-self.loss * dt)
        heat = where(self.switch.is_("on"), self.power, 0.0)
        return {self.warm: self.warm * keep + heat * (1 - keep) / self.loss}

    def observe(self, t):
        return {self.glow: 1 / (1 + exp(-(self.warm - 8) / 2)), self.probe: self.warm}

    def usable(self, t):
        return {self.glow: self.warm > 2}


class Basin(Behaviour, model="dtmi:test:Basin;1", filter="ekf"):
    level = State("m", init=(1, 0.3), q="0.005 m/sqrt(s)")
    drain = Parameter("1/s", prior=LogNormal(0.1, 0.5))
    inflow = Input("m/s", max_age="1 h", default=0.0)
    gauge = Sensor("m", sigma="0.01 m")

    def derivative(self, t):
        return {self.level: self.inflow - self.drain * self.level}

    def observe(self, t):
        return {self.gauge: self.level}

    def outputs(self, t):
        return {"outflow": self.drain * self.level}


class Walking(Behaviour, model="dtmi:test:Walking;1", filter="ekf"):
    """A balance whose zero drifts, and a rate that does not."""

    mass = State("kg", init=(2, 0.5), q="0.001 kg/sqrt(s)")
    rate = Parameter("1/s", prior=LogNormal(0.05, 0.7))
    zero = Parameter("kg", prior=Normal(0.0, 0.05), drift="0.002 kg/sqrt(s)")
    feed = Input("kg/s", max_age="1 h", default=0.0)
    balance = Sensor("kg", sigma="0.02 kg")

    def derivative(self, t):
        return {self.mass: self.feed - self.rate * self.mass}

    def observe(self, t):
        return {self.balance: self.mass + self.zero}


def inside(found, **truth):
    for name, value in truth.items():
        e = found.estimates[name]
        centre, wide = (e.high + e.low) / 2, (e.high - e.low) / 2
        assert abs(value - centre) < 1.6 * wide, f"{name}: {value} is not near {e.low} to {e.high}"
        assert e.shrunk < 0.5


def test_steps_modes_and_sensors_that_are_not_always_usable():
    record = recorded(Heater, [1.4, 0.12], k=400, dt=1.0, level=0.5, swing=0.5, hold=25)[0]
    found = calibrate(Heater, record)
    assert found.converged
    inside(found, power=1.4, loss=0.12)
    assert set(found.nis) == {"glow", "probe"}


def test_a_composed_plant():
    plant = compose(
        "Two", "dtmi:test:Two;1", {"upper": Basin, "lower": Basin}, {"lower.inflow": "upper.outflow"}, filter="ekf"
    )
    found = calibrate(plant, recorded(plant, [0.07, 0.2], k=300, dt=1.0, level=0.05, swing=0.05)[0])
    inside(found, upper_drain=0.07, lower_drain=0.2)
    assert identify(found).untold == ()


def test_what_drifts_is_integrated_out():
    found = calibrate(Walking, recorded(Walking, [0.03], k=500, dt=1.0, level=0.1, swing=0.1)[0])
    assert found.coordinates.names == ("rate",)
    inside(found, rate=0.03)


def test_readings_may_be_missing_and_times_irregular():
    rng = np.random.default_rng(0)
    whole = recorded(Cart, [1.4, 0.2], k=500, dt=0.2)[0]
    thin = whole[np.sort(rng.choice(500, 400, replace=False))]
    thin[:, 4] = rng.random(400) < 0.6
    thin[1:, 1] = np.diff(thin[:, 0])
    # The input changed between the rows that were dropped, so only nearly the same plant.
    found = calibrate(Cart, thin)
    assert found.readings == int(thin[:, 4].sum())
    assert found.values["stiffness"] == pytest.approx(1.4, rel=0.1)


def test_several_records_say_more_than_one():
    three = recorded(Cart, [1.4, 0.2], k=100, twins=3)
    one, all_ = calibrate(Cart, three[0]), calibrate(Cart, three)
    assert all_.cov[0, 0] < 0.7 * one.cov[0, 0]
    inside(all_, stiffness=1.4)


def test_a_parameter_that_ends_at_its_bound_is_named():
    class Stuck(Behaviour, model="dtmi:test:Stuck;1", filter="ekf"):
        level = State("m", init=(1, 0.3), q="0.005 m/sqrt(s)")
        drain = Parameter("1/s", prior=Normal(0.1, 0.05), low=0.08)
        gauge = Sensor("m", sigma="0.01 m")

        def derivative(self, t):
            return {self.level: -self.drain * self.level}

        def observe(self, t):
            return {self.gauge: self.level}

    at = np.arange(1.0, 101.0)
    rng = np.random.default_rng(0)
    level = np.exp(-0.02 * at) + 0.01 * rng.standard_normal(100)
    found = calibrate(Stuck, np.stack([at, np.ones(100), level, np.ones(100)], axis=1))
    assert found.at_bound == ("drain",)
    assert found.values["drain"] == pytest.approx(0.08)


class Restless(Behaviour, model="dtmi:test:Restless;1", filter="ekf"):
    """Noise as declared, and noise that depends on the input; a parameter that drifts."""

    a = State("m", init=(0, 1), q="0.1 m/sqrt(s)")
    b = State("m", init=(0, 1), q="0.2 m/sqrt(s)")
    drag = Parameter("1/s", prior=LogNormal(0.2, 0.3))
    bias = Parameter("m", prior=Normal(0.0, 0.5), drift="0.05 m/sqrt(s)")
    push = Input("m/s", max_age="1 h", default=0.0)
    near = Sensor("m", sigma="0.2 m")
    far = Sensor("m", sigma="0.3 m")

    def derivative(self, t):
        return {self.a: self.push - self.drag * self.a, self.b: -self.drag * self.b}

    def observe(self, t):
        return {self.near: self.a + self.bias, self.far: self.a + self.b}

    def noise(self, t):
        return {self.far: 0.3 + 0.1 * self.push**2}

    def unrest(self, t):
        return {self.b: 0.2 + 0.05 * self.push**2}


def test_a_behaviour_as_found_filters_with_the_noises_that_were_found():
    """The NIS of its own filter is the one that the calibration told; without the factors it is another."""
    record = recorded(Restless, [0.25], k=200, swing=1.5)
    found = calibrate(Restless, record, noises=["a", "b", "bias", "near", "far"], shooting=False)
    assert found.as_found().layout.belief_names == Restless.layout.belief_names

    def nis(behaviour):
        graph = trace(behaviour)
        _, out = NumpyKernel(graph).fold(
            graph.initial(1), found.constants[:, None], record[0][:, :, None], np.ones((200, 1))
        )
        return out[:, graph.belief_size + 2 :: 4, 0].mean(axis=0)

    told = [found.nis["near"], found.nis["far"]]
    np.testing.assert_allclose(nis(found.as_found()), told, rtol=1e-6)
    assert np.abs(nis(Restless) - told).max() > 1e-3


def test_a_behaviour_whose_noise_was_not_looked_for_is_found_as_it_is():
    found = calibrate(Cart, recorded(Cart, [1.0, 0.3], k=60), shooting=False)
    assert found.as_found() is Cart
