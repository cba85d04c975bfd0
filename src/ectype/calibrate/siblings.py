"""A twin with little data borrows from its siblings: the prior of the fleet, learned from the fleet (empirical Bayes).

    z_i ~ N(mu, T)      each twin's parameters
    y_i | z_i           its readings: near the top, exp(-(z - a_i)^T F_i (z - a_i) / 2)

EM finds mu and T (Dempster, Laird, Rubin 1977). One twin's F_i may be singular: what its data do not tell it takes from
the others. The declared prior stands in for T as one twin's worth of data would, so that a fleet of two does not look
alike by chance. Each twin is then calibrated again with N(mu, T) as its prior, where it is linearised anew.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.calibrate.calibration import Calibration, calibrate
from ectype.calibrate.coordinates import Coordinates
from ectype.errors import Invalid
from ectype.estimate.behaviour import Behaviour
from ectype.values.block import Float64s

_EM_STEPS = 200
_SETTLED = 1e-6


@final
@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """mean [p] and cov [p, p]: what twins of this kind are like, in z; twins: each with the fleet as its prior; alone:
    the same twins with the declared prior.
    """

    mean: Float64s
    cov: Float64s
    twins: Mapping[str, Calibration]
    alone: Mapping[str, Calibration]

    def prior(self) -> Coordinates:
        """For the next twin of the kind: `calibrate(…, coordinates=fleet.prior())`."""
        return next(iter(self.alone.values())).coordinates.with_prior(self.mean, self.cov)


def calibrate_fleet(
    behaviour: type[Behaviour],
    measurements: Mapping[str, Float64s | Sequence[Float64s]],
    *,
    noises: Sequence[str] = (),
    window: int | None = None,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Fleet:
    """All twins of one kind, each with its measurements by its id. Raises Invalid for fewer than two."""
    if len(measurements) < 2:
        raise Invalid(f"{len(measurements)} twin has no siblings; use calibrate()")
    total = 2 * len(measurements)
    alone: dict[str, Calibration] = {}
    for twin, events in measurements.items():
        alone[twin] = calibrate(behaviour, events, noises=noises, window=window)
        told(len(alone), total)
    mean, cov = pool(list(alone.values()))
    prior = next(iter(alone.values())).coordinates.with_prior(mean, cov)
    twins: dict[str, Calibration] = {}
    for twin, events in measurements.items():
        begin = alone[twin].values
        twins[twin] = calibrate(behaviour, events, coordinates=prior, start=begin, shooting=False)
        told(len(alone) + len(twins), total)
    return Fleet(mean, cov, twins, alone)


def pool(alone: Sequence[Calibration]) -> tuple[Float64s, Float64s]:
    """mu and T of the twins that were calibrated alone, all with the same declared prior."""
    c = alone[0].coordinates
    spread = np.asarray(np.linalg.inv(c.precision), np.float64)
    informations = [_positive(one.information) for one in alone]
    # F a without the inverse of F, which may be singular: at a top F (z - a) + P (z - m) = 0. At a bound it is none,
    # and z itself is taken for a.
    pulls = [
        f @ one.z + (0.0 if one.at_bound else c.precision @ (one.z - c.mean))
        for f, one in zip(informations, alone, strict=True)
    ]
    mean, cov = c.mean.copy(), spread.copy()
    for _ in range(_EM_STEPS):
        before = np.linalg.inv(cov)
        covs = [np.linalg.inv(f + before) for f in informations]
        tops = [s @ (pull + before @ mean) for s, pull in zip(covs, pulls, strict=True)]
        moved = np.mean([c.mean, *tops], axis=0) if len(tops) < 3 else np.mean(tops, axis=0)
        scatter = [s + np.outer(z - moved, z - moved) for s, z in zip(covs, tops, strict=True)]
        after = (spread + np.sum(scatter, axis=0)) / (1 + len(scatter))
        change = np.abs(moved - mean).max() + np.abs(after - cov).max()
        mean, cov = moved, after
        if change < _SETTLED:
            break
    return mean, cov


def _positive(information: Float64s) -> Float64s:
    """The information without the negative directions that an exact Hessian may have where the data say nothing."""
    values, vectors = np.linalg.eigh(0.5 * (information + information.T))
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T, np.float64)
