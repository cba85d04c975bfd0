"""Tiers in files: a part (part.py) in which each series is three, its picks, its counts and its sums.

    turbine-1.power         the samples that were picked, as they were
    turbine-1.power#count   how many there were in the stretch that begins at `at`, gaps left out
    turbine-1.power#sum     their sum; the mean is the one by the other

So whatever reads parts reads tiers, the world's Parquet readers included.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import final

import numpy as np

from ectype.series.part import Part, PartInfo
from ectype.series.part_writer import Cancelled, PartWriter, give_back, writer_like
from ectype.series.samples import Samples, merge
from ectype.series.tier import PER_SERIES, SUFFIX, Tier, buckets, cut, join
from ectype.values.block import Float64s

_LAST_NS = int(np.iinfo(np.int64).max)


@final
class TierNames(Sequence[str]):
    """What the series of a tier's file are called, by their ids there; names: those of the series themselves."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def __getitem__(self, number: int) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._names[number // PER_SERIES] + SUFFIX[number % PER_SERIES]

    def __len__(self) -> int:
        return len(self._names) * PER_SERIES


def tier_id(name: str, identify: Callable[[str], int]) -> int:
    """The id in a tier's file of what is called `name` there; `identify` gives that of a series."""
    plain, mark, kind = name.partition("#")
    return identify(plain) * PER_SERIES + SUFFIX.index(mark + kind)


def tier_in(part: Part, series: int, every_ns: int, from_ns: int, to_ns: int) -> Tier | None:
    """What a file has of a series from `from_ns` to `to_ns`, which are the ends of stretches; None if nothing."""
    picks, count, total = part.slices(series * PER_SERIES, PER_SERIES, from_ns, to_ns)
    if count is None or picks is None or total is None:
        return None
    return _tier(every_ns, picks, count, total)


def write_tiers(
    path: Path,
    tiers: Iterable[tuple[str, Tier]],
    some: Float64s,
    deviating: bool,
    row_group: int,
    wanted: Callable[[], bool],
) -> PartInfo | None:
    """Write the tiers of series, by name in order, to a new file; None, and no file, if there is none.

    some: values like those that come; deviating: whether any may have a standard deviation.
    """
    return _write(PartWriter(path, some, np.empty(0) if deviating else None, row_group), tiers, wanted)


def merge_tiers(
    path: Path,
    parts: Sequence[Part],
    names: Sequence[str],
    every_ns: int,
    row_group: int,
    wanted: Callable[[], bool],
    since: Callable[[int], int],
    *,
    add: bool,
) -> PartInfo | None:
    """Join the tiers of `parts`, the earliest appended first, in a new file at `path`. None if nothing is left.

    since: when the first stretch of a series begins that is kept. add: see `join`.
    """

    def tiers() -> Iterator[tuple[str, Tier]]:
        for name, series, several in in_step(parts, names, every_ns):
            yield name, cut(join(several, every_ns, add=add), since(series), _LAST_NS)

    return _write(writer_like(path, parts, row_group), tiers(), wanted)


def in_step(parts: Sequence[Part], names: Sequence[str], every_ns: int) -> Iterator[tuple[str, int, list[Tier]]]:
    """(name, series, what each file that has some of it has) of all series by name, reading each file once."""
    streams = [_named(part, k, names) for k, part in enumerate(parts)]
    for name, found in groupby(heapq.merge(*streams, key=lambda each: each[:2]), key=lambda each: each[0]):
        columns: dict[int, list[list[Samples]]] = {}
        series = 0
        for _, k, number, samples in found:
            series = number // PER_SERIES
            columns.setdefault(k, [[], [], []])[number % PER_SERIES].append(samples)
        yield name, series, [_tier(every_ns, *(merge(pieces) for pieces in columns[k])) for k in sorted(columns)]


def _named(part: Part, k: int, names: Sequence[str]) -> Iterator[tuple[str, int, int, Samples]]:
    for number, samples in part.in_order():
        yield names[number // PER_SERIES], k, number, samples


def _write(writer: PartWriter, tiers: Iterable[tuple[str, Tier]], wanted: Callable[[], bool]) -> PartInfo | None:
    some = False
    try:
        for name, tier in tiers:
            if not wanted():
                raise Cancelled("the tier is not needed any more")
            if not len(tier.bucket):
                continue
            some = True
            writer.add(name, tier.picks)
            writer.add(name + SUFFIX[1], Samples(tier.start_ns, tier.count))
            writer.add(name + SUFFIX[2], Samples(tier.start_ns, tier.total))
        if some:
            return writer.finish()
        writer.abandon()
        return None
    except BaseException:
        writer.abandon()
        raise
    finally:
        del writer
        give_back()


def _tier(every_ns: int, picks: Samples, count: Samples, total: Samples) -> Tier:
    return Tier(every_ns, picks, buckets(count.at_ns, every_ns), count.value, total.value)
