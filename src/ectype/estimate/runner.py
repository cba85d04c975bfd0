"""The estimator of a space: blocks of measurements in, estimates, forecasts and alarms out. A fold.

    block ─► gather (ticks.py) ─► pack (events.py) ─► kernel.fold ─► tell (models/wind_farm.py) ─► Output

Same fleet, same blocks: same outputs, bit for bit, and so after restore(snapshot()). The estimates and alarms do not
depend on how rows were cut into blocks as long as no row is late. The first tick of each hour issues a forecast; of a
block that brings more than six hours, those that are over when they could be told are left out. Late rows (see
ticks.py) are counted in the output, never assimilated: the filter has passed that time. Exact late assimilation exists
for one filter as a fold (`window.py`).
"""

import hashlib
import io
import json
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from ectype.errors import Invalid
from ectype.estimate.events import Carry, pack
from ectype.estimate.models import wind_farm
from ectype.estimate.models.wind_turbine import WindTurbine
from ectype.estimate.outcome import AlarmEvent, Fleet, Forecast, Output, TwinSetup
from ectype.estimate.swap import SwappingKernel
from ectype.estimate.ticks import Pending, gather
from ectype.estimate.trace import trace
from ectype.values.block import Block, Float64s, Int64s

__all__ = ["AlarmEvent", "Fleet", "Forecast", "Output", "Runner", "TwinSetup"]

LATENESS_S = 600.0
_VERSION = 2
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
        self._belief = self._graph.initial(len(ids))
        self._carry = Carry.fresh(self._graph, len(ids))
        self._pending = Pending.none(len(_READS), len(ids))
        self._state = wind_farm.FarmState.fresh(len(ids))
        if snapshot is not None:
            self._restore(snapshot)

    @property
    def kernel(self) -> SwappingKernel:
        """The back end in use; for benches (`kernel.wait()`, `kernel.fast`)."""
        return self._kernel

    def advance(self, block: Block) -> Output:
        """What follows from `block`. Takes about 30 us a tick and turbine on the plain back end, 5 us compiled."""
        if not self._farm.ids:
            return Output(_EMPTY, (), ())
        ticks, self._pending = gather(self._pending, block, tuple(_READS.values()), self._farm.ids, LATENESS_S)
        if not len(ticks.at_ns):
            return Output(_EMPTY, (), (), ticks.late)
        readings = {name: _sane(name, ticks.values[:, i]) for i, name in enumerate(_READS)}
        events, self._carry = pack(self._graph, self._carry, ticks.at_ns, readings)
        before = self._belief
        self._belief, out = self._kernel.fold(before, self._constants, events.events, events.active)
        told = wind_farm.tell(self._farm, self._graph, self._state, ticks.at_ns, readings, events, before, out)
        recent_ns = np.concatenate([self._state.recent_ns, ticks.at_ns])
        recent = np.concatenate([self._state.recent, out[:, 0]])
        predicted: list[Forecast] = []
        for k in np.flatnonzero(_begins_hour(self._state.recent_ns, ticks.at_ns)):
            belief = out[k, : self._graph.belief_size]
            last = {"power": readings["power"][k], **{name: held[k] for name, held in events.inputs.items()}}
            at_ns = int(ticks.at_ns[k])
            predicted += wind_farm.forecast(self._farm, self._graph, (recent_ns, recent), at_ns, belief, last)
        self._state = told.state
        return Output(told.estimated, tuple(predicted), told.alarms, ticks.late)

    def snapshot(self) -> bytes:
        """Everything `advance` depends on; equal states give equal bytes."""
        arrays: dict[str, Any] = {"belief": self._belief}
        arrays |= {f"carry_{f.name}": getattr(self._carry, f.name) for f in fields(self._carry)}
        arrays |= {f"pending_{f.name}": np.asarray(getattr(self._pending, f.name)) for f in fields(self._pending)}
        arrays |= {f"state_{name}": value for name, value in self._state.arrays().items()}
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
            self._belief = arrays["belief"]
            self._carry = Carry(*(arrays[f"carry_{f.name}"] for f in fields(Carry)))
            at_ns, values, done, newest = (arrays[f"pending_{f.name}"] for f in fields(Pending))
            self._pending = Pending(at_ns, values, int(done), int(newest))
            self._state = wind_farm.FarmState(*(arrays[f"state_{f.name}"] for f in fields(wind_farm.FarmState)))
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
