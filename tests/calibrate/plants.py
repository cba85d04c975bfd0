"""Plants whose law is known, and what their sensors would read."""

import numpy as np

from ectype.estimate.behaviour import Behaviour, Input, LogNormal, Normal, Parameter, Sensor, State
from ectype.estimate.maths import sqrt
from ectype.estimate.simulate import simulate


class Cart(Behaviour, model="dtmi:test:Cart;1", filter="ekf"):
    x = State("m", init=(0, 0.5), q="0.02 m/sqrt(s)")
    v = State("m/s", init=(0, 0.5), q="0.1 m/s/sqrt(s)")
    stiffness = Parameter("1/s^2", prior=LogNormal(1.0, 0.4))
    damping = Parameter("1/s", prior=Normal(0.3, 0.15))
    push = Input("m/s^2", max_age="10 s", default=0.0)
    place = Sensor("m", sigma="0.05 m")

    def derivative(self, t):
        return {self.x: self.v, self.v: self.push - self.stiffness * self.x - self.damping * self.v}

    def observe(self, t):
        return {self.place: self.x}


class Tank(Behaviour, model="dtmi:test:Tank;1"):
    """gain and area come in as gain / area alone: a level does not tell one from the other."""

    h = State("cm", init=(9, 1), q="0.01 cm/sqrt(s)", low=0.01)
    gain = Parameter("cm^3/(V*s)", prior=LogNormal(5.0, 0.3))
    area = Parameter("cm^2", prior=LogNormal(50.0, 0.3))
    outlet = Parameter("cm^0.5/s", prior=LogNormal(0.1, 0.3))
    pump = Input("V", max_age="20 s")
    level = Sensor("cm", sigma="0.05 cm", gate=6)

    def derivative(self, t):
        return {self.h: self.gain / self.area * self.pump - self.outlet * sqrt(self.h)}

    def observe(self, t):
        return {self.level: self.h}


def recorded(behaviour, constants, k=300, dt=0.5, twins=1, seed=0, level=0.0, swing=1.0, hold=17):
    """[twins][k, event_size]: what twins with those constants [c, twins] read while their input goes up and down."""
    rng = np.random.default_rng(seed)
    layout = behaviour.layout
    events = np.zeros((k, 2 + len(layout.inputs) + 2 * len(layout.sensors), twins))
    events[:, 0], events[:, 1] = dt * np.arange(1, k + 1)[:, None], dt
    steps = rng.choice([-1.0, 0.0, 1.0], (k // hold + 1, 1))
    events[:, 2] = level + swing * np.repeat(steps, hold, axis=0)[:k]
    events[:, 2 + len(layout.inputs) + len(layout.sensors) :] = 1.0
    begin = [s.init for s in layout.states] + [(p.prior.centre(), p.prior.spread()) for p in layout.tracked]
    mean, std = np.array(begin).T[:, :, None]
    first = mean + std * rng.standard_normal((len(begin), twins))
    constants = np.broadcast_to(
        np.asarray(constants, float).reshape(len(layout.constants), -1), (len(layout.constants), twins)
    )
    out = simulate(behaviour, first, constants, events, rng).events
    return [out[:, :, i] for i in range(twins)]
