"""Where a forecast begins: a twin's filter over its record, with the belief after each event."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from ectype.errors import Invalid
from ectype.estimate.following import Following
from ectype.estimate.kernel import Kernel
from ectype.estimate.trace import Graph
from ectype.values.block import Float64s, Int64s

_AGAIN = 200  # events folded again for each draw of the parameters


@final
@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """at_ns [k], events [k, event_size] and beliefs [k, belief_size] after each; constants [c] the filter ran with;
    posterior [c, any]: draws of them, for how sure they are (one column where they are taken as they are). before
    [belief_size]: what was believed before the first event; None: nothing came before it. names: what declarations are
    called in what is told of them, where it is not what they are declared as. known [k, inputs]: whether anything was
    known of each input at each event; None: of all.
    """

    graph: Graph
    kernel: Kernel
    at_ns: Int64s
    events: Float64s
    beliefs: Float64s
    constants: Float64s
    posterior: Float64s
    before: Float64s | None = None
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    known: NDArray[np.bool_] | None = None

    @classmethod
    def by(
        cls,
        graph: Graph,
        kernel: Kernel,
        constants: Float64s,
        at_ns: Int64s,
        events: Float64s,
        posterior: Float64s | None = None,
        known: NDArray[np.bool_] | None = None,
    ) -> "Followed":
        """The record folded by the twin's own filter. Raises Invalid if it is empty."""
        if not len(events):
            raise Invalid("a forecast begins at an event; this record has none")
        _, out = kernel.fold(graph.initial(1), constants[:, None], events[:, :, None], np.ones((len(events), 1)))
        beliefs = np.ascontiguousarray(out[:, : graph.belief_size, 0])
        drawn = constants[:, None] if posterior is None else posterior
        return cls(graph, kernel, at_ns, events, beliefs, constants, drawn, known=known)

    @classmethod
    def live(cls, following: Following, column: int, posterior: Float64s) -> "Followed":
        """What a live filter has at hand of a column: its last events."""
        at_ns, events, beliefs, before = following.window(column)
        return cls(
            following.graph,
            following.kernel,
            at_ns,
            events,
            beliefs,
            following.constants[:, column],
            posterior,
            before=before,
            known=following.known(column),
        )

    def __len__(self) -> int:
        return len(self.events)

    def called(self, name: str) -> str:
        """What a declaration is called in what is told of it."""
        return self.names.get(name, name)

    @property
    def every_s(self) -> float:
        """The usual time between events: their median. Raises Invalid for a single event."""
        if len(self) < 2:
            raise Invalid("one event has no usual distance to the next; say how far apart the forecast's steps are")
        return float(np.median(np.diff(self.at_ns))) * 1e-9

    def index(self, at_ns: int | None) -> int:
        """The last event at or before that instant (None: the last of all). Raises Invalid if there is none."""
        index = len(self) - 1 if at_ns is None else int(np.searchsorted(self.at_ns, at_ns, side="right")) - 1
        if index < 0:
            raise Invalid("the record begins after that instant; choose a later one")
        return index

    def believed(self, index: int, constants: Float64s) -> Float64s:
        """[belief_size, draws]: what the filter would believe after event `index` with each of those constants
        [c, draws]: the last events folded again, so that the state drawn goes with the parameters drawn.
        """
        draws = constants.shape[1]
        if (constants == self.constants[:, None]).all():
            return np.repeat(self.beliefs[index][:, None], draws, 1)
        first = max(0, index + 1 - _AGAIN)
        before = self.beliefs[first - 1] if first else self.before
        if before is None:
            before = self.graph.initial(1)[:, 0]
        events = np.repeat(self.events[first : index + 1, :, None], draws, 2)
        belief, _ = self.kernel.fold(
            np.repeat(before[:, None], draws, 1), constants, events, np.ones(events.shape[::2])
        )
        return belief

    def untold(self, index: int) -> list[str]:
        """The inputs of which nothing is known after event `index`."""
        if self.known is None:
            return []
        return [u.name for u, known in zip(self.graph.layout.inputs, self.known[index], strict=True) if not known]

    def inputs(self) -> Float64s:
        """[k, inputs]: what was held at each event."""
        return self.events[:, 2 : 2 + len(self.graph.layout.inputs)]
