"""A behaviour's methods as CasADi expressions: how it moves, what its sensors read, how restless it is."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false

from dataclasses import dataclass
from typing import Any, final

import casadi as ca

from ectype.estimate.behaviour import Behaviour
from ectype.estimate.returned import Returned

SX = Any


@final
@dataclass(frozen=True, slots=True)
class Look:
    """One sensor as scalars over `Methods.x`: predicted reading, its standard deviation, whether it is usable.
    slopes: d reading/dx (exact); linear: slopes are constant over x.
    """

    reading: SX
    std: SX
    usable: SX
    slopes: tuple[SX, ...]
    linear: bool
    needs: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Methods:
    """Everything over the symbols x (states, then tracked parameters), constants, inputs, t and dt.

    moved: x after dt; slopes[i][j] = d moved_i / dx_j (exact, through the integrator); q: noise per sqrt(s).
    """

    x: tuple[SX, ...]
    constants: tuple[SX, ...]
    inputs: tuple[SX, ...]
    t: SX
    dt: SX
    moved: tuple[SX, ...]
    slopes: tuple[tuple[SX, ...], ...]
    q: tuple[SX, ...]
    looks: tuple[Look, ...]

    def depends(self, expression: SX) -> frozenset[int]:
        """Which of x the expression contains."""
        return frozenset(j for j, x in enumerate(self.x) if ca.depends_on(expression, x))

    def at(self, expressions: list[SX], x: list[SX]) -> list[SX]:
        """The expressions with x put in."""
        out = ca.substitute(ca.vertcat(*expressions), ca.vertcat(*self.x), ca.vertcat(*x))
        return ca.vertsplit(out)


def methods_of(behaviour: type[Behaviour]) -> Methods:
    """Run the methods once on symbols. Raises Invalid if one does not return what it must."""
    layout = behaviour.layout
    run = Returned.of(behaviour)
    x, t, dt = list(run.x), run.t, run.dt
    if run.moved is not None:
        moved = list(run.moved)
    else:
        moved = _rk4(list(run.slope), x[: len(layout.states)], t, dt, behaviour.substeps)
    moved = [*moved, *x[len(layout.states) :]]
    everything = ca.vertcat(*x)
    looks: list[Look] = []
    for reading, std, use in run.looks:
        row = ca.jacobian(reading, everything)
        slopes = tuple(ca.SX(row[0, j]) for j in range(len(x)))
        depends = {str(s) for s in ca.symvar(ca.vertcat(reading, std, use))}
        needs = tuple(u.name for u in layout.inputs if u.name in depends)
        linear = not any(ca.depends_on(s, everything) for s in slopes)
        looks.append(Look(reading, std, use, slopes, linear, needs))
    jacobian = ca.jacobian(ca.vertcat(*moved), everything)
    slopes = tuple(tuple(ca.SX(jacobian[i, j]) for j in range(len(x))) for i in range(len(x)))
    return Methods(run.x, run.constants, run.inputs, t, dt, tuple(moved), slopes, run.q, tuple(looks))


def _rk4(slope: list[SX], x: list[SX], t: SX, dt: SX, substeps: int) -> list[SX]:
    """`substeps` classical Runge-Kutta steps over dt; inputs are held, t moves on."""
    given = ca.vertcat(*x, t)
    rate = ca.vertcat(*slope)
    h = dt / substeps if substeps > 1 else dt

    def f(at: list[SX], later: SX) -> list[SX]:
        return ca.vertsplit(ca.substitute(rate, given, ca.vertcat(*at, later)))

    for k in range(substeps):
        now = t + k * h if k else t
        k1 = f(x, now)
        k2 = f([a + 0.5 * h * b for a, b in zip(x, k1, strict=True)], now + 0.5 * h)
        k3 = f([a + 0.5 * h * b for a, b in zip(x, k2, strict=True)], now + 0.5 * h)
        k4 = f([a + h * b for a, b in zip(x, k3, strict=True)], now + h)
        x = [a + h / 6 * (b + 2 * (c + d) + e) for a, b, c, d, e in zip(x, k1, k2, k3, k4, strict=True)]
    return x
