"""What the filter did not expect: innovations, and how many standard deviations they are."""

from dataclasses import dataclass
from typing import Self, final

import numpy as np

from ectype.estimate.kernel import Kernel
from ectype.estimate.trace import Graph
from ectype.foresee.followed import Followed
from ectype.values.block import Float64s


@final
@dataclass(frozen=True, slots=True, eq=False)
class Residuals:
    """v [k, sensors, n]: reading - expected, in the sensor's unit; e: in predicted standard deviations; present: 1
    where there was a reading, else 0 and v = e = 0. Independent and N(0, 1) if the twin is right.
    """

    v: Float64s
    e: Float64s
    present: Float64s

    @classmethod
    def of(cls, graph: Graph, kernel: Kernel, belief: Float64s, constants: Float64s, events: Float64s) -> Self:
        """Of a fold from belief [belief_size, n] with constants [c, n] over events [k, event_size, n]."""
        k, _, n = events.shape
        _, out = kernel.fold(belief, constants, events, np.ones((k, n)))
        sensors = len(graph.layout.sensors)
        told = out[:, graph.belief_size :].reshape(k, sensors, 4, n)
        present = events[:, 2 + len(graph.layout.inputs) + sensors :]
        there = present > 0
        v = np.where(there, told[:, :, 0], 0.0)
        return cls(v, v / np.sqrt(np.where(there, told[:, :, 1], 1.0)), present)

    @classmethod
    def of_record(cls, followed: Followed) -> Self:
        """Of the whole record, as the twin's own filter saw it: n = 1."""
        graph = followed.graph
        first = graph.initial(1)
        return cls.of(graph, followed.kernel, first, followed.constants[:, None], followed.events[:, :, None])
