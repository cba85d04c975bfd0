"""Why a twin's alarm stands, as a sentence: what was noticed, since when, and which one change explains it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import final

import numpy as np

from ectype.alarms.detectors import Noticed
from ectype.alarms.explain import Explained, explain
from ectype.alarms.isolate import Isolated, isolate, spoken
from ectype.alarms.residuals import Residuals
from ectype.clock import to_iso
from ectype.foresee.followed import Followed
from ectype.values.canonical import JSON

_SHOWN = 0.3  # a cause that explains less is no explanation


@final
@dataclass(frozen=True, slots=True)
class Reason:
    """The change that explains it, the sensor that is wrong (None if only one spoke), and both in words."""

    explained: Explained
    isolated: Isolated | None
    sentence: str


def together(found: Iterable[Sequence[Noticed]]) -> tuple[Noticed, ...]:
    """All that noticed one alarm, from what did at each of its events: in the order in which they came to it; of
    repeats the earliest beginning.
    """
    out: dict[tuple[str, str], Noticed] = {}
    for now in found:
        for n in now:
            before = out.get((n.by, n.about))
            out[n.by, n.about] = n if before is None or n.since_ns < before.since_ns else before
    return tuple(out.values())


def reason(followed: Followed, since_ns: int, first: int, last: int, noticed: Sequence[Noticed]) -> Reason:
    """Of an alarm since then, from rows first to last of the record. noticed: the first is what raised it.

    Raises Invalid if the record has no such rows.
    """
    graph = followed.graph
    found = explain(followed, first, last)
    apart = isolate(followed, first, last) if len(spoken(followed, first, last)) > 1 else None
    before = followed.beliefs[first - 1] if first else graph.initial(1)[:, 0]
    events = followed.events[first : last + 1, :, None]
    residuals = Residuals.of(graph, followed.kernel, before[:, None], followed.constants[:, None], events)
    what = [_what(followed, residuals, first, last, noticed[0])]
    what += [_left(n) for n in noticed[1:] if n.by == "drift"]
    best = found.causes[0]
    if best.share < _SHOWN:
        why = "no single change explains it"
    else:
        also = f"; not told apart from {', '.join(map(str, found.alike[:3]))}" if found.alike else ""
        why = f"{best} explains {best.share:.0%} of it{also}"
    return Reason(found, apart, f"{', and '.join(what)}, since {to_iso(since_ns)}; {why}.")


def plainly(noticed: Sequence[Noticed], since_ns: int) -> str:
    """The sentence where no reason was looked for."""
    told = ", ".join(f"{n.about} ({n.by})" for n in noticed)
    return f"readings are not what the twin expects: {told}, since {to_iso(since_ns)}."


def document_of(noticed: Sequence[Noticed], why: Reason | None) -> dict[str, JSON]:
    """For programs: by and about (of the first), noticed, causes, alike (names of those not told apart from the first
    cause), sensors; the last three only with a reason.
    """
    each: list[JSON] = [{"by": n.by, "about": n.about, "since": to_iso(n.since_ns)} for n in noticed]
    told: dict[str, JSON] = {"by": noticed[0].by, "about": noticed[0].about, "noticed": each}
    if why is None:
        return told
    told["causes"] = [_finite(asdict(c)) for c in why.explained.causes[:5]]
    told["alike"] = [c.name for c in why.explained.alike]
    told["sensors"] = None
    if (apart := why.isolated) is not None:
        told["sensors"] = {"faulty": apart.faulty, "without": dict(apart.without), "sentence": apart.sentence}
    return told


def changed(before: Mapping[str, JSON], after: Mapping[str, JSON]) -> bool:
    """Whether two documents explain an alarm differently: another cause or sensor, or another size of the same cause
    beyond a fifth of it and two of its standard deviations.
    """
    one, other = _gist(before), _gist(after)
    if one[:2] != other[:2]:
        return True
    apart = max(0.2 * abs(one[2]), 2 * one[3])
    return abs(other[2] - one[2]) > apart


def _gist(told: Mapping[str, JSON]) -> tuple[JSON, tuple[JSON, JSON], float, float]:
    """(faulty sensor, (kind, name) of the cause, its size, the deviation of that)."""
    sensors, causes = told.get("sensors"), told.get("causes")
    faulty = sensors.get("faulty") if isinstance(sensors, dict) else None
    best = causes[0] if isinstance(causes, list) and causes else None
    if not isinstance(best, dict) or not _number(best["share"]) >= _SHOWN:
        return faulty, (None, None), 0.0, 0.0
    return faulty, (best["kind"], best["name"]), _number(best["by"]), _number(best["std"])


def _number(value: JSON) -> float:
    return float(value) if isinstance(value, int | float) else math.inf


def _finite(values: dict[str, JSON]) -> dict[str, JSON]:
    """JSON has no infinity: what cannot be said is null."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


def _left(n: Noticed) -> str:
    return f"{n.about} has left what its prior allows"


def _what(followed: Followed, residuals: Residuals, first: int, last: int, n: Noticed) -> str:
    if n.by == "drift":
        return _left(n)
    layout = followed.graph.layout
    names = [followed.called(s.name) for s in layout.sensors]
    e = residuals.e[:, :, 0]
    row = names.index(n.about) if n.about in names else int((e**2).sum(0).argmax())
    sensor, unit = names[row], layout.sensors[row].unit
    there = residuals.present[:, row, 0] > 0
    if n.by == "nis" or not there.any():
        nis = float((e**2).sum() / max(residuals.present.sum(), 1))
        far = f"{np.sqrt(nis):.1f} times as far from what is expected as they should be"
        return f"readings are {far}, most of all {sensor}"
    v = float(residuals.v[:, row, 0][there].mean())
    expected = float(followed.events[first : last + 1, 2 + len(layout.inputs) + row][there].mean()) - v
    percent = f" ({abs(v / expected):.0%})" if abs(expected) > 1e-9 else ""
    way = "above" if v > 0 else "below"
    return f"{sensor} is {abs(v):.3g} {unit}{percent} {way} what the twin expects from one reading to the next"
