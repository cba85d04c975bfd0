"""A plant whose law is known: an oscillator pushed about, linear with Gaussian noise, so its filter is exact."""

import functools

import numpy as np

from ectype.estimate.behaviour import Behaviour, Input, Parameter, Sensor, State
from ectype.estimate.emit_numpy import NumpyKernel
from ectype.estimate.simulate import simulate
from ectype.estimate.trace import trace
from ectype.fidelity.trial import Twin


class Oscillator(Behaviour, model="dtmi:test:Oscillator;1", filter="ekf"):
    x = State("m", init=(0, 0.5), q="0.02 m/sqrt(s)")
    v = State("m/s", init=(0, 0.5), q="0.1 m/s/sqrt(s)")
    stiffness = Parameter("1/s^2", fixed=1.0)
    damping = Parameter("1/s", fixed=0.3)
    push = Input("m/s^2", max_age="10 s", default=0.0)
    place = Sensor("m", sigma="0.05 m")

    def derivative(self, t):
        return {self.x: self.v, self.v: self.push - self.stiffness * self.x - self.damping * self.v}

    def observe(self, t):
        return {self.place: self.x}


@functools.cache
def graph():
    return trace(Oscillator)


def twin(**changed):
    g = graph()
    constants = np.array([changed.get(p.name, p.value) for p in g.layout.constants])
    return Twin(g, NumpyKernel(g), constants, g.initial(1)[:, 0])


def period(k, seed, missing=0.0):
    """[k, event_size] of the original, pushed by a square wave; some readings missing."""
    rng = np.random.default_rng(seed)
    events = np.zeros((k, graph().event_size, 1))
    events[:, 1] = 0.5
    events[:, 0] = 0.5 * np.arange(1, k + 1)[:, None]
    events[:, 2] = np.sign(np.sin(np.arange(k) / 17))[:, None]
    events[:, 4] = rng.random((k, 1)) >= missing
    first = np.array([[0.0], [0.0]]) + 0.5 * rng.standard_normal((2, 1))
    constants = np.array([[p.value] for p in Oscillator.layout.constants])
    out = simulate(Oscillator, first, constants, events, rng).events[:, :, 0]
    out[:, 3] *= out[:, 4]
    return out
