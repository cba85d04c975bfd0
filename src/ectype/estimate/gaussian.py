"""Extended and unscented Kalman filters in square-root form, as scalar expressions for one twin.

A belief N(x, P) over n states, P = L L^T with L lower triangular.

    predict, ukf   points x, x ± sqrt(n + 1) L_j, weights w0 = 1/(n+1) and w = 1/(2(n+1)) (Julier, Uhlmann 2004);
                   x <- mean of step(points), P <- their covariance + q^2 dt
    predict, ekf   x <- step(x), P <- (F L)(F L)^T + q^2 dt, F exact by differentiation through the integrator
    per sensor     g = L^T h, the slopes of the reading along L's columns: exact for ekf and for a sensor that is
                   linear in x, (z+ - z-) / (2 sqrt(n+1)) otherwise;  S = |g|^2 + r,  r = sigma^2 + what is curved
                   x <- x + L g v / S,  L <- L chol(I - g g^T / S)

The last line is Carlson's (1973): with s_n = r and s_j-1 = s_j + g_j^2, every s is a sum of squares, so nothing cancels
and L stays real however exact a sensor is. One scalar sensor at a time: no matrix inverse, and any may be missing.
Bounds are kept from what a nonlinear method is given; a linear sensor is read without them, or it would not be linear.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import casadi as ca

from ectype.estimate.methods import Look, Methods

SX = Any
Clamp = Callable[[Sequence[SX]], list[SX]]
Lower = list[list[SX]]
_FLOOR = 1e-30  # rounding may leave a variance a hair below 0 when a state is known almost exactly


def cholesky(cov: Mapping[tuple[int, int], SX], n: int) -> Lower:
    """L with L L^T = cov (given by its lower triangle)."""
    lower: Lower = [[ca.SX(0)] * n for _ in range(n)]
    for j in range(n):
        rest = cov[j, j] - sum((lower[j][k] * lower[j][k] for k in range(j)), ca.SX(0))
        lower[j][j] = ca.sqrt(ca.fmax(rest, _FLOOR))
        inverse = 1.0 / lower[j][j] if j < n - 1 else ca.SX(0)
        for i in range(j + 1, n):
            lower[i][j] = (cov[i, j] - sum((lower[i][k] * lower[j][k] for k in range(j)), ca.SX(0))) * inverse
    return lower


def square(lower: Lower) -> dict[tuple[int, int], SX]:
    """The lower triangle of L L^T."""
    return {
        (i, j): sum((lower[i][k] * lower[j][k] for k in range(j + 1)), ca.SX(0))
        for i in range(len(lower))
        for j in range(i + 1)
    }


Predicted = tuple[list[SX], dict[tuple[int, int], SX], Lower]


def predict_ukf(m: Methods, x: Sequence[SX], lower: Lower, q: Sequence[SX], clamp: Clamp) -> Predicted:
    """Mean and covariance (lower triangle) after dt, and E with cov(before, after) = L E^T (what a smoother needs)."""
    n = len(x)
    w0, w, c = 1.0 / (n + 1), 0.5 / (n + 1), math.sqrt(n + 1.0)
    centre = m.at(list(m.moved), clamp(x))
    touched = [m.depends(e) for e in m.moved]
    pairs: list[tuple[list[SX], list[SX]]] = []
    for j in range(n):
        two: list[list[SX]] = []
        for sign in (c, -c):
            moved = m.at(list(m.moved), clamp(_shift(x, lower, j, sign)))
            # What does not feel this column keeps the very expression of the centre, so that differences vanish.
            two.append([moved[i] if any(k >= j for k in touched[i]) else centre[i] for i in range(n)])
        pairs.append((two[0], two[1]))
    mean = [w0 * centre[i] + w * sum((p[i] + s[i] for p, s in pairs), ca.SX(0)) for i in range(n)]
    columns = [[a - b for a, b in zip(points, mean, strict=True)] for pair in pairs for points in pair]
    middle = [a - b for a, b in zip(centre, mean, strict=True)]
    cov = {
        (i, j): w0 * (middle[i] * middle[j])
        + w * sum((d[i] * d[j] for d in columns), ca.SX(0))
        + (q[i] * q[i] * m.dt if i == j else 0.0)
        for i in range(n)
        for j in range(i + 1)
    }
    along = [[(p[i] - s[i]) * (0.5 / c) for p, s in pairs] for i in range(n)]
    return mean, cov, along


def predict_ekf(m: Methods, x: Sequence[SX], lower: Lower, q: Sequence[SX], clamp: Clamp) -> Predicted:
    """As `predict_ukf`; E is F L."""
    n = len(x)
    at = m.at([*m.moved, *(e for row in m.slopes for e in row)], clamp(x))
    mean, f = at[:n], [at[n + i * n : n + (i + 1) * n] for i in range(n)]
    fl = [[sum((f[i][k] * lower[k][j] for k in range(j, n)), ca.SX(0)) for j in range(n)] for i in range(n)]
    cov = {
        (i, j): sum((a * b for a, b in zip(fl[i], fl[j], strict=True)), ca.SX(0))
        + (q[i] * q[i] * m.dt if i == j else 0.0)
        for i in range(n)
        for j in range(i + 1)
    }
    return mean, cov, fl


def read(m: Methods, look: Look, x: Sequence[SX], lower: Lower, clamp: Clamp, exact: bool) -> tuple[SX, list[SX], SX]:
    """The predicted reading, g, and the variance that its curvature adds (0 for a linear sensor and for ekf)."""
    n = len(x)
    if exact or look.linear:
        at = m.at([look.reading, *look.slopes], list(x) if look.linear else clamp(x))
        g = [sum((at[1 + i] * lower[i][j] for i in range(j, n)), ca.SX(0)) for j in range(n)]
        return at[0], g, ca.SX(0)
    w0, w, c = 1.0 / (n + 1), 0.5 / (n + 1), math.sqrt(n + 1.0)
    deepest = max(m.depends(look.reading), default=-1)
    centre = m.at([look.reading], clamp(x))[0]
    pairs = [
        [m.at([look.reading], clamp(_shift(x, lower, j, sign)))[0] for sign in (c, -c)] for j in range(deepest + 1)
    ]
    level = n - len(pairs)
    mean = (w0 + 2 * w * level) * centre + w * sum((p + s for p, s in pairs), ca.SX(0))
    g = [(p - s) * (0.5 / c) for p, s in pairs] + [ca.SX(0)] * level
    bends = [0.5 * (p + s) - mean for p, s in pairs]
    curved = (w0 + 2 * w * level) * (centre - mean) ** 2 + 2 * w * sum((b * b for b in bends), ca.SX(0))
    return mean, g, curved


def assimilate(x: Sequence[SX], lower: Lower, g: list[SX], rest: SX, v: SX, used: SX) -> tuple[list[SX], Lower]:
    """Belief after a scalar innovation v with slopes g and own variance `rest`, if `used`; else unchanged."""
    n = len(x)
    g = [ca.if_else(used, gj, 0) if not gj.is_zero() else gj for gj in g]
    s = [rest] * (n + 1)
    for j in range(n - 1, -1, -1):
        s[j] = s[j + 1] + g[j] * g[j] if not g[j].is_zero() else s[j + 1]
    out: Lower = [list(row) for row in lower]
    along = [ca.SX(0)] * n
    for j in range(n - 1, -1, -1):
        if g[j].is_zero():
            continue
        root = ca.sqrt(s[j] * s[j + 1])
        share = 1.0 / root
        for i in range(j, n):
            out[i][j] = (lower[i][j] * s[j + 1] - g[j] * along[i]) * share
            along[i] = along[i] + lower[i][j] * g[j]
    step = v / s[0]
    return [a + b * step for a, b in zip(x, along, strict=True)], out


def _shift(x: Sequence[SX], lower: Lower, j: int, by: float) -> list[SX]:
    return [x[i] + by * lower[i][j] if i >= j else x[i] for i in range(len(x))]
