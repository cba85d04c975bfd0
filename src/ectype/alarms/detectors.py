"""What is noticed of each twin, event by event: a fold of bounded memory that rides along with the filter.

    may, share  what may notice anything, and the time between false alarms of each (settings.py): set, not folded
    gaps        how far apart readings come: the mean of dt over the last 200 or so, where a silence counts as four;
                thresholds follow from it
    cusum       up and down of each sensor (cusum.py)
    nis         the window that is being filled (windows.py)
    drift       tracked parameters whose 95 % interval is outside 99.9 % of their prior
    episode     an alarm lasts while any of them does; it began when the first of them did

The false alarm rate is asked for the twin as a whole (a mean time between false alarms of a right twin) and shared
equally among the detectors that are on, but for drift, which has none. The state is one vector of numbers a twin, so
that late rows take it back with the belief, and a snapshot keeps it. Instants in it are whole microseconds, which a
float64 holds.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import casadi as ca
import numpy as np

from ectype.alarms.cusum import MOST, K, thresholds
from ectype.alarms.settings import CUSUM, DRIFT, FALSE_EVERY_S, NIS, Sensitivity
from ectype.alarms.windows import log_tail
from ectype.errors import Invalid
from ectype.estimate.plant import Part
from ectype.estimate.program import Fields, Ride
from ectype.estimate.trace import Graph
from ectype.fidelity.watch import surprises
from ectype.values.block import Float64s, Int64s

_KINDS = (CUSUM, NIS, DRIFT)
_MEMORY, _SILENCE = 200.0, 4.0
_FAR = 3.29  # 0.1 %, two-sided
_US = 1000

SX = Any


@final
@dataclass(frozen=True, slots=True)
class Noticed:
    """by: cusum, nis or drift; about: a sensor, a tracked parameter, or `all`. since_ns: when that began."""

    by: str
    about: str
    since_ns: int


@final
@dataclass(frozen=True, slots=True)
class Episode:
    """The last alarm of a twin, as of some event. over_ns None: it lasts."""

    since_ns: int
    raised_ns: int
    over_ns: int | None


@final
class Detectors:
    """See `estimate.following.Companion`. false_every_s: the mean time between false alarms of a twin, where
    `sensitivity` does not say it of each; window: how many events are in a window of NIS; settle: events that are not
    judged at first; cache_dir: see `SwappingKernel`; part: whose sensors and tracked parameters of a plant are watched,
    and told by their own names. Raises Invalid for no rate or window.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        false_every_s: float = FALSE_EVERY_S,
        sensitivity: Sequence[Sensitivity] = (),
        window: int = 50,
        settle: int = 50,
        cache_dir: Path | None = None,
        part: Part | None = None,
    ) -> None:
        if not false_every_s > 0 or window < 1 or settle < 0:
            raise Invalid("false alarms come every so many seconds, above zero; a window has one event or more")
        layout, part = graph.layout, part or Part()
        self.name = part.beside("alarms")
        self._graph, self._window, self._settle = graph, float(window), float(settle)
        self._default, self._each = Sensitivity(false_every_s), tuple(sensitivity)
        sensors = {i: own for i, d in enumerate(layout.sensors) if (own := part.own(d.name)) is not None}
        self._watched, self._sensors = list(sensors), len(sensors)
        s = self._sensors
        drifting = [
            (i, own, p.prior)
            for i, p in enumerate(layout.tracked, start=len(layout.states))
            if p.prior is not None and (own := part.own(p.name)) is not None
        ]
        self._rows = [i for i, _, _ in drifting]
        self._priors = [(prior.centre(), prior.spread()) for _, _, prior in drifting]
        self._abouts = [("cusum", own) for own in sensors.values()] * 2 + [("nis", "all")]
        self._abouts += [("drift", own) for _, own, _ in drifting]
        d, n = len(self._rows), len(self._abouts)
        self._state = Fields(
            may=3, share=1, last=s + 1, gap=s + 1, seen=s + 1, sum=2 * s, since=n, on=n, near=d, filled=4, episode=4
        )
        self._event = Fields(t=1, spoke=s, e=s, mean=d, std=d)
        self.size = self._state.size
        self.ride = Ride("alarms", self._state, self._event, self._step, cache_dir)

    def initial(self, twins: int) -> Float64s:
        """[size, twins]."""
        state = np.zeros((self.size, twins))
        state[self._state.at["near"]] = 1.0
        return self.renewed(state)

    def renewed(self, state: Float64s) -> Float64s:
        """See `estimate.following.Companion`."""
        each = self._each or [self._default] * state.shape[1]
        may = np.array([[name not in one.off for name in _KINDS] for one in each], np.float64).T.reshape(3, len(each))
        every_s = np.array([one.false_every_s for one in each])
        state = state.copy()
        state[self._state.at["may"]] = may
        state[self._state.at["share"]] = every_s * np.maximum(self._sensors * may[0] + may[1], 1)
        return state

    def fold(self, state: Float64s, at_ns: Int64s, events: Float64s, out: Float64s, active: Float64s) -> Float64s:
        """See `estimate.following.Companion`."""
        spoke, e = (told[:, self._watched] for told in surprises(self._graph, events, out, active))
        variances = out[:, [self._graph.variance_row(i) for i in self._rows]]
        std = np.sqrt(np.maximum(variances, 0.0))
        t = (at_ns // _US).astype(np.float64)
        given = np.concatenate([t[:, None], spoke, e, out[:, self._rows], std], 1)
        return self.ride(state, given, active)

    # ---- one event, traced once

    def _step(self, state: dict[str, list[SX]], event: dict[str, list[SX]]) -> None:
        (t,), s, may = event["t"], self._sensors, state["may"][_KINDS.index(CUSUM)]
        spoke = [*event["spoke"], ca.SX(1.0)]
        arl = [self._count_gap(state, i, t, on) for i, on in enumerate(spoke)]
        judged = state["seen"][s] > self._settle
        for i in range(s):
            told = ca.logic_and(spoke[i], judged)
            h = thresholds(arl[i])
            e = ca.fmin(ca.fmax(event["e"][i], -MOST), MOST)
            for row, value in ((i, e), (s + i, -e)):
                before = state["sum"][row]
                since = ca.if_else(before == 0, t, state["since"][row])
                total = ca.fmin(ca.fmax(before + value - K, 0), 2 * h)
                on = total > ca.if_else(state["on"][row], 0.5 * h, h)
                for part, new in (("since", since), ("sum", total), ("on", on)):
                    state[part][row] = ca.if_else(told, new, state[part][row])
                state["on"][row] = ca.logic_and(may, state["on"][row])
        self._fill(state, event, t, judged, arl[s])
        for i, (centre, spread) in enumerate(self._priors):
            row = 2 * s + 1 + i
            off = ca.fabs(event["mean"][i] - centre)
            near = off < spread
            left = ca.logic_and(state["near"][i], ca.logic_not(near))
            state["since"][row] = ca.if_else(left, t, state["since"][row])
            state["near"][i] = near
            far = ca.logic_and(off - 1.96 * event["std"][i] > _FAR * spread, judged)
            state["on"][row] = ca.logic_and(state["may"][_KINDS.index(DRIFT)], far)
        self._judge(state, t)

    def _count_gap(self, state: dict[str, list[SX]], i: int, t: SX, spoke: SX) -> SX:
        """Readings that fit into the time between false alarms of one detector, at the pace of this one."""
        seen = state["seen"][i] + spoke
        gap, dt = state["gap"][i], ca.fmax(t - state["last"][i], 1.0) * 1e-6
        dt = ca.if_else(seen > 2, ca.fmin(dt, _SILENCE * gap), dt)
        moved = gap + (dt - gap) / ca.fmin(ca.fmax(seen - 1, 1), _MEMORY)
        state["gap"][i] = gap = ca.if_else(ca.logic_and(spoke, seen > 1), moved, gap)
        state["last"][i] = ca.if_else(spoke, t, state["last"][i])
        state["seen"][i] = seen
        return state["share"][0] / ca.fmax(gap, 1e-6)

    def _fill(self, state: dict[str, list[SX]], event: dict[str, list[SX]], t: SX, judged: SX, arl: SX) -> None:
        row = 2 * self._sensors
        total, readings, events, began = state["filled"]
        began = ca.if_else(events == 0, t, began)
        events = events + judged
        total = total + ca.if_else(judged, sum((e * e for e in event["e"]), ca.SX(0)), 0)
        readings = readings + ca.if_else(judged, sum(event["spoke"], ca.SX(0)), 0)
        full = events == self._window
        share = ca.fmin(self._window / arl, 0.5)
        loud = ca.logic_and(readings > 0, log_tail(ca.fmax(readings, 1), total) < ca.log(share))
        starts = ca.logic_and(full, ca.logic_and(loud, ca.logic_not(state["on"][row])))
        state["since"][row] = ca.if_else(starts, began, state["since"][row])
        state["on"][row] = ca.logic_and(state["may"][_KINDS.index(NIS)], ca.if_else(full, loud, state["on"][row]))
        state["filled"] = [*(ca.if_else(full, 0, v) for v in (total, readings, events)), began]

    def _judge(self, state: dict[str, list[SX]], t: SX) -> None:
        lasts, began, raised, over = state["episode"]
        now, since = ca.SX(0), ca.SX(np.inf)
        for on, begin in zip(state["on"], state["since"], strict=True):
            now = ca.logic_or(now, on)
            since = ca.fmin(since, ca.if_else(on, begin, np.inf))
        starts = ca.logic_and(now, ca.logic_not(lasts))
        ends = ca.logic_and(lasts, ca.logic_not(now))
        began = ca.if_else(starts, since, ca.if_else(now, ca.fmin(began, since), began))
        over = ca.if_else(ends, t, ca.if_else(starts, 0, over))
        state["episode"] = [now, began, ca.if_else(starts, t, raised), over]

    # ---- what a state says

    def lasting(self, state: Float64s) -> Float64s:
        """1 where an alarm lasts; state [..., size, m]."""
        return state[..., self._state.at["episode"].start, :]

    def raised_us(self, state: Float64s) -> Float64s:
        """When the last alarm was raised, in microseconds; 0: there was none."""
        return state[..., self._state.at["episode"].start + 2, :]

    def episode(self, state: Float64s) -> Episode:
        """The last alarm, from the state [size] of one twin that has had one."""
        lasts, began, raised, over = state[self._state.at["episode"]].tolist()
        return Episode(int(began) * _US, int(raised) * _US, None if lasts else int(over) * _US)

    def noticed(self, state: Float64s) -> tuple[Noticed, ...]:
        """What is noticing it now, from the state [size] of one twin; the oldest first."""
        since, on = state[self._state.at["since"]], state[self._state.at["on"]]
        found = [Noticed(*self._abouts[i], int(since[i]) * _US) for i in np.flatnonzero(on > 0).tolist()]
        return tuple(sorted(found, key=lambda n: n.since_ns))
