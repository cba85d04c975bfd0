"""Remaining useful life: when will a state, sensor or health number first be past its threshold?

Trajectories are drawn as for any forecast (foresee/fan.py), so what is not known of the state, of the parameters and of
the inputs widens the answer. Passage is looked for at the steps of the fan; trajectories that stay within until its end
are counted, not guessed at.
"""

from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.errors import Invalid
from ectype.foresee.fan import Fan
from ectype.foresee.goal import Goal
from ectype.values.block import Float64s


@final
@dataclass(frozen=True, slots=True, eq=False)
class Life:
    """life_s [draws]: seconds until first passage, inf where it is beyond the horizon; beyond: the share of those."""

    life_s: Float64s
    horizon_s: float
    beyond: float

    def quantile(self, level: float) -> float | None:
        """Seconds; None if that is beyond the horizon."""
        value = float(np.quantile(self.life_s, level, method="inverted_cdf"))
        return value if np.isfinite(value) else None


def life(fan: Fan, end: Goal, every_s: float) -> Life:
    """Until `end` (as 'wear >= 0.8') is first true. Raises Invalid for a goal with a time, or an unknown name."""
    if end.by_s is not None:
        raise Invalid(
            f"'{end}': a threshold has no time; write '{end.name} {'>=' if end.at_least else '<='} {end.value:g}'"
        )
    past = end.room(fan.of(end.name)) >= 0
    never = ~past.any(axis=0)
    life_s = np.where(never, np.inf, (past.argmax(axis=0) + 1) * every_s)
    return Life(life_s, len(past) * every_s, float(never.mean()))
