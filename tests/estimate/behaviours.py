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
        return {self.x: 0.1 * (push + sin(0.9 * t) * cos(x) - 0.2 * tan(0.3 * x))}

    def observe(self, t):
        x = self.x
        whole = floor(x) + 0.1 * ceil(x) + abs(x - 1) + sign(x - 2)
        return {self.y: exp(-x) + log(x) + x**1.7 + 0.0 * whole, self.z: maximum(x, 0.5) + minimum(x, sqrt(x)) + whole}

    def usable(self, t):
        return {self.z: where(self.drive != 3.0, 1.0, 0.0) * opposite(self.drive <= 0)}


def constants_of(graph: Graph, twins: int) -> np.ndarray:
    return np.repeat(np.array([p.value for p in graph.layout.constants]).reshape(-1, 1), twins, 1)


class CartEkf(Behaviour, model="dtmi:demo:CartEkf;1", filter="ekf"):
    """The cart with the extended filter."""

    x = State("m", init=(0, 2), q="0.1 m/sqrt(s)")
    v = State("m/s", init=(1, 1), q="0.2 m/s/sqrt(s)")
    push = Input("m/s^2", max_age="10 s", default=0.0)
    place = Sensor("m", sigma="0.3 m")
    speed = Sensor("m/s", sigma="0.2 m/s")

    def derivative(self, t):
        return {self.x: self.v, self.v: self.push}

    def observe(self, t):
        return {self.place: self.x, self.speed: self.v}


class TanksEkf(Behaviour, model="dtmi:demo:TanksEkf;1", filter="ekf", substeps=4):
    h1 = State("cm", init=(5, 1), q="0.03 cm/sqrt(s)", low=0.01)
    h2 = State("cm", init=(5, 1), q="0.03 cm/sqrt(s)", low=0.01)
    k = Parameter("cm^0.5/s", prior=LogNormal(0.05, 0.1), drift="1 %/sqrt(day)")
    pump = Input("V", max_age="20 s")
    level = Sensor("cm", sigma="0.05 cm")
    flow = Sensor("cm/s", sigma="0.01 cm/s")

    def derivative(self, t):
        out = self.k * sqrt(self.h1)
        return {self.h1: 0.04 * self.pump - out, self.h2: out - self.k * sqrt(self.h2)}

    def observe(self, t):
        return {self.level: self.h2, self.flow: self.k * sqrt(self.h2)}


def _heat():
    cells = [f"c{i:02d}" for i in range(30)]
    sensors = [f"s{i}" for i in range(5)]

    def derivative(self, t):
        x = [getattr(self, name) for name in cells]
        wall = [x[0], *x, x[-1]]
        return {name: 0.5 * (wall[i + 2] - 2 * wall[i + 1] + wall[i]) for i, name in enumerate(cells)}

    def observe(self, t):
        return {getattr(self, name): getattr(self, cells[3 + 6 * i]) for i, name in enumerate(sensors)}

    body = {name: State("degC", init=(20, 5), q="0.05 degC/sqrt(s)") for name in cells}
    body |= {name: Sensor("degC", sigma="0.1 degC") for name in sensors}
    body |= {"derivative": derivative, "observe": observe}
    return type(Behaviour)("Heat", (Behaviour,), body, model="dtmi:demo:Heat;1", filter="etkf")


Heat = _heat()
