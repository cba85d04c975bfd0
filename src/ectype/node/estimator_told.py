"""What is said of the twins that a behaviour follows: its states, what its sensors should read, its health; and what is
to come.

    TWIN.state@estimated        each state and tracked parameter, with its standard deviation
    TWIN.sensor@estimated       what that sensor was expected to read before it was read, with the deviation of that
    TWIN.nis@estimated          the mean squared surprise of its readings of that event; 1 where the twin is right
    TWIN.name@estimated         each number of `outputs` and `health`, at the mean
    TWIN.name@predicted         the middle of the forecast; nameP05 and nameP95 are its bounds

Of a plant all that is told by the twin that it belongs to. What is told of a twin belongs to the group of its own
behaviour, whether it stands alone or in a plant: so what was told stays told when plants form and dissolve.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias, final

import numpy as np

from ectype.estimate.behaviour import Behaviour
from ectype.estimate.following import Following, Step
from ectype.estimate.plant import Kind, whose
from ectype.foresee.fan import Fan, Start, draw
from ectype.foresee.followed import Followed
from ectype.ids import series_id
from ectype.node.pipe import Draft
from ectype.values.arrow import MEDIA_TYPE, to_arrow
from ectype.values.block import Block, Float64s

GROUP = "block:estimator"
_ROWS = 50_000  # of estimates in one entry: a frame of the log holds some 100,000
_HOUR_NS = 3600 * 10**9
_STEPS, _DRAWS, _FEWEST = 60, 200, 8
_LEVELS = (0.05, 0.5, 0.95)
_WORK = 12_000  # steps in one advance, a second's work: a fleet whose hour begins must not stop the estimates
_Told: TypeAlias = dict[str, tuple[Float64s, Float64s]]  # property -> values and deviations [k, m]


def group_of(behaviour: type[Behaviour]) -> str:
    """What is told of the twins of a behaviour belongs to it: the subject of their estimates."""
    return f"{GROUP}/{behaviour.model}"


def estimates(following: Following, step: Step) -> list[Block]:
    """All that is estimated at the events of a step, for each part of the plants: rows by twin, then event, then
    property; no NaN.
    """
    graph, layout = following.graph, following.graph.layout
    size, first = graph.belief_size, 2 + len(layout.inputs)
    sensors = len(layout.sensors)
    out, events = step.out, step.events
    there = events[:, first + sensors :] > 0
    nothing = np.full(step.active.shape, np.nan)
    every: list[_Told] = [{} for _ in following.parts]

    def tell(name: str, value: Float64s, std: Float64s) -> None:
        place, own = whose(following.parts, name)
        every[place][own] = value, std

    squares = np.where(there, out[:, size + 2 :: 4], 0.0)
    for part, told in zip(following.parts, every, strict=True):
        mine = [i for i, s in enumerate(layout.sensors) if part.own(s.name) is not None]
        some, count = there[:, mine].any(1), there[:, mine].sum(1)
        told["nis"] = np.where(some, squares[:, mine].sum(1) / np.maximum(count, 1), np.nan), nothing
    for i, s in enumerate(layout.sensors):
        v, variance = out[:, size + 4 * i], out[:, size + 4 * i + 1]
        expected = np.where(there[:, i], events[:, first + i] - v, np.nan)
        tell(s.property, expected, np.sqrt(np.maximum(variance, 0.0)))
    if step.active.size:
        values = {name: out[:, i] for i, name in enumerate(layout.belief_names)}
        values |= {u.name: events[:, 2 + i] for i, u in enumerate(layout.inputs)}
        values |= {p.name: following.constants[i, step.columns] for i, p in enumerate(layout.constants)}
        bound = graph.behaviour.bind(values)
        with np.errstate(all="ignore"):
            more = {**bound.outputs(events[:, 0]), **bound.health(events[:, 0])}
        for name, value in more.items():
            tell(name, np.broadcast_to(np.asarray(value, np.float64), step.active.shape), nothing)
    for i, d in enumerate((*layout.states, *layout.tracked)):
        tell(d.property, out[:, i], np.sqrt(np.maximum(out[:, graph.variance_row(i)], 0.0)))
    columns: list[int] = step.columns.tolist()
    return [_block([following.plants[c][p] for c in columns], step, told) for p, told in enumerate(every)]


def entries(group: str, told: Sequence[Block], found: Sequence[Draft], through: int, seen: int) -> list[Draft]:
    """What follows from the measurements up to log index `through`, as entries of a group: in parts that fit. Only the
    last says that all was seen, so nothing is lost if not all of them reach the log; those before say `seen`.
    """
    block = told[0] if len(told) == 1 else Block.concat(list(told))
    parts = max(1, math.ceil(len(block) / _ROWS))
    out = list(found)
    for i in range(parts):
        rows = slice(i * _ROWS, (i + 1) * _ROWS)
        std = None if block.std is None else block.std[rows]
        part = Block(block.names, block.series[rows], block.at_ns[rows], block.value[rows], std)
        metadata = {"through": str(through if i == parts - 1 else seen)}
        out.append(Draft("estimated", group, MEDIA_TYPE, to_arrow(part, metadata), group))
    return out


def _block(twins: Sequence[str], step: Step, told: Mapping[str, tuple[Float64s, Float64s]]) -> Block:
    names = tuple(series_id(twin, name, "estimated") for twin in twins for name in told)
    value = np.stack([v for v, _ in told.values()], -1).transpose(1, 0, 2)  # [m, k, p]
    std = np.stack([s for _, s in told.values()], -1).transpose(1, 0, 2)
    keep = np.isfinite(value) & (step.active.T > 0)[:, :, None]
    which = np.arange(len(names), dtype=np.int32).reshape(len(twins), 1, len(told))
    which, at = np.broadcast_to(which, value.shape)[keep], np.broadcast_to(step.at_ns.T[:, :, None], value.shape)[keep]
    return Block(names, which.astype(np.int32), at, value[keep], std[keep])


@final
class Forecasts:
    """The next hour, told at each twin's first event of each hour, or soon after it where many are due.

    issued: the hour of the last one, by the twin, or the first twin of a plant.

    Trajectories are drawn as `ectype forecast` draws them, from the belief and the twin's calibration; inputs are held
    as they are, so what they may do is not in the bounds. posterior: draws of the constants [c, any] of each column.
    """

    def __init__(self, kind: Kind, posterior: Sequence[Float64s]) -> None:
        self._kind = kind
        self.posterior = posterior
        self.issued: dict[str, int] = {}

    def due(self, following: Following, step: Step) -> list[Draft]:
        """The forecasts that begin with the newest event of a twin."""
        out: list[Draft] = []
        work = 0
        columns: list[int] = step.columns.tolist()
        for column in columns:
            if work >= _WORK:
                break  # the others follow with their next events
            twin = following.twins[column]
            newest = following.newest(column)
            if self.issued.get(twin, -1) >= newest // _HOUR_NS:
                continue
            record = Followed.live(following, column, self.posterior[column])
            if len(record) < _FEWEST or record.untold(-1):
                continue  # an input of which nothing is known would be zero in it
            self.issued[twin] = newest // _HOUR_NS
            steps, every_s, substeps = _pace(record.every_s)
            work += steps * substeps
            start = Start.at(record, steps=steps, every_s=every_s, way="held", draws=_DRAWS)
            out += self._told(following.plants[column], start, draw(start, substeps=substeps))
        return out

    def _told(self, plant: Sequence[str], start: Start, fan: Fan) -> list[Draft]:
        record, steps = start.followed, len(start.inputs)
        layout = record.graph.layout
        named = {d.name: d.property for d in (*layout.sensors, *layout.states, *layout.tracked)}
        held = {u.name for u in layout.inputs}
        every: list[list[tuple[str, Float64s]]] = [[] for _ in plant]
        for name in fan.values:
            if name in held:
                continue
            place, own = self._kind.whose(named.get(name, name))
            for suffix, values in zip(("P05", "", "P95"), fan.quantiles(name, _LEVELS), strict=True):
                if np.isfinite(values).all():
                    every[place].append((series_id(plant[place], own + suffix, "predicted"), values))
        out: list[Draft] = []
        for twin, member, rows in zip(plant, self._kind.members, every, strict=True):
            series = np.repeat(np.arange(len(rows), dtype=np.int32), steps)
            values = np.concatenate([v for _, v in rows]) if rows else np.empty(0)
            block = Block(tuple(n for n, _ in rows), series, np.tile(fan.at_ns, len(rows)), values)
            body = to_arrow(block, {"issued_at_ns": str(start.at_ns)})
            out.append(Draft("predicted", f"forecast:{twin}", MEDIA_TYPE, body, group_of(member)))
        return out


def _pace(usual_s: float) -> tuple[int, float, int]:
    """(steps of the next hour, seconds of each, parts in which it is taken) where events are usually that far apart."""
    every_s = _HOUR_NS * 1e-9 / _STEPS
    steps = _STEPS if usual_s <= every_s else max(1, round(_HOUR_NS * 1e-9 / usual_s))
    every_s = max(every_s, usual_s)
    return steps, every_s, min(60, max(1, round(every_s / usual_s)))
