"""A tier of a series: of each stretch of time a few samples as they were, how many there were, and their sum.

    stretch k is [k·every, (k+1)·every) since 1970
    picks     the first, lowest, highest and last sample of each stretch, and the first gap (a value of NaN)
    bucket    k, for those that have samples;  count, total: of those that are no gap

Tiers of the same series from several places are joined. Where rows of one stretch lie apart in time, they only add up.
Where they overlap, a late sample may have taken the place of an earlier one, which no sum can tell: the stretch is
then marked (count NaN), and whoever has the samples makes it anew (`mended`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from ectype.series.downsample import picked
from ectype.series.run import Run
from ectype.series.samples import Indices, Samples, merge
from ectype.values.block import Float64s, Int32s, Int64s

PER_SERIES = 3  # a tier of series n is kept as three: 3n its picks, 3n+1 its counts, 3n+2 its sums
SUFFIX = ("", "#count", "#sum")
_FIRST_NS = int(np.iinfo(np.int64).min)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Tier:
    """See above: picks, and bucket, count, total [b] ascending."""

    every_ns: int
    picks: Samples
    bucket: Int64s
    count: Float64s
    total: Float64s

    @property
    def start_ns(self) -> Int64s:
        """[b] when each stretch begins."""
        return self.bucket * self.every_ns


def buckets(at_ns: Int64s, every_ns: int) -> Int64s:
    """The stretch that each instant is in. One that begins before the first instant there is gets the next."""
    return np.maximum(at_ns // every_ns, -(-_FIRST_NS // every_ns))


def tier_of(samples: Samples, every_ns: int) -> Tier:
    """The tier of samples."""
    bucket = buckets(samples.at_ns, every_ns)
    starts = _changes(bucket)
    count, total = _sums(samples.value, starts)
    return Tier(every_ns, samples.take(picked(samples.value, starts)), bucket[starts], count, total)


def tier_run(run: Run, every_ns: int, wanted: NDArray[np.bool_]) -> Run:
    """The tiers of all series of `run` that are wanted [by id], as a run of PER_SERIES series for each."""
    rows = np.flatnonzero(np.repeat(wanted[run.ids], np.diff(run.starts)))
    series = run.series()[rows]
    at_ns, value, bucket = run.at_ns[rows], run.value[rows], buckets(run.at_ns[rows], every_ns)
    starts = _changes(series, bucket)
    picks = picked(value, starts)
    count, total = _sums(value, starts)
    which = np.concatenate(
        [series[picks] * PER_SERIES, series[starts] * PER_SERIES + 1, series[starts] * PER_SERIES + 2]
    )
    start_ns = bucket[starts] * every_ns
    std = None
    if run.std is not None:
        std = np.concatenate([run.std[rows][picks], np.full(2 * len(starts), np.nan)])
    return Run.of(
        which.astype(np.int32),
        np.concatenate([at_ns[picks], start_ns, start_ns]),
        np.concatenate([value[picks], count, total]),
        std,
    )


def join(tiers: Sequence[Tier], every_ns: int, *, add: bool) -> Tier:
    """One tier of several, the earliest appended first. add: rows are all different ones, however they lie."""
    if len(tiers) == 1:
        return tiers[0]
    picks = merge([tier.picks for tier in tiers])
    if not tiers:
        return Tier(every_ns, picks, np.empty(0, np.int64), np.empty(0), np.empty(0))
    bucket = np.concatenate([tier.bucket for tier in tiers])
    ends = [_ends(tier) for tier in tiers]
    first, last = (np.concatenate([end[k] for end in ends]) for k in (0, 1))
    order = np.lexsort((first, bucket))
    bucket, first, last = bucket[order], first[order], last[order]
    starts = _changes(bucket)
    count = np.concatenate([tier.count for tier in tiers])[order]
    total = np.concatenate([tier.total for tier in tiers])[order]
    if len(starts):
        same = bucket[1:] == bucket[:-1]
        if not add:
            count[1:][same & (first[1:] <= last[:-1])] = np.nan
        if same.any():
            count, total = np.add.reduceat(count, starts), np.add.reduceat(total, starts)
            picks = picks.take(picked(picks.value, _changes(buckets(picks.at_ns, every_ns))))
    return Tier(every_ns, picks, bucket[starts], count, total)


def mended(tier: Tier, samples: Callable[[int, int], Samples]) -> Tier:
    """The tier with its marked stretches made anew; samples(from_ns, to_ns) gives all there are, both ends included."""
    marked = np.isnan(tier.count)
    if not marked.any():
        return tier
    numbers = tier.bucket[marked]
    edges = _changes(np.cumsum(np.append(0, np.diff(numbers) != 1)))  # neighbours are asked for at once
    fresh: list[Tier] = []
    for low, high in zip(
        numbers[edges].tolist(), numbers[np.append(edges[1:], len(numbers)) - 1].tolist(), strict=True
    ):
        to_ns = min((high + 1) * tier.every_ns - 1, int(np.iinfo(np.int64).max))
        fresh.append(tier_of(samples(low * tier.every_ns, to_ns), tier.every_ns))
    sound = ~np.isin(buckets(tier.picks.at_ns, tier.every_ns), numbers)
    rest = Tier(
        tier.every_ns,
        tier.picks.take(np.flatnonzero(sound)),
        tier.bucket[~marked],
        tier.count[~marked],
        tier.total[~marked],
    )
    return join([rest, *fresh], tier.every_ns, add=True)


def cut(tier: Tier, from_ns: int, to_ns: int) -> Tier:
    """The picks from `from_ns` to `to_ns`, both included, and the stretches that begin there."""
    start_ns = tier.start_ns
    a, b = np.searchsorted(start_ns, from_ns), np.searchsorted(start_ns, to_ns, side="right")
    c, d = np.searchsorted(tier.picks.at_ns, from_ns), np.searchsorted(tier.picks.at_ns, to_ns, side="right")
    return Tier(
        tier.every_ns, tier.picks.take(slice(int(c), int(d))), tier.bucket[a:b], tier.count[a:b], tier.total[a:b]
    )


def _changes(*columns: Int64s | Int32s) -> Indices:
    """The rows at which any of the columns is another than before."""
    if not len(columns[0]):
        return np.empty(0, np.intp)
    changed = np.zeros(len(columns[0]), np.bool_)
    changed[0] = True
    for column in columns:
        changed[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changed)


def _sums(value: Float64s, starts: Indices) -> tuple[Float64s, Float64s]:
    if not len(starts):
        return np.empty(0), np.empty(0)
    gaps = np.isnan(value)
    return np.add.reduceat(~gaps, starts, dtype=np.float64), np.add.reduceat(np.where(gaps, 0.0, value), starts)


def _ends(tier: Tier) -> tuple[Int64s, Int64s]:
    """When the first and the last sample of each stretch is."""
    bucket = buckets(tier.picks.at_ns, tier.every_ns)
    first = np.searchsorted(bucket, tier.bucket)
    last = np.searchsorted(bucket, tier.bucket, side="right") - 1
    return tier.picks.at_ns[first], tier.picks.at_ns[last]
