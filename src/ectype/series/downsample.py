"""Fewer samples for a screen that look the same: MinMax and M4, never by dropping peaks.

The time between the first and the last sample is cut into buckets of equal length. MinMax keeps the lowest and the
highest sample of each bucket; M4 also the first and the last, which draws the very pixels of the whole when there is
one bucket per pixel column (Jugel et al., M4: A Visualization-Oriented Time Series Data Aggregation, VLDB 2014).

What is kept are samples as they are, with their standard deviation: nothing is averaged or interpolated. A sample
whose value is NaN says that there is a gap; a bucket that has some keeps the first of them, so the gap stays.
"""

import numpy as np

from ectype.series.samples import Indices, Samples
from ectype.values.block import Float64s, Int64s

_LAST_NS = np.iinfo(np.int64).max


def min_max(samples: Samples, points: int) -> Samples:
    """At most `points` of `samples` (6 if less is asked for): first, last, and each bucket's extremes."""
    return _thin(samples, points, 2)


def m4(samples: Samples, points: int) -> Samples:
    """At most `points` of `samples` (8 if less is asked for): each bucket's first, last and extremes."""
    return _thin(samples, points, 4)


def picked(value: Float64s, starts: Indices) -> Indices:
    """Which rows M4 keeps of buckets that begin at the rows `starts`: first, last, lowest, highest, and first gap."""
    if not len(starts):
        return np.empty(0, np.intp)
    gaps = np.isnan(value)
    kept = [starts, _ends(starts, len(value)), *_extremes(value, starts, bool(gaps.any())), _first_where(gaps, starts)]
    return np.unique(np.concatenate(kept))


def _thin(samples: Samples, points: int, per_bucket: int) -> Samples:
    n = len(samples)
    if n <= max(points, 2):
        return samples
    gaps = np.isnan(samples.value)
    any_gaps = bool(gaps.any())
    buckets = max(1, (points - 2) // (per_bucket + any_gaps))
    starts = _bucket_starts(samples.at_ns, buckets)
    kept = [np.array([0, n - 1], np.intp)]
    kept += _extremes(samples.value, starts, any_gaps)
    if per_bucket == 4:
        kept += [_first_where(~gaps, starts), _last_where(~gaps, starts)] if any_gaps else [starts, _ends(starts, n)]
    if any_gaps:
        kept.append(_first_where(gaps, starts))
    return samples.take(np.unique(np.concatenate(kept)))


def _bucket_starts(at_ns: Int64s, buckets: int) -> Indices:
    """The row at which each bucket that has any begins."""
    first, last = int(at_ns[0]), int(at_ns[-1])
    width = -(-(last - first + 1) // buckets)
    # Whole Python numbers: a span may be longer than an int64 holds.
    edges = np.array([min(first + width * k, _LAST_NS) for k in range(buckets)], np.int64)
    starts = np.unique(np.searchsorted(at_ns, edges))
    return starts[starts < len(at_ns)]


def _ends(starts: Indices, n: int) -> Indices:
    return np.append(starts[1:], n) - 1


def _extremes(value: Float64s, starts: Indices, any_gaps: bool) -> list[Indices]:
    """The first row that has each bucket's lowest value, and the first that has its highest; no rows of gaps."""
    counts = np.diff(np.append(starts, len(value)))
    found: list[Indices] = []
    for extreme in (np.fmin, np.fmax):
        best = extreme.reduceat(value, starts)
        hits = np.flatnonzero(value == np.repeat(best, counts))
        some = starts[~np.isnan(best)] if any_gaps else starts
        found.append(hits[np.searchsorted(hits, some)])
    return found


def _first_where(wanted: "np.ndarray[tuple[int], np.dtype[np.bool_]]", starts: Indices) -> Indices:
    """The first wanted row of each bucket that has one."""
    hits = np.flatnonzero(wanted)
    bucket = np.searchsorted(starts, hits, side="right")
    return hits[np.append(True, bucket[1:] != bucket[:-1])] if len(hits) else hits


def _last_where(wanted: "np.ndarray[tuple[int], np.dtype[np.bool_]]", starts: Indices) -> Indices:
    """The last wanted row of each bucket that has one."""
    hits = np.flatnonzero(wanted)
    bucket = np.searchsorted(starts, hits, side="right")
    return hits[np.append(bucket[1:] != bucket[:-1], True)] if len(hits) else hits
