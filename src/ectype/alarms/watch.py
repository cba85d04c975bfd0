"""All alarms of a record: CUSUM of each sensor, NIS windows, and tracked parameters that left what their prior allows.

The false alarm rate is asked for the twin as a whole (a mean time between false alarms of a right twin) and shared
equally among the detectors. Alarms of several detectors that overlap in time are one alarm, that of the first.
"""

from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.alarms.cusum import shifts, threshold
from ectype.alarms.explain import Explained, explain
from ectype.alarms.isolate import Isolated, isolate
from ectype.alarms.residuals import Residuals
from ectype.alarms.windows import bursts
from ectype.clock import to_iso
from ectype.errors import Invalid
from ectype.foresee.followed import Followed

_SHOWN = 0.3  # a cause that explains less is no explanation
_FAR = 3.29  # 0.1 %, two-sided


@final
@dataclass(frozen=True, slots=True)
class Alarm:
    """by: cusum, nis or drift; about: a sensor, a tracked parameter, or `all`. Times in ns; cleared_ns None: it
    lasts.
    """

    by: str
    about: str
    since_ns: int
    raised_ns: int
    cleared_ns: int | None
    explained: Explained
    isolated: Isolated | None
    sentence: str


@final
@dataclass(frozen=True, slots=True)
class _Noticed:
    by: str
    about: str
    since: int
    raised: int
    over: int | None


def watch(
    followed: Followed, *, false_every_s: float = 30 * 86400.0, window: int = 50, settle: int = 50
) -> tuple[Alarm, ...]:
    """The record's alarms, in the order in which they were raised. settle: events that are not judged at first.

    Raises Invalid if the record is shorter than `settle`, or the rate asks for less than ten readings apart.
    """
    if len(followed) <= settle:
        raise Invalid(f"{len(followed)} events; the first {settle} are not judged, so there is nothing to watch")
    residuals = Residuals.of_record(followed)
    layout = followed.graph.layout
    detectors = len(layout.sensors) + 1
    each = false_every_s * detectors / followed.every_s
    e, present = residuals.e[:, :, 0], residuals.present[:, :, 0]
    noticed: list[_Noticed] = []
    for i, sensor in enumerate(layout.sensors):
        rows = np.flatnonzero((present[:, i] > 0) & (np.arange(len(e)) >= settle))
        share = len(rows) / (len(e) - settle)
        for s in shifts(e[rows, i], threshold(max(each * share, 10.0))):
            over = None if s.over is None else int(rows[s.over])
            noticed.append(_Noticed("cusum", sensor.name, int(rows[s.since]), int(rows[s.noticed]), over))
    if len(e) - settle >= window:
        for b in bursts(e[settle:], present[settle:], window, min(window / each, 0.5)):
            over = settle + b.last + 1 if settle + b.last + window < len(e) else None
            noticed.append(_Noticed("nis", "all", settle + b.first, settle + b.first + window - 1, over))
    noticed += drifts(followed, settle)
    return tuple(_told(followed, residuals, n) for n in _merged(noticed, len(e)))


def drifts(followed: Followed, settle: int) -> list[_Noticed]:
    """Tracked parameters whose 95 % interval lies wholly outside 99.9 % of their prior."""
    graph, out = followed.graph, list[_Noticed]()
    for i, p in enumerate(graph.layout.tracked, start=len(graph.layout.states)):
        if p.prior is None:
            continue
        mean, std = followed.beliefs[:, i], np.sqrt(np.maximum(followed.beliefs[:, graph.variance_row(i)], 0.0))
        far = np.abs(mean - p.prior.centre()) - 1.96 * std > _FAR * p.prior.spread()
        far[:settle] = False
        edges = np.flatnonzero(np.diff(np.concatenate([[False], far, [False]]).astype(np.int8)))
        for begin, end in edges.reshape(-1, 2).tolist():
            near = np.flatnonzero(np.abs(mean[:begin] - p.prior.centre()) < p.prior.spread())
            since = int(near[-1]) + 1 if len(near) else begin
            out.append(_Noticed("drift", p.name, since, begin, None if end >= len(far) else end))
    return out


def _merged(noticed: list[_Noticed], length: int) -> list[_Noticed]:
    out: list[_Noticed] = []
    for n in sorted(noticed, key=lambda n: (n.raised, n.since)):
        if out and n.since <= (length if out[-1].over is None else out[-1].over):
            last = out[-1]
            over = None if last.over is None or n.over is None else max(last.over, n.over)
            out[-1] = _Noticed(last.by, last.about, min(last.since, n.since), last.raised, over)
        else:
            out.append(n)
    return out


def _told(followed: Followed, residuals: Residuals, n: _Noticed) -> Alarm:
    layout = followed.graph.layout
    end = len(followed) - 1 if n.over is None else max(n.over - 1, n.raised)
    found = explain(followed, n.since, end)
    apart = isolate(followed, n.since, end) if len(layout.sensors) > 1 else None
    names = [s.name for s in layout.sensors]
    e = residuals.e[n.since : end + 1, :, 0]
    row = names.index(n.about) if n.about in names else int((e**2).sum(0).argmax())
    there = residuals.present[n.since : end + 1, row, 0] > 0
    v = float(residuals.v[n.since : end + 1, row, 0][there].mean()) if there.any() else 0.0
    seen = followed.events[n.since : end + 1, 2 + len(layout.inputs) + row][there]
    expected = float(seen.mean()) - v if there.any() else 0.0
    percent = f" ({abs(v / expected):.0%})" if abs(expected) > 1e-9 else ""
    sensor, unit = names[row], layout.sensors[row].unit
    if n.by == "drift":
        what = f"{n.about} has left what its prior allows"
    elif n.by == "nis":
        nis = float((e**2).sum() / max(residuals.present[n.since : end + 1].sum(), 1))
        far = f"{np.sqrt(nis):.1f} times as far from what is expected as they should be"
        what = f"readings are {far}, most of all {sensor}"
    else:
        way = "above" if v > 0 else "below"
        what = f"{sensor} is {abs(v):.3g} {unit}{percent} {way} what the twin expects from one reading to the next"
    best = found.causes[0]
    since_ns = int(followed.at_ns[n.since])
    if best.share < _SHOWN:
        why = "no single change explains it"
    else:
        also = f"; not told apart from {', '.join(map(str, found.alike[:3]))}" if found.alike else ""
        why = f"{best} explains {best.share:.0%} of it{also}"
    sentence = f"{what}, since {to_iso(since_ns)}; {why}."
    over_ns = None if n.over is None else int(followed.at_ns[n.over])
    return Alarm(n.by, n.about, since_ns, int(followed.at_ns[n.raised]), over_ns, found, apart, sentence)
