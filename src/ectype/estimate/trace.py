"""One filter update as one scalar graph: the behaviour's methods and the unscented transform, traced by CasADi.

The update, for a belief N(x, P) over states and tracked parameters (n of them), after Julier and Uhlmann 2004:

    sigma points   X_0 = x,  X_{i,n+i} = x ± sqrt(n + 1) L_i,   L L^T = P,   weights 1/(n+1) and 1/(2(n+1))
    predict        X <- step(X, dt) (one RK4 step of `derivative`);  x, P <- mean, cov + q^2 dt
    per sensor     S = cov(z) + sigma^2,  C = cov(X, z),  v = y - mean(z),  NIS = v^2 / S
                   x <- x + C/S v,  P <- P - C C^T / S,  if the sensor is present, usable and NIS <= gate^2

One scalar sensor at a time, points drawn anew from the current belief: no matrix inverse, and any subset of
sensors may be missing. All weights are positive, so P stays positive as long as S does.

Order of the scalars (also in `Layout`): inputs are belief (x, then the lower triangle of P by rows), constants,
then the event: t, dt, inputs, readings, present flags (1 or 0). Outputs: belief, then per sensor: innovation v,
its variance S, NIS, and whether it was assimilated. v, NIS and the flag are 0 where the reading is absent.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false, reportUnknownLambdaType=false

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import casadi as ca
import numpy as np

from ectype.errors import Invalid
from ectype.estimate.behaviour import Behaviour, Layout
from ectype.values.block import Float64s

SX = Any
Instruction = tuple[int, tuple[int, ...], tuple[int, ...], float]


_Map = Callable[[list[Any]], list[Any]]


@final
@dataclass(frozen=True, eq=False)
class Graph:
    """The update of one twin as straight-line scalar code, and what its inputs and outputs mean.

    `instructions` are (CasADi opcode, operands, results, constant) over a work vector; `function` is the same
    graph for CasADi's own virtual machine; `digest` names the graph: equal digest, equal arithmetic.
    `needs[sensor]` lists the inputs that its predicted reading depends on.
    """

    behaviour: type[Behaviour]
    instructions: tuple[Instruction, ...]
    function: Any
    digest: str
    needs: Mapping[str, tuple[str, ...]]

    @property
    def layout(self) -> Layout:
        """What the behaviour declares."""
        return self.behaviour.layout

    @property
    def size(self) -> int:
        """n: how long the filter's state vector is."""
        return len(self.layout.states) + len(self.layout.tracked)

    @property
    def belief_size(self) -> int:
        """Scalars in a belief: n and the lower triangle of the covariance."""
        return self.size + self.size * (self.size + 1) // 2

    @property
    def event_size(self) -> int:
        """Scalars in an event: t, dt, inputs, readings, present flags."""
        return 2 + len(self.layout.inputs) + 2 * len(self.layout.sensors)

    def variance_row(self, i: int) -> int:
        """Where in a belief the variance of the i-th state stands."""
        return self.size + i * (i + 1) // 2 + i

    def initial(self, twins: int) -> Float64s:
        """[belief_size, twins]: the declared priors, uncorrelated."""
        belief = np.zeros((self.belief_size, twins))
        priors = [s.init for s in self.layout.states]
        priors += [(p.prior.centre(), p.prior.spread()) for p in self.layout.tracked if p.prior]
        for i, (mean, std) in enumerate(priors):
            belief[i] = mean
            belief[self.variance_row(i)] = std**2
        return belief


def trace(behaviour: type[Behaviour]) -> Graph:
    """Trace `behaviour`'s filter update. Raises Invalid if a method does not return what it must."""
    layout = behaviour.layout
    n = len(layout.states) + len(layout.tracked)
    x0 = [ca.SX.sym(name) for name in layout.belief_names]
    tri = [(i, j) for i in range(n) for j in range(i + 1)]
    cov = {ij: ca.SX.sym(f"P{ij[0]}_{ij[1]}") for ij in tri}
    constants = [ca.SX.sym(p.name) for p in layout.constants]
    t, dt = ca.SX.sym("t"), ca.SX.sym("dt")
    inputs = [ca.SX.sym(u.name) for u in layout.inputs]
    readings = [ca.SX.sym(s.name) for s in layout.sensors]
    present = [ca.SX.sym(f"{s.name}_present") for s in layout.sensors]
    event = [t, dt, *inputs, *readings, *present]
    symbols = [*x0, *(cov[ij] for ij in tri), *constants, *event]

    move, look, stir, needs = _methods(behaviour, constants, inputs, t, dt)
    lows = [d.low for d in (*layout.states, *layout.tracked)]
    highs = [d.high for d in (*layout.states, *layout.tracked)]

    def clamp(x: list[SX]) -> list[SX]:
        x = [v if lo == -math.inf else ca.fmax(v, lo) for v, lo in zip(x, lows, strict=True)]
        return [v if hi == math.inf else ca.fmin(v, hi) for v, hi in zip(x, highs, strict=True)]

    weights = [1.0 / (n + 1)] + [0.5 / (n + 1)] * (2 * n)

    def mean(points: list[SX]) -> SX:
        rest = sum(points[2:], points[1])
        return weights[0] * points[0] + weights[1] * rest

    def cross(a: list[SX], b: list[SX]) -> SX:
        return mean([p * q for p, q in zip(a, b, strict=True)])

    # predict
    qs = stir(clamp(x0))
    points = [move(clamp(p)) for p in _sigma(x0, cov, n)]
    x = [mean([p[i] for p in points]) for i in range(n)]
    off = [[p[i] - x[i] for p in points] for i in range(n)]
    cov = {(i, j): cross(off[i], off[j]) + (qs[i] * qs[i] * dt if i == j else 0.0) for i, j in tri}

    # one scalar sensor at a time
    diagnostics: list[SX] = []
    for k, sensor in enumerate(layout.sensors):
        points = _sigma(x, cov, n)
        z = [look(clamp(p))[3 * k] for p in points]
        _, std, usable = look(clamp(x))[3 * k : 3 * k + 3]
        z_mean = mean(z)
        dz = [v - z_mean for v in z]
        s = cross(dz, dz) + std * std
        c = [cross([p[i] - x[i] for p in points], dz) for i in range(n)]
        here = ca.logic_and(present[k] > 0, usable)
        v = ca.if_else(present[k] > 0, readings[k] - z_mean, 0)
        nis = v * v / s
        used = ca.logic_and(here, nis <= sensor.gate**2) if math.isfinite(sensor.gate) else here
        gain = [ca.if_else(used, ci / s, 0) for ci in c]
        x = [xi + g * v for xi, g in zip(x, gain, strict=True)]
        cov = {(i, j): cov[i, j] - gain[i] * c[j] for i, j in tri}
        diagnostics += [v, s, nis, used]
    x = clamp(x)

    outputs = [*x, *(cov[ij] for ij in tri), *diagnostics]
    function = ca.Function("update", [ca.vertcat(*symbols)], [ca.vertcat(*outputs)], {"cse": True})
    instructions = _instructions(function)
    digest = hashlib.sha256(repr((behaviour.model, instructions)).encode()).hexdigest()
    return Graph(behaviour, instructions, function, digest, needs)


def _methods(
    behaviour: type[Behaviour], constants: list[SX], inputs: list[SX], t: SX, dt: SX
) -> tuple[_Map, _Map, _Map, dict[str, tuple[str, ...]]]:
    """As functions of the state vector: `move` (itself dt later), `look` (z, std, usable per sensor), `stir` (q)."""
    layout = behaviour.layout
    names = layout.belief_names
    held = [ca.SX.sym(name) for name in names]
    bound = behaviour.bind(
        dict(zip(names, held, strict=True))
        | {p.name: c for p, c in zip(layout.constants, constants, strict=True)}
        | {u.name: v for u, v in zip(layout.inputs, inputs, strict=True)}
    )
    ns = len(layout.states)
    rest = [*constants, *inputs, t, dt]

    by_hash = {hash(symbol): name for name, symbol in zip(names[:ns], held[:ns], strict=True)}

    def named(returned: Mapping[Any, Any]) -> dict[str, SX]:
        return {key if isinstance(key, str) else by_hash.get(hash(key), "?"): ca.SX(v) for key, v in returned.items()}

    def ordered(returned: Mapping[Any, Any], method: str) -> list[SX]:
        given = named(returned)
        if set(given) != set(names[:ns]):
            raise Invalid(f"{behaviour.__name__}.{method} must return exactly the states {', '.join(names[:ns])}")
        return [given[name] for name in names[:ns]]

    if "step" in vars(behaviour):
        moved = ordered(bound.step(t, dt), "step")
    else:
        slope = ca.Function("f", [ca.vertcat(*held), *rest], [ca.vertcat(*ordered(bound.derivative(t), "derivative"))])

        def f(x: list[SX]) -> list[SX]:
            return ca.vertsplit(slope(ca.vertcat(*x, *held[ns:]), *rest))

        h = held[:ns]
        k1 = f(h)
        k2 = f([a + 0.5 * dt * b for a, b in zip(h, k1, strict=True)])
        k3 = f([a + 0.5 * dt * b for a, b in zip(h, k2, strict=True)])
        k4 = f([a + dt * b for a, b in zip(h, k3, strict=True)])
        moved = [a + dt / 6 * (b + 2 * (c + d) + e) for a, b, c, d, e in zip(h, k1, k2, k3, k4, strict=True)]
    move = ca.Function("move", [ca.vertcat(*held), *rest], [ca.vertcat(*moved, *held[ns:])])

    seen, noise, usable = dict(bound.observe(t)), dict(bound.noise(t)), dict(bound.usable(t))
    if set(seen) != set(layout.sensors) or not {*noise, *usable} <= set(layout.sensors):
        wanted = ", ".join(f"self.{s.name}" for s in layout.sensors)
        raise Invalid(f"{behaviour.__name__}.observe must return exactly the sensors {wanted}")
    looks: list[SX] = []
    needs: dict[str, tuple[str, ...]] = {}
    for sensor in layout.sensors:
        row = [ca.SX(seen[sensor]), ca.SX(noise.get(sensor, sensor.sigma)), ca.SX(usable.get(sensor, 1.0))]
        depends = {str(s) for s in ca.symvar(ca.vertcat(*row))}
        needs[sensor.name] = tuple(u.name for u in layout.inputs if u.name in depends)
        looks += row
    unrest = named(bound.unrest(t))
    if not set(unrest) <= set(names[:ns]):
        raise Invalid(f"{behaviour.__name__}.unrest may only name the states {', '.join(names[:ns])}")
    qs = [unrest.get(s.name, s.q) for s in layout.states] + [p.q or 0.0 for p in layout.tracked]
    stir = ca.Function("stir", [ca.vertcat(*held), *rest], [ca.vertcat(*qs)])
    look = ca.Function("look", [ca.vertcat(*held), *rest], [ca.vertcat(*looks)])
    return (
        lambda x: ca.vertsplit(move(ca.vertcat(*x), *rest)),
        lambda x: ca.vertsplit(look(ca.vertcat(*x), *rest)),
        lambda x: ca.vertsplit(stir(ca.vertcat(*x), *rest)),
        needs,
    )


def _sigma(x: list[SX], cov: Mapping[tuple[int, int], SX], n: int) -> list[list[SX]]:
    """The 2n+1 points of N(x, cov): the mean, then all +, then all -."""
    lower: dict[tuple[int, int], SX] = {}
    for j in range(n):
        rest = cov[j, j] - sum((lower[j, k] * lower[j, k] for k in range(j)), ca.SX(0))
        # Rounding may leave a variance a hair below 0 when a state is known almost exactly.
        lower[j, j] = ca.sqrt(ca.fmax(rest, 1e-30))
        for i in range(j + 1, n):
            s = cov[i, j] - sum((lower[i, k] * lower[j, k] for k in range(j)), ca.SX(0))
            lower[i, j] = s / lower[j, j]
    c = math.sqrt(n + 1.0)
    points = [list(x)]
    for sign in (c, -c):
        points += [[x[i] + sign * lower[i, j] if i >= j else x[i] for i in range(n)] for j in range(n)]
    return points


def _instructions(function: Any) -> tuple[Instruction, ...]:
    out: list[Instruction] = []
    for k in range(function.n_instructions()):
        op = int(function.instruction_id(k))
        constant = float(function.instruction_constant(k)) if op == ca.OP_CONST else 0.0
        out.append(
            (
                op,
                tuple(map(int, function.instruction_input(k))),
                tuple(map(int, function.instruction_output(k))),
                constant,
            )
        )
    return tuple(out)
