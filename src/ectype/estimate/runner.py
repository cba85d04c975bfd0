"""The estimator of a space: blocks of measurements in, estimates, forecasts and alarms out. A fold.

    block ─► gather (ticks.py) ─► pack (events.py) ─► kernel.fold ─► tell (models/wind_farm.py) ─► Output

Same fleet, same blocks: same outputs, bit for bit, and so after restore(snapshot()). The estimates and alarms do not
depend on how rows were cut into blocks. The first tick of each hour issues a forecast; of a
block that brings more than six hours, those that are over when they could be told are left out. Late rows go to their
tick (past.py): what was estimated from there on is told again, and the state is bit for bit that of the rows in order.
An alarm that was told stays in the log as it was told; one that lasts and should not is cleared, one that should is
raised. Forecasts stand: they say what was known. A row older than two days of ticks may be too late: it is counted.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from ectype.errors import Invalid
from ectype.estimate.events import NEVER, Carry, pack
from ectype.estimate.models import wind_farm
from ectype.estimate.models.wind_turbine import WindTurbine
from ectype.estimate.outcome import AlarmEvent, Fleet, Forecast, Output, TwinSetup
from ectype.estimate.past import Past
from ectype.estimate.swap import SwappingKernel
from ectype.estimate.ticks import Pending, Ticks, gather
from ectype.estimate.trace import trace
from ectype.values.block import Block, Float64s, Int64s

__all__ = ["AlarmEvent", "Fleet", "Forecast", "Output", "Runner", "TwinSetup"]

LATENESS_S = 600.0
_VERSION = 3
DEPTH = 144  # ticks to a mark: a day; late rows reach back to the mark before the last
_HOUR_NS = 3600 * 10**9
_HORIZON_NS = 6 * _HOUR_NS
_READS = {
    "wind_speed": "windSpeed",
    "power": "power",
    "vane": "vane",
    "pitch": "pitch",
    "temperature": "temperature",
}
_SANE = {"temperature": (-60.0, 60.0), "wind_speed": (0.0, 60.0), "power": (-1000.0, 50_000.0)}
_EMPTY = Block((), np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0))


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Mark:
    """All that the next tick depends on."""

    belief: Float64s
    carry: Carry
    state: wind_farm.FarmState

    def arrays(self, name: str) -> dict[str, Any]:
        """For a snapshot, by names that begin with `name`."""
        arrays: dict[str, Any] = {f"{name}_belief": self.belief}
        arrays |= {f"{name}_carry_{f.name}": getattr(self.carry, f.name) for f in fields(Carry)}
        return arrays | {f"{name}_state_{field}": value for field, value in self.state.arrays().items()}

    @classmethod
    def of(cls, arrays: Mapping[str, Any], name: str) -> "_Mark":
        """Out of a snapshot."""
        carry = Carry(*(arrays[f"{name}_carry_{f.name}"] for f in fields(Carry)))
        state = wind_farm.FarmState(*(arrays[f"{name}_state_{f.name}"] for f in fields(wind_farm.FarmState)))
        return cls(arrays[f"{name}_belief"], carry, state)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Passed:
    """What some ticks led to: out [k, output_size, n], power and inputs [k, n]."""

    estimated: Block
    alarms: tuple[AlarmEvent, ...]
    out: Float64s
    power: Float64s
    inputs: Mapping[str, Float64s]

    @classmethod
    def joined(cls, parts: Sequence["_Passed"]) -> "_Passed":
        """One after the other."""
        return cls(
            Block.concat([p.estimated for p in parts]),
            tuple(a for p in parts for a in p.alarms),
            np.concatenate([p.out for p in parts]),
            np.concatenate([p.power for p in parts]),
            {name: np.concatenate([p.inputs[name] for p in parts]) for name in parts[0].inputs},
        )


@final
class Runner:
    """Follows the turbines of `fleet`; other twins are passed over.

    cache_dir: where compiled code is kept; None stays on the plain back end, which needs no compile. The numbers are
    the same either way. Raises Invalid if `snapshot` is not one of this fleet and version: then start without.
    """

    def __init__(self, fleet: Fleet, *, snapshot: bytes | None = None, cache_dir: Path | None = None) -> None:
        turbines = [t for t in fleet.twins if t.model == WindTurbine.model]
        ids = tuple(t.id for t in turbines)
        index = {twin: i for i, twin in enumerate(ids)}
        self._graph = trace(WindTurbine)
        self._farm = wind_farm.Farm(
            ids,
            np.array([_height_m(t) for t in turbines]),
            tuple(tuple(index[o] for o in t.neighbours if o in index and o != t.id) for t in turbines),
        )
        self._constants = self._farm.height_m[None, :]
        self._kernel = SwappingKernel(self._graph, cache_dir if ids else None)
        about = [_VERSION, self._graph.digest, ids, self._farm.height_m.tolist(), self._farm.neighbours]
        self._fingerprint = hashlib.sha256(json.dumps(about).encode()).hexdigest()
        self._now = _Mark(
            self._graph.initial(len(ids)), Carry.fresh(self._graph, len(ids)), wind_farm.FarmState.fresh(len(ids))
        )
        self._pending = Pending.none(len(_READS), len(ids))
        self._past = Past(self._now, NEVER, self._pending.at_ns, self._pending.values)
        if snapshot is not None:
            self._restore(snapshot)

    @property
    def kernel(self) -> SwappingKernel:
        """The back end in use; for benches (`kernel.wait()`, `kernel.fast`)."""
        return self._kernel

    def advance(self, block: Block) -> Output:
        """What follows from `block`. Takes about 30 us a tick and turbine on the plain back end, 5 us compiled; a late
        row that of up to two days of ticks.
        """
        if not self._farm.ids:
            return Output(_EMPTY, (), ())
        ticks, self._pending = gather(self._pending, block, tuple(_READS.values()), self._farm.ids, LATENESS_S)
        again, alarms, late = self._late(ticks)
        if not len(ticks.at_ns):
            return Output(again, (), alarms, late)
        before = self._now.state
        passed = self._take(ticks.at_ns, ticks.values)
        recent_ns = np.concatenate([before.recent_ns, ticks.at_ns])
        recent = np.concatenate([before.recent, passed.out[:, 0]])
        predicted: list[Forecast] = []
        for k in np.flatnonzero(_begins_hour(before.recent_ns, ticks.at_ns)):
            belief = passed.out[k, : self._graph.belief_size]
            last = {"power": passed.power[k], **{name: held[k] for name, held in passed.inputs.items()}}
            at_ns = int(ticks.at_ns[k])
            predicted += wind_farm.forecast(self._farm, self._graph, (recent_ns, recent), at_ns, belief, last)
        estimated = Block.concat([again, passed.estimated]) if len(again) else passed.estimated
        return Output(estimated, tuple(predicted), (*alarms, *passed.alarms), late)

    def _late(self, ticks: Ticks) -> tuple[Block, tuple[AlarmEvent, ...], int]:
        """(estimates told again, alarms that have become others, rows that were too late)."""
        if not len(ticks.late_ns):
            return _EMPTY, (), 0
        old = self._past
        at_ns, values, first, missed = old.with_late(ticks)
        if first is None:
            return _EMPTY, (), missed
        was = self._now.state
        told = self._again(old.at_ns, old.values).alarms
        again = self._again(at_ns, values)
        rows = again.estimated.at_ns >= first
        e = again.estimated
        estimated = Block(e.names, e.series[rows], e.at_ns[rows], e.value[rows], None if e.std is None else e.std[rows])
        newest = int(at_ns[-1])
        alarms = wind_farm.corrected(self._farm, (was, told), (self._now.state, again.alarms), newest)
        return estimated, alarms, missed

    def _again(self, at_ns: Int64s, values: Float64s) -> "_Passed":
        """From the oldest mark on, those ticks."""
        self._past = self._past.again() if len(self._past.at_ns) else self._past
        self._now = self._past.base
        return self._take(at_ns, values)

    def _take(self, at_ns: Int64s, values: Float64s) -> "_Passed":
        """Fold ticks, all after those before; leave marks on the way."""
        parts: list[_Passed] = []
        at = 0
        while at < len(at_ns) or not parts:
            stop = min(len(at_ns), at + self._past.room(DEPTH))
            parts.append(self._pass(at_ns[at:stop], values[at:stop]))
            self._past = self._past.then(at_ns[at:stop], values[at:stop], self._now, DEPTH)
            at = stop
        return parts[0] if len(parts) == 1 else _Passed.joined(parts)

    def _pass(self, at_ns: Int64s, values: Float64s) -> "_Passed":
        readings = {name: _sane(name, values[:, i]) for i, name in enumerate(_READS)}
        now = self._now
        events, carry = pack(self._graph, now.carry, at_ns, readings)
        belief, out = self._kernel.fold(now.belief, self._constants, events.events, events.active)
        told = wind_farm.tell(self._farm, self._graph, now.state, at_ns, readings, events, now.belief, out)
        self._now = _Mark(belief, carry, told.state)
        return _Passed(told.estimated, told.alarms, out, readings["power"], events.inputs)

    def snapshot(self) -> bytes:
        """Everything `advance` depends on; equal states give equal bytes."""
        past = self._past
        arrays: dict[str, Any] = {**self._now.arrays("now"), **past.base.arrays("base")}
        arrays |= past.next.arrays("next") if past.next is not None else {}
        arrays |= {"past_at_ns": past.at_ns, "past_values": past.values}
        arrays |= {"past_base_ns": np.asarray(past.base_ns), "past_done": np.asarray(past.done)}
        arrays |= {f"pending_{f.name}": np.asarray(getattr(self._pending, f.name)) for f in fields(self._pending)}
        arrays["fingerprint"] = np.frombuffer(self._fingerprint.encode(), np.uint8)
        file = io.BytesIO()
        np.savez(file, **arrays)
        return file.getvalue()

    def _restore(self, snapshot: bytes) -> None:
        try:
            with np.load(io.BytesIO(snapshot), allow_pickle=False) as saved:
                arrays = {name: saved[name] for name in saved.files}
            if arrays["fingerprint"].tobytes().decode() != self._fingerprint:
                raise Invalid("this snapshot is of another fleet or version; start without it and replay the log")
            self._now = _Mark.of(arrays, "now")
            self._past = Past(
                _Mark.of(arrays, "base"),
                int(arrays["past_base_ns"]),
                arrays["past_at_ns"],
                arrays["past_values"],
                int(arrays["past_done"]),
                _Mark.of(arrays, "next") if "next_belief" in arrays else None,
            )
            at_ns, values, done, newest = (arrays[f"pending_{f.name}"] for f in fields(Pending))
            self._pending = Pending(at_ns, values, int(done), int(newest))
        except (OSError, EOFError, ValueError, KeyError, UnicodeDecodeError, zipfile.BadZipFile) as error:
            raise Invalid(f"this is no snapshot of a runner: {error}; start without it and replay the log") from error


def _begins_hour(before_ns: Int64s, at_ns: Int64s) -> NDArray[np.bool_]:
    """Which ticks are the first of their hour, among those whose forecast is not over yet at the newest."""
    hour = np.concatenate([before_ns[-1:], at_ns]) // _HOUR_NS
    first = np.ones(len(at_ns), bool)
    first[len(at_ns) + 1 - len(hour) :] = np.diff(hour) != 0
    return first & (at_ns > at_ns[-1] - _HORIZON_NS)


def _height_m(twin: TwinSetup) -> float:
    elevation, hub = (twin.properties.get(name, default) for name, default in (("elevation", 411), ("hubHeight", 80)))
    if not isinstance(elevation, int | float) or not isinstance(hub, int | float):
        raise Invalid(f"{twin.id}: elevation and hubHeight must be numbers in metres")
    return float(elevation) + float(hub)


def _sane(name: str, values: Float64s) -> Float64s:
    """NaN where no such sensor could read that (the records hold -273 degC): missing, not assimilated."""
    if name not in _SANE:
        return values
    low, high = _SANE[name]
    return np.where((values >= low) & (values <= high), values, np.nan)
