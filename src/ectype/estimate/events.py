"""Readings on a grid of ticks become the events that a kernel folds: held inputs, time steps, present flags."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np
from numpy.typing import NDArray

from ectype.estimate.behaviour import Layout
from ectype.values.block import Float64s, Int64s

NEVER = np.iinfo(np.int64).min // 4


class Shape(Protocol):
    """What events are packed for: a traced Graph, or anything else that folds them."""

    @property
    def layout(self) -> Layout:
        """What is declared."""
        ...

    @property
    def event_size(self) -> int:
        """Scalars in an event: t, dt, inputs, readings, present flags."""
        ...

    @property
    def needs(self) -> Mapping[str, tuple[str, ...]]:
        """The inputs that each sensor's predicted reading depends on."""
        ...


@final
@dataclass(frozen=True, slots=True, eq=False)
class Carry:
    """What one run of ticks leaves to the next. last_ns [n]: each twin's last event; held [inputs, n] and
    held_ns [inputs, n]: each input's last value and its instant. NEVER where there was none.
    """

    last_ns: Int64s
    held: Float64s
    held_ns: Int64s

    @classmethod
    def fresh(cls, graph: Shape, twins: int) -> "Carry":
        """Nothing seen yet."""
        inputs = len(graph.layout.inputs)
        return cls(
            np.full(twins, NEVER, np.int64), np.full((inputs, twins), np.nan), np.full((inputs, twins), NEVER, np.int64)
        )


@final
@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """events [k, event_size, n] and active [k, n] for `Kernel.fold`; inputs: name -> [k, n] as held, NaN if too old."""

    events: Float64s
    active: Float64s
    inputs: Mapping[str, Float64s]

    def known(self, twin: int = 0) -> NDArray[np.bool_]:
        """[k, inputs]: whether anything was known of each input of a twin, its default if it has one."""
        told = [np.isfinite(value[:, twin]) for value in self.inputs.values()]
        return np.stack(told, 1) if told else np.ones((len(self.events), 0), np.bool_)


def pack(graph: Shape, carry: Carry, at_ns: Int64s, values: Mapping[str, Float64s]) -> tuple[Events, Carry]:
    """Events of ticks at_ns [k] (rising, all after the carry's) from readings: name -> [k, n], NaN where none came.
    Where each twin has instants of its own at_ns is [k, n].

    A twin takes part in a tick when any of its sensors or inputs came. A reading is present unless it is missing or
    an input that its prediction needs has no value young enough (and no default).
    """
    layout = graph.layout
    k, n = len(at_ns), len(carry.last_ns)
    nothing = np.full((k, n), np.nan)
    at = at_ns if at_ns.ndim == 2 else np.broadcast_to(at_ns[:, None], (k, n))
    came = np.zeros((k, n), bool)
    for declared in (*layout.inputs, *layout.sensors):
        came |= np.isfinite(values.get(declared.name, nothing))
    events = np.zeros((k, graph.event_size, n))

    last = _hold(np.where(came, at, NEVER), carry.last_ns)
    before = np.vstack([carry.last_ns[None], last[:-1]])
    events[:, 0] = at * 1e-9
    events[:, 1] = np.where(came & (before != NEVER), (at - before) * 1e-9, 0.0)

    held, held_ns = np.empty_like(carry.held), np.empty_like(carry.held_ns)
    inputs: dict[str, Float64s] = {}
    for row, declared in enumerate(layout.inputs):
        given = np.vstack([carry.held[row][None], values.get(declared.name, nothing)])
        given_ns = np.vstack([carry.held_ns[row][None], np.where(np.isfinite(given[1:]), at, NEVER)])
        newest = np.maximum.accumulate(np.where(given_ns == NEVER, 0, np.arange(k + 1)[:, None]), axis=0)
        value, value_ns = np.take_along_axis(given, newest, 0), np.take_along_axis(given_ns, newest, 0)
        held[row], held_ns[row] = value[-1], value_ns[-1]
        young = (value_ns[1:] != NEVER) & (at - value_ns[1:] <= declared.max_age_s * 1e9)
        default = np.nan if declared.default is None else declared.default
        inputs[declared.name] = np.where(young, value[1:], default)
        events[:, 2 + row] = np.nan_to_num(inputs[declared.name])

    first = 2 + len(layout.inputs)
    for row, sensor in enumerate(layout.sensors):
        reading = values.get(sensor.name, nothing)
        present = np.isfinite(reading)
        for name in graph.needs[sensor.name]:
            present = present & np.isfinite(inputs[name])
        events[:, first + row] = np.nan_to_num(reading)
        events[:, first + len(layout.sensors) + row] = present
    after = Carry(last[-1] if k else carry.last_ns, held, held_ns)
    return Events(events, came.astype(np.float64), inputs), after


def _hold(at: Int64s, before: Int64s) -> Int64s:
    return np.maximum.accumulate(np.vstack([before[None], at]), axis=0)[1:]
