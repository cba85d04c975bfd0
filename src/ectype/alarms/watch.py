"""All alarms of a record: CUSUM of each sensor, NIS windows, and tracked parameters that left what their prior allows.

The same fold as live (detectors.py), so both say the same of the same rows. What overlaps in time is one alarm, with a
list of what noticed it.
"""

from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.alarms.detectors import Detectors, Noticed
from ectype.alarms.reason import Reason, reason, together
from ectype.alarms.settings import FALSE_EVERY_S
from ectype.errors import Invalid
from ectype.foresee.followed import Followed


@final
@dataclass(frozen=True, slots=True)
class Alarm:
    """noticed: by what, and about what; the first is what raised it. Times in ns; cleared_ns None: it lasts."""

    noticed: tuple[Noticed, ...]
    since_ns: int
    raised_ns: int
    cleared_ns: int | None
    reason: Reason


def watch(
    followed: Followed, *, false_every_s: float = FALSE_EVERY_S, window: int = 50, settle: int = 50
) -> tuple[Alarm, ...]:
    """The record's alarms, in the order in which they were raised. settle: events that are not judged at first.

    Raises Invalid if the record is not longer than `settle`, or the rate is none.
    """
    if len(followed) <= settle:
        raise Invalid(f"{len(followed)} events; the first {settle} are not judged, so there is nothing to watch")
    graph, at_ns, events = followed.graph, followed.at_ns[:, None], followed.events[:, :, None]
    detectors = Detectors(graph, false_every_s=false_every_s, window=window, settle=settle)
    active = np.ones((len(followed), 1))
    _, out = followed.kernel.fold(graph.initial(1), followed.constants[:, None], events, active)
    states = detectors.fold(detectors.initial(1), at_ns, events, out, active)
    alarms: list[Alarm] = []
    lasts = np.concatenate([[0.0], detectors.lasting(states)[:, 0], [0.0]])
    for raised, over in np.flatnonzero(np.diff(lasts)).reshape(-1, 2).tolist():
        noticed = together(detectors.noticed(state) for state in states[raised:over, :, 0])
        since_ns = detectors.episode(states[over - 1, :, 0]).since_ns
        over_ns = None if over == len(followed) else int(followed.at_ns[over])
        first = min(int(np.searchsorted(followed.at_ns, since_ns)), over - 1)
        why = reason(followed, since_ns, first, over - 1, noticed)
        alarms.append(Alarm(noticed, since_ns, int(followed.at_ns[raised]), over_ns, why))
    return tuple(alarms)
