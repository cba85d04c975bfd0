"""A forecast of the oil ten minutes ahead: what it may see, and how it is judged. For `heat` and `steel`."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from dataclasses import dataclass

import numpy as np

from ectype.estimate.kernel import Kernel
from ectype.estimate.trace import Graph
from ectype.values.block import Float64s
from examples.zema.records import CYCLE_S, Records

AHEAD = 10  # cycles, which are minutes
CHANGES = (732, 1464)  # cycles at which the cooler was set to something else
FIRST_HOUR = 60
EVERY_S = 10
A_CYCLE = CYCLE_S // EVERY_S


@dataclass(frozen=True, eq=False)
class Forecast:
    """error, persistence: [cycles - AHEAD] K, forecast less what came, issued at the end of each cycle."""

    error: Float64s
    persistence: Float64s

    def after_changes(self) -> tuple[float, float]:
        """rms of both over the forecasts issued in the hour that begins with each change's cycle."""
        hours = [slice(c, c + FIRST_HOUR) for c in CHANGES]
        return rms(np.concatenate([self.error[h] for h in hours])), rms(
            np.concatenate([self.persistence[h] for h in hours])
        )

    def each_change(self) -> tuple[float, ...]:
        """rms K of the forecasts issued in the hour from each change."""
        return tuple(rms(self.error[c : c + FIRST_HOUR]) for c in CHANGES)


def rms(x: Float64s) -> float:
    """Root of the mean square."""
    return float(np.sqrt((x**2).mean()))


def seen(graph: Graph, records: Records) -> Float64s:
    """[k, event_size] each ten seconds an event: flow, both temperatures, the efficiency, as means since the last."""
    flow = _mean(records, "FS2", EVERY_S)
    read = _mean(records, "TS3", EVERY_S) + 273.15, _mean(records, "TS4", EVERY_S) + 273.15, efficiency(records)
    events = np.ones((len(flow), graph.event_size))
    events[:, 0] = EVERY_S * np.arange(1, len(flow) + 1)
    events[:, 1] = EVERY_S
    for row, values in enumerate((flow, *read), start=2):
        events[:, row] = values
    return events


def efficiency(records: Records) -> Float64s:
    """[k] the cooler's, as means of ten seconds."""
    return _mean(records, "CE", EVERY_S) / 100


def expected(kernel: Kernel, graph: Graph, known: Float64s, constants: Float64s, records: Records) -> Float64s:
    """[cycles] K, the mean of the tenth minute, from what is `known` [cycles, belief_size] as each cycle ends."""
    held = _mean(records, "FS2", CYCLE_S)
    events = np.zeros((AHEAD, graph.event_size, len(held)))
    events[:, 1], events[:, 2] = CYCLE_S, held
    each = np.repeat(constants, len(held), axis=1)
    _, out = kernel.fold(np.ascontiguousarray(known.T), each, events, np.ones((AHEAD, len(held))))
    return 0.5 * (out[-2, 0] + out[-1, 0])


def errors(expected: Float64s, records: Records) -> tuple[Float64s, Float64s]:
    """[cycles - AHEAD] K, of a forecast and of persistence."""
    oil = _mean(records, "TS3", CYCLE_S) + 273.15
    return expected[:-AHEAD] - oil[AHEAD:], oil[:-AHEAD] - oil[AHEAD:]


def _mean(records: Records, name: str, seconds: int) -> Float64s:
    return records.seconds[name].reshape(-1, seconds).mean(1)
