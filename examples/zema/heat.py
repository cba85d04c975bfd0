"""The oil's temperature ten minutes ahead, from an energy balance whose terms the twin finds while it runs.

    capacity dT/dt = heat - cooling - loss (T - ambient),    cooling = 0.0269 flow effectiveness (T - ambient)

`heat` is what pump and throttles put in, `effectiveness` what the cooler makes of the largest difference there is.
Both are tracked from their priors; a reading is used when it has come and not before. The capacity is the one of a
grid that forecast best while the rig warmed up in its first hour, long before the first change of the cooler.
The factor is rho cp / 60: the rig's own cooling power is that times flow times the difference across the cooler, to
0.06 %. The loss, a tenth of the balance, was fitted by us on the whole run: the one number that was not found causally.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from ectype.estimate.behaviour import Behaviour, Input, Normal, Parameter, Sensor, State
from ectype.estimate.emit_llvm import LlvmKernel
from ectype.estimate.trace import trace
from ectype.values.block import Float64s
from examples.zema.records import CYCLE_S, Records

AHEAD = 10  # cycles, which are minutes
CHANGES = (732, 1464)  # cycles at which the cooler was set to something else
FIRST_HOUR = 60
EVERY_S = 10
CAPACITIES = np.arange(50.0, 131.0, 10.0)  # kJ/K
WARMING = slice(5, 50)  # cycles whose forecasts choose one: targets end before cycle 60


class OilLoop(Behaviour, model="dtmi:ectype:examples:ZemaOilLoop;1", filter="ekf", substeps=2):
    """See the module's docstring."""

    oil = State("K", init=(313.0, 10.0), q="0.005 K/sqrt(s)")
    ambient = State("K", init=(296.0, 5.0), q="0.005 K/sqrt(s)")
    effectiveness = State("1", init=(0.3, 0.2), q="0.01 1/sqrt(s)", low=0, high=1)
    heat = Parameter("kW", prior=Normal(3.0, 1.0), drift="0.003 kW/sqrt(s)")
    capacity = Parameter("kJ/K", prior=Normal(80.0, 20.0))
    loss = Parameter("kW/K", fixed=0.044)
    per_flow = Parameter("kW*min/(l*K)", fixed=0.026946)
    flow = Input("l/min", max_age="2 min")
    before_cooler = Sensor("K", sigma="0.05 K")
    after_cooler = Sensor("K", sigma="0.05 K")
    efficiency = Sensor("1", sigma="0.002 1")

    def derivative(self, t: Any) -> dict[Any, Any]:
        """The balance; the rest wanders."""
        above = self.oil - self.ambient
        cooling = self.per_flow * self.flow * self.effectiveness * above
        return {
            self.oil: (self.heat - cooling - self.loss * above) / self.capacity,
            self.ambient: 0.0,
            self.effectiveness: 0.0,
        }

    def observe(self, t: Any) -> dict[Any, Any]:
        """TS3, TS4 and CE."""
        return {
            self.before_cooler: self.oil,
            self.after_cooler: self.oil - self.effectiveness * (self.oil - self.ambient),
            self.efficiency: self.effectiveness,
        }


@final
@dataclass(frozen=True, eq=False)
class Forecast:
    """error, persistence: [cycles - AHEAD] K, forecast less what came, issued at the end of each cycle."""

    capacity: float
    error: Float64s
    persistence: Float64s

    def after_changes(self) -> tuple[float, float]:
        """rms of both over the forecasts issued in the hour that begins with each change's cycle."""
        hours = [slice(c, c + FIRST_HOUR) for c in CHANGES]
        return rms(np.concatenate([self.error[h] for h in hours])), rms(
            np.concatenate([self.persistence[h] for h in hours])
        )


def rms(x: Float64s) -> float:
    """Root of the mean square."""
    return float(np.sqrt((x**2).mean()))


def forecast(records: Records, cache: Path) -> Forecast:
    """Forecasts of all cycles: every capacity of the grid is a twin of one fleet; the best in warming is kept."""
    graph = trace(OilLoop)
    kernel = LlvmKernel(graph, cache)

    def mean(name: str, seconds: int) -> Float64s:
        return records.seconds[name].reshape(-1, seconds).mean(1)

    twins = len(CAPACITIES)
    names = [p.name for p in graph.layout.constants]
    constants = np.repeat([[p.value] for p in graph.layout.constants], twins, axis=1)
    constants[names.index("capacity")] = CAPACITIES
    flow = mean("FS2", EVERY_S)
    read = (mean("TS3", EVERY_S) + 273.15, mean("TS4", EVERY_S) + 273.15, mean("CE", EVERY_S) / 100)
    events = np.zeros((len(flow), graph.event_size, twins))
    events[:, 0] = EVERY_S * np.arange(1, len(flow) + 1)[:, None]
    events[:, 1] = EVERY_S
    for row, values in enumerate((flow, *read), start=2):
        events[:, row] = values[:, None]
    events[:, 6:] = 1.0
    _, out = kernel.fold(graph.initial(twins), constants, events, np.ones((len(events), twins)))
    a_cycle = CYCLE_S // EVERY_S
    known = out[a_cycle - 1 :: a_cycle, : graph.belief_size]
    oil, held = mean("TS3", CYCLE_S) + 273.15, mean("FS2", CYCLE_S)
    errors: list[Float64s] = []
    for twin in range(twins):
        belief = known[:, :, twin].T.copy()
        ahead = np.zeros((AHEAD, graph.event_size, len(oil)))
        ahead[:, 1], ahead[:, 2] = CYCLE_S, held
        each = np.repeat(constants[:, [twin]], len(oil), axis=1)
        _, later = kernel.fold(belief, each, ahead, np.ones((AHEAD, len(oil))))
        expected = 0.5 * (later[-2, 0] + later[-1, 0])  # the mean of the tenth minute
        errors.append(expected[:-AHEAD] - oil[AHEAD:])
    best = int(np.argmin([rms(e[WARMING]) for e in errors]))
    return Forecast(float(CAPACITIES[best]), errors[best], oil[:-AHEAD] - oil[AHEAD:])
