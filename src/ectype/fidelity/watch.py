"""The question asked live: is each new reading still one that the twin could have drawn? A fold.

Every reading has a probability under the twin, u = Phi(innovation / its standard deviation); while the twin is right
the u are independent and uniform. A gambler bets on where the next u falls, from where the last ones fell. His stake
cannot grow in the long run unless u is not uniform, so

    R <- (1 + R) * b(u),  b the density that the last readings suggest

is an e-detector (Shin, Ramdas, Rinaldo 2024): its expectation is at most the number of readings, so that R >= N happens
to a right twin once in N readings or more on average, however long one watches and without any other assumption.
"""

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.errors import Invalid
from ectype.values.block import Float64s

BINS = 10
_PRIOR = 3.0  # readings' worth of belief in each bin that u is uniform
_FORGET = 0.99


@final
@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """evidence [sensors]: R of each sensor, as its logarithm; fell [sensors, BINS]: where the last u fell, fading."""

    evidence: Float64s
    fell: Float64s

    @classmethod
    def begun(cls, sensors: int) -> "Watch":
        """Nothing seen yet."""
        return cls(np.full(sensors, -math.inf), np.zeros((sensors, BINS)))

    def drifted(self, every: float) -> bool:
        """Whether the twin has drifted from its original: false alarms come at most once in `every` readings of each
        sensor on average. (The mean of several e-detectors is one.)
        """
        if not every > 1:
            raise Invalid(f"false alarms cannot come every {every} readings; give a number above 1")
        largest = float(self.evidence.max())
        if largest == -math.inf:
            return False
        mean = largest + math.log(float(np.exp(self.evidence - largest).mean()))
        return mean >= math.log(every)


def fold(watch: Watch, u: Float64s) -> Watch:
    """The watch after u [sensors] in [0, 1]; NaN where that sensor did not speak. Raises Invalid outside."""
    spoke = np.isfinite(u)
    if np.any((u[spoke] < 0) | (u[spoke] > 1)) or u.shape != watch.evidence.shape:
        raise Invalid(f"u holds one probability for each of {len(watch.evidence)} sensors, not {u.tolist()}")
    bins = np.minimum((np.nan_to_num(u) * BINS).astype(int), BINS - 1)
    here = np.arange(len(u)), bins
    density = (watch.fell[here] + _PRIOR) / (watch.fell.sum(1) / BINS + _PRIOR)
    grown = np.logaddexp(0.0, watch.evidence) + np.log(density)
    fell = watch.fell * np.where(spoke, _FORGET, 1.0)[:, None]
    fell[here] += spoke
    return Watch(np.where(spoke, grown, watch.evidence), fell)
