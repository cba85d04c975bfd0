"""Late measurements, exactly: the filter keeps its last events and the belief before each, and replays.

A fold over events that may come out of order by up to `depth` events: one that belongs earlier restores the belief
before its place, goes in there, and everything after it is folded again, by the same kernel. The belief is then bit for
bit that of the same events in order. What is older than the window is refused, never assimilated in the wrong place.
"""

from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.estimate.kernel import Kernel
from ectype.estimate.trace import Graph
from ectype.values.block import Float64s


@final
@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """belief [belief, 1] now; events: the last ones, each [event], by time; before: the belief before each of them.
    start_s: the time that `before[0]` stands at (-inf at first); refused: events that were too old.
    """

    belief: Float64s
    events: tuple[Float64s, ...] = ()
    before: tuple[Float64s, ...] = ()
    start_s: float = -np.inf
    refused: int = 0


def fold(graph: Graph, kernel: Kernel, constants: Float64s, window: Window, event: Float64s, depth: int = 64) -> Window:
    """The window after `event` [event], whose dt is computed here from its neighbours in time.

    Two events of one instant stay in the order in which they came. constants: [c, 1].
    """
    t = float(event[0])
    if t < window.start_s:
        return Window(window.belief, window.events, window.before, window.start_s, window.refused + 1)
    times = [float(e[0]) for e in window.events]
    place = int(np.searchsorted(times, t, side="right"))
    events = [*window.events[:place], event, *window.events[place:]]
    before = list(window.before[:place])
    belief = window.before[place] if place < len(window.before) else window.belief
    for k in range(place, len(events)):
        last = events[k - 1][0] if k else window.start_s
        again = events[k].copy()
        again[1] = again[0] - last if np.isfinite(last) else 0.0
        events[k] = again
        before.append(belief)
        belief, _ = kernel.fold(belief, constants, again[None, :, None], np.ones((1, 1)))
    extra = max(0, len(events) - depth)
    start = float(events[extra - 1][0]) if extra else window.start_s
    return Window(belief, tuple(events[extra:]), tuple(before[extra:]), start, window.refused)
