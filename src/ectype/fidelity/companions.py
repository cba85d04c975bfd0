"""Numbers beside a verdict: is the twin as sure as it should be, and better than doing nothing?

NIS    mean of (innovation / its standard deviation)^2 per sensor; 1 if the filter is as sure as it should be
PIT    Phi(innovation / its standard deviation) is uniform if the predicted distribution is right (Dawid 1984)
CRPS   of the drawn readings (Gneiting, Raftery 2007, in its fair form) against persistence with its own errors
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportMissingImports=false

from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.fidelity.trial import Trial
from ectype.values.block import Float64s


@final
@dataclass(frozen=True, slots=True)
class Companion:
    """One sensor. nis with its 95 % band for a right filter; pit_p: p-value of uniformity (Kolmogorov-Smirnov);
    skill: 1 - CRPS / CRPS of persistence, by samples ahead (None where either has nothing to be scored on).
    """

    nis: float
    nis_band: tuple[float, float]
    pit_p: float
    skill: dict[int, float]


def companions(trial: Trial, sensors: tuple[str, ...]) -> dict[str, Companion]:
    """For each sensor, over all windows; skill on the later half, persistence's errors from the earlier."""
    from scipy.stats import kstest, norm

    out: dict[str, Companion] = {}
    horizon = trial.present.shape[2]
    for s, name in enumerate(sensors):
        there = trial.present[:, s] > 0
        e = trial.e[:, 0, s][there]
        if not len(e):
            continue
        reach = 1.96 * np.sqrt(2.0 / len(e))
        ahead = sorted({1, max(1, horizon // 2), horizon})
        skill = {h: value for h in ahead if (value := _skill(trial, s, h - 1)) is not None}
        out[name] = Companion(
            float((e**2).mean()), (1 - reach, 1 + reach), float(kstest(norm.cdf(e), "uniform").pvalue), skill
        )
    return out


def crps(ensemble: Float64s, truth: Float64s) -> Float64s:
    """[n] from draws [n, r] and what happened [n]: E|X - y| - E|X - X'| / 2 without bias in r."""
    r = ensemble.shape[1]
    ordered = np.sort(ensemble, 1)
    apart = (ordered * (2 * np.arange(1, r + 1) - r - 1)).sum(1) / (r * (r - 1))
    return np.abs(ensemble - truth[:, None]).mean(1) - apart


def _skill(trial: Trial, s: int, h: int) -> float | None:
    half = len(trial) // 2
    there = trial.present[:, s, h] > 0
    truth, before = trial.readings[:, 0, s, h], trial.before[:, s]
    earlier, later = np.flatnonzero(there[:half]), half + np.flatnonzero(there[half:])
    if len(earlier) < 2 or not len(later):
        return None
    errors = (truth - before)[earlier]
    persistence = crps(before[later, None] + errors[None], truth[later]).mean()
    ours = crps(trial.fan[later, :, s, h], truth[later]).mean()
    return float(1 - ours / persistence) if persistence > 0 else None
