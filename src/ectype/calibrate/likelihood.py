"""How likely all readings are under the twin's own filter, with exact derivatives in the parameters.

    -log p(y | z) = sum over readings of (v^2 / S + log 2 pi S) / 2,     v: innovation, S: its variance

The states are integrated out by the filter that the twin will run with, process noise and all, so its top is where that
filter is consistent; simulation alone would call process noise a parameter. Sensitivities run along with the belief,
traced by CasADi, so the gradient is exact, and so is the information (Fisher scoring, positive for any z):

    F = sum dv dv^T / S + dS dS^T / (2 S^2)

Nothing is gated while climbing: a gate that opens and shuts with z would reward losing readings. `beyond` tells which
readings the gates would refuse at one z; calibration.py sets those aside.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from ectype.calibrate.coordinates import Coordinates
from ectype.estimate import gaussian
from ectype.estimate.behaviour import Behaviour
from ectype.estimate.methods import Methods, methods_of
from ectype.estimate.trace import clamp_of
from ectype.values.block import Float64s

SX = Any
Flags = NDArray[np.bool_]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What the readings say at one z: cost = -log p(y | z), its gradient [p] and the information [p, p]; innovations
    and their variances [records][sensors, k], NaN where there was no reading; means [records][k, states] of the filter.
    """

    cost: float
    gradient: Float64s
    information: Float64s
    innovations: tuple[Float64s, ...]
    variances: tuple[Float64s, ...]
    means: tuple[Float64s, ...]


def put_in(
    m: Methods, behaviour: type[Behaviour], names: tuple[str, ...], logs: tuple[bool, ...], z: SX
) -> tuple[list[SX], list[SX], list[SX]]:
    """Constants, factors on q [states] and factors on sigma [sensors] as expressions of z."""
    layout = behaviour.layout
    parts = ca.vertsplit(z)
    told = {n: ca.exp(x) if log else x for n, x, log in zip(names, parts, logs, strict=True)}
    constants = [told.get(p.name, ca.SX(p.value)) for p in layout.constants]
    factor = [told.get(f"noise of {d.name}", ca.SX(1)) for d in (*layout.states, *layout.tracked)]
    return constants, factor, [told.get(f"noise of {s.name}", ca.SX(1)) for s in layout.sensors]


@final
class Likelihood:
    """Of the readings in `records` (each [k, event_size], from one belief each), as a function of z."""

    def __init__(self, coordinates: Coordinates, records: Sequence[Float64s], *, gated: bool = False) -> None:
        self._c = coordinates
        self._key = (coordinates.behaviour, coordinates.names, coordinates.logs, gated)
        _, self._width, self._first = _traced(*self._key)
        self._records = [np.asarray(r, np.float64) for r in records]

    def __call__(self, z: Float64s) -> Told:
        """Everything at z; cost is infinite where the filter fails."""
        p, sensors = len(self._c.names), len(self._c.behaviour.layout.sensors)
        cost, gradient, information = 0.0, np.zeros(p), np.zeros((p, p))
        states = len(self._c.behaviour.layout.belief_names)
        seen: list[tuple[Float64s, Float64s, Float64s]] = []
        for record in self._records:
            state, out = _folded(*self._key, len(record))(np.concatenate([z, self._first]), record.T)
            after = np.asarray(state)
            last = after[self._width :, -1]
            cost += float(last[0])
            gradient += last[1 : 1 + p]
            information += last[1 + p :].reshape(p, p)
            each = np.asarray(out).reshape(2, sensors, -1)
            there = each[1] > 0
            means = after[p : p + states].T
            seen.append((np.where(there, each[0], np.nan), np.where(there, each[1], np.nan), means))
        if not (math.isfinite(cost) and np.isfinite(gradient).all() and np.isfinite(information).all()):
            cost = math.inf
        innovations, variances, means = (tuple(s[i] for s in seen) for i in range(3))
        return Told(cost, gradient, information, innovations, variances, means)

    def hessian(self, z: Float64s) -> Float64s:
        """[p, p]: the exact second derivatives of the cost."""
        p = len(self._c.names)
        total = np.zeros((p, p))
        for record in self._records:
            total += np.asarray(_second(*self._key, len(record))(z, record.T))
        return 0.5 * (total + total.T)


def beyond(c: Coordinates, records: Sequence[Float64s], z: Float64s) -> list[Flags]:
    """[k, sensors] of each record: the readings that the sensors' gates refuse at z."""
    free, gated = (Likelihood(c, records, gated=g)(z).innovations for g in (False, True))
    return [(np.isfinite(a) & np.isnan(b)).T for a, b in zip(free, gated, strict=True)]


@lru_cache(maxsize=64)
def _folded(behaviour: type[Behaviour], names: tuple[str, ...], logs: tuple[bool, ...], gated: bool, k: int) -> Any:
    return _traced(behaviour, names, logs, gated)[0].mapaccum("fold", k)


@lru_cache(maxsize=16)
def _second(behaviour: type[Behaviour], names: tuple[str, ...], logs: tuple[bool, ...], gated: bool, k: int) -> Any:
    """(z, events) -> the derivative of the gradient."""
    fold = _folded(behaviour, names, logs, gated, k)
    _, width, first = _traced(behaviour, names, logs, gated)
    p = len(names)
    z, events = ca.MX.sym("z", p), ca.MX.sym("e", fold.size1_in(1), k)
    state, _ = fold(ca.vertcat(z, first), events)
    slope = state[width + 1 : width + 1 + p, k - 1]
    # Forward sweeps, one a column: a reverse sweep would keep every step of the record.
    return ca.Function("hessian", [z, events], [ca.jtimes(slope, z, ca.DM.eye(p))])


@lru_cache(maxsize=32)
def _traced(
    behaviour: type[Behaviour], names: tuple[str, ...], logs: tuple[bool, ...], gated: bool
) -> tuple[Any, int, Float64s]:
    """One event: ([z, belief, its sensitivities, cost, gradient, information], event) -> (the same after, [v, S])."""
    layout, m = behaviour.layout, methods_of(behaviour)
    n, p, sensors = len(m.x), len(names), len(layout.sensors)
    tri = [(i, j) for i in range(n) for j in range(i + 1)]
    size = n + len(tri)
    z, belief, seeds = ca.SX.sym("z", p), ca.SX.sym("b", size), ca.SX.sym("B", size, p)
    sums = ca.SX.sym("sums", 1 + p + p * p)
    event = ca.SX.sym("event", 2 + len(m.inputs) + 2 * sensors)
    parts = ca.vertsplit(belief)
    x0, cov0 = parts[:n], dict(zip(tri, parts[n:], strict=True))
    e = ca.vertsplit(event)
    readings, present = e[2 + len(m.inputs) : 2 + len(m.inputs) + sensors], e[2 + len(m.inputs) + sensors :]

    clamp, exact = clamp_of(layout), behaviour.filter != "ukf"
    constants, restless, louder = put_in(m, behaviour, names, logs, z)
    predict = gaussian.predict_ekf if exact else gaussian.predict_ukf
    q = [a * f for a, f in zip(m.at(list(m.q), clamp(x0)), restless, strict=True)]
    x, cov, _ = predict(m, x0, gaussian.cholesky(cov0, n), q, clamp)
    lower = gaussian.cholesky(cov, n)
    v: list[SX] = []
    s: list[SX] = []
    here: list[SX] = []
    for k, look in enumerate(m.looks):
        expected, g, curved = gaussian.read(m, look, x, lower, clamp, exact)
        std, usable = m.at([look.std, look.usable], clamp(x))
        rest = (std * louder[k]) ** 2 + curved
        s.append(rest + sum((gj * gj for gj in g), ca.SX(0)))
        on = ca.logic_and(present[k] > 0, usable)
        if gated and math.isfinite(layout.sensors[k].gate):
            on = ca.logic_and(on, (readings[k] - expected) ** 2 <= layout.sensors[k].gate ** 2 * s[k])
        here.append(on)
        v.append(ca.if_else(on, readings[k] - expected, 0))
        x, lower = gaussian.assimilate(x, lower, g, rest, v[k], here[k])
    after = gaussian.square(lower)
    given = ca.vertcat(*m.constants, m.t, m.dt, *m.inputs)
    with_ = ca.vertcat(*constants, *e[: 2 + len(m.inputs)])
    out = ca.substitute(ca.vertcat(*clamp(x), *(after[ij] for ij in tri), *v, *s, *here), given, with_)
    moved = ca.jtimes(out[: size + 2 * sensors], ca.vertcat(z, belief), ca.vertcat(ca.SX.eye(p), seeds))
    cost, gradient, information = ca.SX(0), ca.SX.zeros(p, 1), ca.SX.zeros(p, p)
    for k in range(sensors):
        vk, sk, on = out[size + k], out[size + sensors + k], out[size + 2 * sensors + k]
        dv, ds = moved[size + k, :].T, moved[size + sensors + k, :].T
        cost += ca.if_else(on, 0.5 * (vk * vk / sk + ca.log(2 * math.pi * sk)), 0)
        gradient += ca.if_else(on, vk / sk, 0) * dv + ca.if_else(on, 0.5 * (1 - vk * vk / sk) / sk, 0) * ds
        information += ca.if_else(on, 1 / sk, 0) * (dv @ dv.T) + ca.if_else(on, 0.5 / sk**2, 0) * (ds @ ds.T)
    state = ca.vertcat(z, belief, ca.vec(seeds), sums)
    told = sums + ca.vertcat(cost, gradient, ca.vec(information))
    after_state = ca.vertcat(z, out[:size], ca.vec(moved[:size, :]), told)
    flags = out[size + 2 * sensors :]
    shown = ca.vertcat(out[size : size + sensors], ca.if_else(flags, out[size + sensors : size + 2 * sensors], 0))
    step = ca.Function("step", [state, event], [after_state, shown], {"cse": True})
    first = np.zeros(size + size * p + 1 + p + p * p)
    priors = [s.init for s in layout.states]
    priors += [(d.prior.centre(), d.prior.spread()) for d in layout.tracked if d.prior]
    for i, (mean, std) in enumerate(priors):
        first[i], first[n + tri.index((i, i))] = mean, std**2
    return step, p + size + size * p, first
