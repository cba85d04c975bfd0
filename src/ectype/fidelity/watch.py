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

import functools
import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from ectype.errors import Invalid
from ectype.estimate.trace import Graph
from ectype.values.block import Float64s, Int64s

Bools: TypeAlias = NDArray[np.bool_]

BINS = 10
FALSE_EVERY_S = 30 * 86400.0
_EDGES = np.array([NormalDist().inv_cdf(i / BINS) for i in range(1, BINS)])
_PRIOR = 3.0  # readings' worth of belief in each bin that u is uniform
_FORGET = 0.99
_NOTHING = 1e-20  # R before the first reading
_OVER = 0.05
_SURE = 1e12
_MOST = 0.05  # of T at a time, so that one reading after a long silence is no alarm
_PORTION = 4096  # twins at a time, so that what is worked on stays in the cache
_US = 1000


def summed(rows: Float64s) -> Float64s:
    """The sum over the first axis, one after the other: numpy's own order depends on the size of the fleet."""
    return functools.reduce(np.add, rows)


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
    """See `estimate.following.Companion`. false_every_s: T; settle: events that are not judged at first. Raises Invalid
    for a T that is not above zero.
    """

    name = "fidelity"

    def __init__(self, graph: Graph, *, false_every_s: float = FALSE_EVERY_S, settle: int = 50) -> None:
        if not false_every_s > 0:
            raise Invalid("false alarms come every so many seconds, above zero")
        self._graph, self._false_every_s, self._settle = graph, false_every_s, settle
        self._names = [d.name for d in graph.layout.sensors]
        self._sensors = s = len(self._names)
        self._most = math.e * s  # more evidence of one sensor would only make the alarm last
        self._at: dict[str, slice] = {}
        self.size = 0
        parts = {"evidence": s, "ratio": s, "since": s, "last": s, "weight": s, "fell": s * BINS}
        for part, rows in (parts | dict.fromkeys(("events", "readings", "from", "lasts"), 1)).items():
            self._at[part] = slice(self.size, self.size + rows)
            self.size += rows
        for part in ("began", "raised", "over", "about"):
            self._at[part] = slice(self.size, self.size + 1)
            self.size += 1

    def initial(self, twins: int) -> Float64s:
        """[size, twins]."""
        state = np.zeros((self.size, twins))
        state[self._at["evidence"]], state[self._at["ratio"]] = _NOTHING, 1.0
        return state

    def fold(self, state: Float64s, at_ns: Int64s, events: Float64s, out: Float64s, active: Float64s) -> Float64s:
        """See `estimate.following.Companion`."""
        after = np.empty((len(events), *state.shape))
        for first in range(0, state.shape[1], _PORTION):
            part = slice(first, first + _PORTION)
            after[:, :, part] = self._fold(
                state[:, part], at_ns[:, part], events[:, :, part], out[:, :, part], active[:, part]
            )
        return after

    def _fold(self, before: Float64s, at_ns: Int64s, events: Float64s, out: Float64s, active: Float64s) -> Float64s:
        s, size, first = self._sensors, self._graph.belief_size, 2 + len(self._graph.layout.inputs)
        t = (at_ns // _US).astype(np.float64)
        spoke = events[:, first + s :] > 0
        spoke &= (active > 0)[:, None]
        e = np.where(spoke, out[:, size::4] / np.sqrt(np.where(spoke, out[:, size + 1 :: 4], 1.0)), 0.0)
        bins = np.searchsorted(_EDGES, e, side="right")
        after = np.empty((len(events), *before.shape))
        for k in range(len(events)):
            here = after[k]
            here[:] = before
            on = active[k] > 0
            here[self._at["events"]] += on
            judged = spoke[k] & (here[self._at["events"]] > self._settle)
            self._bet(here, t[k], bins[k], judged)
            self._judge(here, t[k], judged, on)
            before = here
        return after

    def _bet(self, here: Float64s, t: Float64s, bins: Int64s, spoke: Bools) -> None:
        names = ("evidence", "ratio", "since", "last", "weight")
        evidence, ratio, since, last, weight = (here[self._at[p]] for p in names)
        fell, m = here[self._at["fell"]], here.shape[1]
        there = (np.arange(self._sensors)[:, None] * BINS + bins, np.arange(m))
        bet = (fell[there] + _PRIOR) / (weight / BINS + _PRIOR)
        w = np.where(last > 0, np.minimum((t - last) * (1e-6 / self._false_every_s), _MOST), 0.0)
        grown = np.clip((w + evidence) * bet, _NOTHING, self._most)
        since[:] = np.where(spoke & (ratio == 1.0), t, since)
        ratio[:] = np.where(spoke, np.clip(ratio * bet, 1.0, _SURE), ratio)
        evidence[:] = np.where(spoke, grown, evidence)
        last[:] = np.where(spoke, t, last)
        keep = np.where(spoke, _FORGET, 1.0)
        fell *= np.repeat(keep, BINS, 0)
        fell[there] += spoke
        weight *= keep
        weight += spoke

    def _judge(self, here: Float64s, t: Float64s, spoke: Bools, active: Bools) -> None:
        parts = ("readings", "from", "lasts", "began", "raised", "over", "about")
        readings, since, lasts, began, raised, over, about = (here[self._at[p]][0] for p in parts)
        evidence = here[self._at["evidence"]]
        total = summed(evidence) / self._sensors
        starts = active & (lasts == 0) & (total >= 1.0)
        ends = active & (lasts > 0) & (total < _OVER)
        loudest = evidence.argmax(0)
        began[:] = np.where(starts, here[self._at["since"]][loudest, np.arange(len(loudest))], began)
        raised[:] = np.where(starts, t, raised)
        over[:] = np.where(ends, t, np.where(starts, 0.0, over))
        about[:] = np.where(active, loudest, about)
        lasts[:] = np.where(starts, 1.0, np.where(ends, 0.0, lasts))
        since[:] = np.where(active & (readings == 0) & (lasts == 0), t, since)
        readings[:] = np.where(lasts > 0, 0.0, readings + spoke.sum(0))

    # ---- what a state says

    def lasting(self, state: Float64s) -> Float64s:
        """1 where an alarm lasts; state [..., size, m]."""
        return state[..., self._at["lasts"].start, :]

    def raised_us(self, state: Float64s) -> Float64s:
        """When the last alarm was raised, in microseconds; 0: there was none."""
        return state[..., self._at["raised"].start, :]

    def fidelity(self, state: Float64s) -> Fidelity:
        """How a twin stands, from its state [size]."""
        one = {name: float(state[part][0]) for name, part in self._at.items()}
        evidence = float(state[self._at["evidence"]].sum()) / self._sensors
        over = None if one["lasts"] else int(one["over"]) * _US
        about = self._names[int(one["about"])]
        began, raised = int(one["began"]) * _US, int(one["raised"]) * _US
        return Fidelity(evidence, int(one["readings"]), int(one["from"]) * _US, about, began, raised, over)
