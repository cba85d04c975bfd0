"""How good is the wind turbine twin on twelve weeks that nothing was fitted on?

Question: coverage of expected power's 90 % band, skill of the six-hour forecast against persistence, NIS, and the
live yaw estimate. Data: the stretch that ships with the package. Baseline in the same run: persistence, with quantiles
(its own errors in the first half by horizon and power, scored on the second half like ours).

    python bench/wind_turbine_held_out.py
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import argparse
from importlib.resources import files
from pathlib import Path

import numpy as np

from ectype.estimate import scada
from ectype.estimate.models import calibrate as cal
from ectype.estimate.models import wind_forecast as fc
from ectype.estimate.models import wind_turbine as wt

DATA = Path(str(files("ectype.demo").joinpath("data/la_haute_borne.parquet")))
HORIZONS = (1, 3, 6, 12, 18, 24, 36)


def pinball(y: np.ndarray, q: np.ndarray, level: float) -> np.ndarray:
    return np.maximum(level * (y - q), (level - 1) * (y - q))


def forecasts(records: scada.Records, filtered: cal.Filtered) -> tuple[np.ndarray, np.ndarray]:
    """[row, step, quantile, turbine] of power, issued every hour, and the rows."""
    v = filtered.wind
    farm = np.broadcast_to(v.mean(1, keepdims=True), v.shape)
    ago = np.full_like(v, np.nan)
    ago[6:] = v[:-6]
    x = fc.features(v, farm, ago, np.broadcast_to(records.at_ns[:, None] * 1e-9, v.shape))
    rho = np.nan_to_num(wt.air_density(records.temperature, 491.0), nan=1.2)
    still = (records.power < 1.0) & (records.pitch > 40.0)
    rows = np.arange(6, len(v) - fc.STEPS, 6)
    out = [
        fc.quantiles(x[k], rho[k], filtered.performance[k], filtered.yaw[k], records.power[k], still[k])[1]
        for k in rows
    ]
    return np.stack(out), rows


def report() -> dict[str, object]:
    records = scada.read(DATA).trusted()
    filtered = cal.run_filter(records)
    expected = cal.expected_power(records, filtered)
    low, high = wt.expected_band(expected)
    normal = cal.running(records) & np.isfinite(expected)
    producing = normal & (expected > 50)
    inside = (records.power >= low) & (records.power <= high)
    result: dict[str, object] = {
        "turbines": records.turbines,
        "coverage of the 90 % band": float(inside[normal].mean()),
        "coverage, expected > 50 kW": float(inside[producing].mean()),
        "coverage by turbine": [float(inside[:, i][producing[:, i]].mean()) for i in range(4)],
        "expected power: bias %": float(
            100 * (expected - records.power)[producing].mean() / records.power[producing].mean()
        ),
        "expected power: MAE kW": float(np.abs(expected - records.power)[producing].mean()),
        "NIS wind": float(filtered.wind_nis[np.isfinite(records.wind_speed)].clip(max=25).mean()),
        "NIS power": float(filtered.power_nis[filtered.power_used].mean()),
    }
    made, rows = forecasts(records, filtered)
    half = len(rows) // 2
    table = []
    for h in HORIZONS:
        truth, now = records.power[rows + h], records.power[rows]
        ours = made[:, h - 1]
        edges = np.array([-50.0, 50, 200, 500, 1000, 1600, 2100])
        which = np.clip(np.digitize(now, edges) - 1, 0, len(edges) - 2)
        seen = np.isfinite(truth) & np.isfinite(now)
        scores = []
        reference = np.empty_like(ours)
        for k, q in enumerate(fc.QUANTILES):
            for b in range(len(edges) - 1):
                train = seen[:half] & (which[:half] == b)
                error = np.quantile((truth - now)[:half][train], q) if k != 1 else 0.0
                reference[:, k] = np.where(which == b, np.clip(now + error, -20, 2060), reference[:, k])
            test = seen[half:]
            scores.append(
                (
                    pinball(truth[half:], ours[half:, k], q)[test].mean(),
                    pinball(truth[half:], reference[half:, k], q)[test].mean(),
                )
            )
        inside = ((truth >= ours[:, 0] - 15) & (truth <= ours[:, 2] + 15))[seen].mean()
        mae = [float(np.abs(truth - z)[seen].mean()) for z in (ours[:, 1], now)]
        mine, theirs = (float(np.mean([s[i] for s in scores])) for i in (0, 1))
        table.append((h * 10, mae[0], mae[1], mine, theirs, 1 - mine / theirs, float(inside)))
    result["forecast"] = table
    result["yaw by week"] = [filtered.yaw[w * 1008 - 1].round(2).tolist() for w in range(1, 13)]
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Scores the wind turbine twin on the packaged weeks.")
    parser.add_argument("--quick", action="store_true", help="the same: it takes half a minute")
    parser.parse_args()
    for name, value in report().items():
        if name == "forecast":
            print("min ahead | MAE kW: ours, persistence | pinball: ours, persistence, skill | 90 % band holds")
            for row in value:  # type: ignore[attr-defined]
                print("{:5d}  {:7.1f} {:7.1f}   {:7.2f} {:7.2f} {:6.1%}   {:6.1%}".format(*row))
        else:
            print(f"{name}: {value}")
