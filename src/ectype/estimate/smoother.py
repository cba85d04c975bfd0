"""What was believed then, knowing what came after: Rauch-Tung-Striebel over a whole run, or a fixed lag behind.

Backwards over the filter's record (Särkkä 2008 for the unscented form), from belief N(x, P) at one event to the next,
whose prediction is N(m, M) with cov(now, next) = D:

    G = D M^-1,    x^s = x + G (x^s_next - m),    P^s = P + G (P^s_next - M) G^T

One such step is traced like the filter, with the same sigma points or Jacobians, and runs on all twins at once.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false

from typing import Any, final

import casadi as ca
import numpy as np

from ectype.estimate import gaussian
from ectype.estimate.methods import methods_of
from ectype.estimate.trace import Graph, clamp_of
from ectype.values.block import Float64s


@final
class Smoother:
    """Smooths what `Kernel.fold` of the same graph recorded."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._step = _step(graph)

    def smooth(self, constants: Float64s, events: Float64s, active: Float64s, out: Float64s) -> Float64s:
        """[k, belief_size, n]: the belief at each event given all of them. Arguments as for and from `fold`."""
        rows = self._graph.belief_size
        smoothed = out[:, :rows].copy()
        for k in range(len(events) - 2, -1, -1):
            smoothed[k] = self._back(constants, events[k + 1], active[k + 1], out[k, :rows], smoothed[k + 1])
        return smoothed

    def lagged(self, constants: Float64s, events: Float64s, active: Float64s, out: Float64s, lag: int) -> Float64s:
        """[k - lag, belief_size, n]: the belief at each event given `lag` events more, as a live twin would tell it."""
        rows, count = self._graph.belief_size, len(events)
        keep = max(0, count - lag)
        twins = out.shape[2]
        smoothed = out[lag:, :rows]
        for back in range(1, lag + 1):
            first = lag - back
            # Row r of `smoothed` ends at event r + lag; all of them go one event back together.
            now = slice(first, first + keep)
            after = slice(first + 1, first + 1 + keep)
            flat = [_flat(a) for a in (events[after], out[now, :rows], smoothed)]
            each = np.tile(constants, (1, keep))
            back_one = self._back(each, flat[0], active[after].ravel(), flat[1], flat[2])
            smoothed = back_one.reshape(rows, keep, twins).swapaxes(0, 1)
        return smoothed

    def _back(self, constants: Float64s, event: Float64s, active: Float64s, now: Float64s, after: Float64s) -> Float64s:
        held = event[: 2 + len(self._graph.layout.inputs)]
        before = np.asarray(self._step(ca.DM(np.concatenate([now, constants, held, after]))))
        return np.where(active != 0, before, after)


def _flat(a: Float64s) -> Float64s:
    """[k, rows, n] as [rows, k * n]."""
    return a.swapaxes(0, 1).reshape(a.shape[1], -1)


def _step(graph: Graph) -> Any:
    behaviour, n = graph.behaviour, graph.size
    m = methods_of(behaviour)
    tri = [(i, j) for i in range(n) for j in range(i + 1)]
    x = ca.vertsplit(ca.SX.sym("x", n))
    cov = {ij: ca.SX.sym("P") for ij in tri}
    x_next = ca.vertsplit(ca.SX.sym("s", n))
    cov_next = {ij: ca.SX.sym("S") for ij in tri}
    given = [*x, *cov.values(), *m.constants, m.t, m.dt, *m.inputs, *x_next, *cov_next.values()]
    clamp = clamp_of(graph.layout)
    lower = gaussian.cholesky(cov, n)
    predict = gaussian.predict_ekf if behaviour.filter == "ekf" else gaussian.predict_ukf
    mean, ahead, along = predict(m, x, lower, m.at(list(m.q), clamp(x)), clamp)

    def full(lower_triangle: Any) -> Any:
        return ca.vertcat(*(ca.horzcat(*(lower_triangle[max(i, j), min(i, j)] for j in range(n))) for i in range(n)))

    def matrix(rows: Any) -> Any:
        return ca.vertcat(*(ca.horzcat(*row) for row in rows))

    root = matrix(gaussian.cholesky(ahead, n))
    cross = matrix(lower) @ matrix(along).T
    gain = ca.solve(root.T, ca.solve(root, cross.T)).T
    x_now = ca.vertcat(*x) + gain @ (ca.vertcat(*x_next) - ca.vertcat(*mean))
    cov_now = full(cov) + gain @ (full(cov_next) - full(ahead)) @ gain.T
    outputs = [*clamp(ca.vertsplit(x_now)), *(0.5 * (cov_now[i, j] + cov_now[j, i]) for i, j in tri)]
    return ca.Function("smooth", [ca.vertcat(*given)], [ca.vertcat(*outputs)], {"cse": True})
