"""Is a forecast worth anything? Held against what came, and against persistence, from many instants of the record.

At each origin the forecast knows what came before it and nothing else (`recorded` inputs excepted). Persistence says
the last reading, as sure as its own errors before that origin were.

    skill     1 - CRPS / CRPS of persistence (Gneiting, Raftery 2007): 1 is perfect, 0 no better, below 0 worse
    covered   how often what came was inside the 90 % interval
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.errors import Invalid
from ectype.fidelity.companions import crps
from ectype.foresee.ahead import Ahead
from ectype.foresee.fan import Start, draw
from ectype.foresee.followed import Followed
from ectype.values.block import Float64s


@final
@dataclass(frozen=True, slots=True)
class Skill:
    """One sensor, so many steps ahead, over `origins` instants. rms in the sensor's unit."""

    steps: int
    origins: int
    rms: float
    rms_persistence: float
    skill: float
    covered: float


def skill(
    followed: Followed,
    *,
    steps: int,
    every_s: float | None = None,
    way: Ahead = "alike",
    origins: int = 100,
    draws: int = 200,
    seed: int = 0,
    told: Callable[[int, int], None] | None = None,
) -> dict[str, tuple[Skill, ...]]:
    """By sensor, at one step, half of the steps and all of them. Origins are spread over the later half of the record.

    Raises Invalid if the record is too short for ten origins.
    """
    graph = followed.graph
    every_s = followed.every_s if every_s is None else every_s
    step_ns = round(every_s * 1e9)
    last = int(np.searchsorted(followed.at_ns, int(followed.at_ns[-1]) - steps * step_ns, side="right"))
    first = len(followed) // 2
    if last - first < 10:
        raise Invalid(
            f"the later half of {len(followed)} events has no ten instants that are {steps} steps from its end"
        )
    chosen: list[int] = sorted({round(i) for i in np.linspace(first, last - 1, min(origins, last - first)).tolist()})
    ahead = sorted({1, max(1, steps // 2), steps})
    scores: dict[tuple[str, int], list[tuple[float, ...]]] = {}
    for done, index in enumerate(chosen):
        start = Start.at(
            followed,
            steps=steps,
            every_s=every_s,
            at_ns=int(followed.at_ns[index]),
            way=way,
            draws=draws,
            seed=seed + done,
        )
        fan = draw(start)
        for s, sensor in enumerate(graph.layout.sensors):
            values, there = _readings(followed, s)
            for h in ahead:
                score = _score(followed, values, there, index, h * step_ns, step_ns, fan.of(sensor.name)[h - 1])
                if score is not None:
                    scores.setdefault((sensor.name, h), []).append(score)
        if told is not None:
            told(done + 1, len(chosen))
    out: dict[str, list[Skill]] = {}
    for (name, h), rows in scores.items():
        miss, plain, ours, theirs, inside = (np.array(column) for column in zip(*rows, strict=True))
        skilled = 1 - float(ours.mean() / theirs.mean()) if theirs.mean() > 0 else 0.0
        rms = math.sqrt(float((miss**2).mean())), math.sqrt(float((plain**2).mean()))
        out.setdefault(name, []).append(Skill(h, len(rows), *rms, skilled, float(inside.mean())))
    return {name: tuple(found) for name, found in out.items()}


def _readings(followed: Followed, s: int) -> tuple[Float64s, Float64s]:
    first = 2 + len(followed.graph.layout.inputs)
    sensors = len(followed.graph.layout.sensors)
    return followed.events[:, first + s], followed.events[:, first + sensors + s]


def _score(
    followed: Followed, values: Float64s, there: Float64s, index: int, ahead_ns: int, step_ns: int, drawn: Float64s
) -> tuple[float, ...] | None:
    """(miss of the median, of persistence, CRPS, CRPS of persistence, inside the 90 %); None without a truth."""
    at_ns = followed.at_ns
    spoke = np.flatnonzero(there[: index + 1] > 0)
    rows = np.flatnonzero(there > 0)
    after = int(np.searchsorted(at_ns[rows], int(at_ns[index]) + ahead_ns - step_ns // 2))
    if len(spoke) < 20 or after >= len(rows) or at_ns[rows[after]] > at_ns[index] + ahead_ns + step_ns // 2:
        return None
    truth, now = values[rows[after]], values[spoke[-1]]
    later = np.searchsorted(at_ns[spoke], at_ns[spoke] + ahead_ns - step_ns // 2)
    paired = later < len(spoke)
    errors = values[spoke[later[paired]]] - values[spoke[paired]]
    if len(errors) < 10:
        return None
    errors = errors[:: -(-len(errors) // 500)]
    low, middle, high = np.quantile(drawn, (0.05, 0.5, 0.95))
    y = np.array([truth])
    ours, theirs = float(crps(drawn[None], y)[0]), float(crps(now + errors[None], y)[0])
    return float(truth - middle), float(truth - now), ours, theirs, float(low <= truth <= high)
