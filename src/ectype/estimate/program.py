"""A fold that is no filter, traced like one: straight-line code over a state and an event, for every back end.

What rides along with a filter (alarms, the fidelity watch) is judged for every twin at every event, so it must cost no
more than the filter itself. Its author writes one event on scalars; it runs plain at once and compiled soon.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import casadi as ca
import numpy as np

from ectype.estimate.scalars import Instruction, instructions_of
from ectype.estimate.swap import SwappingKernel
from ectype.values.block import Float64s


@final
class Fields:
    """Names for runs of rows: Fields(t=1, e=3) has `at["e"]` = rows 1 to 3."""

    def __init__(self, **rows: int) -> None:
        self.at: dict[str, slice] = {}
        self.size = 0
        for name, count in rows.items():
            self.at[name] = slice(self.size, self.size + count)
            self.size += count


@final
@dataclass(frozen=True, eq=False)
class Program:
    """See `scalars.Straight`. The state is what a filter's belief is; all of it is given out after each event."""

    name: str
    instructions: tuple[Instruction, ...]
    function: Any
    digest: str
    belief_size: int
    event_size: int
    constant_size: int = 0

    @property
    def output_size(self) -> int:
        """Scalars that an event returns: the state."""
        return self.belief_size


@final
class Ride:
    """A fold from state [size, m], events [k, size, m] and active [k, m] to the states [k, size, m] after each event.

    step: puts what the state is after an event into the lists that it is given. cache_dir: see `SwappingKernel`.
    """

    def __init__(
        self,
        name: str,
        state: Fields,
        event: Fields,
        step: Callable[[dict[str, list[Any]], dict[str, list[Any]]], None],
        cache_dir: Path | None,
    ) -> None:
        x, given = ca.SX.sym("state", state.size), ca.SX.sym("event", event.size)
        before = {part: ca.vertsplit(x[rows]) if rows.stop > rows.start else [] for part, rows in state.at.items()}
        now = {part: ca.vertsplit(given[rows]) if rows.stop > rows.start else [] for part, rows in event.at.items()}
        step(before, now)
        after = [value for part in state.at for value in before[part]]
        function = ca.Function("step", [ca.vertcat(x, given)], [ca.vertcat(*after)], {"cse": True})
        instructions = instructions_of(function, name)
        digest = hashlib.sha256(repr((name, instructions)).encode()).hexdigest()
        self.kernel = SwappingKernel(Program(name, instructions, function, digest, state.size, event.size), cache_dir)

    def __call__(self, before: Float64s, events: Float64s, active: Float64s) -> Float64s:
        """See the class."""
        nothing = np.empty((0, before.shape[1]))
        return self.kernel.fold(np.ascontiguousarray(before), nothing, np.ascontiguousarray(events), active)[1]
