"""The last events of each twin of a fleet, and the way back: what a late row needs.

Twins are followed one by one: an event of a twin is an instant at which something of it was read. The window keeps the
last `depth` of them as they were read, what the inputs held before them, and the state before each (the belief, and
whatever rides along with it), so that a row that comes late goes to its place and everything after it is folded again.

    refused │ at[0]   at[1]   …   at[count - 1]        a row older than at[0] of a full window is too late
            │ before[0] … before[count - 1]   now

Which rows are too late depends on the order in which they came alone, not on how they were cut into blocks.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.estimate.events import NEVER, Carry
from ectype.estimate.trace import Graph
from ectype.values.block import Float64s, Int64s


@final
@dataclass(slots=True, eq=False)
class Window:
    """at [depth, n] rising down to count [n], then NEVER; values [depth, names, n] in the order inputs, sensors;
    before [depth, state, n] and now [state, n]; carry: what went before the first of the window.
    """

    at: Int64s
    values: Float64s
    count: Int64s
    before: Float64s
    now: Float64s
    carry: Carry

    @classmethod
    def fresh(cls, graph: Graph, now: Float64s, depth: int) -> "Window":
        """Nothing seen yet; now [state, n] is where all begins."""
        size, n = now.shape
        names = len(graph.layout.inputs) + len(graph.layout.sensors)
        return cls(
            np.full((depth, n), NEVER, np.int64),
            np.full((depth, names, n), np.nan),
            np.zeros(int(n), np.int64),
            np.zeros((depth, size, n)),
            now.copy(),
            Carry.fresh(graph, n),
        )

    @property
    def depth(self) -> int:
        """How many events of a twin are kept."""
        return len(self.at)

    def newest(self) -> Int64s:
        """[n]: each twin's last event; NEVER if it has none."""
        return self.at[np.maximum(self.count - 1, 0), np.arange(len(self.count))]

    def timely(self, twin: Int64s, at: Int64s) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which of the rows, in the order in which they came, are not too late."""
        ok = np.ones(len(at), bool)
        order = np.argsort(twin, kind="stable")
        who, when = twin[order], at[order]
        first = np.concatenate([[True], who[1:] != who[:-1]]) if len(who) else np.empty(0, bool)
        above = np.concatenate([[0], when[:-1]]) if len(who) else when
        back = when < np.where(first, self.newest()[who], above)
        for i in np.unique(who[back]).tolist():  # rows in order of time, which nearly all are, need no more than this
            known = self.at[: self.count[i], i].tolist()
            mine = order[who == i]
            for row, t in zip(mine.tolist(), at[mine].tolist(), strict=True):
                place = bisect_left(known, t)
                if place == 0 and len(known) == self.depth and t < known[0]:
                    ok[row] = False
                elif place == len(known) or known[place] != t:
                    known.insert(place, t)
                    if len(known) > self.depth:
                        known.pop(0)
        return ok


@final
@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """The window of some twins with new rows in their places: columns [m]; at [k, m] rising down to count [m], values
    [k, names, m]; place [m]: the first event that is new or was changed.
    """

    columns: Int64s
    at: Int64s
    values: Float64s
    count: Int64s
    place: Int64s


def merge(window: Window, twin: Int64s, name: Int64s, at: Int64s, value: Float64s) -> Merged:
    """Rows, in the order in which they came, into the window; of repeats the last counts. Twins of which nothing is new
    are left out.
    """
    columns, mine = np.unique(twin, return_inverse=True)
    names = window.values.shape[1]
    kept, place = np.nonzero(np.arange(window.depth)[:, None] < window.count[columns])
    who = np.concatenate([place, mine]).astype(np.int64)
    when = np.concatenate([window.at[kept, columns[place]], at])
    order = np.lexsort((when, who))
    fresh = np.ones(len(order), bool)
    fresh[1:] = (who[order][1:] != who[order][:-1]) | (when[order][1:] != when[order][:-1])
    event = np.empty(len(order), np.int64)
    event[order] = np.cumsum(fresh) - 1
    owner, instant = who[order][fresh], when[order][fresh]
    begins = np.searchsorted(owner, np.arange(len(columns)))
    count = np.bincount(owner, minlength=len(columns))
    down = np.arange(len(owner)) - begins[owner]
    old = np.full((len(owner), names), np.nan)
    was = event[: len(kept)]
    old[was] = window.values[kept, :, columns[place]]
    new = old.copy()
    new[event[len(kept) :], name] = value  # in the order in which they came: the last counts
    touched = (new != old) & ~(np.isnan(new) & np.isnan(old))
    k = max(1, int(count.max(initial=0)))
    dense_at = np.full((k, len(columns)), NEVER, np.int64)
    dense = np.full((k, names, len(columns)), np.nan)
    changed = np.zeros((k, len(columns)), bool)
    dense_at[down, owner], dense[down, :, owner], changed[down, owner] = instant, new, touched.any(1)
    some = changed.any(0)
    return Merged(columns[some], dense_at[:, some], dense[:, :, some], count[some], changed.argmax(0)[some])
