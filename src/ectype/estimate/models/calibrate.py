"""Calibration of the wind turbine type's constants from records: batch, reproducible, with provenance.

Steps: yaw by `estimate/yaw.py`; the power curve by least squares on effective wind (linear in its slopes, with a
little smoothing); then the filter itself runs over the training months, and what it does there gives the band of
expected power, the wind's quantiles by horizon, and how long stops last. Nothing of SHIPPED is ever looked at.
Curve, vane and band use only the ten months after it: until November 2014 the vanes of all four turbines relate to
power differently (docs/examples/wind-farm.md). The wind's own movements use every month but SHIPPED.
The noise constants are set by hand so that the mean NIS on the training months is just under 1.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import hashlib
import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from ectype.clock import from_iso, to_iso
from ectype.estimate import scada, yaw
from ectype.estimate.emit_plain import PlainKernel
from ectype.estimate.events import Carry, pack
from ectype.estimate.models import wind_forecast as fc
from ectype.estimate.models import wind_turbine as wt
from ectype.estimate.trace import trace
from ectype.values.block import Float64s

SHIPPED = ("2014-12-05T00:00:00Z", "2015-02-27T00:00:00Z")
HORIZONS = (1, 2, 3, 4, 6, 9, 12, 18, 24, 30, 36)
LEVELS = (0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98)
_HEIGHT_M = 491.0


def calibrate(source: Path) -> dict[str, Any]:
    """All constants, from every record of `source` outside SHIPPED."""
    start, stop = (from_iso(text) for text in SHIPPED)
    records = scada.read(source).trusted()
    training = records.span(stop, int(records.at_ns[-1]) + 1)
    found = yaw.calibrate(training, resamples=0)
    c: dict[str, Any] = {
        "provenance": {
            "data": "ENGIE, La Haute Borne, 10 min SCADA 2014-2015, Licence Ouverte 2.0",
            "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
            "curve_vane_noise_band": [SHIPPED[1], to_iso(int(records.at_ns[-1]))],
            "forecast": [to_iso(int(records.at_ns[0])), to_iso(int(records.at_ns[-1]))],
            "left_out": list(SHIPPED),
            "by": "tools/calibrate_wind_turbine.py",
        },
        "bins": list(yaw.BINS),
        "vane_profile": _round(found.profile),
        "exponent": _round(found.exponent),
        "noise": {"wind_speed": [0.18, 0.008], "power": [8.0, 0.012], "unrest": [0.02, 0.0013]},
    }
    c["curve"] = _curve(training, found)
    with _using(c):
        c["band"] = _band(training)
        c["forecast"] = _forecast(records.outside(start, stop))
    return c


def write(c: dict[str, Any], target: Path) -> None:
    """The constants as readable JSON, one key a line."""
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in c.items())
    target.write_text("{\n" + lines + "\n}\n")


def _round(values: Any, digits: int = 4) -> list[Any]:
    return np.round(np.asarray(values, np.float64), digits).tolist()


def _curve(records: scada.Records, found: yaw.Yaw) -> dict[str, list[float]]:
    w = records.wind_speed
    good = yaw.normal_operation(records) | ((records.power > 1800.0) & (records.pitch < 30.0))
    error = np.clip(records.vane - found.static - np.interp(w, yaw.BINS, found.profile), -40.0, 40.0)
    factor = np.cos(np.radians(error)) ** np.interp(w, yaw.BINS, found.exponent)
    v = wt.effective_wind(w, wt.air_density(records.temperature, _HEIGHT_M), 1.0, factor)
    rows = good & np.isfinite(v)
    x, p = v[rows], records.power[rows]
    knots = np.arange(2.0, 17.0)
    columns = [wt.smooth_curve(x, knots.tolist(), unit.tolist()) for unit in np.eye(len(knots))[1:-1]]
    a = np.stack(columns, 1)
    bend = np.diff(np.eye(len(knots) - 2), 2, axis=0) * np.sqrt(len(x)) * 0.02
    slopes = np.linalg.lstsq(np.vstack([a, bend]), np.concatenate([p, np.zeros(len(bend))]), rcond=None)[0]
    return {"knots": knots.tolist(), "slopes": _round([0.0, *np.maximum(slopes, 0.0), 0.0], 2)}


@contextmanager
def _using(c: dict[str, Any]) -> Generator[None]:
    """The behaviour reads its constants from `c` meanwhile, instead of the file that is being made."""
    read = wt.constants
    wt.constants = lambda: c  # type: ignore[assignment]
    try:
        yield
    finally:
        wt.constants = read


@final
@dataclass(frozen=True, slots=True, eq=False)
class Filtered:
    """What the filter believed at each record, [t, turbine]; `before_*`: the belief just before that record."""

    wind: Float64s
    performance: Float64s
    yaw: Float64s
    before_performance: Float64s
    before_yaw: Float64s
    wind_nis: Float64s
    power_nis: Float64s
    power_used: NDArray[np.bool_]


def run_filter(records: scada.Records) -> Filtered:
    """The shipped filter over records, on the plain back end."""
    graph = trace(wt.WindTurbine)
    n = len(records.turbines)
    values = {name: getattr(records, name) for name in scada.COLUMNS}
    packed, _ = pack(graph, Carry.fresh(graph, n), records.at_ns, values)
    first = graph.initial(n)
    _, out = PlainKernel(graph).fold(first, np.full((1, n), _HEIGHT_M), packed.events, packed.active)
    d = graph.belief_size
    before = np.concatenate([first[None, :3], out[:-1, :3]])
    return Filtered(
        out[:, 0], out[:, 1], out[:, 2], before[:, 1], before[:, 2], out[:, d + 2], out[:, d + 6], out[:, d + 7] > 0
    )


def expected_power(records: scada.Records, filtered: Filtered) -> Float64s:
    """kW given the anemometer and what was believed before this record; see `wind_turbine.expected_power`."""
    rho = wt.air_density(records.temperature, _HEIGHT_M)
    return wt.expected_power(
        records.wind_speed, records.vane, rho, filtered.before_performance, filtered.before_yaw, records.pitch
    )


def running(records: scada.Records) -> NDArray[np.bool_]:
    """[t, turbine]: neither stopped nor held back: fine pitch, or pitching at rated power."""
    fine = wt.wrap_deg(records.pitch) <= wt.FINE_PITCH_DEG
    return np.isfinite(records.power) & np.isfinite(records.vane) & (fine | (records.power > 0.9 * yaw.RATED_KW))


def _band(records: scada.Records) -> dict[str, Any]:
    """5 % and 95 % of (power - expected) by expected power, over normal operation."""
    filtered = run_filter(records)
    expected = expected_power(records, filtered)
    rows = running(records) & np.isfinite(expected)
    rows[: 14 * 144] = False  # the filter has settled by then
    e, r = expected[rows], (records.power - expected)[rows]
    edges = np.array([-1.0, 5, 30, 80, 150, 250, 400, 600, 850, 1100, 1400, 1700, 1900, 2100])
    centres, low, high = [], [], []
    for a, b in pairwise(edges):
        inside = (e > a) & (e <= b)
        centres.append(float(np.median(e[inside])))
        low.append(float(np.quantile(r[inside], 0.05)))
        high.append(float(np.quantile(r[inside], 0.95)))
    return {"expected": _round(centres, 1), "p05": _round(low, 1), "p95": _round(high, 1)}


def _forecast(records: scada.Records) -> dict[str, Any]:
    filtered = run_filter(records)
    v, at = filtered.wind, records.at_ns
    farm = np.broadcast_to(v.mean(1, keepdims=True), v.shape)
    ago = np.full_like(v, np.nan)
    ago[6:] = np.where((at[6:] - at[:-6] == 6 * scada.STEP_NS)[:, None], v[:-6], np.nan)
    x = fc.features(v, farm, ago, np.broadcast_to(at[:, None] * 1e-9, v.shape).astype(np.float64))
    heard = np.isfinite(records.wind_speed)
    centres = np.array([1.0, 2.5, 4.0, 5.5, 7.0, 9.0, 12.0, 15.0])
    edges = np.array([0.0, 2.0, 3.25, 4.75, 6.25, 8.0, 10.0, 13.0, 99.0])
    coefficients, errors, stay, memory = [], [], [], []
    rho = np.nan_to_num(wt.air_density(records.temperature, _HEIGHT_M), nan=1.2)
    shares = np.linspace(0.0, 1.0, 21)
    still = (records.power < 1.0) & (records.pitch > 40.0)
    for h in HORIZONS:
        same = (at[h:] - at[:-h] == h * scada.STEP_NS)[:, None] & heard[h:] & heard[:-h]
        a, y = x[:-h][same], v[h:][same]
        beta = np.linalg.lstsq(a, y, rcond=None)[0]
        centre = np.maximum(a @ beta, 0.2)
        error = y - centre
        rows = [np.quantile(error[(centre >= lo) & (centre < hi)], LEVELS) for lo, hi in pairwise(edges)]
        coefficients.append(_round(beta, 5))
        errors.append(_round(rows, 3))
        state = (rho[:-h], filtered.performance[:-h], filtered.yaw[:-h])
        ahead = fc.from_wind(np.maximum(x[:-h] @ beta, 0.2), *state)
        beyond = records.power[:-h] - fc.from_wind(v[:-h], *state)
        told = same & ~still[:-h] & np.isfinite(beyond) & (np.abs(beyond) > 1.0)
        missed = [np.abs(ahead + share * beyond - records.power[h:])[told].mean() for share in shares]
        memory.append(float(shares[np.argmin(missed)]))
        windy = same & still[:-h] & (farm[:-h] > 4.5)
        stay.append(float(still[h:][windy].mean()))
    return {
        "horizons": list(HORIZONS),
        "levels": list(LEVELS),
        "coefficients": coefficients,
        "centres": centres.tolist(),
        "errors": errors,
        "memory": _round(memory, 2),
        "still_stopped": _round(stay, 3),
    }
