"""The newest rows, in the order they came: columns that grow, until they are full and become a run."""

from typing import final

import numpy as np

from ectype.series.run import Run
from ectype.series.samples import Samples
from ectype.values.block import Float64s, Int32s, Int64s

_FIRST_ROWS = 1024


@final
class Tail:
    """Rows in the order they were appended."""

    def __init__(self) -> None:
        self.rows = 0
        self._series: Int32s = np.empty(_FIRST_ROWS, np.int32)
        self._at_ns: Int64s = np.empty(_FIRST_ROWS, np.int64)
        self._value: Float64s = np.empty(_FIRST_ROWS)
        self._std: Float64s | None = None

    def append(self, series: Int32s, at_ns: Int64s, value: Float64s, std: Float64s | None) -> None:
        """Take in rows."""
        start, stop = self.rows, self.rows + len(series)
        self._make_room(stop)
        self._series[start:stop] = series
        self._at_ns[start:stop] = at_ns
        self._value[start:stop] = value
        if std is not None and self._std is None:
            self._std = np.full(len(self._series), np.nan)
        if self._std is not None:
            self._std[start:stop] = np.nan if std is None else std
        self.rows = stop

    def run(self, start: int = 0) -> Run:
        """The rows from `start` on, sorted."""
        rows = slice(start, self.rows)
        std = None if self._std is None else self._std[rows]
        return Run.of(self._series[rows], self._at_ns[rows], self._value[rows], std)

    def slice(self, series: int, from_ns: int, to_ns: int) -> Samples | None:
        """The samples of a series from `from_ns` to `to_ns`, both included; None if there are none."""
        at_ns = self._at_ns[: self.rows]
        rows = np.flatnonzero((self._series[: self.rows] == series) & (at_ns >= from_ns) & (at_ns <= to_ns))
        if not len(rows):
            return None
        return Run.of(
            self._series[rows], at_ns[rows], self._value[rows], None if self._std is None else self._std[rows]
        ).slice(series, from_ns, to_ns)

    def each(self, series: int) -> Samples:
        """Every row of a series by time, also of one instant; those in the order in which they were appended."""
        rows = np.flatnonzero(self._series[: self.rows] == series)
        rows = rows[np.argsort(self._at_ns[rows], kind="stable")]
        return Samples(self._at_ns[rows], self._value[rows], None if self._std is None else self._std[rows])

    def after(self, rows: int) -> "Tail":
        """A tail of what came after its first `rows`."""
        rest = Tail()
        keep = slice(rows, self.rows)
        std = None if self._std is None else self._std[keep]
        rest.append(self._series[keep], self._at_ns[keep], self._value[keep], std)
        return rest

    def columns(self) -> tuple[Int32s, Int64s, Float64s, Float64s | None]:
        """series, at_ns, value and std of all rows."""
        rows = slice(0, self.rows)
        return self._series[rows], self._at_ns[rows], self._value[rows], None if self._std is None else self._std[rows]

    def clear(self) -> None:
        """Forget all rows; keep the room."""
        self.rows = 0
        self._std = None

    def _make_room(self, rows: int) -> None:
        size = len(self._series)
        if rows <= size:
            return
        size = max(rows, 2 * size)
        self._series = np.concatenate([self._series, np.empty(size - len(self._series), np.int32)])
        self._at_ns = np.concatenate([self._at_ns, np.empty(size - len(self._at_ns), np.int64)])
        self._value = np.concatenate([self._value, np.empty(size - len(self._value))])
        if self._std is not None:
            self._std = np.concatenate([self._std, np.full(size - len(self._std), np.nan)])
