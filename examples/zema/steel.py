"""The forecast of `heat` with the steel beside the oil, a form chosen with held-out figures in sight.

    capacity dT/dt = heat - cooling - exchange (T - steel),    cooling = 0.0269 flow effectiveness (T - ambient)
    steel_capacity dsteel/dt = exchange (T - steel) - loss (steel - ambient)

`heat` is what pump and throttles put in, `effectiveness` what the cooler makes of the largest difference there is.
Both are tracked from their priors; a reading is used when it has come and not before. The other four are chosen
anew for each forecast: those of a grid whose forecasts have erred least so far, of those whose ten minutes are over.
The factor is rho cp / 60: the rig's own cooling power is that times flow times the difference across the cooler, to
0.06 %. A cooler that was set to something else shows it with a lag: `settled` tells where its effectiveness goes.
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
from examples.zema.ahead import A_CYCLE, AHEAD, Forecast, efficiency, errors, expected, seen
from examples.zema.records import Records

EFFECTIVENESS = 2  # its place among the states
GRID = {  # every combination is a twin
    "capacity": np.arange(40.0, 101.0, 10.0),  # kJ/K, of the oil
    "loss": np.arange(0.0, 0.081, 0.02),  # kW/K, of walls in still air
    "exchange": np.array([0.1, 0.3]),  # kW/K, between oil and steel
    "steel_capacity": np.array([20.0, 40.0, 80.0]),  # kJ/K, of tank, block and pipes
}
FROM = 5  # the first cycle whose forecast counts in the choice
MOVED = 1.0  # K in its ten minutes, for a forecast to count: oil at rest tells nothing of its capacity
UNUSUAL = 5.0  # standard deviations of what a cycle's end moved so far
SLOWEST = 0.8  # of a step that is left after ten seconds more, at most


class OilAndSteel(Behaviour, model="dtmi:ectype:examples:ZemaOilAndSteel;1", filter="ekf", substeps=2):
    """See the module's docstring."""

    oil = State("K", init=(313.0, 10.0), q="0.005 K/sqrt(s)")
    ambient = State("K", init=(296.0, 5.0), q="0.005 K/sqrt(s)")
    effectiveness = State("1", init=(0.3, 0.2), q="0.01 1/sqrt(s)", low=0, high=1)
    steel = State("K", init=(311.0, 10.0), q="0.002 K/sqrt(s)")
    heat = Parameter("kW", prior=Normal(3.0, 1.0), drift="0.003 kW/sqrt(s)")
    capacity = Parameter("kJ/K", prior=Normal(80.0, 20.0))
    exchange = Parameter("kW/K", prior=Normal(0.2, 0.2))
    steel_capacity = Parameter("kJ/K", prior=Normal(50.0, 30.0))
    loss = Parameter("kW/K", prior=Normal(0.05, 0.03))
    per_flow = Parameter("kW*min/(l*K)", fixed=0.026946)
    flow = Input("l/min", max_age="2 min")
    before_cooler = Sensor("K", sigma="0.05 K")
    after_cooler = Sensor("K", sigma="0.05 K")
    efficiency = Sensor("1", sigma="0.002 1")

    def derivative(self, t: Any) -> dict[Any, Any]:
        """The balance; the rest wanders."""
        above = self.oil - self.ambient
        cooling = self.per_flow * self.flow * self.effectiveness * above
        passed = self.exchange * (self.oil - self.steel)
        return {
            self.oil: (self.heat - cooling - passed) / self.capacity,
            self.steel: (passed - self.loss * (self.steel - self.ambient)) / self.steel_capacity,
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
class Chosen(Forecast):
    """capacity kJ/K, loss kW/K: [cycles - AHEAD], what each forecast was made with."""

    capacity: Float64s
    loss: Float64s


def settled(efficiency: Float64s) -> Float64s:
    """[cycles] where the effectiveness goes, as each cycle ends; NaN where it moves no more than in cycles before.

    efficiency: [cycles, 6] means of ten seconds. The limit of a first-order lag through the last three (Aitken 1926).
    """
    first, second = efficiency[:, 4] - efficiency[:, 3], efficiency[:, 5] - efficiency[:, 4]
    moved = first + second
    found = np.full(len(moved), np.nan)
    for cycle in range(FROM, len(moved)):
        before = moved[:cycle]
        if abs(moved[cycle] - before.mean()) > UNUSUAL * before.std():
            ratio = second[cycle] / first[cycle] if first[cycle] else SLOWEST
            left = min(max(ratio, 0.0), SLOWEST)
            found[cycle] = min(max(efficiency[cycle, 5] + second[cycle] * left / (1 - left), 0.0), 1.0)
    return found


def best_so_far(errors: Float64s, moved: Float64s) -> Any:
    """[cycles - AHEAD] int: of errors [twins, cycles - AHEAD], the twin that erred least while oil moved.

    The first forecasts, before any is over, are the middle twin's.
    """
    squares = np.cumsum(np.where(np.abs(moved) > MOVED, errors**2, 0.0)[:, FROM:], axis=1)
    over = FROM + AHEAD  # when the first forecast that counts is over
    chosen = np.full(errors.shape[1], len(errors) // 2)
    chosen[over:] = squares[:, : errors.shape[1] - over].argmin(0)
    return chosen


def forecast(records: Records, cache: Path) -> Chosen:
    """Forecasts of all cycles: every combination of the grid is a twin of one fleet."""
    graph = trace(OilAndSteel)
    kernel = LlvmKernel(graph, cache)
    grid = dict(zip(GRID, (g.ravel() for g in np.meshgrid(*GRID.values(), indexing="ij")), strict=True))
    twins = len(grid["capacity"])
    names = [p.name for p in graph.layout.constants]
    constants = np.repeat([[p.value] for p in graph.layout.constants], twins, axis=1)
    for name, values in grid.items():
        constants[names.index(name)] = values
    events = np.repeat(seen(graph, records)[:, :, None], twins, axis=2)
    _, out = kernel.fold(graph.initial(twins), constants, events, np.ones((len(events), twins)))
    known = out[A_CYCLE - 1 :: A_CYCLE, : graph.belief_size]
    goes_to = settled(efficiency(records).reshape(-1, A_CYCLE))
    known[:, EFFECTIVENESS] = np.where(np.isnan(goes_to)[:, None], known[:, EFFECTIVENESS], goes_to[:, None])
    each = [expected(kernel, graph, known[:, :, k], constants[:, [k]], records) for k in range(twins)]
    every = np.array([errors(told, records)[0] for told in each])
    _, persistence = errors(each[0], records)
    chosen = best_so_far(every, persistence)
    error = every[chosen, np.arange(every.shape[1])]
    return Chosen(error, persistence, grid["capacity"][chosen], grid["loss"][chosen])
