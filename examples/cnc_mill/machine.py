"""How the mill behaves: its spindle, and one of its axes. Each is written for one sample of a tenth of a second.

    spindle   power = idle + above + cutting * speed + grip * slip + ripple
              idle      what it takes to turn in air, on average over all parts
              above     what this part takes more than that, 4 W or so, and wanders; unseen
              cutting   J for each mm of path in the block
              slip      how far the controller lets it fall behind, which it answers with power
              ripple    once a turn. 53.33 turns a second seen ten times a second are a third of a turn a sample, so it
                        shows every 0.3 s; a pair of states turns with it
    axis      current = offset + inertia * push + viscous * velocity + coulomb * bristle + servo * lag + load
              bristle   Dahl (1968) friction, -1 to 1: it follows the direction within `bend` mm of travel, so a
                        reversal, a standstill and the creep before it are one law
              lag       wanted less actual velocity: what the servo answers
              load      what the cut and all the rest ask of it (A); unseen, decays within `memory`

Both are linear in what is unseen, so the filter is exact.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ectype.estimate.behaviour import Behaviour, Input, LogNormal, Normal, Parameter, Sensor, State
from ectype.estimate.events import Carry, pack
from ectype.estimate.maths import cos, exp, maximum, sign, sin, sqrt
from ectype.estimate.trace import trace
from ectype.values.block import Float64s
from examples.cnc_mill.records import STEP_S, Part

SPEED = 160.0 / 3.0  # rev/s: 3200 a minute, which the recorded 53.3 is
_TURN = 2 * math.pi * SPEED
_TICK = round(STEP_S * 1e9)


class Spindle(Behaviour, model="dtmi:ectype:examples:MillSpindle;1", filter="ekf"):
    """See the module's docstring."""

    above = State("W", init=(0.0, 4.0), q="0.5 W/sqrt(s)")
    in_phase = State("W", init=(0.0, 12.0), q="5 W/sqrt(s)")
    quadrature = State("W", init=(0.0, 12.0), q="5 W/sqrt(s)")
    idle = Parameter("W", prior=Normal(150.0, 50.0))
    cutting = Parameter("W*s/mm", prior=Normal(0.0, 1.0))
    grip = Parameter("W*s", prior=Normal(150.0, 50.0))
    speed = Input("mm/s", max_age="1 s")
    slip = Input("1/s", max_age="1 s")
    power = Sensor("W", sigma="13 W", gate=6)

    def step(self, t: Any, dt: Any) -> dict[Any, Any]:
        """The ripple turns; the rest stays."""
        c, s = cos(_TURN * dt), sin(_TURN * dt)
        return {
            self.above: self.above,
            self.in_phase: c * self.in_phase - s * self.quadrature,
            self.quadrature: s * self.in_phase + c * self.quadrature,
        }

    def observe(self, t: Any) -> dict[Any, Any]:
        """The power."""
        steady = self.idle + self.above + self.cutting * self.speed
        return {self.power: steady + self.grip * self.slip + self.in_phase}


class Axis(Behaviour, model="dtmi:ectype:examples:MillAxis;1", filter="ekf"):
    """See the module's docstring."""

    bristle = State("1", init=(0.0, 0.7), q="0.2 1/sqrt(s)")
    load = State("A", init=(0.0, 1.0), q="1.5 A/sqrt(s)")
    offset = Parameter("A", prior=Normal(0.0, 0.5))
    inertia = Parameter("A*s^2/mm", prior=Normal(0.0, 0.02))
    viscous = Parameter("A*s/mm", prior=Normal(0.1, 0.2))
    coulomb = Parameter("A", prior=LogNormal(3.0, 0.5))
    servo = Parameter("A*s/mm", prior=Normal(3.0, 2.0))
    bend = Parameter("mm", prior=LogNormal(0.1, 1.0), low=0.002)
    memory = Parameter("s", fixed=0.3)
    quiet = Parameter("A", prior=LogNormal(1.0, 0.5))
    rough = Parameter("A*s/mm", prior=LogNormal(1.0, 0.7))
    push = Input("mm/s^2", max_age="1 s")
    velocity = Input("mm/s", max_age="1 s")
    lag = Input("mm/s", max_age="1 s")
    current = Sensor("A", sigma="1 A", gate=6)

    def step(self, t: Any, dt: Any) -> dict[Any, Any]:
        """The bristle bends with the travel, the load decays."""
        way = sign(self.velocity)
        travel = maximum(way * self.velocity, 0.0) * dt
        return {
            self.bristle: way + (self.bristle - way) * exp(-travel / self.bend),
            self.load: self.load * exp(-dt / self.memory),
        }

    def observe(self, t: Any) -> dict[Any, Any]:
        """The motor's current."""
        moving = self.inertia * self.push + self.viscous * self.velocity + self.servo * self.lag
        return {self.current: self.offset + moving + self.coulomb * self.bristle + self.load}

    def noise(self, t: Any) -> dict[Any, Any]:
        """Where the servo lags, it is in the middle of a change that a tenth of a second does not resolve."""
        return {self.current: sqrt(self.quiet**2 + (self.rough * self.lag) ** 2)}


def spindle_events(part: Part) -> Float64s:
    """[rows, event_size] of one part."""
    values = {"speed": part.speed, "slip": SPEED - part.columns["S1_ActualVelocity"], "power": part.power}
    return _packed(Spindle, values)


def axis_events(part: Part, axis: str) -> Float64s:
    """[rows, event_size] of one part; axis: X1 or Y1."""
    velocity = part.columns[f"{axis}_ActualVelocity"]
    values = {
        "push": part.columns[f"{axis}_CommandAcceleration"],
        "velocity": velocity,
        "lag": part.columns[f"{axis}_CommandVelocity"] - velocity,
        "current": part.columns[f"{axis}_CurrentFeedback"],
    }
    return _packed(Axis, values)


def _packed(behaviour: type[Behaviour], values: Mapping[str, Float64s]) -> Float64s:
    graph = trace(behaviour)
    rows = len(next(iter(values.values())))
    at_ns = _TICK * np.arange(1, rows + 1, dtype=np.int64)
    events, _ = pack(graph, Carry.fresh(graph, 1), at_ns, {n: v[:, None] for n, v in values.items()})
    return events.events[:, :, 0]
