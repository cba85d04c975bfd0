"""The oil's temperature ten minutes ahead, from an energy balance whose terms the twin finds while it runs.

    capacity dT/dt = heat - cooling - loss (T - ambient),    cooling = 0.0269 flow seen (T - ambient)
    d seen/dt = (effectiveness - seen) / lag

`heat` is what pump and throttles put in, `effectiveness` what the cooler makes of the largest difference there is once
its metal and pipes have followed, `seen` what it makes of it now. 0.0269 is rho cp / 60: the rig's own cooling power is
that times flow times the difference across the cooler, to 0.06 %. Nothing is known before it has come: capacity and
loss are what the rig's warming up in its first hour says of them, the lag is learnt at each change of the cooler, the
rest is followed. The cooler is left alone for hours and then set to something else: its effectiveness may move as much
as what is seen disagrees with it.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from ectype.estimate.behaviour import Behaviour, Input, LogNormal, Normal, Parameter, Sensor, State
from ectype.estimate.emit_llvm import LlvmKernel
from ectype.estimate.maths import sqrt
from ectype.estimate.trace import Graph, trace
from ectype.values.block import Float64s
from examples.zema.ahead import A_CYCLE, EVERY_S, FIRST_HOUR, Forecast, errors, expected, seen
from examples.zema.records import Records


class OilLoop(Behaviour, model="dtmi:ectype:examples:ZemaOilLoop;2", filter="ekf", substeps=6):
    """See the module's docstring."""

    oil = State("K", init=(313.0, 10.0), q="0.005 K/sqrt(s)")
    ambient = State("K", init=(296.0, 5.0), q="0.005 K/sqrt(s)")
    effectiveness = State("1", init=(0.3, 0.2), q="0.0005 1/sqrt(s)", low=0, high=1)
    seen = State("1", init=(0.3, 0.2), q="0.0005 1/sqrt(s)", low=0, high=1)
    heat = Parameter("kW", prior=Normal(3.0, 1.0), drift="0.003 kW/sqrt(s)")
    capacity = Parameter("kJ/K", prior=Normal(80.0, 20.0), drift="0 kJ/K/sqrt(s)", low=20)
    loss = Parameter("kW/K", prior=Normal(0.03, 0.02), drift="0 kW/K/sqrt(s)", low=0)
    lag = Parameter("s", prior=LogNormal(20.0, 0.7), drift="0 s/sqrt(s)", low=2)
    per_flow = Parameter("kW*min/(l*K)", fixed=0.026946)
    flow = Input("l/min", max_age="2 min")
    before_cooler = Sensor("K", sigma="0.05 K")
    after_cooler = Sensor("K", sigma="0.05 K")
    efficiency = Sensor("1", sigma="0.002 1")

    def derivative(self, t: Any) -> dict[Any, Any]:
        """The balance; the rest wanders."""
        above = self.oil - self.ambient
        cooling = self.per_flow * self.flow * self.seen * above
        return {
            self.oil: (self.heat - cooling - self.loss * above) / self.capacity,
            self.ambient: 0.0,
            self.effectiveness: 0.0,
            self.seen: (self.effectiveness - self.seen) / self.lag,
        }

    def unrest(self, t: Any) -> dict[Any, Any]:
        """As much, from one reading to the next, as what is seen disagrees."""
        off = sqrt((self.seen - self.effectiveness) ** 2)
        return {self.effectiveness: 0.0005 + off / sqrt(EVERY_S)}

    def observe(self, t: Any) -> dict[Any, Any]:
        """TS3, TS4 and CE."""
        return {
            self.before_cooler: self.oil,
            self.after_cooler: self.oil - self.seen * (self.oil - self.ambient),
            self.efficiency: self.seen,
        }


@final
@dataclass(frozen=True, eq=False)
class Warmed(Forecast):
    """capacity (kJ/K) and loss (kW/K): as the first hour told them."""

    capacity: float
    loss: float


def forecast(records: Records, cache: Path) -> Warmed:
    """Forecasts of all cycles, each from what had come by the end of its cycle."""
    graph = trace(OilLoop)
    kernel = LlvmKernel(graph, cache)
    constants = np.array([[p.value] for p in graph.layout.constants])
    events = seen(graph, records)[:, :, None]
    hour = FIRST_HOUR * A_CYCLE
    belief, warming = kernel.fold(graph.initial(1), constants, events[:hour], np.ones((hour, 1)))
    belief = settled(graph, belief, ("capacity", "loss"))
    _, later = kernel.fold(belief, constants, events[hour:], np.ones((len(events) - hour, 1)))
    known = np.concatenate([warming, later])[A_CYCLE - 1 :: A_CYCLE, : graph.belief_size, 0]
    error, persistence = errors(expected(kernel, graph, known, constants, records), records)
    names = graph.layout.belief_names
    capacity, loss = (float(belief[names.index(name), 0]) for name in ("capacity", "loss"))
    return Warmed(error, persistence, capacity, loss)


def settled(graph: Graph, belief: Float64s, names: tuple[str, ...]) -> Float64s:
    """The belief [belief_size, n] that takes what it says of these for true from now on."""
    after = belief.copy()
    for i in (graph.layout.belief_names.index(name) for name in names):
        for j in range(graph.size):
            after[graph.size + max(i, j) * (max(i, j) + 1) // 2 + min(i, j)] = 0.0
        after[graph.variance_row(i)] = 1e-12
    return after
