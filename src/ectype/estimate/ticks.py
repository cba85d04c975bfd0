"""Rows of blocks gathered into ticks: all readings of the fleet that share an instant.

A tick is complete when every twin has sent every property that its behaviour uses, or when a row has come that is
`lateness` younger. Ticks leave in the order of time, so one that is complete waits for an older one that is not.
A row at or before the last tick that left is late: it is handed over beside them. Of repeats (same twin, property and
instant) the first counts. So what leaves depends on the rows alone, not on how they were cut into blocks,
as long as no row is late.
"""

from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.estimate.events import NEVER
from ectype.ids import split_series
from ectype.values.block import Block, Float64s, Int64s


@final
@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """Ticks not complete yet: at_ns [k] rising, values [k, property, twin] with NaN for what has not come.
    done_ns: the last tick that left; newest_ns: the youngest row seen.
    """

    at_ns: Int64s
    values: Float64s
    done_ns: int = NEVER
    newest_ns: int = NEVER

    @classmethod
    def none(cls, properties: int, twins: int) -> "Pending":
        """Nothing seen yet."""
        return cls(np.empty(0, np.int64), np.empty((0, properties, twins)))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Ticks:
    """Complete ticks at_ns [k], values [k, property, twin]; late [l]: rows whose time had passed, in the order in which
    they came, as late_ns, late_at [l, 2] (property, twin) and late_value.
    """

    at_ns: Int64s
    values: Float64s
    late_ns: Int64s
    late_at: Int64s
    late_value: Float64s


def gather(
    pending: Pending, block: Block, properties: tuple[str, ...], twins: tuple[str, ...], lateness_s: float
) -> tuple[Ticks, Pending]:
    """The ticks that are complete once `block` has come, and the rest. Other series are passed over."""
    place = {p: i for i, p in enumerate(properties)}
    column = {t: i for i, t in enumerate(twins)}
    known = np.full((len(block.names), 2), -1)
    for i, name in enumerate(block.names):
        twin, what, facet = split_series(name)
        if facet == "measured" and twin in column and what in place:
            known[i] = place[what], column[twin]
    where = known[block.series] if len(block) else np.empty((0, 2), int)
    ours = (where[:, 0] >= 0) & np.isfinite(block.value)
    late = ours & (block.at_ns <= pending.done_ns)
    rows = np.flatnonzero(ours & ~late)[::-1]  # backwards, so that the first of repeats is written last

    times = np.unique(np.concatenate([pending.at_ns, block.at_ns[rows]]))
    values = np.full((len(times), len(properties), len(twins)), np.nan)
    at = np.searchsorted(times, block.at_ns[rows])
    values[at, where[rows, 0], where[rows, 1]] = block.value[rows]
    old = np.searchsorted(times, pending.at_ns)
    values[old] = np.where(np.isfinite(pending.values), pending.values, values[old])

    newest = max(pending.newest_ns, int(times[-1]) if len(times) else NEVER)
    complete = np.isfinite(values).all(axis=(1, 2)) | (times <= newest - int(lateness_s * 1e9))
    ready = int(np.argmin(complete)) if not complete.all() else len(times)
    done = int(times[ready - 1]) if ready else pending.done_ns
    rest = Pending(times[ready:], values[ready:], done, newest)
    behind = block.at_ns[late], where[late].astype(np.int64), block.value[late]
    return Ticks(times[:ready], values[:ready], *behind), rest
