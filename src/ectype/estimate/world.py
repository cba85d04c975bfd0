"""What an ensemble needs of a twin's world: to be moved, and to be looked at, many members at once."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

import hashlib
from typing import Protocol, final

import casadi as ca
import numpy as np

from ectype.estimate.behaviour import Behaviour, Layout
from ectype.estimate.emit_numpy import run
from ectype.estimate.methods import methods_of
from ectype.estimate.scalars import Instruction, instructions_of
from ectype.estimate.trace import clamp_of
from ectype.values.block import Float64s


class World(Protocol):
    """x: [states and tracked, members, twins]; held: [constants, t, dt and inputs, twins], t and dt in seconds."""

    @property
    def layout(self) -> Layout:
        """What it declares."""
        ...

    def move(self, x: Float64s, held: Float64s) -> tuple[Float64s, Float64s]:
        """x after dt, and the noise q of each in its unit per square root of a second. Nothing random in it."""
        ...

    def look(self, x: Float64s, held: Float64s) -> Float64s:
        """[sensors, 3, members, twins]: what each sensor would read at t, its standard deviation, and whether its
        reading says something about x (above 0.5).
        """
        ...


@final
class Traced:
    """A behaviour written as a class: its methods traced once, run for all members in one call."""

    def __init__(self, behaviour: type[Behaviour]) -> None:
        self.name = behaviour.__name__
        self._layout = behaviour.layout
        m = methods_of(behaviour)
        x = list(m.x)
        given = ca.vertcat(*x, *m.constants, m.t, m.dt, *m.inputs)
        inside = clamp_of(self._layout)(x)
        looks = [e for look in m.looks for e in (look.reading, look.std, look.usable)]
        self._move, self._look = (
            instructions_of(ca.Function("f", [given], [ca.vertcat(*m.at(made, inside))], {"cse": True}), self.name)
            for made in ([*m.moved, *m.q], looks)
        )

    @property
    def layout(self) -> Layout:
        """See World."""
        return self._layout

    def move(self, x: Float64s, held: Float64s) -> tuple[Float64s, Float64s]:
        """See World."""
        moved = self._call(self._move, x, held, 2 * len(x))
        return moved[: len(x)], moved[len(x) :]

    def look(self, x: Float64s, held: Float64s) -> Float64s:
        """See World."""
        sensors = len(self._layout.sensors)
        return self._call(self._look, x, held, 3 * sensors).reshape(sensors, 3, *x.shape[1:])

    @property
    def digest(self) -> str:
        """Equal digest, equal arithmetic."""
        return hashlib.sha256(repr((self._move, self._look)).encode()).hexdigest()

    def _call(self, code: tuple[Instruction, ...], x: Float64s, held: Float64s, size: int) -> Float64s:
        states, members, twins = x.shape
        flat = np.concatenate([x.reshape(states, -1), np.tile(held, (1, members))])
        return run(code, flat, size).reshape(size, members, twins)
