"""One period cut into windows: what the original did in each, and what the twin would have done.

    events ─► filter ─► belief at each window's start ─► draws of state, process noise, sensor noise ─► readings

A window's draws get the same inputs and gaps as the original and nothing of its readings after the start. Some of the
draws are set aside as the reference that a window's readings are measured against (`Trial.z`); the others are what
the original hides among. Given the reference, the original and they are exchangeable if the twin is right: the belief
at the start holds everything before, so windows that do not overlap are independent of each other (Rosenblatt 1952).
"""

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from ectype.errors import Invalid
from ectype.estimate.kernel import Kernel
from ectype.estimate.simulate import simulate
from ectype.estimate.trace import Graph
from ectype.values.block import Float64s, Int64s


@final
@dataclass(frozen=True, slots=True, eq=False)
class Twin:
    """What is judged. constants [c], belief [belief_size] before the first event.

    noise and unrest scale its sensors' and its states' noise, delay makes its readings late by so many samples: 1, 1
    and 0 but for a twin that is made worse on purpose.
    """

    graph: Graph
    kernel: Kernel
    constants: Float64s
    belief: Float64s
    noise: float = 1.0
    unrest: float = 1.0
    delay: int = 0

    def wrong(self, parameter: str, share: float) -> "Twin":
        """The twin with a constant parameter off by that share. Raises Invalid if it has no such parameter."""
        names = [p.name for p in self.graph.layout.constants]
        if parameter not in names:
            raise Invalid(f"{self.graph.behaviour.__name__} has no constant '{parameter}', only {', '.join(names)}")
        constants = self.constants.copy()
        constants[names.index(parameter)] *= 1.0 + share
        return replace(self, constants=constants)


@final
@dataclass(frozen=True, slots=True)
class Cut:
    """How a period is cut. horizon: samples a window; draws: how many the original hides among; reference: draws set
    aside to measure against; warm_up: samples for the filter to settle, not judged.
    """

    horizon: int = 20
    draws: int = 4
    reference: int = 24
    warm_up: int = 100

    def __post_init__(self) -> None:
        if self.horizon < 2 or self.draws < 1 or self.reference < 8 or self.warm_up < 1:
            raise Invalid("a cut needs horizon >= 2, draws >= 1, reference >= 8 and warm_up >= 1")


@final
@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """n windows of H samples; member 0 of 1 + K is the original, the rest are draws of the twin.

    readings, z, e [n, 1+K, S, H]: in the sensors' units, against the reference's mean and standard deviation, and as
    the twin's own filter sees them (innovation / its standard deviation); 0 where absent. present [n, S, H];
    inputs [n, U, H]; log_likelihood [n, 1+K] under the twin; fan [n, R, S, H] the reference draws; before [n, S] the
    last reading before the window.
    """

    readings: Float64s
    z: Float64s
    e: Float64s
    present: Float64s
    inputs: Float64s
    log_likelihood: Float64s
    fan: Float64s
    before: Float64s

    def __len__(self) -> int:
        return len(self.readings)

    def windows(self, which: slice) -> "Trial":
        """Only those windows."""
        names = ("readings", "z", "e", "present", "inputs", "log_likelihood", "fan", "before")
        return Trial(*(getattr(self, name)[which] for name in names))


def trials(twin: Twin, events: Float64s, cut: Cut, rng: np.random.Generator) -> tuple[Trial, ...]:
    """A trial for each of m originals, all events [k, event_size, m] of one period.

    Raises Invalid if the period is too short for ten windows.
    """
    k, _, m = events.shape
    count = (k - cut.warm_up) // cut.horizon
    if count < 10:
        raise Invalid(
            f"{k} samples make {max(count, 0)} windows of {cut.horizon} after {cut.warm_up} to warm up; ten is the "
            f"least, give {10 * cut.horizon + cut.warm_up} samples or a shorter horizon"
        )
    first = np.repeat(twin.belief[:, None], m, 1)
    _, record = twin.kernel.fold(first, np.repeat(twin.constants[:, None], m, 1), events, np.ones((k, m)))
    starts = np.arange(cut.warm_up, cut.warm_up + count * cut.horizon, cut.horizon, dtype=np.int64)
    rows = starts[:, None] + np.arange(cut.horizon)
    out: list[Trial] = []
    for i in range(m):
        beliefs = record[starts - 1, : twin.graph.belief_size, i].T
        windows = np.ascontiguousarray(events[rows, :, i].transpose(1, 2, 0))  # [H, event_size, n]
        last = _last_readings(twin.graph, events[:, :, i], starts)
        out.append(_trial(twin, beliefs, windows, last, cut, rng))
    return tuple(out)


def _trial(
    twin: Twin, beliefs: Float64s, windows: Float64s, before: Float64s, cut: Cut, rng: np.random.Generator
) -> Trial:
    graph, n = twin.graph, windows.shape[2]
    inputs, sensors = len(graph.layout.inputs), len(graph.layout.sensors)
    seen, flags = slice(2 + inputs, 2 + inputs + sensors), slice(2 + inputs + sensors, None)
    each = cut.draws + cut.reference
    first = sample(graph, np.repeat(beliefs, each, 1), rng)
    constants = np.repeat(twin.constants[:, None], n * each, 1)
    asked = np.repeat(windows, each, 2)
    made = simulate(graph.behaviour, first, constants, asked, rng, noise=twin.noise, unrest=twin.unrest).events[:, seen]
    if twin.delay:
        made = _delayed(made, np.repeat(before.T, each, 1), twin.delay)
    drawn = made.reshape(cut.horizon, sensors, n, each)
    present = windows[:, flags]
    real = windows[:, seen]
    readings = np.concatenate([real[..., None], drawn[..., : cut.draws]], 3) * present[..., None]
    fan = drawn[..., cut.draws :]
    middle, spread = fan.mean(3, keepdims=True), np.maximum(fan.std(3, ddof=1, keepdims=True), 1e-12)
    z = (readings - middle) / spread * present[..., None]

    members = 1 + cut.draws
    judged = np.repeat(windows, members, 2)
    judged[:, seen] = readings.reshape(cut.horizon, sensors, n * members)
    _, record = twin.kernel.fold(
        np.repeat(beliefs, members, 1),
        np.repeat(twin.constants[:, None], n * members, 1),
        judged,
        np.ones((cut.horizon, n * members)),
    )
    told = record[:, graph.belief_size :].reshape(cut.horizon, sensors, 4, n, members)
    there = present[..., None]
    variance = np.where(there > 0, told[:, :, 1], 1.0)
    e = np.where(there > 0, told[:, :, 0], 0.0) / np.sqrt(variance)
    log_likelihood = -0.5 * (np.log(variance) + e * e).sum((0, 1))
    return Trial(
        _in_order(readings),
        _in_order(z),
        _in_order(e),
        present.transpose(2, 1, 0),
        windows[:, 2 : 2 + inputs].transpose(2, 1, 0),
        log_likelihood,
        _in_order(fan),
        before,
    )


def sample(graph: Graph, beliefs: Float64s, rng: np.random.Generator) -> Float64s:
    """One state [n_states, columns] from each belief [belief_size, columns]."""
    n, columns = graph.size, beliefs.shape[1]
    cov = np.zeros((columns, n, n))
    low = np.tril_indices(n)
    cov[:, low[0], low[1]] = cov[:, low[1], low[0]] = beliefs[n : n + len(low[0])].T
    values, vectors = np.linalg.eigh(cov)
    kicks = np.sqrt(np.maximum(values, 0.0)) * rng.standard_normal((columns, n))
    return beliefs[:n] + np.einsum("cij,cj->ic", vectors, kicks)


def _in_order(x: Float64s) -> Float64s:
    """[H, S, n, members] -> [n, members, S, H]"""
    return np.ascontiguousarray(x.transpose(2, 3, 1, 0))


def _delayed(made: Float64s, before: Float64s, by: int) -> Float64s:
    """Readings [H, S, columns] late by some samples; the last reading before the window stands in for the first."""
    return np.concatenate([np.repeat(before[None], by, 0), made[:-by]])


def _last_readings(graph: Graph, events: Float64s, starts: Int64s) -> Float64s:
    """[n, S]: each sensor's last reading before each start; 0 if it never spoke."""
    inputs, sensors = len(graph.layout.inputs), len(graph.layout.sensors)
    values = events[:, 2 + inputs : 2 + inputs + sensors]
    there = events[:, 2 + inputs + sensors :] > 0
    newest = np.maximum.accumulate(np.where(there, np.arange(len(events))[:, None], 0), axis=0)
    return np.take_along_axis(values, newest, 0)[starts - 1]
