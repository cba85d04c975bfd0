"""The question asked live: is each new reading still one that the twin could have drawn? A fold.

Every reading has a probability under the twin, u = Phi(innovation / its standard deviation); while the twin is right
the u are independent and uniform. A gambler bets on where the next u falls, from where the last ones fell. His stake
cannot grow in the long run unless u is not uniform, so

    R <- (w + R) * b(u),  b the density that the last readings suggest, w = the time since the last reading / T

is an e-detector (Shin, Ramdas, Rinaldo 2024): its expectation is at most the time that passed, in units of T. So R >= 1
happens to a right twin once in T or more on average, however long one watches and without any other assumption. The
mean of several e-detectors is one: a twin with several sensors is judged by the mean. Where R is below 1/20 again, the
alarm is over. It began where the likelihood ratio of the bets last left one (as in CUSUM).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

import math
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any, final

import casadi as ca
import numpy as np

from ectype.errors import Invalid
from ectype.estimate.plant import Part
from ectype.estimate.program import Fields, Ride
from ectype.estimate.trace import Graph
from ectype.values.block import Float64s, Int64s

SX = Any

BINS = 10
FALSE_EVERY_S = 30 * 86400.0
_EDGES = np.array([NormalDist().inv_cdf(i / BINS) for i in range(1, BINS)])
_PRIOR = 3.0  # readings' worth of belief in each bin that u is uniform
_FORGET = 0.99
_NOTHING = 1e-20  # R before the first reading
_OVER = 0.05
_SURE = 1e12
_MOST = 0.05  # of T at a time, so that one reading after a long silence is no alarm
_US = 1000


def surprises(graph: Graph, events: Float64s, out: Float64s, active: Float64s) -> tuple[Float64s, Float64s]:
    """(1 where a sensor spoke, its innovation in predicted standard deviations) [k, sensors, m], of a fold."""
    size, first = graph.belief_size, 2 + len(graph.layout.inputs) + len(graph.layout.sensors)
    spoke = np.where(active[:, None] > 0, events[:, first:], 0.0)
    s = np.where(spoke > 0, out[:, size + 1 :: 4], 1.0)
    return spoke, np.where(spoke > 0, out[:, size::4], 0.0) / np.sqrt(s)


@final
@dataclass(frozen=True, slots=True)
class Fidelity:
    """How a twin stands. evidence: R; 1 raises an alarm. readings: so many, from `from_ns` on, could not be told from a
    right twin's; 0 while an alarm lasts. about: the sensor with the most evidence. since_ns, raised_ns, over_ns: of the
    last alarm; raised_ns 0: there was none; over_ns None: it lasts.
    """

    evidence: float
    readings: int
    from_ns: int
    about: str
    since_ns: int
    raised_ns: int
    over_ns: int | None


@final
class DriftWatch:
    """See `estimate.following.Companion`. false_every_s: T, of all twins or of each [n]; settle: events that are not
    judged at first; cache_dir: see `SwappingKernel`; part: whose sensors of a plant are watched, and told by their own
    names. Raises Invalid for a T that is not above zero.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        false_every_s: float | Float64s = FALSE_EVERY_S,
        settle: int = 50,
        cache_dir: Path | None = None,
        part: Part | None = None,
    ) -> None:
        if not np.all(np.asarray(false_every_s) > 0):
            raise Invalid("false alarms come every so many seconds, above zero")
        self._graph, self._false_every_s, self._settle = graph, false_every_s, settle
        part = part or Part()
        self.name = part.beside("fidelity")
        watched = {i: own for i, d in enumerate(graph.layout.sensors) if (own := part.own(d.name)) is not None}
        self._watched, self._names = list(watched), list(watched.values())
        self._sensors = s = len(self._names)
        self._state = Fields(
            evidence=s,
            ratio=s,
            since=s,
            last=s,
            weight=s,
            fell=s * BINS,
            events=1,
            counted=2,
            episode=4,
            about=1,
            every=1,
        )
        self._event = Fields(t=1, spoke=s, bin=s)
        self.size = self._state.size
        self.ride = Ride("fidelity", self._state, self._event, self._step, cache_dir)

    def initial(self, twins: int) -> Float64s:
        """[size, twins]."""
        state = np.zeros((self.size, twins))
        state[self._state.at["evidence"]], state[self._state.at["ratio"]] = _NOTHING, 1.0
        return self.renewed(state)

    def renewed(self, state: Float64s) -> Float64s:
        """See `estimate.following.Companion`."""
        state = state.copy()
        state[self._state.at["every"]] = self._false_every_s
        return state

    def fold(self, state: Float64s, at_ns: Int64s, events: Float64s, out: Float64s, active: Float64s) -> Float64s:
        """See `estimate.following.Companion`."""
        spoke, e = (told[:, self._watched] for told in surprises(self._graph, events, out, active))
        bins = np.searchsorted(_EDGES, e, side="right").astype(np.float64)
        t = (at_ns // _US).astype(np.float64)
        return self.ride(state, np.concatenate([t[:, None], spoke, bins], 1), active)

    # ---- one event, traced once

    def _step(self, state: dict[str, list[SX]], event: dict[str, list[SX]]) -> None:
        (t,) = event["t"]
        state["events"] = [state["events"][0] + 1]
        judged = [ca.logic_and(spoke, state["events"][0] > self._settle) for spoke in event["spoke"]]
        for i, told in enumerate(judged):
            self._bet(state, i, t, told, event["bin"][i])
        self._judge(state, t, sum(judged, ca.SX(0)))

    def _bet(self, state: dict[str, list[SX]], i: int, t: SX, told: SX, bin_: SX) -> None:
        fell, ratio, last = state["fell"][i * BINS : (i + 1) * BINS], state["ratio"][i], state["last"][i]
        hits = [bin_ == b for b in range(BINS)]
        there = sum((ca.if_else(hit, f, 0) for hit, f in zip(hits, fell, strict=True)), ca.SX(0))
        bet = (there + _PRIOR) / (state["weight"][i] / BINS + _PRIOR)
        w = ca.if_else(last > 0, ca.fmin((t - last) * (1e-6 / state["every"][0]), _MOST), 0)
        most = math.e * self._sensors  # more evidence of one sensor would only make the alarm last
        new = {
            "since": ca.if_else(ratio == 1, t, state["since"][i]),
            "ratio": ca.fmin(ca.fmax(ratio * bet, 1), _SURE),
            "evidence": ca.fmin(ca.fmax((w + state["evidence"][i]) * bet, _NOTHING), most),
            "last": t,
            "weight": state["weight"][i] * _FORGET + 1,
        }
        for part, value in new.items():
            state[part][i] = ca.if_else(told, value, state[part][i])
        for b, (hit, f) in enumerate(zip(hits, fell, strict=True)):
            state["fell"][i * BINS + b] = ca.if_else(told, f * _FORGET + hit, f)

    def _judge(self, state: dict[str, list[SX]], t: SX, readings: SX) -> None:
        lasts, began, raised, over = state["episode"]
        total = sum(state["evidence"], ca.SX(0)) / self._sensors
        most, about, since = state["evidence"][0], ca.SX(0), state["since"][0]
        for i in range(1, self._sensors):
            more = state["evidence"][i] > most
            most, since = ca.fmax(most, state["evidence"][i]), ca.if_else(more, state["since"][i], since)
            about = ca.if_else(more, i, about)
        starts = ca.logic_and(ca.logic_not(lasts), total >= 1)
        ends = ca.logic_and(lasts, total < _OVER)
        now = ca.if_else(starts, 1, ca.if_else(ends, 0, lasts))
        over = ca.if_else(ends, t, ca.if_else(starts, 0, over))
        state["episode"] = [now, ca.if_else(starts, since, began), ca.if_else(starts, t, raised), over]
        state["about"] = [ca.if_else(ca.logic_and(lasts, now), state["about"][0], about)]
        count, begin = state["counted"]
        begin = ca.if_else(ca.logic_and(count == 0, ca.logic_not(lasts)), t, begin)
        state["counted"] = [ca.if_else(now, 0, count + readings), begin]

    # ---- what a state says

    def lasting(self, state: Float64s) -> Float64s:
        """1 where an alarm lasts; state [..., size, m]."""
        return state[..., self._state.at["episode"].start, :]

    def raised_us(self, state: Float64s) -> Float64s:
        """When the last alarm was raised, in microseconds; 0: there was none."""
        return state[..., self._state.at["episode"].start + 2, :]

    def fidelity(self, state: Float64s) -> Fidelity:
        """How a twin stands, from its state [size]."""
        part = {name: state[rows].tolist() for name, rows in self._state.at.items()}
        lasts, began, raised, over = part["episode"]
        readings, begin = part["counted"]
        return Fidelity(
            sum(part["evidence"]) / self._sensors,
            int(readings),
            int(begin) * _US,
            self._names[int(part["about"][0])],
            int(began) * _US,
            int(raised) * _US,
            None if lasts else int(over) * _US,
        )
