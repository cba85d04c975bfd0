"""Small behaviours that several tests share."""

import numpy as np

from ectype.estimate.behaviour import Behaviour, Input, LogNormal, Parameter, Sensor, State
from ectype.estimate.maths import (
    atan,
    both,
    ceil,
    cos,
    either,
    exp,
    floor,
    log,
    maximum,
    minimum,
    opposite,
    sign,
    sin,
    sqrt,
    tan,
    tanh,
    where,
)
from ectype.estimate.trace import Graph


class CascadedTanks(Behaviour, model="dtmi:demo:CascadedTanks;1"):
    h1 = State("cm", init=(5, 1), q="0.03 cm/sqrt(s)", low=0)
    h2 = State("cm", init=(5, 1), q="0.03 cm/sqrt(s)", low=0)
    k1 = Parameter("cm^0.5/s", prior=LogNormal(0.05, 0.3))
    k2 = Parameter("cm^0.5/s", prior=LogNormal(0.05, 0.1), drift="1 %/sqrt(day)")
    gain = Parameter("cm/(V*s)", fixed=0.04)
    c = Parameter("V/cm", fixed=1.0)
    pump = Input("V", max_age="20 s")
    level = Sensor("V", sigma="0.05 V", gate=5)

    def derivative(self, t):
        out = self.k1 * sqrt(self.h1)
        return {self.h1: self.gain * self.pump - out, self.h2: out - self.k2 * sqrt(self.h2)}

    def observe(self, t):
        return {self.level: self.c * self.h2}


class Cart(Behaviour, model="dtmi:demo:Cart;1"):
    """Linear: the unscented filter must equal the textbook Kalman filter."""

    x = State("m", init=(0, 2), q="0.1 m/sqrt(s)")
    v = State("m/s", init=(1, 1), q="0.2 m/s/sqrt(s)")
    push = Input("m/s^2", max_age="10 s", default=0.0)
    place = Sensor("m", sigma="0.3 m")
    speed = Sensor("m/s", sigma="0.2 m/s")

    def derivative(self, t):
        return {self.x: self.v, self.v: self.push}

    def observe(self, t):
        return {self.place: self.x, self.speed: self.v}


class Everything(Behaviour, model="dtmi:demo:Everything;1"):
    """Uses every function there is, so that a back end that lacks one is found."""

    x = State("1", init=(1, 0.3), q="0.05 1/sqrt(s)", low=0.1, high=3.0)
    drive = Input("1", max_age="10 s")
    y = Sensor("1", sigma="0.2 1", gate=6)
    z = Sensor("1", sigma="0.3 1")

    def derivative(self, t):
        x = self.x
        push = where(both(self.drive > 2, x < 2), tanh(x), -atan(x)) + where(either(x > 5, x == 9), 1.0, 0.0)
        return {self.x: 0.1 * (push + sin(t) * cos(x) - 0.2 * tan(0.3 * x))}

    def observe(self, t):
        x = self.x
        whole = floor(x) + 0.1 * ceil(x) + abs(x - 1) + sign(x - 2)
        return {self.y: exp(-x) + log(x) + x**1.7 + 0.0 * whole, self.z: maximum(x, 0.5) + minimum(x, sqrt(x)) + whole}

    def usable(self, t):
        return {self.z: where(self.drive != 3.0, 1.0, 0.0) * opposite(self.drive <= 0)}


def constants_of(graph: Graph, twins: int) -> np.ndarray:
    return np.repeat(np.array([p.value for p in graph.layout.constants]).reshape(-1, 1), twins, 1)
