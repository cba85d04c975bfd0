"""Alarms against the truth, row by row: F1, false and missed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np


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


def episodes(alarm: Any) -> list[tuple[int, int]]:
    """First row, and the row after the last, of each run of what is true in alarm [k]."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], alarm, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


@final
@dataclass(frozen=True, slots=True)
class Spans:
    """Of `spans` anomalous ones, `found` had an alarm at some row; median delay of these, in rows; after: share of the
    false rows that are within a minute after a span, or go on from one.
    """

    spans: int
    found: int
    delay: float
    after: float

    def __str__(self) -> str:
        found = f"{self.found} of {self.spans} spans found, {self.delay:.0f} rows late"
        return f"{found}; {self.after:.0%} of false rows follow a span"


def spans(told: Sequence[Any], truth: Sequence[Any]) -> Spans:
    """Of each recording, [k] bool."""
    count, delays, false, after = 0, list[int](), 0, 0
    for mine, right in zip(told, truth, strict=True):
        wrong, follows = mine & ~right, np.zeros(len(mine), bool)
        for begins, ends in episodes(right):
            count += 1
            late = np.flatnonzero(mine[begins:ends])
            delays += [int(late[0])] if late.size else []
            follows[ends : ends + 60] = True
        for begins, ends in episodes(mine):
            last = np.flatnonzero(right[begins:ends])
            if last.size:
                follows[begins + int(last[-1]) + 1 : ends] = True
        false, after = false + int(wrong.sum()), after + int((wrong & follows).sum())
    return Spans(count, len(delays), float(np.median(delays)) if delays else float("nan"), after / max(false, 1))
