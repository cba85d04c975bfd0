"""The plain back end: CasADi's virtual machine runs the graph. No compile, ready at once, the reference."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from typing import final

import casadi as ca
import numpy as np

from ectype.estimate.kernel import keep
from ectype.estimate.scalars import Straight
from ectype.values.block import Float64s


@final
class PlainKernel:
    """See `kernel.Kernel`. Some tens of microseconds a twin and event."""

    def __init__(self, graph: Straight) -> None:
        self._graph = graph

    def fold(
        self, belief: Float64s, constants: Float64s, events: Float64s, active: Float64s
    ) -> tuple[Float64s, Float64s]:
        """See `kernel.Kernel.fold`."""
        graph = self._graph
        out = np.zeros((len(events), graph.output_size, belief.shape[1]))
        for k in range(len(events)):
            given = np.concatenate([belief, constants, events[k]])
            belief = keep(graph, belief, np.asarray(graph.function(ca.DM(given))), active[k], out[k])
        return belief, out
