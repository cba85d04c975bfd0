"""What the twin of a recording is told: levels and noise from its own first rows, unrest from all at the same speed.

    level, slope, noise   own first 400 rows: means of what is near the median; current against voltage; steps from one
                          reading to the next
    walks                 from the steps between the levels of successive recordings at the same speed of the pump
    far, lasts            of what comes and goes, and a factor on the noise: those of some hundred candidates, sensor by
                          sensor, under which the first 400 rows of all recordings at that speed are likeliest

No label is looked at, and no later row of a recording that is to be scored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.estimate.kernel import Kernel
from ectype.estimate.trace import Graph
from ectype.values.block import Float64s
from examples.skab.loop import Loop
from examples.skab.records import TRAIN, Recording

NEAR = 0.1  # of the median: rows farther off are no level's
SAME_SPEED = 0.25  # flows of one speed of the pump differ less
SAME_DAY_S = 7200.0
CANDIDATES = 96
SETTLES = 20
USUAL = 0.97  # of the steps from one reading to the next; beyond, as that
WHOLE_LITRES = 0.29  # l/min: the meter tells whole ones, 1 / sqrt(12)
WILD_SHARE, WILD = 0.02, 5.0  # so many readings are wild, and so many times wider
NAMES = tuple(p.name for p in Loop.layout.constants)


@final
@dataclass(frozen=True, slots=True)
class Told:
    """A sensor's column in a recording, its noise, and what comes and goes in it: how far, for how long. of: the level
    that `far` is a share of, and times: how often; rate: it is what the reading changes by each second.
    """

    column: int
    noise: str
    far: str = ""
    lasts: str = ""
    of: str = ""
    times: float = 1.0
    rate: bool = False


SENSORS = (
    Told(0, "flow_noise", "swirl_far", "swirl_for", of="flow_0", times=2.0),
    Told(1, "pump_noise", "pump_far", "pump_for"),
    Told(2, "motor_noise", "motor_far", "motor_for"),
    Told(3, "current_noise", "load_far", "load_for", of="current_0"),
    Told(4, "pressure_noise"),
    Told(5, "motor_t_noise", "heating_far", "heating_for", rate=True),
    Told(6, "water_t_noise", "warming_far", "warming_for", rate=True),
)
WALKS = {"fouling_walks": ("flow_0", 2.0), "pump_walks": ("pump_0", 1.0), "motor_walks": ("motor_0", 1.0)}


def constants(graph: Graph, kernel: Kernel, recordings: Sequence[Recording], others: Sequence[Recording]) -> Float64s:
    """[c, recordings]: of the twin in order of each, from their first rows and all of `others`."""
    known = [*(r.part(0, TRAIN) for r in recordings), *others]
    found = np.array([[p.value for p in Loop.layout.constants]] * len(known)).T.copy()
    for i, r in enumerate(known):
        for name, value in (levels(r) | noises(r)).items():
            found[NAMES.index(name), i] = value
    groups = speeds(known)
    for group in groups:
        _walk(found, known, group)
    _likeliest(graph, kernel, found, known, groups)
    return np.ascontiguousarray(found[:, : len(recordings)])


def levels(recording: Recording) -> dict[str, float]:
    """Its first rows' levels, by the constants' names."""
    rows = recording.rows[:TRAIN]
    flow, pump, motor, current, pressure, hot, water, voltage = (_level(rows[:, i], i) for i in range(8))
    swing = rows[:, 7] - voltage
    return {
        "flow_0": flow,
        "pump_0": pump,
        "motor_0": motor,
        "current_0": current,
        "slope": float(swing @ (rows[:, 3] - current)) / max(float(swing @ swing), 1e-9),
        "voltage_0": voltage,
        "pressure_0": pressure,
        "rise_0": hot - water,
    }


def _level(column: Float64s, i: int) -> float:
    middle = float(np.median(column))
    width = NEAR * abs(middle) if i == 0 else NEAR if i < 3 else np.inf
    return float(column[np.abs(column - middle) <= width].mean())


def noises(recording: Recording) -> dict[str, float]:
    """Of each sensor, from one reading to the next, by the constants' names."""
    found: dict[str, float] = {}
    for sensor in SENSORS:
        steps = np.abs(np.diff(recording.rows[:TRAIN, sensor.column]))
        own = float(np.sqrt((np.minimum(steps, np.quantile(steps, USUAL)) ** 2).mean() / 2))
        found[sensor.noise] = max(own, WHOLE_LITRES if sensor.column == 0 else 1e-4)
    return found


def speeds(recordings: Sequence[Recording]) -> list[list[int]]:
    """Which recordings have the pump at one speed: their flows are alike. Each in order of time."""
    flow = [levels(r)["flow_0"] for r in recordings]
    groups: list[list[int]] = []
    for i in sorted(range(len(flow)), key=flow.__getitem__):
        if groups and flow[i] < (1 + SAME_SPEED) * flow[groups[-1][0]]:
            groups[-1].append(i)
        else:
            groups.append([i])
    return [sorted(g, key=lambda i: float(recordings[i].at_s[0])) for g in groups]


def _walk(found: Float64s, known: Sequence[Recording], group: Sequence[int]) -> None:
    apart = np.maximum(np.diff([float(known[i].at_s[:TRAIN].mean()) for i in group]), TRAIN)
    near = apart < SAME_DAY_S
    if not near.any():
        return  # a lone recording: as declared
    for name, (level, times) in WALKS.items():
        value = found[NAMES.index(level), group]
        steps = times * np.diff(np.log(value) if level == "flow_0" else value)
        found[NAMES.index(name), group] = np.sqrt((steps[near] ** 2).mean() / apart[near].mean())


def _likeliest(
    graph: Graph, kernel: Kernel, found: Float64s, known: Sequence[Recording], groups: Sequence[Sequence[int]]
) -> None:
    tried = _candidates(found)
    events, active = events_of(graph, known)
    score = np.zeros((len(SENSORS), len(known), CANDIDATES))
    for c in range(CANDIDATES):
        _, out = kernel.fold(begin(graph, known), np.ascontiguousarray(tried[:, :, c]), events, active)
        score[:, :, c] = likelihood(graph, out[SETTLES:], active[SETTLES:]).sum(0)
    for group in groups:
        teach = [i for i in group if _steady(known[i])] or group
        for row, sensor in enumerate(SENSORS):
            best = int(score[row, teach].sum(0).argmax())
            for name in (sensor.noise, sensor.far, sensor.lasts):
                if name:
                    found[NAMES.index(name), group] = tried[NAMES.index(name), group, best]


def _candidates(found: Float64s) -> Float64s:
    """[c, n, CANDIDATES]."""
    rng = np.random.default_rng(0)
    tried = np.repeat(found[:, :, None], CANDIDATES, 2)
    for sensor in SENSORS:
        noise = found[NAMES.index(sensor.noise)][:, None]
        tried[NAMES.index(sensor.noise)] = noise * rng.uniform(0.6, 1.2, CANDIDATES)
        if sensor.far:
            lasts = np.exp(rng.uniform(np.log(3.0), np.log(200.0), CANDIDATES))
            share = np.exp(rng.uniform(np.log(0.05), np.log(2.0), CANDIDATES))
            level = found[NAMES.index(sensor.of)][:, None] if sensor.of else 1.0
            tried[NAMES.index(sensor.lasts)] = lasts
            tried[NAMES.index(sensor.far)] = sensor.times * noise / level * share / (lasts / 3 if sensor.rate else 1.0)
    return tried


def _steady(recording: Recording) -> bool:
    """Whether the first rows' flow is near its level; one where it is not is out of order already and teaches none."""
    flow = recording.rows[:TRAIN, 0]
    return float((np.abs(flow / np.median(flow) - 1) < NEAR).mean()) > USUAL


def likelihood(graph: Graph, out: Float64s, active: Float64s) -> Float64s:
    """[k, sensors, n]: log density of each reading under what was expected, up to a constant; a few are wild."""
    k, n = active.shape
    told = out[:, graph.belief_size :].reshape(k, len(SENSORS), 4, n)
    here = np.broadcast_to(active[:, None] > 0, (k, len(SENSORS), n))
    v, s = np.where(here, told[:, :, 0], 0.0), np.where(here, told[:, :, 1], 1.0)
    usual = np.log(1 - WILD_SHARE) - 0.5 * v * v / s
    wild = np.log(WILD_SHARE / WILD) - 0.5 * v * v / (s * WILD**2)
    return np.where(here, np.logaddexp(usual, wild) - 0.5 * np.log(s), 0.0)


def events_of(graph: Graph, recordings: Sequence[Recording]) -> tuple[Float64s, Float64s]:
    """Events [k, event_size, n] and active [k, n], of recordings as long as they are."""
    longest, sensors = max(len(r) for r in recordings), len(SENSORS)
    events = np.zeros((longest, graph.event_size, len(recordings)))
    active = np.zeros((longest, len(recordings)))
    for i, r in enumerate(recordings):
        k = len(r)
        events[:k, 0, i], events[1:k, 1, i] = r.at_s - r.at_s[0], np.diff(r.at_s)
        events[:k, 2, i], events[:k, 3 : 3 + sensors, i] = r.rows[:, 7], r.rows[:, :7]
        events[:k, 3 + sensors :, i] = 1.0
        active[:k, i] = 1.0
    return events, active


def begin(graph: Graph, recordings: Sequence[Recording]) -> Float64s:
    """[belief_size, n]: the priors, with the temperatures as first read."""
    belief = graph.initial(len(recordings))
    for name, column in (("motor", 5), ("water", 6)):
        belief[graph.layout.belief_names.index(name)] = [float(np.median(r.rows[:10, column])) for r in recordings]
    return belief
