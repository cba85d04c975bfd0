"""Small shifts that last: the two-sided CUSUM (Page 1954) of residuals that are N(0, 1) while all is well.

    up <- max(0, up + e - k),  down <- max(0, down - e - k),   alarm where one passes h

k = 1/2 is the quickest for a shift of one standard deviation. h follows from the mean number of readings between false
alarms, by Siegmund's (1985) approximation: ARL = (exp(2 k b) - 2 k b - 1) / (2 k^2), b = h + 1.166, one side; half that
for two. It began where the sum last left zero. Residuals count up to 4, so that no single reading makes an alarm.
"""

import math

import numpy as np

from ectype.errors import Invalid
from ectype.estimate.maths import Scalar, log, maximum
from ectype.values.block import Float64s

K = 0.5
MOST = 4.0
FEWEST = 10.0
_LAG = 1.166


def threshold(arl: float) -> float:
    """h for so many readings between false alarms of both sides together. Raises Invalid below 10."""
    if not arl >= FEWEST:
        raise Invalid(f"a false alarm every {arl:g} readings is none to wait for; ask for ten readings or more")
    return float(thresholds(arl))


def thresholds(arl: Scalar) -> Scalar:
    """`threshold`, of arrays and in a trace, within 0.002; below 10 as for 10."""
    arl = maximum(arl, FEWEST)
    b = log(arl + 1.0)
    for _ in range(3):  # with k = 1/2, ARL = exp(b) - b - 1; each round leaves a thirteenth of the error or less
        b = log(arl + 1.0 + b)
    return b - _LAG


def run_length(h: float) -> float:
    """The mean number of readings to a false alarm of the two-sided CUSUM at h."""
    b = 2 * K * (h + _LAG)
    return (math.exp(b) - b - 1) / (2 * K * K) / 2


def first_shift(e: Float64s, h: float) -> int | None:
    """The row of e [k] at which a shift is noticed first; None if none is."""
    up = down = 0.0
    for row, x in enumerate(np.clip(e, -MOST, MOST).tolist()):
        up, down = max(0.0, up + x - K), max(0.0, down - x - K)
        if max(up, down) > h:
            return row
    return None
