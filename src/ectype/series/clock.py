"""Series on one clock: what each was at every tick, or what it did between one tick and the next.

    last    the value of the newest sample at or before the tick, if it is not older than max_age (as-of join)
    mean    of the samples from the tick on to the next; so are min, max and count

A sample that is NaN says that there is a gap: as the newest it gives NaN, among others it does not count.
"""

from typing import Literal

import numpy as np

from ectype.errors import Invalid
from ectype.series.samples import Indices, Samples
from ectype.values.block import Float64s, Int64s

How = Literal["last", "mean", "min", "max", "count"]
MOST_TICKS = 1_000_000


def ticks(from_ns: int, to_ns: int, every_ns: int) -> Int64s:
    """The whole multiples of every_ns since 1970 from from_ns to to_ns, both included. Raises Invalid if too many."""
    if every_ns < 1:
        raise Invalid("a clock ticks at least every nanosecond")
    first, last = -(-from_ns // every_ns), to_ns // every_ns
    if last - first >= MOST_TICKS:
        raise Invalid(
            f"that is {last - first + 1} ticks; at most {MOST_TICKS} at once: take a longer 'every' or a shorter time"
        )
    return np.array([k * every_ns for k in range(first, last + 1)], np.int64)


def sums_on_clock(
    own_ns: Int64s, count: Float64s, total: Float64s, at_ns: Int64s, every_ns: int, how: Literal["mean", "count"]
) -> Float64s:
    """The same of counts and sums of samples from each instant own_ns [n], rising, on."""
    begin = np.searchsorted(own_ns, at_ns)
    end = np.searchsorted(own_ns, at_ns + (every_ns - 1), side="right")
    counts = _between(count, begin, end)
    if how == "count":
        return counts
    out = np.full(len(at_ns), np.nan)
    return np.divide(_between(total, begin, end), counts, out=out, where=counts > 0)


def _between(values: Float64s, begin: Indices, end: Indices) -> Float64s:
    """The sum of values[begin:end], for each; 0 where there are none."""
    out = np.zeros(len(begin))
    some = end > begin
    if some.any():
        edges = np.stack([begin[some], end[some]], 1).ravel()
        out[some] = np.add.reduceat(np.append(values, 0.0), edges)[::2]
    return out


def on_clock(samples: Samples, at_ns: Int64s, every_ns: int, how: How, max_age_ns: int) -> Float64s:
    """[k] the value at each tick at_ns [k], rising; NaN where there is none (0 for count)."""
    if how == "last":
        newest = np.searchsorted(samples.at_ns, at_ns, side="right") - 1
        value = np.append(samples.value, np.nan)[newest]  # -1, before the first, is the NaN at the end
        age = at_ns - np.append(samples.at_ns, 0)[newest]
        return np.where((newest >= 0) & (age <= max_age_ns), value, np.nan)
    there = ~np.isnan(samples.value)
    own_ns, own = samples.at_ns[there], samples.value[there]
    begin = np.searchsorted(own_ns, at_ns)
    end = np.searchsorted(own_ns, at_ns + (every_ns - 1), side="right")
    count = (end - begin).astype(np.float64)
    if how == "count":
        return count
    out = np.full(len(at_ns), np.nan)
    some = end > begin
    if not some.any():
        return out
    edges = np.stack([begin[some], end[some]], 1).ravel()
    padded = np.append(own, 0.0)  # reduceat wants every edge to be a row; what follows the last end is not used
    reduce = {"mean": np.add, "min": np.minimum, "max": np.maximum}[how]
    out[some] = reduce.reduceat(padded, edges)[::2]
    return out / np.where(some, count, 1.0) if how == "mean" else out
