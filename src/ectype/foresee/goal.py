"""What is wanted of a trajectory: `level >= 12` (at the end), `level >= 12 by 10 min` (from then on), `level <= 20
always`.
"""

import re
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from ectype.errors import Invalid
from ectype.foresee.fan import Fan
from ectype.units import quantity
from ectype.values.block import Float64s

_GOAL = re.compile(r"\s*(\w+)\s*(>=|<=)\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*(always|by\s+(.+?))?\s*")


@final
@dataclass(frozen=True, slots=True)
class Goal:
    """`name` at least (or at most) `value`, from `by_s` seconds on; None: at the end alone."""

    name: str
    at_least: bool
    value: float
    by_s: float | None

    @classmethod
    def of(cls, text: str) -> Self:
        """As it is written. Raises Invalid, with an example."""
        match = _GOAL.fullmatch(text)
        if match is None:
            raise Invalid(f"'{text}' is no goal; write 'level >= 12', 'level >= 12 by 10 min' or 'level <= 20 always'")
        by_s = (
            None if match[4] is None else 0.0 if match[4] == "always" else quantity(match[5], "s", f"goal '{text}' by")
        )
        return cls(match[1], match[2] == ">=", float(match[3]), by_s)

    def __str__(self) -> str:
        when = "" if self.by_s is None else " always" if self.by_s == 0 else f" by {self.by_s:g} s"
        return f"{self.name} {'>=' if self.at_least else '<='} {self.value:g}{when}"

    def begins(self, steps: int, every_s: float) -> int:
        """The first step that it speaks of. Raises Invalid if that is after the last."""
        if self.by_s is None:
            return steps - 1
        first = max(0, int(np.ceil(self.by_s / every_s - 1e-9)) - 1)
        if first >= steps:
            raise Invalid(f"goal '{self}' is after the end of the forecast, {steps * every_s:g} s; look further ahead")
        return first

    def room(self, values: Float64s) -> Float64s:
        """How far inside each value is; negative where it is missed."""
        return values - self.value if self.at_least else self.value - values


def met(fan: Fan, goals: tuple[Goal, ...], every_s: float) -> float:
    """The probability that all goals are met."""
    chances = [
        (goal.room(values[goal.begins(len(values), every_s) :]) >= 0).all(axis=0)
        for goal, values in ((goal, fan.of(goal.name)) for goal in goals)
    ]
    return float(np.mean(np.stack(chances).all(axis=0))) if chances else 1.0
