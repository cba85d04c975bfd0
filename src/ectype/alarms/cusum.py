"""Small shifts that last: the two-sided CUSUM (Page 1954) of residuals that are N(0, 1) while all is well.

    up <- max(0, up + e - k),  down <- max(0, down - e - k),   alarm where one passes h

k = 1/2 is the quickest for a shift of one standard deviation. h follows from the mean number of readings between false
alarms, by Siegmund's (1985) approximation: ARL = (exp(2 k b) - 2 k b - 1) / (2 k^2), b = h + 1.166, one side; half that
for two. It began where the sum last left zero. Residuals count up to 4, so that no single reading makes an alarm.
"""

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.errors import Invalid
from ectype.values.block import Float64s

K = 0.5
_MOST = 4.0


@final
@dataclass(frozen=True, slots=True)
class Shift:
    """Rows of the residuals: since where it lasts, where it was noticed, where it was over (None: it is not)."""

    since: int
    noticed: int
    over: int | None
    up: bool


def threshold(arl: float) -> float:
    """h for so many readings between false alarms of both sides together. Raises Invalid below 10."""
    if not arl >= 10:
        raise Invalid(f"a false alarm every {arl:g} readings is none to wait for; ask for ten readings or more")
    low, high = 0.0, 100.0
    for _ in range(80):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if run_length(middle) < arl else (low, middle)
    return high


def run_length(h: float) -> float:
    """The mean number of readings to a false alarm of the two-sided CUSUM at h."""
    b = 2 * K * (h + 1.166)
    return (math.exp(b) - b - 1) / (2 * K * K) / 2


def shifts(e: Float64s, h: float) -> list[Shift]:
    """All shifts in e [k]: raised above h, over again where the sum is back below h / 2."""
    out: list[Shift] = []
    for up in (True, False):
        at, began, raised = 0.0, 0, -1
        for i, x in enumerate(np.clip(e if up else -e, -_MOST, _MOST).tolist()):
            if at == 0.0:
                began = i
            at = min(max(0.0, at + x - K), 2 * h)
            if raised < 0 and at > h:
                raised = i
            elif raised >= 0 and at < h / 2:
                out.append(Shift(began, raised, i, up))
                raised = -1
        if raised >= 0:
            out.append(Shift(began, raised, None, up))
    return sorted(out, key=lambda s: s.noticed)
