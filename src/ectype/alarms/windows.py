"""Too much surprise, of any kind: the sum of NIS over a window against chi-squared (Bar-Shalom et al. 2001, 5.4).

Windows do not overlap, so each is a test of its own, and the false alarm rate is what was asked, exactly.
"""
# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false

from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.errors import Invalid
from ectype.values.block import Float64s


@final
@dataclass(frozen=True, slots=True)
class Burst:
    """Windows one after the other that are too loud: first and last row, mean NIS (1 if all is well)."""

    first: int
    last: int
    nis: float


def bursts(e: Float64s, present: Float64s, window: int, false_share: float) -> list[Burst]:
    """From e and present [k, sensors]; false_share: how often a window of a right twin may be too loud."""
    from scipy.stats import chi2  # half a second to import, for this alone

    if window < 1 or not 0 < false_share < 1:
        raise Invalid("a window has one reading or more, and a false alarm rate is between 0 and 1")
    out: list[Burst] = []
    for first in range(0, len(e) - window + 1, window):
        rows = slice(first, first + window)
        count, loud = int(present[rows].sum()), float((e[rows] ** 2).sum())
        if count and loud > float(chi2.isf(false_share, count)):
            nis = loud / count
            if out and out[-1].last == first - 1:
                before = out[-1]
                whole = present[before.first : first + window].sum()
                out[-1] = Burst(
                    before.first, first + window - 1, float(np.sum(e[before.first : first + window] ** 2) / whole)
                )
            else:
                out.append(Burst(first, first + window - 1, nis))
    return out
