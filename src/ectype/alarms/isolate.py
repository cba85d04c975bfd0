"""Which sensor is wrong? The filter runs again without each of them in turn, from the belief before.

If one sensor is wrong, the rest agree with the twin without it, and with it they do not. If the rest agree without more
than one, it cannot be told; if never, it is not a sensor, or not one alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.alarms.residuals import Residuals
from ectype.alarms.windows import tail
from ectype.errors import Invalid
from ectype.foresee.followed import Followed


@final
@dataclass(frozen=True, slots=True)
class Isolated:
    """together: p-value of all residuals; without: of the rest, without each sensor. faulty: the one, if it is told."""

    together: float
    without: Mapping[str, float]
    faulty: str | None
    sentence: str


def spoken(followed: Followed, first: int, last: int) -> list[int]:
    """Which sensors, by place, have a reading in rows first to last."""
    layout = followed.graph.layout
    flags = followed.events[first : last + 1, 2 + len(layout.inputs) + len(layout.sensors) :]
    return np.flatnonzero((flags > 0).any(0)).tolist()


def isolate(followed: Followed, first: int, last: int, *, level: float = 0.01) -> Isolated:
    """Over rows first to last, of the sensors that spoke there. Raises Invalid for an empty span, or if fewer than two
    spoke: nothing is left to judge by.
    """
    graph = followed.graph
    if not 0 <= first <= last < len(followed):
        raise Invalid(f"rows {first} to {last} are none of a record of {len(followed)}")
    spoke = spoken(followed, first, last)
    if len(spoke) < 2:
        raise Invalid(f"{graph.behaviour.__name__} has one sensor; without it nothing tells whether it is wrong")
    names = [followed.called(graph.layout.sensors[i].name) for i in spoke]
    n = len(names) + 1
    start = followed.beliefs[first - 1] if first else graph.initial(1)[:, 0]
    events = np.repeat(followed.events[first : last + 1, :, None], n, 2)
    flags = 2 + len(graph.layout.inputs) + len(graph.layout.sensors)
    for column, i in enumerate(spoke, 1):
        events[:, flags + i, column] = 0.0
    constants = np.repeat(followed.constants[:, None], n, 1)
    told = Residuals.of(graph, followed.kernel, np.repeat(start[:, None], n, 1), constants, events)
    loud, count = (told.e**2).sum((0, 1)), told.present.sum((0, 1))
    p = tail(np.maximum(count, 1.0), loud).tolist()
    without = dict(zip(names, p[1:], strict=True))
    fine = [name for name, value in without.items() if value > level]
    faulty = None
    if p[0] > level:
        sentence = "All sensors agree with the twin."
    elif len(fine) == 1:
        faulty = fine[0]
        sentence = f"{faulty} is wrong: without it the rest agree with the twin."
    elif fine:
        sentence = f"One of {', '.join(fine)} is wrong: without either the rest agree, so it cannot be told which."
    else:
        sentence = "Without any one sensor the rest still disagree: it is the twin, or more than one sensor."
    return Isolated(p[0], without, faulty, sentence)
