"""The next six hours of one turbine, as quantiles: how wind moves on from here, through the turbine's own curve.

For each horizon h the wind's centre is linear in what is known now: the turbine's rotor wind, the farm's mean rotor
wind, the change over the last hour, and the time of day. Around it lie the training months' own errors, as quantiles
by the size of the centre (so calm stays calm and wind has a tail). Power is monotone in wind, so wind quantiles
become power quantiles. What the turbine makes now beyond (or short of) its curve fades with the horizon: a share
memory(h) of it is added, clipped to what the turbine can make. A turbine that
stands still now may still stand then: with the share s(h) of the training
months' stops that lasted at least h longer, the quantile q of its power is 0 up to s, then that of wind at (q-s)/(1-s).
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Mapping
from typing import Any

import numpy as np

from ectype.estimate.models import wind_turbine as wt
from ectype.values.block import Float64s

QUANTILES = (0.05, 0.5, 0.95)
STEPS = 36
_VANE_SPREAD_DEG = 6.5


def features(v: Float64s, farm: Float64s, hour_ago: Float64s, at_s: Float64s) -> Float64s:
    """[..., 6]: what the centre is linear in. hour_ago may be NaN (then no change is assumed)."""
    change = np.where(np.isfinite(hour_ago), v - hour_ago, 0.0)
    day = 2 * np.pi * (at_s % 86400.0) / 86400.0
    return np.stack(np.broadcast_arrays(np.ones_like(v), v, farm, change, np.sin(day), np.cos(day)), -1)


def wind_levels(table: Mapping[str, Any], x: Float64s) -> Float64s:
    """[horizon, level, ...]: wind quantiles at the table's horizons and levels from features x [..., 6]."""
    centre = np.maximum(np.tensordot(np.asarray(table["coefficients"]), x, (1, -1)), 0.2)
    edges = np.asarray(table["centres"])
    out = np.empty((centre.shape[0], len(table["levels"]), *centre.shape[1:]))
    for h in range(len(centre)):
        for q in range(out.shape[1]):
            error = np.asarray(table["errors"][h])[:, q]
            out[h, q] = centre[h] + np.interp(centre[h], edges, error)
    return np.maximum(np.sort(out, axis=1), 0.0)


def mean_yaw_factor(v: Float64s, misalignment: Float64s) -> Float64s:
    """The yaw factor averaged over the vane angles a running turbine sees."""
    two = [wt.yaw_factor(v, side * _VANE_SPREAD_DEG + 0.0 * v, misalignment) for side in (-1.0, 1.0)]
    return 0.5 * (two[0] + two[1])


def from_wind(v: Float64s, rho: Float64s, performance: Float64s, misalignment: Float64s) -> Float64s:
    """kW of a running turbine in that rotor wind."""
    return wt.power_curve(wt.effective_wind(v, rho, performance, mean_yaw_factor(v, misalignment)))


def quantiles(
    x: Float64s,
    rho: Float64s,
    performance: Float64s,
    misalignment: Float64s,
    power: Float64s,
    stopped: np.ndarray,
) -> tuple[Float64s, Float64s]:
    """Wind (m/s) and power (kW), each [step 1..36, quantile 5/50/95 %, turbine]. x [turbine, 6]; the rest [turbine];
    power may be NaN (not heard)."""
    table = wt.constants()["forecast"]
    levels = np.asarray(table["levels"])
    horizons = np.asarray(table["horizons"], np.float64)
    wind = wind_levels(table, x)
    memory = np.interp(np.arange(1, STEPS + 1), horizons, table["memory"])
    beyond = np.where(np.isfinite(power) & ~stopped, power - from_wind(x[:, 1], rho, performance, misalignment), 0.0)
    rated = wt.power_curve(np.asarray(30.0))
    stay = np.interp(np.arange(1, STEPS + 1), horizons, table["still_stopped"])
    steps = np.arange(1.0, STEPS + 1)
    low = np.clip(np.searchsorted(horizons, steps, side="right") - 1, 0, len(horizons) - 2)
    share = ((steps - horizons[low]) / (horizons[low + 1] - horizons[low]))[:, None, None]
    wind = wind[low] * (1 - share) + wind[low + 1] * share
    v_out = np.empty((STEPS, len(QUANTILES), x.shape[0]))
    v = np.empty_like(v_out)
    at_rest = np.zeros(v_out.shape, bool)
    for t in range(x.shape[0]):
        for k, q in enumerate(QUANTILES):
            v_out[:, k, t] = _at_level(levels, wind[:, :, t], np.full(STEPS, q))
            v[:, k, t] = v_out[:, k, t]
            if stopped[t]:
                v[:, k, t] = _at_level(levels, wind[:, :, t], (q - stay) / (1.0 - stay))
                at_rest[:, k, t] = q <= stay
    made = from_wind(v, rho, performance, misalignment) + memory[:, None, None] * beyond
    p_out = np.where(at_rest, 0.0, np.clip(made, 0.0, rated))
    return v_out, p_out


def _at_level(levels: Float64s, rows: Float64s, q: Float64s) -> Float64s:
    """Each row [step, level] read off at its own level q [step]; the outermost levels end the range."""
    low = np.clip(np.searchsorted(levels, q) - 1, 0, len(levels) - 2)
    share = np.clip((q - levels[low]) / (levels[low + 1] - levels[low]), 0.0, 1.0)
    step = np.arange(len(rows))
    return rows[step, low] * (1 - share) + rows[step, low + 1] * share
