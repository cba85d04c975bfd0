"""What every back end promises: fold a run of events into the beliefs of a fleet."""

from typing import Protocol

import numpy as np

from ectype.estimate.scalars import Straight
from ectype.values.block import Float64s


class Kernel(Protocol):
    """Runs one graph over time and fleet.

    `fold` takes belief [belief_size, n], constants [c, n], events [k, event_size, n] and active [k, n] (1 or 0)
    and returns the new belief and out [k, output size, n]: for each event the belief after it and the
    diagnostics. Where active is 0 that twin's belief passes unchanged and its diagnostics are 0.
    Nothing given is written to. Back ends agree to 1e-12 in float64; each alone is deterministic.
    """

    def fold(
        self, belief: Float64s, constants: Float64s, events: Float64s, active: Float64s
    ) -> tuple[Float64s, Float64s]:
        """The beliefs after all events, and the record of each."""
        ...


def keep(graph: Straight, belief: Float64s, after: Float64s, active: Float64s, out: Float64s) -> Float64s:
    """The belief after one event where `active` [n] is not 0, else before it; fills out [output_size, n]."""
    rows, on = graph.belief_size, active != 0
    belief = np.where(on, after[:rows], belief)
    out[:rows] = belief
    out[rows:] = np.where(on, after[rows:], 0.0)
    return belief
