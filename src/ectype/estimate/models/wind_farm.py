"""From what the filter believes about each turbine to what an operator reads: power that should be, energy made and
lost, turbines that stand still while their neighbours produce, the next six hours.

A turbine is stopped while it makes less than 1 kW with its blades beyond 40 deg. The alarm `stands-still` is raised
when it is stopped while the median of its neighbours makes more than 200 kW, told again every hour while it lasts,
and cleared when the turbine is no longer stopped (not when the wind drops: nobody repaired anything).
What a running turbine should make follows from its own anemometer. That of a stopped one is not to be trusted (ice
stops turbine and cups alike), so a stopped turbine is expected to make what it would in the median rotor wind of
its producing neighbours; its own anemometer counts only when there are none.
The yaw misalignment is told with the spread that weather and season add, which the filter cannot see in its own errors:
fresh starts over disjoint three weeks of thirteen months differ by that much, and over twelve weeks no less.
A record stands for the time since the turbine's last one, at most ten minutes, the records' own averaging time.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from ectype.clock import to_iso
from ectype.estimate.events import NEVER, Events
from ectype.estimate.models import wind_forecast as fc
from ectype.estimate.models import wind_turbine as wt
from ectype.estimate.outcome import AlarmEvent, Forecast
from ectype.estimate.trace import Graph
from ectype.ids import series_id
from ectype.values.block import Block, Float64s, Int64s

NEIGHBOURS_KW = 200.0
YAW_SEASON_DEG = 0.8
_RECORD_S = 600.0
_HOUR_NS = 3_600_000_000_000
_CRITICAL_KWH = 5_000.0

PROPERTIES = (
    "rotorWindSpeed",
    "performance",
    "yawMisalignment",
    "airDensity",
    "expectedPower",
    "expectedPowerP05",
    "expectedPowerP95",
    "rotorSpeed",
    "lostEnergy",
    "producedEnergy",
    "nis",
)


@final
@dataclass(frozen=True, slots=True, eq=False)
class FarmState:
    """What goes from tick to tick, [turbine] each (times in ns, NEVER where none): energies in kWh; stopped_ns and
    stopped_lost: when the present stop began and lostEnergy then; alarm_ns: when the alarm was raised; told_ns: when it
    was last told; recent_ns [<=7] and recent [<=7, turbine]: rotor wind of the last hour.
    """

    produced: Float64s
    lost: Float64s
    stopped_ns: Int64s
    stopped_lost: Float64s
    alarm_ns: Int64s
    told_ns: Int64s
    recent_ns: Int64s
    recent: Float64s

    @classmethod
    def fresh(cls, n: int) -> "FarmState":
        """Nothing made, nothing lost, all turning."""
        never = np.full(n, NEVER, np.int64)
        return cls(np.zeros(n), np.zeros(n), never, np.zeros(n), never, never, np.empty(0, np.int64), np.empty((0, n)))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """By field name, for a snapshot."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@final
@dataclass(frozen=True, slots=True, eq=False)
class Farm:
    """The turbines of a fleet. height_m [n]: hub above sea; neighbours: indices per turbine."""

    ids: tuple[str, ...]
    height_m: Float64s
    neighbours: tuple[tuple[int, ...], ...]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What `tell` adds for a run of ticks."""

    estimated: Block
    alarms: tuple[AlarmEvent, ...]
    state: FarmState


def tell(
    farm: Farm,
    graph: Graph,
    state: FarmState,
    at_ns: Int64s,
    readings: Mapping[str, Float64s],
    events: Events,
    before: Float64s,
    out: Float64s,
) -> Told:
    """Estimates and alarms of ticks at_ns [k]. readings: name -> [k, n]; before [belief, n]: the belief before them."""
    d = graph.belief_size
    heard = events.active > 0
    power, wind, vane = readings["power"], readings["wind_speed"], events.inputs["vane"]
    pitch = wt.wrap_deg(events.inputs["pitch"])
    rho = wt.air_density(events.inputs["temperature"], farm.height_m)
    prior = np.concatenate([before[None], out[:-1, :d]])
    stopped = (power < wt.STOPPED_KW) & (pitch > wt.STOPPED_PITCH_DEG)
    around = _median_around(farm, np.where(power >= wt.STOPPED_KW, out[:, 0], np.nan))
    wind = np.where(stopped & np.isfinite(around), around, wind)
    expected = wt.expected_power(wind, vane, rho, prior[:, 1], prior[:, 2], pitch)
    # With no vane the yaw loss is unknown; the turbine is then taken to face the wind.
    expected = np.where(np.isfinite(vane), expected, wt.power_curve(wt.effective_wind(wind, rho, prior[:, 1], 1.0)))
    low, high = wt.expected_band(expected)
    hours = np.where(events.events[:, 1] > 0, np.minimum(events.events[:, 1], _RECORD_S), _RECORD_S) / 3600.0
    made = np.where(np.isfinite(power), np.maximum(power, 0.0) * hours, 0.0)
    missed = np.where(stopped & np.isfinite(expected), np.maximum(expected - np.maximum(power, 0.0), 0.0) * hours, 0.0)
    # Added up tick by tick from the last total: the sum must not depend on where blocks were cut.
    produced = np.cumsum(np.vstack([state.produced, made]), 0)[1:]
    lost = np.cumsum(np.vstack([state.lost, missed]), 0)[1:]
    sensors = len(graph.layout.sensors)
    present = events.events[:, -sensors:] > 0
    nis = np.stack([out[:, d + 4 * s + 2] for s in range(sensors)], 1)
    count = np.maximum(present.sum(1), 1)
    mean_nis = np.where(present.any(1), (nis * present).sum(1) / count, np.nan)

    std = [np.sqrt(np.maximum(out[:, graph.variance_row(i)], 0.0)) for i in range(3)]
    std[2] = np.hypot(std[2], YAW_SEASON_DEG)
    values = {
        "rotorWindSpeed": (out[:, 0], std[0]),
        "performance": (out[:, 1], std[1]),
        "yawMisalignment": (out[:, 2], std[2]),
        "airDensity": (rho, None),
        "expectedPower": (expected, (high - low) / 3.29),
        "expectedPowerP05": (low, None),
        "expectedPowerP95": (high, None),
        "rotorSpeed": (wt.rotor_speed(out[:, 0], power, pitch), None),
        "lostEnergy": (lost, None),
        "producedEnergy": (produced, None),
        "nis": (mean_nis, None),
    }
    values["rotorSpeed"] = (np.where(np.isfinite(power), values["rotorSpeed"][0], np.nan), None)
    alarms, state = _alarms(farm, state, at_ns, heard, power, pitch, stopped, lost)
    recent_ns = np.concatenate([state.recent_ns, at_ns])[-7:]
    recent = np.concatenate([state.recent, out[:, 0]])[-7:]
    if len(at_ns):
        state = replace(state, produced=produced[-1], lost=lost[-1], recent_ns=recent_ns, recent=recent)
    return Told(_block(farm, at_ns, heard, values), tuple(alarms), state)


def _block(
    farm: Farm, at_ns: Int64s, heard: NDArray[np.bool_], values: Mapping[str, tuple[Float64s, Float64s | None]]
) -> Block:
    """Rows by tick, then turbine, then property; only turbines heard in that tick, no NaN."""
    k, n = heard.shape
    names = tuple(series_id(twin, p, "estimated") for twin in farm.ids for p in PROPERTIES)
    value = np.stack([values[p][0] for p in PROPERTIES], -1)
    nothing = np.full((k, n), np.nan)
    std = np.stack([s if (s := values[p][1]) is not None else nothing for p in PROPERTIES], -1)
    keep = (np.isfinite(value) & heard[:, :, None]).ravel()
    which = np.broadcast_to(np.arange(len(names), dtype=np.int32), (k, len(names))).ravel()
    at = np.repeat(at_ns, len(names))
    return Block(names, which[keep].astype(np.int32), at[keep], value.ravel()[keep], std.ravel()[keep])


def _alarms(
    farm: Farm,
    state: FarmState,
    at_ns: Int64s,
    heard: NDArray[np.bool_],
    power: Float64s,
    pitch: Float64s,
    stopped: NDArray[np.bool_],
    lost: Float64s,
) -> tuple[list[AlarmEvent], FarmState]:
    k = len(at_ns)
    around = _median_around(farm, power)
    stopped_ns, stopped_lost = state.stopped_ns.copy(), state.stopped_lost.copy()
    alarm_ns, told_ns = state.alarm_ns.copy(), state.told_ns.copy()
    lost_before = np.concatenate([state.lost[None], lost[:-1]]) if k else lost
    told: list[AlarmEvent] = []
    for row, i in zip(*np.nonzero(heard & np.isfinite(power)), strict=True):
        at = int(at_ns[row])
        if not stopped[row, i]:
            if alarm_ns[i] != NEVER:
                told.append(_cleared(farm.ids[i], at, int(stopped_ns[i]), float(lost[row, i] - stopped_lost[i])))
            stopped_ns[i] = alarm_ns[i] = told_ns[i] = NEVER
            continue
        if stopped_ns[i] == NEVER:
            stopped_ns[i], stopped_lost[i] = at, lost_before[row, i]
        new = alarm_ns[i] == NEVER and around[row, i] > NEIGHBOURS_KW
        if new or (alarm_ns[i] != NEVER and at - told_ns[i] >= _HOUR_NS):
            alarm_ns[i], told_ns[i] = (at if new else alarm_ns[i]), at
            cost = float(float(lost[row, i] - stopped_lost[i]))
            since = int(stopped_ns[i])
            text = _standing(farm.ids[i], since, float(around[row, i]), float(pitch[row, i]), cost)
            severity = "critical" if cost >= _CRITICAL_KWH else "warning"
            change = "raised" if new else "updated"
            told.append(AlarmEvent(farm.ids[i], "stands-still", change, severity, text, at, since, None, cost))
    return told, replace(state, stopped_ns=stopped_ns, stopped_lost=stopped_lost, alarm_ns=alarm_ns, told_ns=told_ns)


def corrected(
    farm: Farm,
    was: tuple[FarmState, Sequence[AlarmEvent]],
    now: tuple[FarmState, Sequence[AlarmEvent]],
    at_ns: int,
) -> tuple[AlarmEvent, ...]:
    """What is left to tell when late rows have made other alarms of the same ticks. was, now: the state after them, and
    the alarms on the way. Those that are over and were not known are told; one that was told and does not last is
    cleared, one that lasts and was not told, or not since then, is raised.
    """
    known = {(a.twin, a.since_ns) for a in was[1] if a.change == "cleared"}
    told = [a for a in now[1] if a.change == "cleared" and (a.twin, a.since_ns) not in known]
    for i, twin in enumerate(farm.ids):
        before, after = int(was[0].alarm_ns[i]), int(now[0].alarm_ns[i])
        began, since = int(was[0].stopped_ns[i]), int(now[0].stopped_ns[i])
        if before != NEVER and after == NEVER and not any(a.twin == twin for a in told):
            text = f"{twin} did not stand still after {_clock(began)} UTC after all: readings that came late say so."
            told.append(AlarmEvent(twin, "stands-still", "cleared", "warning", text, at_ns, began, at_ns, 0.0))
        elif after != NEVER and (before == NEVER or began != since):
            told += [a for a in now[1] if a.twin == twin and a.change != "cleared"][-1:]
    return tuple(told)


def _median_around(farm: Farm, values: Float64s) -> Float64s:
    """[k, n]: the median of each turbine's neighbours in values [k, n]; NaN where none has one."""
    out = np.full(values.shape, np.nan)
    for i, others in enumerate(farm.neighbours):
        theirs = values[:, list(others)]
        some = np.isfinite(theirs).any(1)
        out[some, i] = np.nanmedian(theirs[some], axis=1)
    return out


def _standing(twin: str, since_ns: int, around_kw: float, pitch_deg: float, lost_kwh: float) -> str:
    others = f" while its neighbours make {around_kw:.0f} kW (median)" if np.isfinite(around_kw) else ""
    return (
        f"{twin} stands still since {_clock(since_ns)} UTC{others}; "
        f"blades feathered at {pitch_deg:.0f}°. Lost so far: {_energy(lost_kwh)}."
    )


def _cleared(twin: str, at_ns: int, since_ns: int, lost_kwh: float) -> AlarmEvent:
    hours = (at_ns - since_ns) / _HOUR_NS
    length = f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"
    text = f"{twin} turns again since {_clock(at_ns)} UTC after {length}. Lost: {_energy(lost_kwh)}."
    return AlarmEvent(twin, "stands-still", "cleared", "warning", text, at_ns, since_ns, at_ns, float(lost_kwh))


def _clock(at_ns: int) -> str:
    return to_iso(at_ns)[11:16]


def _energy(kwh: float) -> str:
    return f"{kwh / 1000:.1f} MWh" if kwh >= 1000 else f"{kwh:.0f} kWh"


def forecast(
    farm: Farm,
    graph: Graph,
    recent: tuple[Int64s, Float64s],
    at_ns: int,
    belief: Float64s,
    last: Mapping[str, Float64s],
) -> tuple[Forecast, ...]:
    """The next six hours of every turbine heard at `at_ns`, in ten-minute steps. recent: instants and rotor winds
    [k, n] with those of an hour ago among them; last: name -> [n], at that tick.
    """
    power, pitch = last["power"], wt.wrap_deg(last["pitch"])
    rho = np.nan_to_num(wt.air_density(last["temperature"], farm.height_m), nan=1.2)
    v = belief[0]
    hour_ago = np.full_like(v, np.nan)
    if (match := np.flatnonzero(recent[0] == at_ns - _HOUR_NS)).size:
        hour_ago = recent[1][match[0]]
    x = fc.features(v, np.full_like(v, v.mean()), hour_ago, np.full_like(v, at_ns * 1e-9))
    stopped = (power < wt.STOPPED_KW) & (pitch > wt.STOPPED_PITCH_DEG)
    wind, ahead = fc.quantiles(x, rho, belief[1], belief[2], power, stopped)
    at = at_ns + np.arange(1, fc.STEPS + 1) * 600_000_000_000
    out: list[Forecast] = []
    for i, twin in enumerate(farm.ids):
        if not np.isfinite(power[i]):
            continue
        columns: Sequence[tuple[str, Float64s]] = [
            ("power", ahead[:, 1, i]),
            ("powerP05", ahead[:, 0, i]),
            ("powerP95", ahead[:, 2, i]),
            ("windSpeed", wind[:, 1, i]),
            ("windSpeedP05", wind[:, 0, i]),
            ("windSpeedP95", wind[:, 2, i]),
        ]
        names = tuple(series_id(twin, name, "predicted") for name, _ in columns)
        which = np.repeat(np.arange(len(columns), dtype=np.int32), fc.STEPS)
        block = Block(names, which, np.tile(at, len(columns)), np.concatenate([c for _, c in columns]))
        out.append(Forecast(twin, at_ns, block))
    return tuple(out)
