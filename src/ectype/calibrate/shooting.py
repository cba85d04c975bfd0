"""From far away to near: multiple shooting. The record is cut into windows, each with a first state of its own.

Inside a window the behaviour is simulated without noise; where two windows meet, the gap between the end of one and the
start of the next may be as large as process noise makes it, or must vanish where a state has none. A long simulation
from a wrong parameter runs away and its derivatives with it; short windows, held to the readings, do not (Bock 1981).

    min over z and the windows' first states s of   |r(s, z)|^2 + |gaps / (q sqrt(T))|^2 + prior

solved by IPOPT with exact derivatives and the Gauss-Newton Hessian J^T J. Residuals beyond their sensor's gate count
like |r| and not r^2. The answer is a good start, not the posterior: likelihood.py has the process noise right.
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

from ectype.calibrate.coordinates import Coordinates
from ectype.calibrate.likelihood import put_in
from ectype.estimate.behaviour import Behaviour
from ectype.estimate.methods import methods_of
from ectype.estimate.trace import clamp_of
from ectype.values.block import Float64s

SX = Any
_MOST_WINDOWS = 150


@final
@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """Where it ended: z, the windows it used, the steps it took, and what IPOPT says of it."""

    z: Float64s
    windows: int
    steps: int
    status: str


def shoot(
    c: Coordinates,
    records: Sequence[Float64s],
    believed: Sequence[Float64s],
    z: Float64s,
    *,
    window: int | None = None,
    longer: int = 1,
    most: int = 60,
) -> Shot:
    """z near the top, from far away. believed: [k, states] of each record, the filter's means at z.

    window: events in a window; None: at least 5, and at most 150 windows in all. longer: times that.
    """
    total = sum(map(len, records))
    length = longer * (window or max(5, math.ceil(total / _MOST_WINDOWS)))
    event, window_step, states, read_q = _event_of(c.behaviour, c.names, c.logs)
    q = _restless(c, read_q)
    free = ca.MX.sym("z", len(c.names))
    run = window_step.mapaccum("window", length)
    low, high = _bounds(c)
    nodes: list[Any] = []
    begin: list[Float64s] = []
    residuals: list[Any] = [ca.DM(np.linalg.cholesky(c.precision).T) @ (free - c.mean)]
    gaps: list[Any] = []
    soft = np.flatnonzero(q > 0)
    hard = np.flatnonzero(q <= 0)
    first, spread = _first(c)
    for record, means in zip(records, believed, strict=True):
        windows = math.ceil(len(record) / length)
        padded = np.zeros((windows * length, event))
        padded[: len(record)] = record
        padded[len(record) :, 0] = record[-1, 0]
        s = ca.MX.sym("s", states, windows)
        nodes.append(ca.vec(s))
        begin.append(_started(c, means, length, windows))
        each = ca.MX.sym("s0", states), ca.MX.sym("z", len(c.names)), ca.MX.sym("e", event * length)
        ends, misses = run(ca.vertcat(each[0], each[1]), ca.reshape(each[2], event, length))
        one = ca.Function("one", list(each), [ends[:states, length - 1], ca.vec(misses)])
        events = padded.reshape(windows, length * event).T
        last, missed = one.map(windows)(s, ca.repmat(free, 1, windows), events)
        residuals += [ca.vec(missed), (s[:, 0] - first) / spread]
        if windows > 1:
            gap = s[:, 1:] - last[:, :-1]
            took = padded[:, 1].reshape(windows, length).sum(1)[:-1]
            if len(soft):
                scale = q[soft][:, None] * np.sqrt(np.maximum(took, 1e-9))[None]
                residuals.append(ca.vec(gap[soft.tolist(), :] / scale))
            if len(hard):
                gaps.append(ca.vec(gap[hard.tolist(), :] / spread[hard][:, None]))
    unknown = ca.vertcat(free, *nodes)
    r = ca.vertcat(*residuals)
    slope = ca.jacobian(r, unknown)
    g = ca.vertcat(*gaps) if gaps else ca.MX(0, 1)
    weight, multipliers, none = ca.MX.sym("lam_f"), ca.MX.sym("lam_g", g.shape[0]), ca.MX.sym("p", 0)
    gauss_newton = ca.Function("hess_lag", [unknown, none, weight, multipliers], [ca.triu(weight * (slope.T @ slope))])
    options = {
        "hess_lag": gauss_newton,
        "print_time": False,
        "show_eval_warnings": False,  # a step that went too far is taken back
        "ipopt": {"print_level": 0, "sb": "yes", "max_iter": most, "tol": 1e-6, "acceptable_tol": 1e-4},
    }
    problem = {"x": unknown, "p": none, "f": 0.5 * ca.sumsqr(r), "g": g}
    solve: Any = ca.nlpsol("shoot", "ipopt", problem, options)
    counts = sum(math.ceil(len(r) / length) for r in records)
    found = solve(
        x0=np.concatenate([np.clip(z, c.low, c.high), *begin]),
        lbx=np.concatenate([c.low, np.tile(low, counts)]),
        ubx=np.concatenate([c.high, np.tile(high, counts)]),
        lbg=0.0,
        ubg=0.0,
    )
    stats = solve.stats()
    best = np.asarray(found["x"]).ravel()[: len(c.names)]
    return Shot(best, counts, int(stats["iter_count"]), str(stats["return_status"]))


@lru_cache(maxsize=32)
def _event_of(behaviour: type[Behaviour], names: tuple[str, ...], logs: tuple[bool, ...]) -> tuple[int, Any, int, Any]:
    """([x, z], event) -> (the same after it, weighted residuals), and (x, z, event) -> each state's q."""
    layout, m = behaviour.layout, methods_of(behaviour)
    n, sensors, clamp = len(m.x), len(layout.sensors), clamp_of(layout)
    x, z = ca.SX.sym("x", n), ca.SX.sym("z", len(names))
    e = ca.vertsplit(ca.SX.sym("e", 2 + len(m.inputs) + 2 * sensors))
    constants, restless, louder = put_in(m, behaviour, names, logs, z)
    given = ca.vertcat(*m.constants, m.t, m.dt, *m.inputs)
    with_ = ca.vertcat(*constants, *e[: 2 + len(m.inputs)])
    moved = m.at(list(m.moved), clamp(ca.vertsplit(x)))
    misses: list[SX] = []
    for k, (sensor, look) in enumerate(zip(layout.sensors, m.looks, strict=True)):
        expected, std, usable = m.at([look.reading, look.std, look.usable], clamp(moved))
        on = ca.logic_and(e[2 + len(m.inputs) + sensors + k] > 0, usable)
        miss = (e[2 + len(m.inputs) + k] - expected) / (std * louder[k])
        if math.isfinite(sensor.gate):
            miss = miss * ca.sqrt(2.0 / (1.0 + ca.sqrt(1.0 + (miss / sensor.gate) ** 2)))
        misses.append(ca.if_else(on, miss, 0))
    after, missed = (ca.substitute(ca.vertcat(*expressions), given, with_) for expressions in (moved, misses))
    restlessness = ca.substitute(ca.vertcat(*(a * f for a, f in zip(m.q, restless, strict=True))), given, with_)
    read_q = ca.Function("q", [ca.vertcat(*m.x), z, ca.vertcat(*e)], [restlessness])
    step = ca.Function("event", [ca.vertcat(x, z), ca.vertcat(*e)], [ca.vertcat(after, z), missed], {"cse": True})
    return len(e), step, n, read_q


def _restless(c: Coordinates, read_q: Any) -> Float64s:
    """[states]: q at the first mean and the prior's centre; with z free, q itself would be what closes the gaps."""
    layout = c.behaviour.layout
    inputs = [u.default or 0.0 for u in layout.inputs]
    event = np.concatenate([[0.0, 1.0], inputs, np.zeros(2 * len(layout.sensors))])
    return np.asarray(read_q(_first(c)[0], c.mean, event)).ravel()


def _first(c: Coordinates) -> tuple[Float64s, Float64s]:
    layout = c.behaviour.layout
    priors = [s.init for s in layout.states]
    priors += [(p.prior.centre(), p.prior.spread()) for p in layout.tracked if p.prior]
    return np.array([p[0] for p in priors], np.float64), np.array([p[1] for p in priors], np.float64)


def _bounds(c: Coordinates) -> tuple[Float64s, Float64s]:
    declared = (*c.behaviour.layout.states, *c.behaviour.layout.tracked)
    return np.array([d.low for d in declared], np.float64), np.array([d.high for d in declared], np.float64)


def _started(c: Coordinates, believed: Float64s, length: int, windows: int) -> Float64s:
    """[states * windows]: what the filter believed before each window, within the bounds."""
    low_high = _bounds(c)
    before = np.vstack([_first(c)[0][None], believed])[np.arange(windows) * length]
    settled = np.where(np.isfinite(before), before, _first(c)[0])
    return np.clip(settled, *low_high).ravel()
