"""Work beside for the history's tiers: put what is past into them, and make a part's tiers with the part."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from ectype.series.compaction import Wanted
from ectype.series.part import PartInfo
from ectype.series.part_writer import write_part
from ectype.series.run import Run
from ectype.series.tier import Tier, cut, join, tier_run
from ectype.series.tier_file import TierNames, in_step, write_tiers
from ectype.series.tiers import FIRST_NS, LAST_NS, Sight
from ectype.values.block import Int64s

NewFile = Callable[[str], Path]


@final
@dataclass(frozen=True, slots=True)
class Closed:
    """A part that was made, and the tiers of its rows by the length of their stretches."""

    part: PartInfo
    tiers: Mapping[int, PartInfo]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Retired:
    """Samples before due [series], and the first `late` of those that came late, are in these tiers now."""

    due: Int64s
    late: int
    tiers: Mapping[int, PartInfo]


def close(
    run: Run, names: Sequence[str], path: Path, tiers: Mapping[int, tuple[Path, NDArray[np.bool_]]], row_group: int
) -> Closed:
    """Make a part of `run`; tiers: by length, into which file, and which series have such a tier."""
    made: dict[int, PartInfo] = {}
    for every_ns, (target, having) in tiers.items():
        rows = tier_run(run, every_ns, having)
        if len(rows):
            made[every_ns] = write_part(target, rows, TierNames(names), row_group)
    return Closed(write_part(path, run, names, row_group), made)


def retire(
    sight: Sight,
    names: Sequence[str],
    due: Int64s,
    tiers: Mapping[int, tuple[Path, NDArray[np.bool_], Int64s]],
    row_group: int,
    wanted: Wanted,
) -> Retired:
    """Put the samples before `due` [series] into tiers; by length: into which file, which series have such a tier, and
    from when on it is kept.
    """
    some = next((tier.value[:10_000] for tier in sight.memory_runs()), np.empty(0))

    def told(every_ns: int, having: NDArray[np.bool_], kept: Int64s) -> Iterator[tuple[str, Tier]]:
        files = in_step(sight.live[every_ns], names, every_ns)
        ahead = next(files, None)
        for name, series in sorted((names[n], n) for n in np.flatnonzero(having).tolist()):
            found: list[Tier] = []
            if ahead is not None and ahead[1] == series:  # both go by name, and files hold series with a tier alone
                found, ahead = ahead[2], next(files, None)
            pieces: list[Tier] = []
            if due[series] > FIRST_NS:
                pieces.append(sight.live_tier(series, every_ns, FIRST_NS, int(due[series]) - 1, found))
            pieces += sight.late_tier(series, every_ns, FIRST_NS, LAST_NS)
            yield name, cut(join(pieces, every_ns, add=True), int(kept[series]), LAST_NS)

    made: dict[int, PartInfo] = {}
    for every_ns, (path, having, kept) in tiers.items():
        info = write_tiers(path, told(every_ns, having, kept), some, sight.deviating, row_group, wanted)
        if info is not None:
            made[every_ns] = info
    return Retired(due, sight.late.rows, made)
