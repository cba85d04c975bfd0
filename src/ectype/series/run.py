"""A run: rows of many series in memory, sorted by (series, time), each instant of a series once.

ids    [k]    which series are in it, ascending
starts [k+1]  where the rows of each begin
at_ns, value, std [n]
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np

from ectype.series.samples import Indices, Samples
from ectype.values.block import Float64s, Int32s, Int64s


class Piece(Protocol):
    """Some of the history, in memory or in a file."""

    def slice(self, series: int, from_ns: int, to_ns: int) -> Samples | None:
        """The samples of a series from `from_ns` to `to_ns`, both included; None if there are none."""
        ...


@final
@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Sorted rows. Never changes. std is None when no row has one."""

    ids: Int32s
    starts: Int64s
    at_ns: Int64s
    value: Float64s
    std: Float64s | None

    def __len__(self) -> int:
        return len(self.at_ns)

    @classmethod
    def of(cls, series: Int32s, at_ns: Int64s, value: Float64s, std: Float64s | None) -> "Run":
        """Rows in the order they were appended, sorted; of repeats the last stays."""
        if not len(series):
            return cls(series, np.zeros(1, np.int64), at_ns, value, std)
        order = _order(series, at_ns)
        series, at_ns = series[order], at_ns[order]
        last = np.append((series[1:] != series[:-1]) | (at_ns[1:] != at_ns[:-1]), True)
        if not last.all():
            series, at_ns, order = series[last], at_ns[last], order[last]
        starts = np.flatnonzero(np.append(True, series[1:] != series[:-1]))
        return cls(
            series[starts],
            np.append(starts, len(series)),
            at_ns,
            value[order],
            None if std is None else std[order],
        )

    @classmethod
    def merge(cls, runs: Sequence["Run"]) -> "Run":
        """All rows of these runs, the earliest appended run first."""
        if len(runs) == 1:
            return runs[0]
        std = None
        if any(run.std is not None for run in runs):
            std = np.concatenate([np.full(len(run), np.nan) if run.std is None else run.std for run in runs])
        return cls.of(
            np.concatenate([run.series() for run in runs]),
            np.concatenate([run.at_ns for run in runs]),
            np.concatenate([run.value for run in runs]),
            std,
        )

    def series(self) -> Int32s:
        """[n] which series each row is of."""
        return np.repeat(self.ids, np.diff(self.starts))

    def slice(self, series: int, from_ns: int, to_ns: int) -> Samples | None:
        """The samples of a series from `from_ns` to `to_ns`, both included; None if there are none."""
        k = int(np.searchsorted(self.ids, series))
        if k == len(self.ids) or self.ids[k] != series:
            return None
        start, stop = int(self.starts[k]), int(self.starts[k + 1])
        at_ns = self.at_ns[start:stop]
        rows = slice(
            start + int(np.searchsorted(at_ns, from_ns)), start + int(np.searchsorted(at_ns, to_ns, side="right"))
        )
        if rows.start >= rows.stop:
            return None
        return Samples(self.at_ns[rows], self.value[rows], None if self.std is None else self.std[rows])


def _order(series: Int32s, at_ns: Int64s) -> Indices:
    """What sorts by (series, time) and leaves equals as they were.

    Two stable sorts, of which the first is mostly not needed, as readings come in order of time; the second is
    numpy's radix sort while series fit 16 bits.
    """
    narrow = series.astype(np.uint16) if len(series) and int(series.max()) < 1 << 16 else series
    if bool((at_ns[1:] >= at_ns[:-1]).all()):
        return np.argsort(narrow, kind="stable")
    by_time = np.argsort(at_ns, kind="stable")
    return by_time[np.argsort(narrow[by_time], kind="stable")]
