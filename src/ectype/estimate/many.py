"""A belief about many states, which is an ensemble, in the shape in which a filter's belief is asked for everywhere.

    belief    mean [s] │ lower triangle of the covariance [s (s + 1) / 2] │ the members' deviations from the mean [s m]

Whoever reads means and variances, moves a mean, or goes back to an older belief need not know that there are members.
A column's numbers do not depend on which others are folded beside it.
"""

import hashlib
from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.estimate.behaviour import Behaviour
from ectype.estimate.ensemble import Ensemble, middle
from ectype.estimate.methods import methods_of
from ectype.estimate.trace import Graph
from ectype.estimate.world import Traced
from ectype.values.block import Float64s

_MEMBERS = 64


@final
@dataclass(frozen=True, eq=False)
class Many(Graph):
    """What a filter's graph says of its belief, said of an ensemble. There are no scalars to compile in it."""

    ensemble: Ensemble
    members: int

    @classmethod
    def of(cls, behaviour: type[Behaviour]) -> "Many":
        """An ensemble of 64 members, or of two for each state where that is more."""
        world, size = Traced(behaviour), len(behaviour.layout.states) + len(behaviour.layout.tracked)
        members = max(_MEMBERS, 2 * size)
        digest = hashlib.sha256(repr((behaviour.model, "etkf", members, world.digest)).encode()).hexdigest()
        looks = zip(behaviour.layout.sensors, methods_of(behaviour).looks, strict=True)
        needs = {sensor.name: look.needs for sensor, look in looks}
        return cls(behaviour, (), None, digest, needs, Ensemble(world, members), members)

    @property
    def belief_size(self) -> int:
        """Scalars in a belief."""
        return self.size + self.size * (self.size + 1) // 2 + self.size * self.members

    def initial(self, twins: int) -> Float64s:
        """[belief_size, twins]: drawn from the declared priors, for each twin the same."""
        return np.repeat(self.belief_of(self.ensemble.initial(1)), twins, 1)

    def belief_of(self, x: Float64s) -> Float64s:
        """[belief_size, n] of members [s, members, n]."""
        mean = middle(x)
        off = x - mean[:, None]
        row, column = np.tril_indices(self.size)
        cov = middle(off[row] * off[column]) * (self.members / (self.members - 1))
        return np.concatenate([mean, cov, off.reshape(self.size * self.members, -1)])

    def members_of(self, belief: Float64s) -> Float64s:
        """[s, members, n] of beliefs [belief_size, n]."""
        off = belief[-self.size * self.members :].reshape(self.size, self.members, -1)
        return belief[: self.size, None] + off


@final
class ManyKernel:
    """See `kernel.Kernel`: a millisecond or so an event, for one twin as for some tens."""

    def __init__(self, graph: Many) -> None:
        self._graph = graph

    def fold(
        self, belief: Float64s, constants: Float64s, events: Float64s, active: Float64s
    ) -> tuple[Float64s, Float64s]:
        """See `kernel.Kernel.fold`."""
        graph, size = self._graph, self._graph.belief_size
        out = np.zeros((len(events), graph.output_size, belief.shape[1]))
        for k in range(len(events)):
            on = active[k] != 0
            with np.errstate(all="ignore"):  # what is not active may be anything
                x, told = graph.ensemble.fold(graph.members_of(belief), constants, events[k : k + 1], active[k : k + 1])
                belief = np.where(on, graph.belief_of(x), belief)
            out[k, :size] = belief
            out[k, size:] = np.where(on, told[0, 2 * graph.size :], 0.0)
        return belief, out
