"""The newest sample of every series, kept as rows come: no question about now ever reads history."""

from typing import final

import numpy as np

from ectype.series.run import Run
from ectype.values.block import Float64s, Int64s

_NEVER = np.iinfo(np.int64).min


@final
class Newest:
    """By series id: when its newest sample was, its value and its standard deviation (NaN: none).

    seen [n]: False for ids that have no sample; an instant may be any int64, so it cannot say so itself.
    """

    def __init__(self) -> None:
        self.seen = np.zeros(0, np.bool_)
        self.at_ns: Int64s = np.empty(0, np.int64)
        self.value: Float64s = np.empty(0)
        self.std: Float64s = np.empty(0)

    def fold(self, run: Run, series: int) -> None:
        """Take in rows that were appended last; of one instant they win. `series`: how many ids there are by now.

        Rows may be taken in twice, as long as none came after them in between.
        """
        self._make_room(series)
        rows = run.starts[1:] - 1
        newer = run.at_ns[rows] >= self.at_ns[run.ids]
        ids, rows = run.ids[newer], rows[newer]
        self.seen[ids] = True
        self.at_ns[ids] = run.at_ns[rows]
        self.value[ids] = run.value[rows]
        self.std[ids] = np.nan if run.std is None else run.std[rows]

    def get(self, series: int) -> tuple[int, float, float | None] | None:
        """(at_ns, value, std) of one series."""
        if series >= len(self.seen) or not self.seen[series]:
            return None
        std = float(self.std[series])
        return int(self.at_ns[series]), float(self.value[series]), None if std != std else std

    def _make_room(self, series: int) -> None:
        more = series - len(self.seen)
        if more > 0:
            more = max(more, len(self.seen))
            self.seen = np.append(self.seen, np.zeros(more, np.bool_))
            self.at_ns = np.append(self.at_ns, np.full(more, _NEVER))
            self.value = np.append(self.value, np.full(more, np.nan))
            self.std = np.append(self.std, np.full(more, np.nan))
