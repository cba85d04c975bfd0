"""A parameter that drifts, followed live: the twin's filter takes it into its state, from where calibration left it.

    x+ = [states+, parameter],    the parameter a random walk of `drift` per square root of a time

So what a calibration found is where tracking starts, with its posterior as the first belief; what does not drift stays
at its most likely value. Whether the data ask for a drift at all, and how fast, is told by the likelihood of a record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.calibrate.calibration import Calibration, calibrate
from ectype.calibrate.remade import remade
from ectype.errors import Misconfigured
from ectype.estimate.behaviour import Behaviour, LogNormal, Normal, Parameter
from ectype.values.block import Float64s

_SURE = 2.71  # the 95 % point of half a chi-squared of 1 (Self, Liang 1987): a rate cannot be negative


def tracking(found: Calibration, drifts: Mapping[str, str]) -> type[Behaviour]:
    """The behaviour with those parameters followed live, e.g. {"outlet": "1 %/sqrt(day)"}, and the rest fixed.

    Raises Misconfigured for one that was not calibrated, Invalid for a rate that is none.
    """
    c = found.coordinates
    known = [p for p in c.behaviour.layout.constants if p.name in c.names]
    if unknown := [name for name in drifts if name not in [p.name for p in known]]:
        raise Misconfigured(f"'{unknown[0]}' was not calibrated; it could be: {', '.join(p.name for p in known)}")
    parameters: dict[str, Parameter] = {}
    for p in known:
        i = c.names.index(p.name)
        value, std = found.values[p.name], float(np.sqrt(found.cov[i, i]))
        if p.name in drifts:
            prior = LogNormal(value, std) if c.logs[i] else Normal(value, std)
            parameters[p.name] = Parameter(p.unit, prior=prior, drift=drifts[p.name], low=p.low, high=p.high)
        else:
            parameters[p.name] = Parameter(p.unit, fixed=value, low=p.low, high=p.high)
    return remade(c.behaviour, c.behaviour.__name__, parameters=parameters)


@final
@dataclass(frozen=True, slots=True)
class Drift:
    """Whether a parameter drifts: rate and its 95 % interval, in its unit per sqrt(s); ratio: twice the gain in
    log-likelihood over standing still; drifts: whether that is beyond chance at 5 %.
    """

    name: str
    rate: float
    low: float
    high: float
    ratio: float
    drifts: bool


def drift_of(found: Calibration, name: str, expected: str, measurements: Sequence[Float64s] | None = None) -> Drift:
    """How fast a calibrated parameter drifts, from the records that it was calibrated on or later ones, with `expected`
    ("1 %/sqrt(day)") as the centre of what is thought likely, within a factor e up or down.
    """
    records = list(measurements or found.records)
    followed = tracking(found, {name: expected})
    still = tracking(found, {name: "1e-9 %/sqrt(day)"})
    with_drift = calibrate(followed, records, noises=[name], shooting=False)
    without = calibrate(still, records, noises=[name], shooting=False)
    told = with_drift.estimates[f"noise of {name}"]
    q = next(p.q for p in followed.layout.tracked if p.name == name) or 0.0
    ratio = 2.0 * (with_drift.log_likelihood - without.log_likelihood)
    return Drift(name, q * told.value, q * told.low, q * told.high, ratio, ratio > _SURE)
