"""A plant that can break: a tank with two level gauges and a flow meter, and a bearing that wears."""

import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from ectype.estimate.behaviour import Behaviour, Input, Normal, Parameter, Sensor, State
from ectype.estimate.emit_llvm import LlvmKernel
from ectype.estimate.maths import sqrt
from ectype.estimate.simulate import simulate
from ectype.estimate.trace import trace
from ectype.foresee.followed import Followed


class Plant(Behaviour, model="dtmi:test:Alarmed;1"):
    h = State("cm", init=(9, 0.3), q="0.02 cm/sqrt(s)", low=0.01)
    outlet = Parameter("cm^0.5/s", fixed=0.1)
    leak = Parameter("cm/s", prior=Normal(0.0, 0.02))
    pump = Input("V", max_age="60 s")
    level = Sensor("cm", sigma="0.05 cm")
    gauge = Sensor("cm", sigma="0.05 cm")
    outflow = Sensor("cm/s", sigma="0.005 cm/s")

    def derivative(self, t):
        return {self.h: 0.1 * self.pump - self.outlet * sqrt(self.h) - self.leak}

    def observe(self, t):
        return {self.level: self.h, self.gauge: self.h, self.outflow: self.outlet * sqrt(self.h)}


class Bearing(Behaviour, model="dtmi:test:Bearing;1"):
    wear = State("mm", init=(0.0, 0.01), q="0.02 mm/sqrt(s)")
    rate = Parameter("mm/s", fixed=0.01)
    gap = Sensor("mm", sigma="0.02 mm")

    def derivative(self, t):
        return {self.wear: self.rate}

    def observe(self, t):
        return {self.gap: self.wear}


class Ending(Behaviour, model="dtmi:test:EndingBearing;1", end_of_life="wear >= 1 within 300 s"):
    wear = State("mm", init=(0.0, 0.01), q="0.02 mm/sqrt(s)")
    gap = Sensor("mm", sigma="0.02 mm")

    def derivative(self, t):
        return {self.wear: 0.01 + 0 * self.wear}

    def observe(self, t):
        return {self.gap: self.wear}


class Tracked(Behaviour, model="dtmi:test:TrackedTank;1"):
    h = State("cm", init=(9, 0.3), q="0.02 cm/sqrt(s)", low=0.01)
    outlet = Parameter("cm^0.5/s", prior=Normal(0.1, 0.003), drift="0.0005 cm^0.5/s/sqrt(s)")
    pump = Input("V", max_age="60 s")
    level = Sensor("cm", sigma="0.05 cm")

    def derivative(self, t):
        return {self.h: 0.1 * self.pump - self.outlet * sqrt(self.h)}

    def observe(self, t):
        return {self.level: self.h}


def events_of(behaviour, k, twins=1, seed=0, *, after=None, at=None):
    """[k, event_size, twins]: what twins read with their declared parameters, and from event `at` on with `after`."""
    rng = np.random.default_rng(seed)
    graph = trace(behaviour)
    layout = behaviour.layout
    inputs = len(layout.inputs)
    events = np.zeros((k, graph.event_size, twins))
    events[:, 0], events[:, 1] = 1.7e9 + np.arange(1, k + 1)[:, None], 1.0
    if inputs:
        events[:, 2] = 3.0 + 0.3 * np.repeat(rng.choice([-1.0, 0.0, 1.0], k // 20 + 1), 20)[:k, None]
    events[:, 2 + inputs + len(layout.sensors) :] = 1.0
    mean, std = np.array([s.init for s in layout.states]).T[:, :, None]
    tracked = np.array([[p.prior.centre()] for p in layout.tracked]).reshape(-1, 1)
    first = np.concatenate([mean + std * rng.standard_normal((len(mean), twins)), np.repeat(tracked, twins, 1)])
    plain = {p.name: p.value for p in layout.constants}

    def made(first, part, values):
        constants = np.repeat(np.array([values[p.name] for p in layout.constants])[:, None], twins, 1)
        return simulate(behaviour, first, constants.reshape(-1, twins), part, rng)

    if at is None:
        return made(first, events, plain).events
    before = made(first, events[:at], plain)
    begin = before.truth[-1].copy()
    names = layout.belief_names
    for name, value in (after or {}).items():
        if name in names:
            begin[names.index(name)] = value
    then = made(begin, events[at:], plain | {n: v for n, v in (after or {}).items() if n in plain})
    return np.concatenate([before.events, then.events])


@lru_cache
def kernel_of(behaviour):
    graph = trace(behaviour)
    with tempfile.TemporaryDirectory() as cache:
        return graph, LlvmKernel(graph, Path(cache))


def follow(behaviour, events):
    graph, kernel = kernel_of(behaviour)
    constants = np.array([p.value for p in behaviour.layout.constants])
    return Followed.by(graph, kernel, constants, np.round(events[:, 0] * 1e9).astype(np.int64), events)
