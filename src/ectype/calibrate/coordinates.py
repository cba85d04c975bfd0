"""The free parameters of a behaviour as one vector z with a Gaussian prior: log(value) where the prior is log-normal.

Free are the constants with a prior. What drifts is a state of the filter, and what is fixed stays as it is. Noise may
be free too: the logarithm of a factor on a sensor's sigma or a state's q, with the prior N(0, 1).
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self, final

import numpy as np

from ectype.errors import Misconfigured
from ectype.estimate.behaviour import Behaviour, LogNormal
from ectype.values.block import Float64s

WEIGHT = "learned_"  # what the names of learned weights begin with (hybrid.py)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    """names [p] of parameters, then of noises; logs [p]: whether z is a logarithm; the prior in z is
    N(mean, precision^-1); low, high [p]: bounds in z. noises: states and sensors, the last of the names.
    """

    behaviour: type[Behaviour]
    names: tuple[str, ...]
    logs: tuple[bool, ...]
    noises: tuple[str, ...]
    mean: Float64s
    precision: Float64s
    low: Float64s
    high: Float64s

    @classmethod
    def of(cls, behaviour: type[Behaviour], noises: Sequence[str] = ()) -> Self:
        """As the behaviour declares them. Raises Misconfigured if nothing is free, or a noise is of nothing."""
        layout = behaviour.layout
        free = [p for p in layout.constants if p.prior is not None]
        if not free and not noises:
            raise Misconfigured(f"{behaviour.__name__}: no constant has a prior; write Parameter(…, prior=Normal(…))")
        known = [d.name for d in (*layout.states, *layout.tracked, *layout.sensors)]
        if unknown := [n for n in noises if n not in known]:
            raise Misconfigured(f"{behaviour.__name__} has no noise of '{unknown[0]}'; it has: {', '.join(known)}")
        logs, mean, std, low, high = [], [], [], [], []
        for p in free:
            log = isinstance(p.prior, LogNormal)
            logs.append(log)
            if isinstance(p.prior, LogNormal):
                mean.append(math.log(p.prior.median))
                std.append(p.prior.sigma)
                low.append(math.log(p.low) if p.low > 0 else -math.inf)
                high.append(math.log(p.high))
            elif p.prior is not None:
                mean.append(p.prior.mean)
                std.append(p.prior.std)
                low.append(p.low)
                high.append(p.high)
        logs += [True] * len(noises)
        mean += [0.0] * len(noises)
        std += [1.0] * len(noises)
        low += [-7.0] * len(noises)
        high += [7.0] * len(noises)
        names = (*(p.name for p in free), *(f"noise of {n}" for n in noises))
        precision = np.diag(1.0 / np.array(std) ** 2)
        arrays = (np.array(mean), precision, np.array(low, np.float64), np.array(high, np.float64))
        return cls(behaviour, names, tuple(logs), tuple(noises), *arrays)

    @property
    def spread(self) -> Float64s:
        """[p]: the prior's standard deviations in z."""
        return np.sqrt(np.diag(np.linalg.inv(self.precision)))

    def with_prior(self, mean: Float64s, cov: Float64s) -> "Coordinates":
        """The same with another Gaussian prior in z, correlations and all."""
        return replace(self, mean=np.array(mean), precision=np.linalg.inv(cov))

    def values(self, z: Float64s) -> dict[str, float]:
        """What z says, by name, in the parameters' units (factors for noises)."""
        told = np.where(self.logs, np.exp(np.where(self.logs, z, 0.0)), z)
        return dict(zip(self.names, told.tolist(), strict=True))

    def at(self, values: Mapping[str, float]) -> Float64s:
        """z of those values; the prior's mean for a name that is not there."""
        z = self.mean.copy()
        for i, (name, log) in enumerate(zip(self.names, self.logs, strict=True)):
            if name in values:
                z[i] = math.log(values[name]) if log else values[name]
        return z

    def constants(self, z: Float64s) -> Float64s:
        """[c]: all constants of the behaviour, as a kernel takes them."""
        told = self.values(z)
        return np.array([told.get(p.name, p.value) for p in self.behaviour.layout.constants])
