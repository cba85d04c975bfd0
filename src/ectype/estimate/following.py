"""Any behaviour, live: its twins, or plants of them, are followed as rows come, in any order. A fold.

    rows ─► shift by the sensor's delay ─► too late? ─► merge (window.py) ─► pack (events.py) ─► kernel.fold ─► Step

Every instant at which something of a twin was read is an event, and is folded at once: nothing waits for anything.
A row of an instant that is there already, or of an older one, goes to its place, and the twin's filter goes back to the
belief before it and folds everything after it again. So the belief after some rows is bit for bit that of the same rows
in order of time, as long as none was older than its twin's window (the last `depth` events): such a row is counted.
Of repeats (same twin, name and instant) the last counts, as in history.
A column is one filter: of a twin, or of a plant (`plant.py`). A plant's events are the instants at which any of its
twins was read; its rows are found by the twin that they are of.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from ectype.errors import Invalid
from ectype.estimate.behaviour import Behaviour, Sensor
from ectype.estimate.engine import graph_of, live
from ectype.estimate.events import NEVER, Carry, Events, pack
from ectype.estimate.plant import Part, whose
from ectype.estimate.trace import Graph
from ectype.estimate.window import Merged, Window, merge
from ectype.ids import split_series
from ectype.values.block import Block, Float64s, Int64s

_VERSION = 1
_DEPTH, _SHALLOW, _EVENTS, _LIGHT = 128, 16, 500_000, 152


class Companion(Protocol):
    """A fold that rides along with the filter: alarms, a watch. Its state goes back and forth with the belief.

    `fold` gives the state [k, size, m] after each event from state [size, m] before the first; at_ns [k, m], events
    [k, event_size, m], out [k, output_size, m] and active [k, m] as in `Step`. Where active is 0 the state passes
    unchanged. It must be deterministic, and not depend on how events are cut into calls.
    """

    name: str
    size: int

    def initial(self, twins: int) -> Float64s:
        """[size, twins]: the state before the first event."""
        ...

    def renewed(self, state: Float64s) -> Float64s:
        """A saved state [size, twins] to go on from: what is set for a twin, and not folded, is as set now."""
        ...

    def fold(self, state: Float64s, at_ns: Int64s, events: Float64s, out: Float64s, active: Float64s) -> Float64s:
        """The states after each event."""
        ...


@final
@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What was folded, of the twins that had something new: columns [m] among the twins, or plants, followed.

    at_ns [k, m], events [k, event_size, m], out [k, output_size, m]: each event, and the filter's record of it, down to
    where active [k, m] ends. before [belief_size, m]: the belief before the first. replayed [m]: so many had been
    folded before: what was said of that twin from at_ns[0] on is replaced. late: rows that were too old. states: each
    companion's state [k, size, m] after each event.
    """

    columns: Int64s
    at_ns: Int64s
    events: Float64s
    active: Float64s
    before: Float64s
    out: Float64s
    replayed: Int64s
    late: int
    states: Mapping[str, Float64s] = field(default_factory=dict[str, Float64s])


@final
class Following:
    """The twins of one behaviour. constants [c, n]; tracked: name -> [n], where tracked parameters begin (NaN: at their
    prior). cache_dir: see `Runner`. Raises Invalid if `snapshot` is not one of this fleet.

    twins: the id of each; of plants the ids of each one's twins, in the order of its `parts` (see `plant.Kind`).
    graph: the behaviour's trace, where it is at hand: that of a large plant takes seconds. depth: how many events back
    a row may reach; if not given, so many for each of a plant's twins.
    """

    def __init__(
        self,
        behaviour: type[Behaviour],
        twins: Sequence[str] | Sequence[tuple[str, ...]],
        constants: Float64s,
        *,
        parts: Sequence[str] = ("",),
        graph: Graph | None = None,
        tracked: Mapping[str, Float64s] | None = None,
        companions: Sequence[Companion] = (),
        snapshot: bytes | None = None,
        cache_dir: Path | None = None,
        depth: int | None = None,
    ) -> None:
        self.graph = graph = graph_of(behaviour) if graph is None else graph
        self.kernel = live(graph, cache_dir)
        self.plants = tuple((each,) if isinstance(each, str) else each for each in twins)
        self.twins: tuple[str, ...] = tuple(plant[0] for plant in self.plants)  # a plant is called like its first
        self.parts = tuple(Part(name, place) for place, name in enumerate(parts))
        self.constants = constants
        self._companions = tuple(companions)
        n = len(self.twins)
        belief = graph.initial(n)
        for name, start in (tracked or {}).items():
            row = graph.layout.belief_names.index(name)
            belief[row] = np.where(np.isfinite(start), start, belief[row])
        # Of what rides along only two states are kept, before the window and now: 128 of each would be most of all.
        self._base = np.concatenate([np.empty((0, n)), *(c.initial(n) for c in self._companions)])
        self._riding = self._base.copy()
        heavy = max(1, graph.belief_size // _LIGHT)  # an ensemble is as large as many a filter's belief
        wanted = _DEPTH * max(1, len(self.parts) // heavy)
        depth = max(_SHALLOW, min(wanted, _EVENTS // max(n * heavy, 1))) if depth is None else depth
        who = self.twins if self.parts == (Part(),) else (tuple(parts), self.plants)
        about: list[Any] = [_VERSION, graph.digest, who, constants.tolist(), belief.tolist(), depth]
        about += [[c.name, c.size] for c in self._companions]
        about += [[s.name, s.delay_s, s.property] for s in graph.layout.sensors]
        self._fingerprint = hashlib.sha256(json.dumps(about).encode()).hexdigest()
        self._column = {twin: (i, place) for i, plant in enumerate(self.plants) for place, twin in enumerate(plant)}
        declared = (*graph.layout.inputs, *graph.layout.sensors)
        self._names = [d.name for d in declared]
        self._row: dict[tuple[int, str], list[int]] = {}
        for i, d in enumerate(declared):
            self._row.setdefault(whose(self.parts, d.property), []).append(i)
        self._delay_ns = np.array([round(d.delay_s * 1e9) if isinstance(d, Sensor) else 0 for d in declared], np.int64)
        self._where: dict[str, list[tuple[int, int]]] = {}
        self._window = Window.fresh(graph, belief, depth)
        if snapshot is not None:
            self._restore(snapshot)

    @property
    def belief(self) -> Float64s:
        """[belief_size, n] now."""
        return self._window.now[: self.graph.belief_size]

    def newest(self, column: int) -> int:
        """The instant of that twin's last event; NEVER if it has none."""
        return int(self._window.newest()[column])

    def riding(self, name: str) -> Float64s:
        """[size, n]: a companion's state now."""
        row = 0
        for c in self._companions:
            if c.name == name:
                return self._riding[row : row + c.size]
            row += c.size
        raise Invalid(f"nothing called '{name}' rides along")

    def advance(self, block: Block) -> Step:
        """What follows from the rows of `block`; other series are passed over."""
        twin, name, at, value = self._rows(block)
        ok = self._window.timely(twin, at)
        merged = merge(self._window, twin[ok], name[ok], at[ok], value[ok])
        return self._fold(merged, int((~ok).sum()))

    def window(self, column: int) -> tuple[Int64s, Float64s, Float64s, Float64s]:
        """The last events of a column: at_ns [w], events [w, event_size], beliefs [w, belief_size] after each, and the
        belief [belief_size] before them.
        """
        w, size = self._window, self.graph.belief_size
        count = int(w.count[column])
        at, events = self._recent(column)
        after = np.concatenate([w.before[1:count, :size, column], w.now[None, :size, column]])[:count]
        return at[:, 0], events.events[:, :, 0], after, (w.before[0] if count else w.now)[:size, column]

    def known(self, column: int) -> NDArray[np.bool_]:
        """[w, inputs]: whether anything was known of each input at the last events of a column."""
        return self._recent(column)[1].known()

    def _recent(self, column: int) -> tuple[Int64s, Events]:
        w, one = self._window, np.array([column])
        count = int(w.count[column])
        at, values = w.at[:count, one], w.values[:count, :, one]
        return at, pack(self.graph, _carry_of(w.carry, one), at, self._named(values))[0]

    def snapshot(self) -> bytes:
        """Everything `advance` depends on; equal states give equal bytes. The beliefs within the window are not in it:
        they are folded again.
        """
        w = self._window
        base = np.concatenate([np.where(w.count > 0, w.before[0], w.now), self._base])
        arrays: dict[str, Any] = {"at": w.at, "values": w.values, "count": w.count, "base": base}
        arrays |= {f"carry_{f.name}": getattr(w.carry, f.name) for f in fields(Carry)}
        arrays["fingerprint"] = np.frombuffer(self._fingerprint.encode(), np.uint8)
        file = io.BytesIO()
        np.savez(file, **arrays)
        return file.getvalue()

    def _restore(self, snapshot: bytes) -> None:
        w = self._window
        try:
            with np.load(io.BytesIO(snapshot), allow_pickle=False) as saved:
                arrays = {name: saved[name] for name in saved.files}
            if arrays["fingerprint"].tobytes().decode() != self._fingerprint:
                raise Invalid("this snapshot is of another fleet or version; start without it and replay the log")
            at, values, count, base = (arrays[name] for name in ("at", "values", "count", "base"))
            w.now, self._base = base[: self.graph.belief_size].copy(), base[self.graph.belief_size :].copy()
            parts, row = [self._base[:0]], 0
            for c in self._companions:
                parts.append(c.renewed(self._base[row : row + c.size]))
                row += c.size
            self._base = np.concatenate(parts)
            self._riding = self._base.copy()
            w.carry = Carry(*(arrays[f"carry_{f.name}"] for f in fields(Carry)))
        except (OSError, EOFError, ValueError, KeyError, UnicodeDecodeError, zipfile.BadZipFile) as error:
            raise Invalid(f"this is no snapshot of twins: {error}; start without it and replay the log") from error
        k = int(count.max(initial=0))
        every = np.flatnonzero(count > 0)
        if len(every):
            first = np.zeros(len(every), np.int64)
            self._fold(Merged(every, at[:k, every], values[:k][:, :, every], count[every], first), 0)

    def _rows(self, block: Block) -> tuple[Int64s, Int64s, Int64s, Float64s]:
        """(twin, name, instant of the state, value) of the rows that are ours, in the order in which they came."""
        known = [self._find(series) for series in block.names]
        parts: list[tuple[Int64s, Int64s, Int64s, Float64s, Int64s]] = []
        finite = np.isfinite(block.value)
        for nth in range(max((len(k) for k in known), default=0)):  # one property may feed an input and a sensor
            table = np.array([k[nth] if nth < len(k) else (-1, -1) for k in known], np.int64)
            where = table[block.series] if len(block) else np.empty((0, 2), np.int64)
            rows = np.flatnonzero((where[:, 0] >= 0) & finite)
            twin, name = where[rows, 0], where[rows, 1]
            parts.append((twin, name, block.at_ns[rows] - self._delay_ns[name], block.value[rows], rows))
        if not parts:
            empty = np.empty(0, np.int64)
            return empty, empty, empty, np.empty(0)
        twin, name, at, value, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(rows, kind="stable")
        return twin[order], name[order], at[order], value[order]

    def _find(self, series: str) -> list[tuple[int, int]]:
        if series not in self._where:
            if len(self._where) > 1_000_000:
                self._where.clear()
            twin, what, facet = split_series(series)
            column, place = self._column.get(twin, (-1, -1)) if facet == "measured" else (-1, -1)
            self._where[series] = [(column, row) for row in self._row.get((place, what), ())]
        return self._where[series]

    def _named(self, values: Float64s) -> dict[str, Float64s]:
        return {name: values[:, i] for i, name in enumerate(self._names)}

    def _fold(self, merged: Merged, late: int) -> Step:
        """Fold from each column's `place` on, and keep the newest `depth` events."""
        w, graph, columns = self._window, self.graph, merged.columns
        m, size = len(columns), graph.belief_size
        carry = _carry_of(w.carry, columns)
        packed, _ = pack(graph, carry, merged.at, self._named(merged.values))
        old, place, every = w.count[columns], merged.place, np.arange(m)
        k = int((merged.count - place).max(initial=0))
        rows = np.minimum(place + np.arange(k)[:, None], np.maximum(merged.count - 1, 0))
        active = (place + np.arange(k)[:, None] < merged.count).astype(np.float64)
        events = np.ascontiguousarray(packed.events[rows, :, every].transpose(0, 2, 1)) if k else packed.events[:0]
        inside = place < old
        start = np.where(inside, w.before[np.minimum(place, w.depth - 1), :, columns].T, w.now[:, columns])
        _, out = self.kernel.fold(np.ascontiguousarray(start), self.constants[:, columns], events, active)
        at_ns = merged.at[rows, every]
        states = self._ride(merged, packed.events, at_ns, events, out, active) if m else {}
        self._keep(merged, carry, start, out[:, :size])
        return Step(columns, at_ns, events, active, start, out, np.maximum(old - place, 0), late, states)

    def _ride(
        self, merged: Merged, every: Float64s, at_ns: Int64s, events: Float64s, out: Float64s, active: Float64s
    ) -> dict[str, Float64s]:
        """The companions' states after each event of a step, of which `every` holds those before it, too."""
        columns, place, extra = merged.columns, merged.place, np.maximum(merged.count - self._window.depth, 0)
        riding = self._riding[:, columns]
        late = np.flatnonzero(place < self._window.count[columns])
        riding[:, late] = self._ridden(columns[late], merged.at[:, late], every[:, :, late], place[late])
        states: dict[str, Float64s] = {}
        row = 0
        for c in self._companions:
            states[c.name] = c.fold(riding[row : row + c.size], at_ns, events, out, active)
            row += c.size
        whole = np.concatenate([np.empty((len(events), 0, len(columns))), *states.values()], 1)
        old = np.flatnonzero((extra > 0) & (extra <= place))  # what leaves the window was there before this step
        gone = self._ridden(columns[old], merged.at[:, old], every[:, :, old], extra[old])
        new = np.flatnonzero(extra > place)
        self._base[:, columns[new]] = whole[extra[new] - place[new] - 1, :, new].T
        self._base[:, columns[old]] = gone
        self._riding[:, columns] = whole[merged.count - place - 1, :, np.arange(len(columns))].T
        return states

    def _ridden(self, columns: Int64s, at_ns: Int64s, events: Float64s, count: Int64s) -> Float64s:
        """The companions' states after the first `count` events of the window: folded again from before it."""
        most = int(count.max(initial=0))
        active = (np.arange(most)[:, None] < count).astype(np.float64)
        before = np.ascontiguousarray(self._window.before[0][:, columns])
        events = np.ascontiguousarray(events[:most])
        if not most or not self._companions:
            return self._base[:, columns]
        _, out = self.kernel.fold(before, self.constants[:, columns], events, active)
        parts: list[Float64s] = []
        row = 0
        for c in self._companions:
            base = self._base[row : row + c.size, columns]
            parts.append(c.fold(base, at_ns[:most], events, out, active)[-1])
            row += c.size
        return np.concatenate(parts)

    def _keep(self, merged: Merged, carry: Carry, start: Float64s, after: Float64s) -> None:
        w, columns, count, place = self._window, merged.columns, merged.count, merged.place
        m, deep = len(columns), w.depth
        if not m:
            return
        total, every = len(merged.at), np.arange(m)
        before = np.zeros((max(total, deep), *start.shape))
        before[:deep] = w.before[:, :, columns]
        down = np.arange(total)[:, None] - place
        then = np.concatenate([start[None], after])[np.clip(down, 0, len(after)), :, every].transpose(0, 2, 1)
        before[:total] = np.where((down >= 0)[:, None], then, before[:total])
        w.now[:, columns] = after[count - place - 1, :, every].T
        extra = np.maximum(count - deep, 0)
        if (most := int(extra.max())) > 0:
            gone = np.where((np.arange(most)[:, None] < extra)[:, None], merged.values[:most], np.nan)
            _, carry = pack(self.graph, carry, merged.at[:most], self._named(gone))
            for f in fields(Carry):
                getattr(w.carry, f.name)[..., columns] = getattr(carry, f.name)
        kept = np.minimum(extra + np.arange(deep)[:, None], total - 1)
        there = np.arange(deep)[:, None] < count - extra
        w.at[:, columns] = np.where(there, merged.at[kept, every], NEVER)
        w.values[:, :, columns] = np.where(there[:, None], merged.values[kept, :, every].transpose(0, 2, 1), np.nan)
        w.before[:, :, columns] = np.where(there[:, None], before[kept, :, every].transpose(0, 2, 1), 0.0)
        w.count[columns] = count - extra


def _carry_of(carry: Carry, columns: Int64s) -> Carry:
    return Carry(*(getattr(carry, f.name)[..., columns] for f in fields(Carry)))
