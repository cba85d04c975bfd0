"""What is noticed of each twin, event by event: a fold of bounded memory that rides along with the filter.

    gaps        how far apart readings come: the mean of dt over the last 200 or so, where a silence counts as four;
                thresholds follow from it
    cusum       up and down of each sensor (cusum.py)
    nis         the window that is being filled (windows.py)
    drift       tracked parameters whose 95 % interval is outside 99.9 % of their prior
    episode     an alarm lasts while any of them does; it began when the first of them did

The false alarm rate is asked for the twin as a whole (a mean time between false alarms of a right twin) and shared
equally among the detectors, but for drift, which has none. The state is one vector of numbers a twin, so that late rows
take it back with the belief, and a snapshot keeps it. Instants in it are whole microseconds, which a float64 holds.
"""

from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.alarms.cusum import MOST, K, below, thresholds
from ectype.alarms.windows import loud
from ectype.errors import Invalid
from ectype.estimate.trace import Graph
from ectype.fidelity.watch import Bools, summed
from ectype.values.block import Float64s, Int64s

FALSE_EVERY_S = 30 * 86400.0
_MEMORY, _SILENCE = 200.0, 4.0
_FAR = 3.29  # 0.1 %, two-sided
_PORTION = 4096  # twins at a time, so that what is worked on stays in the cache
_US = 1000


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
    """See `estimate.following.Companion`. false_every_s: the mean time between false alarms of a twin; window: how many
    events are in a window of NIS; settle: events that are not judged at first. Raises Invalid for no rate or window.
    """

    name = "alarms"

    def __init__(
        self, graph: Graph, *, false_every_s: float = FALSE_EVERY_S, window: int = 50, settle: int = 50
    ) -> None:
        if not false_every_s > 0 or window < 1 or settle < 0:
            raise Invalid("false alarms come every so many seconds, above zero; a window has one event or more")
        layout = graph.layout
        self._graph, self._window, self._settle = graph, window, settle
        self._share_s = false_every_s * (len(layout.sensors) + 1)
        self._sensors = s = len(layout.sensors)
        self._rows = [i for i, p in enumerate(layout.tracked, start=len(layout.states)) if p.prior is not None]
        priors = [p.prior for p in layout.tracked if p.prior is not None]
        self._centre = np.array([p.centre() for p in priors]).reshape(-1, 1)
        self._spread = np.array([p.spread() for p in priors]).reshape(-1, 1)
        self._abouts = [("cusum", d.name) for d in layout.sensors] * 2 + [("nis", "all")]
        self._abouts += [("drift", layout.tracked[i - len(layout.states)].name) for i in self._rows]
        d = len(self._rows)
        parts = {"last": s + 1, "gap": s + 1, "seen": s + 1, "sum": 2 * s, "since": 2 * s + 1 + d, "on": 2 * s + 1 + d}
        parts |= {"near": d, "filled": 4, "lasts": 1, "began": 1, "raised": 1, "over": 1}
        self._at: dict[str, slice] = {}
        self.size = 0
        for part, rows in parts.items():
            self._at[part] = slice(self.size, self.size + rows)
            self.size += rows

    def initial(self, twins: int) -> Float64s:
        """[size, twins]."""
        state = np.zeros((self.size, twins))
        state[self._at["near"]] = 1.0
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
        nis, count = summed((e * e).swapaxes(0, 1)), spoke.sum(1).astype(np.float64)
        clipped = np.clip(e, -MOST, MOST)
        far, near = self._far(out, active)
        after = np.empty((len(events), *before.shape))
        for k in range(len(events)):
            here = after[k]
            here[:] = before
            on = active[k] > 0
            self._count_gaps(here, t[k], np.concatenate([spoke[k], on[None]]))
            judged = here[self._at["seen"]][s] > self._settle
            arl = self._share_s / np.maximum(here[self._at["gap"]], 1e-6)
            self._sum_up(here, t[k], clipped[k], spoke[k] & judged, arl[:s])
            self._fill(here, t[k], nis[k], count[k], on & judged, arl[s])
            if self._rows:
                self._drift(here, t[k], near[k], far[k], on, judged)
            self._judge(here, t[k], on)
            before = here
        return after

    def _far(self, out: Float64s, active: Float64s) -> tuple[Float64s, Float64s]:
        """(beyond its prior, about as its prior) [k, d, m] of each tracked parameter."""
        if not self._rows:
            return np.empty((len(out), 0, 1)), np.empty((len(out), 0, 1))
        off = np.abs(out[:, self._rows] - self._centre)
        std = np.sqrt(np.maximum(out[:, [self._graph.variance_row(i) for i in self._rows]], 0.0))
        return (off - 1.96 * std > _FAR * self._spread).astype(np.float64), (off < self._spread).astype(np.float64)

    def _count_gaps(self, here: Float64s, t: Float64s, spoke: Bools) -> None:
        last, gap, seen = (here[self._at[p]] for p in ("last", "gap", "seen"))
        seen += spoke
        again = spoke & (seen > 1)
        dt = np.maximum(t - last, 1.0) * 1e-6
        dt = np.where(seen > 2, np.minimum(dt, _SILENCE * gap), dt)
        gap += np.where(again, (dt - gap) / np.clip(seen - 1, 1, _MEMORY), 0.0)
        last[:] = np.where(spoke, t, last)

    def _sum_up(self, here: Float64s, t: Float64s, e: Float64s, judged: Bools, arl: Float64s) -> None:
        s = self._sensors
        total, since, on = here[self._at["sum"]], here[self._at["since"]][: 2 * s], here[self._at["on"]][: 2 * s]
        told = np.concatenate([judged, judged])
        since[:] = np.where(told & (total == 0.0), t, since)
        more = np.where(told, np.maximum(total + np.concatenate([e, -e]) - K, 0.0), total)
        # Below h / 2 nothing is raised and nothing lasts; few are above, and only they need h.
        low = 0.5 * below(arl)
        was, on[:] = on.copy(), np.where(told, 0.0, on)
        near = np.nonzero(told & (more > np.concatenate([low, low])))
        if len(near[0]):
            h = thresholds(arl[near[0] % s, near[1]])
            more[near] = np.minimum(more[near], 2.0 * h)
            on[near] = more[near] > np.where(was[near] > 0, 0.5 * h, h)
        total[:] = more

    def _fill(self, here: Float64s, t: Float64s, nis: Float64s, count: Float64s, on: Bools, arl: Float64s) -> None:
        total, readings, events, began = here[self._at["filled"]]
        row = 2 * self._sensors
        since, is_on = here[self._at["since"]][row], here[self._at["on"]][row]
        began[:] = np.where(on & (events == 0), t, began)
        total += np.where(on, nis, 0.0)
        readings += np.where(on, count, 0.0)
        events += on
        full = np.flatnonzero(events == self._window)
        if len(full):
            share = np.minimum(self._window / np.maximum(arl[full], 1.0), 0.5)
            found = loud(readings[full], total[full], share)
            since[full] = np.where((found > 0) & (is_on[full] == 0), began[full], since[full])
            is_on[full] = found
            here[self._at["filled"]][:3, full] = 0.0

    def _drift(self, here: Float64s, t: Float64s, near: Float64s, far: Float64s, on: Bools, judged: Bools) -> None:
        row = 2 * self._sensors + 1
        was, since, is_on = here[self._at["near"]], here[self._at["since"]][row:], here[self._at["on"]][row:]
        left = on & (was > 0) & (near == 0)
        since[:] = np.where(left, t, since)
        was[:] = np.where(on, near, was)
        is_on[:] = np.where(on, far * judged, is_on)

    def _judge(self, here: Float64s, t: Float64s, active: Bools) -> None:
        on = here[self._at["on"]] > 0
        lasts, began, raised, over = (here[self._at[p]][0] for p in ("lasts", "began", "raised", "over"))
        is_now = np.asarray(on.any(0), bool)
        since = np.where(on, here[self._at["since"]], np.inf).min(0)
        starts, ends = active & is_now & (lasts == 0), active & ~is_now & (lasts > 0)
        began[:] = np.where(starts, since, np.where(active & is_now, np.minimum(began, since), began))
        raised[:] = np.where(starts, t, raised)
        over[:] = np.where(ends, t, np.where(starts, 0.0, over))
        lasts[:] = np.where(active, is_now, lasts)

    # ---- what a state says

    def lasting(self, state: Float64s) -> Float64s:
        """1 where an alarm lasts; state [..., size, m]."""
        return state[..., self._at["lasts"].start, :]

    def raised_us(self, state: Float64s) -> Float64s:
        """When the last alarm was raised, in microseconds; 0: there was none."""
        return state[..., self._at["raised"].start, :]

    def episode(self, state: Float64s) -> Episode:
        """The last alarm, from the state [size] of one twin that has had one."""
        lasts, began, raised, over = (float(state[self._at[p]][0]) for p in ("lasts", "began", "raised", "over"))
        return Episode(int(began) * _US, int(raised) * _US, None if lasts else int(over) * _US)

    def noticed(self, state: Float64s) -> tuple[Noticed, ...]:
        """What is noticing it now, from the state [size] of one twin; the oldest first."""
        since, on = state[self._at["since"]], state[self._at["on"]]
        found = [Noticed(*self._abouts[i], int(since[i]) * _US) for i in np.flatnonzero(on > 0).tolist()]
        return tuple(sorted(found, key=lambda n: n.since_ns))
