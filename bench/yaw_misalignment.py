"""Are our static yaw misalignments those published for La Haute Borne, and how sure is either?

Data: two years of all four turbines (../shared/data/la_haute_borne). In the same run:
published   OpenOA 3.2, notebook 07: mean and 95 % interval of 100 resamples
definition  OpenOA's method written anew here (seven bins, binned means, one curve each); OpenOA's own regression test
            pins 1.2216161, 3.1924941, 1.25333209, 2.87197031
alone       our joint optimiser with pooling off: every turbine and bin to itself, samples weighted by count.
            Same estimand and same assumptions as the published number: this is the one to hold against it
pooled      our best estimate: offsets and cosine laws pooled over the fleet by empirical Bayes
by period   pooled, before and after November 2014, when all four vanes change

    python bench/yaw_misalignment.py [--quick]
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.optimize import curve_fit

from ectype.clock import from_iso
from ectype.errors import Invalid
from ectype.estimate import scada, yaw

DATA = Path(__file__).parents[2] / "shared/data/la_haute_borne/scada_10min.parquet"
PUBLISHED = {
    "R80711": (1.4, 0.6, 3.1),
    "R80721": (3.6, 2.3, 7.3),
    "R80736": (1.3, 0.9, 1.7),
    "R80790": (2.9, 2.4, 3.5),
}
PERIODS = (
    ("2014-01-01", "2014-10-01"),
    ("2014-12-01", "2015-04-01"),
    ("2015-04-01", "2015-08-01"),
    ("2015-08-01", "2016-01-01"),
)


def by_definition(records: scada.Records) -> np.ndarray:
    """[turbine]: mean over the bins of (angle of the fitted cosine's peak - mean vane angle)."""
    good = yaw.normal_operation(records)
    out = np.empty((len(records.turbines), len(yaw.BINS)))
    for i in range(len(records.turbines)):
        for j, centre in enumerate(yaw.BINS):
            w = records.wind_speed[:, i]
            rows = good[:, i] & (w >= centre - 0.5) & (w < centre + 0.5)
            vane = records.vane[rows, i].astype(np.float32)
            r = records.power[rows, i] / w[rows] ** 3
            cell = np.round(vane).astype(int)
            x = [a for a in range(-25, 26) if (cell == a).sum() > 50]
            y = [r[cell == a].mean() for a in x]

            def law(a, amplitude, peak, exponent):
                return amplitude * np.cos(np.radians(a - peak)) ** exponent

            found, _ = curve_fit(law, x, y, [max(y), 0.0, 2.0], maxfev=5000)
            out[i, j] = found[1] - vane.mean()
    return out.mean(1)


def report(resamples: int) -> dict[str, object]:
    records = scada.read(DATA).trusted()
    alone = yaw.calibrate(records, pooled=False, resamples=resamples)
    pooled = yaw.calibrate(records, resamples=resamples)
    periods: dict[str, object] = {}
    for start, stop in PERIODS:
        part = records.span(from_iso(start), from_iso(stop))
        try:
            periods[f"{start} to {stop}"] = yaw.calibrate(part, resamples=0).static.round(2).tolist()
        except (Invalid, np.linalg.LinAlgError):
            periods[f"{start} to {stop}"] = "no maximum of power within the vane angles that occur"
    return {"definition": by_definition(records), "alone": alone, "pooled": pooled, "periods": periods}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="40 resamples instead of 300")
    result = report(40 if parser.parse_args().quick else 300)
    print("deg      published [95 %]     definition   alone [95 %]             pooled [95 %]")
    for i, (twin, (mean, low, high)) in enumerate(PUBLISHED.items()):
        cells = [f"{twin}  {mean:4.1f} [{low:.1f}, {high:.1f}]", f"{result['definition'][i]:14.4f}"]
        for name in ("alone", "pooled"):
            y = result[name]
            inside = "inside" if low <= y.static[i] <= high else "OUTSIDE"
            cells.append(f"  {y.static[i]:5.2f} [{y.interval[i, 0]:5.2f}, {y.interval[i, 1]:4.2f}] {inside:7s}")
        print(*cells)
    pooled = result["pooled"]
    print(f"pooled: tau {pooled.tau:.2f} deg, nu {pooled.nu:.2f}, noise excess {pooled.excess:.1f}")
    for period, values in result["periods"].items():
        print(period, values)


if __name__ == "__main__":
    main()
