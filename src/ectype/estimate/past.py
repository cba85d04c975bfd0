"""The last ticks of a fleet whose twins are told of together, and two marks to go back to when a row comes late.

    base ── tick ── … ── tick ── next ── tick ── … ── now        a mark every `depth` ticks; two of them are kept

A late row goes into its tick, or makes one, if that is after `base`; everything from `base` on is folded again, and
the marks come where they would have been. So what is kept after some rows is that of the same rows in order.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar, final

import numpy as np

from ectype.estimate.ticks import Ticks
from ectype.values.block import Float64s, Int64s

Mark = TypeVar("Mark")


@final
@dataclass(frozen=True, slots=True, eq=False)
class Past(Generic[Mark]):
    """at_ns [w], values [w, property, twin]: the ticks after `base`; base_ns: the instant of the one before them.

    done: how many there were in all; next: the mark `depth` ticks after base, once there.
    """

    base: Mark
    base_ns: int
    at_ns: Int64s
    values: Float64s
    done: int = 0
    next: Mark | None = None

    def room(self, depth: int) -> int:
        """How many ticks there are to the next mark."""
        return depth - self.done % depth

    def then(self, at_ns: Int64s, values: Float64s, now: Mark, depth: int) -> "Past[Mark]":
        """After more ticks, at most up to the next mark, which lead to `now`."""
        at, kept = np.concatenate([self.at_ns, at_ns]), np.concatenate([self.values, values])
        done = self.done + len(at_ns)
        if not len(at_ns) or done % depth:
            return Past(self.base, self.base_ns, at, kept, done, self.next)
        if self.next is None:
            return Past(self.base, self.base_ns, at, kept, done, now)
        return Past(self.next, int(at[depth - 1]), at[depth:], kept[depth:], done, now)

    def again(self) -> "Past[Mark]":
        """At base, before its ticks."""
        return Past(self.base, self.base_ns, self.at_ns[:0], self.values[:0], self.done - len(self.at_ns))

    def with_late(self, ticks: Ticks) -> tuple[Int64s, Float64s, int | None, int]:
        """(at_ns, values) after base with the late rows in their places, the first instant that is new or changed (None
        if there is none), and how many rows were at or before base. Of repeats the first counts.
        """
        timely = ticks.late_ns > self.base_ns
        at_ns, where, value = ticks.late_ns[timely], ticks.late_at[timely], ticks.late_value[timely]
        times = np.unique(np.concatenate([self.at_ns, at_ns]))
        values = np.full((len(times), *self.values.shape[1:]), np.nan)
        values[np.searchsorted(times, at_ns)[::-1], where[::-1, 0], where[::-1, 1]] = value[::-1]
        old = np.searchsorted(times, self.at_ns)
        there = np.full(values.shape, np.nan)
        there[old] = self.values
        values = np.where(np.isfinite(there), there, values)
        changed = (np.isfinite(values) & ~np.isfinite(there)).any(axis=(1, 2))
        first = int(times[changed.argmax()]) if changed.any() else None
        return times, values, first, int((~timely).sum())
