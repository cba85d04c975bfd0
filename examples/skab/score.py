"""Alarms against the truth, row by row: F1, false and missed."""

from dataclasses import dataclass
from typing import Any, final


@final
@dataclass(frozen=True, slots=True)
class Score:
    """Of anomalous seconds: F1; false and missed alarms as shares."""

    f1: float
    false: float
    missed: float

    def __str__(self) -> str:
        return f"F1 {self.f1:.3f}, FAR {self.false:.1%}, MAR {self.missed:.1%}"


def score(told: Any, truth: Any) -> Score:
    """Over all seconds given, both bool."""
    hit, wrong, missed = int((told & truth).sum()), int((told & ~truth).sum()), int((~told & truth).sum())
    return Score(2 * hit / (2 * hit + wrong + missed), wrong / int((~truth).sum()), missed / int(truth.sum()))
