"""Samples with what is thought of them, and the series that cannot be trusted now: since when, and why."""

from dataclasses import dataclass
from typing import Literal, Protocol, final

import numpy as np

from ectype.series.marks import BAD, GOOD, SUSPECT, WORDS, Levels, Marks
from ectype.series.samples import Samples

Quality = Literal["good", "suspect", "bad"]
Only = Literal["good", "usable"]
ONLY: tuple[Only, ...] = ("good", "usable")

_FIRST_LOOK = 1000  # marks
_MOST_LOOKED = 1_000_000


class Past(Protocol):
    """The part of `ectype.series.fold.History` that this needs."""

    def last(self, series: str) -> tuple[int, float, float | None] | None:
        """The newest sample."""
        ...

    def range(self, series: str, from_ns: int, to_ns: int) -> Samples:
        """Samples from `from_ns` to `to_ns`, both included."""
        ...


@final
@dataclass(frozen=True, slots=True)
class SeriesQuality:
    """A series of which readings were marked.

    suspect, bad: how many; now: the quality of its newest reading; since_ns: the first of the unbroken run of marked
    readings that reaches to now, None if now is good; at_ns, value, quality, reasons: the newest mark.
    """

    series: str
    suspect: int
    bad: int
    now: Quality
    since_ns: int | None
    at_ns: int
    value: float | None
    quality: Quality
    reasons: tuple[str, ...]


def keep(samples: Samples, level: Levels, only: Only) -> Samples:
    """The good samples, or the usable ones: what is not bad."""
    kept = level == GOOD if only == "good" else level != BAD
    return samples if bool(kept.all()) else samples.take(np.flatnonzero(kept))


def quality_of(marks: Marks, past: Past, series: str) -> SeriesQuality | None:
    """What is thought of one series; None if nothing in it was ever marked."""
    told = marks.of(series)
    if told is None:
        return None
    level, since_ns = level_now(marks, past, series), None
    if level != GOOD:
        since_ns = _since(marks, past, series)
    return SeriesQuality(
        series,
        told.suspect,
        told.bad,
        WORDS[level],
        since_ns,
        told.at_ns,
        told.value,
        WORDS[told.level],
        told.reasons,
    )


def level_now(marks: Marks, past: Past, series: str) -> int:
    """The quality of the newest reading of a series."""
    last = past.last(series)
    if last is None:
        return GOOD
    newest = Samples(np.array([last[0]], np.int64), np.array([last[1]]))
    return int(marks.levels(series, newest)[0])


def _since(marks: Marks, past: Past, series: str) -> int | None:
    """When the unbroken run of marked readings began that reaches to the newest."""
    last = past.last(series)
    if last is None:
        return None
    upto = since = last[0]
    look, looked = _FIRST_LOOK, 0
    while looked < _MOST_LOOKED:
        at_ns = marks.before(series, upto, look)
        if not len(at_ns):
            return since
        samples = past.range(series, int(at_ns[-1]), upto)
        good = np.flatnonzero(marks.levels(series, samples) < SUSPECT)
        first = int(good[-1]) + 1 if len(good) else 0
        if first < len(samples):
            since = int(samples.at_ns[first])
        if len(good) or len(at_ns) < look:
            return since
        looked += look
        upto, look = int(at_ns[-1]), look * 10
    return since
