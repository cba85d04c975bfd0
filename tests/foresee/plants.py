"""Plants whose future is known in closed form, and their records."""

import numpy as np

from ectype.estimate.behaviour import Behaviour, Input, LogNormal, Mode, Parameter, Sensor, State
from ectype.estimate.emit_plain import PlainKernel
from ectype.estimate.maths import sqrt, where
from ectype.estimate.simulate import simulate
from ectype.estimate.trace import trace
from ectype.foresee.followed import Followed


class Cart(Behaviour, model="dtmi:test:ForeseenCart;1", filter="ekf"):
    x = State("m", init=(1, 0.3), q="0.02 m/sqrt(s)")
    v = State("m/s", init=(0, 0.3), q="0.05 m/s/sqrt(s)")
    push = Input("m/s^2", max_age="10 s", default=0.0)
    place = Sensor("m", sigma="0.05 m")

    def derivative(self, t):
        return {self.x: self.v, self.v: self.push}

    def observe(self, t):
        return {self.place: self.x}

    def health(self, t):
        return {"effort": self.push**2}


class Tank(Behaviour, model="dtmi:test:ForeseenTank;1"):
    h = State("cm", init=(9, 1), q="0.02 cm/sqrt(s)", low=0.01)
    outlet = Parameter("cm^0.5/s", prior=LogNormal(0.1, 0.3))
    pump = Input("V", max_age="60 s")
    valve = Mode("shut", "open", max_age="1 day", default="open")
    level = Sensor("cm", sigma="0.05 cm")

    def derivative(self, t):
        return {self.h: 0.1 * self.pump - where(self.valve.is_("open"), self.outlet * sqrt(self.h), 0.0)}

    def observe(self, t):
        return {self.level: self.h}

    def health(self, t):
        return {"full": self.h > 12.0}


def followed(behaviour, inputs, *, dt=1.0, seed=0, posterior=None):
    """A twin with those inputs [k, inputs] from its declared start, and its filter over what it read."""
    rng = np.random.default_rng(seed)
    graph = trace(behaviour)
    layout = behaviour.layout
    k, count = inputs.shape
    events = np.zeros((k, graph.event_size, 1))
    events[:, 0, 0], events[:, 1] = 1.7e9 + dt * np.arange(1, k + 1), dt
    events[:, 2 : 2 + count, 0] = inputs
    events[:, 2 + count + len(layout.sensors) :] = 1.0
    mean, std = np.array([s.init for s in layout.states]).T[:, :, None]
    constants = np.array([p.value for p in layout.constants])
    world = simulate(behaviour, mean + std * rng.standard_normal(mean.shape), constants[:, None], events, rng)
    at_ns = np.round(events[:, 0, 0] * 1e9).astype(np.int64)
    return Followed.by(graph, PlainKernel(graph), constants, at_ns, world.events[:, :, 0], posterior)
