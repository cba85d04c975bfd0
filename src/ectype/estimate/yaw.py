"""Static yaw misalignment of a fleet from its ten-minute records: one joint fit, with honest intervals.

What the number means is OpenOA's definition (openoa.analysis.yaw_misalignment 3.2): for each anemometer bin of
1 m/s from 4 to 10 m/s, the vane angle at which normalised power P/w^3 peaks minus the mean vane angle; then the
plain mean over the seven bins. It is positive when power peaks at a vane angle above the one the turbine runs at.
The mean over bins matters: below 8 m/s the offsets are near 0, above they reach 4-8 deg (flow around the nacelle).

OpenOA fits each turbine and bin alone, to binned means that all weigh the same. Here one model holds all of them:

    P/w^3 in turbine i, bin j, at vane angle a  =  A_ij cos(a - m_ij - d_ij)^n_ij,      m_ij the mean vane angle
    d_ij ~ N(d_i + g_j, tau^2)                the turbine's own offset + what the type's nacelle does to the flow
    log n_ij ~ N(log n_j, nu^2)               machines of one type nearly share the cosine law
    d_i, g_j ~ N(0, (10 deg)^2);  sum_j g_j = 0

MAP by Gauss-Newton with CasADi's exact Jacobian. The data are cell means over 1 deg of vane weighted by their
count and by the scatter of their bin; tau, nu and the noise's excess (autocorrelation, misfit) are estimated from
the data by EM (empirical Bayes), so nothing is set by hand. `pooled=False` leaves every turbine and bin to itself,
which is what the published numbers do. `static` is mean_j d_ij.
The interval is a bootstrap over whole weeks, so weather that lasts is in it.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from ectype.errors import Invalid
from ectype.estimate.scada import STEP_NS, Records
from ectype.values.block import Float64s

BINS = (4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0)
RATED_KW = 2050.0
_VANE = 25
_CELLS = 2 * _VANE + 1
_LEAST = 10
_WEAK_DEG = 10.0
_WEEK = 7 * 144


@final
@dataclass(frozen=True, slots=True, eq=False)
class Yaw:
    """static [turbine] deg and interval [turbine, 2] (95 %); by_bin [turbine, bin] deg; profile g [bin] deg, the
    type's; exponent n_j [bin]; mean_vane [turbine, bin] deg; tau deg, nu: see above; excess: noise
    variance over independent samples;
    sample [resample, turbine]: the bootstrap.
    """

    turbines: tuple[str, ...]
    static: Float64s
    interval: Float64s
    by_bin: Float64s
    profile: Float64s
    exponent: Float64s
    mean_vane: Float64s
    tau: float
    nu: float
    excess: float
    sample: Float64s


def normal_operation(records: Records, mads: float = 7.0, top: float = 0.95) -> NDArray[np.bool_]:
    """[t, turbine]: fine pitch (<= 0.5 deg) and wind within `mads` median deviations of its power bin's median.

    The same rule and the same numbers for every turbine (they are OpenOA's defaults).
    """
    p, w = records.power, records.wind_speed
    good = (records.pitch <= 0.5) & np.isfinite(p) & np.isfinite(w) & np.isfinite(records.vane)
    edges = np.append(np.arange(0.01, top, 0.04 * (top - 0.01)), top) * RATED_KW
    for j in range(p.shape[1]):
        for low, high in pairwise(edges):
            rows = np.flatnonzero(good[:, j] & (p[:, j] > low) & (p[:, j] <= high))
            if len(rows) > 2:
                off = np.abs(w[rows, j] - np.median(w[rows, j]))
                good[rows[off > mads * np.median(off)], j] = False
    return good


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Sums over samples, [week, turbine, bin, cell]: 1, vane, r, r^2 with r = P/w^3; and over all vane angles
    [week, turbine, bin]: 1, vane (the mean vane angle counts every sample).
    """

    cell: Float64s
    whole: Float64s


def _sums(records: Records, good: NDArray[np.bool_]) -> _Sums:
    weeks = (records.at_ns - records.at_ns[0]) // (STEP_NS * _WEEK)
    turbines, bins = len(records.turbines), len(BINS)
    cell = np.zeros((4, int(weeks[-1]) + 1, turbines, bins, _CELLS))
    whole = np.zeros((2, int(weeks[-1]) + 1, turbines, bins))
    row, j = np.nonzero(good)
    w, vane, week = records.wind_speed[row, j], records.vane[row, j], weeks[row]
    r = records.power[row, j] / np.maximum(w, 1.0) ** 3
    b = np.floor(w - BINS[0] + 0.5).astype(int)
    inside = (b >= 0) & (b < bins)
    for k, value in enumerate((np.ones_like(r), vane)):
        np.add.at(whole[k], (week[inside], j[inside], b[inside]), value[inside])
    c = np.round(vane).astype(int) + _VANE
    inside &= (c >= 0) & (c < _CELLS)
    for k, value in enumerate((np.ones_like(r), vane, r, r * r)):
        np.add.at(cell[k], (week[inside], j[inside], b[inside], c[inside]), value[inside])
    return _Sums(cell, whole)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Point:
    d: Float64s
    log_n: Float64s
    x: Float64s
    variance: Float64s
    misfit: float


def _model(turbines: int, bins: int) -> Any:
    """Residuals of the data and of the priors, and their Jacobian, as one CasADi function of parameters and cells."""
    x = ca.SX.sym("x", 3 * turbines * bins + turbines + 2 * bins)
    a, y, s, pool = ca.SX.sym("a"), ca.SX.sym("y"), ca.SX.sym("s"), ca.SX.sym("pool", 2)
    amplitude, d, log_n = ca.SX.sym("A"), ca.SX.sym("d"), ca.SX.sym("l")
    law = amplitude * ca.exp(ca.exp(log_n) * ca.log(ca.cos((a - d) * np.pi / 180)))
    local = ca.vertcat(amplitude, d, log_n)
    data = ca.Function("data", [local, a, y, s], [(law - y) / s, ca.jacobian((law - y) / s, local)])
    m = turbines * bins
    di, g, ln = x[3 * m : 3 * m + turbines], x[3 * m + turbines : 3 * m + turbines + bins], x[3 * m + turbines + bins :]
    rows: list[Any] = []
    for i in range(turbines):
        for j in range(bins):
            rows.append((x[m + i * bins + j] - di[i] - g[j]) / pool[0])
            rows.append((x[2 * m + i * bins + j] - ln[j]) / pool[1])
    rows += [di[i] / _WEAK_DEG for i in range(turbines)] + [g[j] / _WEAK_DEG for j in range(bins)]
    rows += [(ln[j] - np.log(3.0)) / 1.0 for j in range(bins)] + [ca.sum1(g) / 1e-3]
    prior = ca.vertcat(*rows)
    return data, ca.Function("prior", [x, pool], [prior, ca.jacobian(prior, x)])


def _fit(sums: Float64s, mean_vane: Float64s, model: Any, pool: Float64s, excess: float, x: Float64s | None) -> _Point:
    data, prior = model
    turbines, bins = mean_vane.shape
    m = turbines * bins
    count, vane, r, r2 = sums
    total = np.maximum(count.sum(-1), 1.0)
    centre = r.sum(-1) / total
    scatter = np.sqrt(np.maximum(r2.sum(-1) / total - centre**2, 1e-12))
    i, j, c = np.nonzero(count >= _LEAST)
    n = count[i, j, c]
    a = vane[i, j, c] / n - mean_vane[i, j]
    y = r[i, j, c] / n / centre[i, j]
    s = scatter[i, j] / centre[i, j] / np.sqrt(n) * np.sqrt(excess)
    own = i * bins + j
    if x is None:
        x = np.concatenate([np.ones(m), np.zeros(m), np.full(m, np.log(3.0)), np.zeros(turbines + bins)])
        x = np.concatenate([x, np.full(bins, np.log(3.0))])
    misfit = 0.0
    normal = np.eye(len(x))
    for _ in range(50):
        local = np.stack([x[own], x[m + own], x[2 * m + own]])
        e, je = (np.asarray(v) for v in data(ca.DM(local), ca.DM(a[None]), ca.DM(y[None]), ca.DM(s[None])))
        e, je = e.ravel(), je.reshape(-1, len(a), 3) if je.shape[0] != 1 else je.reshape(len(a), 3)
        jacobian = np.zeros((len(a), len(x)))
        rows = np.arange(len(a))
        for k in range(3):
            jacobian[rows, k * m + own] = je[..., k].ravel()
        ep, jp = (np.asarray(v) for v in prior(ca.DM(x), ca.DM(pool)))
        normal = jacobian.T @ jacobian + jp.T @ jp
        step = np.linalg.solve(normal, jacobian.T @ e + jp.T @ ep.ravel())
        # Keep the peak inside the data while far from the optimum.
        x = x - step * min(1.0, 3.0 / max(1e-9, float(np.abs(step[m : 2 * m]).max())))
        misfit = float(e @ e) / max(1, len(e) - 3 * m)
        if float(np.abs(step).max()) < 1e-7:
            break
    else:
        raise Invalid("the yaw calibration did not converge; are there a few months of normal operation?")
    covariance = np.asarray(np.linalg.inv(normal), np.float64)
    return _Point(x[m : 2 * m].reshape(turbines, bins), x[-bins:], x, covariance, misfit)


def calibrate(records: Records, *, pooled: bool = True, resamples: int = 200, seed: int = 1) -> Yaw:
    """The joint fit of all turbines. Needs some months; raises Invalid if it does not converge."""
    sums = _sums(records, normal_operation(records))
    turbines, bins = len(records.turbines), len(BINS)
    m = turbines * bins
    model = _model(turbines, bins)
    mean_vane = sums.whole[1].sum(0) / np.maximum(sums.whole[0].sum(0), 1.0)
    pool, excess = np.array([1.0, 0.3]) if pooled else np.array([30.0, 3.0]), 1.0
    point = _fit(sums.cell.sum(1), mean_vane, model, pool, excess, None)
    # EM: the expected squared departures from d_i + g_j and from log n_j under the Laplace posterior.
    away = np.zeros((2, m, len(point.x)))
    for k in range(m):
        i, j = divmod(k, bins)
        away[0, k, [m + k, 3 * m + i, 3 * m + turbines + j]] = (1.0, -1.0, -1.0)
        away[1, k, [2 * m + k, 3 * m + turbines + bins + j]] = (1.0, -1.0)
    for _ in range(100):
        spread = (away @ point.x) ** 2 + np.einsum("qka,ab,qkb->qk", away, point.variance, away)
        now = np.sqrt(spread.mean(1)) if pooled else pool
        noise = max(1.0, point.misfit * excess)
        moved = float(np.abs(now - pool).max()) + abs(noise - excess)
        pool, excess = now, noise
        point = _fit(sums.cell.sum(1), mean_vane, model, pool, excess, point.x)
        if moved < 1e-3:
            break
    rng = np.random.default_rng(seed)
    weeks = sums.cell.shape[1]
    sample = np.empty((resamples, turbines))
    for k in range(resamples):
        drawn = np.bincount(rng.integers(0, weeks, weeks), minlength=weeks).astype(np.float64)
        vane = np.einsum("w,w...->...", drawn, sums.whole[1]) / np.maximum(
            np.einsum("w,w...->...", drawn, sums.whole[0]), 1.0
        )
        cell = np.stack([np.einsum("w,w...->...", drawn, sums.cell[q]) for q in range(4)])
        sample[k] = _fit(cell, vane, model, pool, excess, point.x).d.mean(1)
    interval = np.percentile(sample, [2.5, 97.5], axis=0).T if resamples else np.full((turbines, 2), np.nan)
    g = slice(3 * m + turbines, 3 * m + turbines + bins)
    return Yaw(
        records.turbines,
        point.d.mean(1),
        interval,
        point.d,
        point.x[g] - point.x[g].mean(),
        np.exp(point.log_n),
        mean_vane,
        float(pool[0]),
        float(pool[1]),
        excess,
        sample,
    )
