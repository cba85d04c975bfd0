"""What a GOOD part costs at each feed: energy and time of all that were begun, over those that passed.

    pass rate ~ Beta(passed + 1/2, rest + 1/2)         (Jeffreys; 5 or 6 parts a feed)
    an attempt's mean cost ~ its recorded costs with random weights (Bayesian bootstrap, Rubin 1981)
    a good part's cost = an attempt's cost / pass rate

A spoiled block and its handling cost too, which nobody recorded; so `even` tells how much of it, an attempt, makes two
feeds equal. `decided` tells how often so many more parts at both feeds would settle it.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.values.block import Float64s
from examples.cnc_mill.records import Part

DRAWS = 4000
_SURE = 0.95


@final
@dataclass(frozen=True, eq=False)
class Feed:
    """All parts at one feed. rate, wh, seconds [draws]: share that passes, and what an attempt costs."""

    feed: float
    passed: int
    begun: int
    rate: Float64s
    wh: Float64s
    seconds: Float64s

    @classmethod
    def of(cls, parts: Sequence[Part], feed: float, rng: np.random.Generator) -> "Feed":
        """Of those at that feed."""
        here = [p for p in parts if p.feed == feed]
        passed = sum(p.passed for p in here)
        weights = rng.dirichlet(np.ones(len(here)), DRAWS)
        return cls(
            feed,
            passed,
            len(here),
            rng.beta(passed + 0.5, len(here) - passed + 0.5, DRAWS),
            weights @ np.array([p.spindle_wh for p in here]),
            weights @ np.array([p.seconds for p in here]),
        )

    def good_wh(self, more: float = 0.0) -> Float64s:
        """[draws] Wh for each good part, with so much more an attempt."""
        return (self.wh + more) / self.rate

    def good_seconds(self, more: float = 0.0) -> Float64s:
        """[draws] s for each good part, with so much more an attempt."""
        return (self.seconds + more) / self.rate


def quantiles(draws: Float64s) -> tuple[float, float, float]:
    """5 %, 50 %, 95 %."""
    low, middle, high = np.quantile(draws, (0.05, 0.5, 0.95)).tolist()
    return low, middle, high


def even(slow: Feed, fast: Feed, cost: str) -> float:
    """How much more an attempt makes both cost the same for each good part, at the medians of the rates; cost: `wh` or
    `seconds`. 0 if the slow one is cheaper as it is.
    """
    a, b = float(np.median(1 / slow.rate)), float(np.median(1 / fast.rate))
    s = float(np.median(getattr(slow, cost))) * a
    f = float(np.median(getattr(fast, cost))) * b
    return max((s - f) / (b - a), 0.0) if b > a else float("inf")


def decided(slow: Feed, fast: Feed, more: int, rng: np.random.Generator, *, futures: int = 400) -> float:
    """How likely it is that `more` further parts at each feed leave 95 % sure which takes less energy for each good
    part. Futures are drawn from what is believed now.
    """
    settled = 0
    for _ in range(futures):
        told: list[Float64s] = []
        for one in (slow, fast):
            true = float(one.rate[rng.integers(DRAWS)])
            passed = one.passed + int(rng.binomial(more, true))
            rate = rng.beta(passed + 0.5, one.begun + more - passed + 0.5, 1000)
            told.append(one.wh[:1000] / rate)
        cheaper = float((told[1] < told[0]).mean())
        settled += max(cheaper, 1 - cheaper) >= _SURE
    return settled / futures
