"""Does the twin notice a part that leaves the vise, and how long before the machine is stopped?

What it watches is `above`: the spindle's power beyond what a part at that feed should take, which no sensor reads. The
threshold is the largest value among finished parts, the one that is judged left out; parts that were lost are judged by
all finished ones. Beside it the platform's own CUSUM watches the innovations of spindle, X and Y, at a threshold that
follows from theory and not from any part.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import final

import numpy as np

from ectype.alarms.cusum import first_shift, threshold
from ectype.values.block import Float64s
from examples.cnc_mill.drives import Drive
from examples.cnc_mill.energy import Shown
from examples.cnc_mill.following import Fit, follow
from examples.cnc_mill.machine import spindle_events
from examples.cnc_mill.records import STEP_S, Part

SETTLES = 20  # rows: 2 s in which `above` is not judged
PARTS_APART = 50  # a right twin's CUSUM alarms falsely once in so many parts of a minute


@final
@dataclass(frozen=True, eq=False)
class Watched:
    """One part. above [rows] W and how sure that is; fit: of the spindle."""

    part: Part
    above: Float64s
    std: Float64s
    fit: Fit

    @property
    def highest(self) -> float:
        """The most that `above` ever was, once settled."""
        return float(self.above[SETTLES:].max())

    def before_stop(self, limit: float) -> float | None:
        """Seconds from the first time that it was beyond the limit to the end; None if it never was."""
        beyond = np.flatnonzero(self.above[SETTLES:] > limit)
        return STEP_S * (len(self.above) - SETTLES - int(beyond[0])) if len(beyond) else None


@final
@dataclass(frozen=True, slots=True)
class Alarms:
    """By what; seconds before the stop for each lost part (None: not noticed), and numbers of finished parts with an
    alarm.
    """

    by: str
    lost: Mapping[int, float | None]
    false: tuple[int, ...]


def watch(part: Part, twin: Shown) -> Watched:
    """One part, followed by a twin that was not shown it."""
    followed = follow(twin.spindle, spindle_events(part))
    row = followed.graph.variance_row(0)
    return Watched(part, followed.beliefs[:, 0], np.sqrt(followed.beliefs[:, row]), Fit.of(followed))


def by_level(watched: Sequence[Watched]) -> Alarms:
    """`above` beyond what any other finished part reached."""
    finished = {w.part.number: w.highest for w in watched if w.part.finished}
    lost = {w.part.number: w.before_stop(max(finished.values())) for w in watched if not w.part.finished}
    false = [n for n, high in finished.items() if high > max(h for m, h in finished.items() if m != n)]
    return Alarms("spindle above", lost, tuple(false))


def by_cusum(name: str, fits: Mapping[int, Fit], parts: Sequence[Part]) -> Alarms:
    """Shifts of the innovations, at a false alarm rate."""
    limit = threshold(PARTS_APART * 60.0 / STEP_S)
    noticed: dict[int, float | None] = {}
    for part in parts:
        e = fits[part.number].e
        row = first_shift(e, limit)
        noticed[part.number] = None if row is None else STEP_S * (len(e) - row)
    lost = {p.number: noticed[p.number] for p in parts if not p.finished}
    false = tuple(p.number for p in parts if p.finished and noticed[p.number] is not None)
    return Alarms(f"CUSUM of {name}", lost, false)


def ranked(values: Mapping[int, float], parts: Sequence[Part]) -> tuple[float, float]:
    """Of finished parts: how often one that failed inspection is above one that passed, and how likely at least that
    is by chance: all ways to choose which failed (exact).
    """
    done = [p for p in parts if p.finished]
    x = np.array([values[p.number] for p in done])
    failed = [i for i, p in enumerate(done) if not p.passed]

    def share(chosen: Sequence[int]) -> float:
        others = np.delete(x, list(chosen))
        beaten = x[list(chosen)][:, None] - others[None]
        return float((beaten > 0).mean() + 0.5 * (beaten == 0).mean())

    ours = share(failed)
    every = [share(c) for c in combinations(range(len(done)), len(failed))]
    return ours, float(np.mean([s >= ours - 1e-12 for s in every]))


def settings(parts: Sequence[Part]) -> dict[int, float]:
    """What is known before a part is made: feed, if the tool is worn; 0 if it is not."""
    return {p.number: p.feed if p.worn else 0.0 for p in parts}


def of_drives(drives: Sequence[Drive]) -> dict[str, dict[int, float]]:
    """Mean NIS of each axis, by part."""
    return {d.axis[0]: {n: f.nis for n, f in d.fits.items()} for d in drives}


def clopper_pearson(hits: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """The interval of a share that holds at least as often as it says, however few there are."""
    from scipy.stats import beta  # half a second to import

    tail = (1 - level) / 2
    low = float(beta.ppf(tail, hits, of - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, of - hits)) if hits < of else 1.0
    return low, high
