"""Alarms while rows come: what became of the twins' states (detectors.py, fidelity/watch.py) since it was last told.

    deviation   readings are not what the twin expects: CUSUM, NIS, drift; with the change that explains it
    fidelity    the twin can be told from its original

An alarm is told when it is raised, again when its reason changes materially, and when it is over. The reason is looked
for in the twin's last events: at first, and whenever the alarm has lasted twice as long, while its beginning is among
them. Late rows may take back an alarm that stands: it is then told as over, and why. One that is over already stays as
it was told.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, cast, final

import msgspec
import numpy as np
from numpy.typing import NDArray

from ectype.alarms.detectors import Detectors, Noticed
from ectype.alarms.reason import Reason, changed, document_of, plainly, reason, together
from ectype.alarms.settings import Sensitivity
from ectype.clock import to_iso
from ectype.errors import Invalid
from ectype.estimate.following import Companion, Following, Step
from ectype.estimate.plant import Part, whose
from ectype.estimate.trace import Graph
from ectype.fidelity.watch import DriftWatch, Fidelity
from ectype.foresee.followed import Followed
from ectype.ids import series_id
from ectype.values.block import Block, Float64s
from ectype.values.canonical import JSON

Bools: TypeAlias = NDArray[np.bool_]
DEVIATION, FIDELITY = "deviation", "fidelity"
_LONGEST = 512  # events that a reason is looked for in
_AT_ONCE = 20  # reasons in one advance: a storm of alarms must not stop the estimates; the rest follow
_HOUR_NS = 3600 * 10**9


@final
@dataclass(frozen=True, slots=True)
class Told:
    """An alarm as it is now. until_ns None: it lasts. why: for programs."""

    twin: str
    name: str
    change: Literal["raised", "updated", "cleared"]
    text: str
    since_ns: int
    raised_ns: int
    until_ns: int | None
    why: dict[str, JSON] = field(default_factory=dict[str, JSON])


class _Episode(Protocol):
    @property
    def since_ns(self) -> int: ...
    @property
    def raised_ns(self) -> int: ...


@final
class _Standing(msgspec.Struct):
    """What was told of an alarm that lasts. noticed: by, about, since_ns; explained: in so many events its reason was
    looked for.
    """

    since_ns: int
    raised_ns: int
    text: str = ""
    why: dict[str, object] = {}
    noticed: list[tuple[str, str, int]] = []
    explained: int = 0


@final
class _Saved(msgspec.Struct):
    standing: dict[str, dict[str, _Standing]]
    over: dict[str, dict[str, int]]
    hours: dict[str, int]


@final
@dataclass(frozen=True, slots=True)
class _Run:
    """Rows first to last of a step's column in which an alarm lasts. over_ns None: it lasts beyond them."""

    first: int
    last: int
    since_ns: int
    raised_ns: int
    over_ns: int | None


@final
class LiveAlarms:
    """Of the twins of one behaviour, or of those that are one `part` of plants: each twin is watched by itself, by its
    own sensors. sensitivity: of each of these twins, in their order; companions: what has to ride along with their
    filter.
    """

    def __init__(
        self,
        graph: Graph,
        sensitivity: Mapping[str, Sensitivity],
        *,
        cache_dir: Path | None = None,
        part: Part | None = None,
    ) -> None:
        each = list(sensitivity.values())
        every_s = np.array([one.false_every_s for one in each])
        self._sensitivity, self._part = sensitivity, part or Part()
        self._detectors = Detectors(graph, sensitivity=each, cache_dir=cache_dir, part=part)
        self._drift = DriftWatch(graph, false_every_s=every_s, cache_dir=cache_dir, part=part)
        self.companions: Sequence[Companion] = (self._detectors, self._drift)
        self._standing: dict[str, dict[str, _Standing]] = {DEVIATION: {}, FIDELITY: {}}
        self._over: dict[str, dict[str, int]] = {DEVIATION: {}, FIDELITY: {}}
        self._hours: dict[str, int] = {}
        self._budget = 0

    def tell(self, following: Following, step: Step) -> list[Told]:
        """The alarms that a step raises, changes and ends."""
        if not len(step.columns):
            return []
        self._budget = _AT_ONCE
        deviations, drifts = step.states[self._detectors.name], step.states[self._drift.name]
        every = [self._twin(following, step, j) for j in range(len(step.columns))]
        wanted = [FIDELITY not in self._sensitivity[twin].off for twin in every]
        lasts, drifted = self._detectors.lasting(deviations) > 0, (self._drift.lasting(drifts) > 0) & wanted
        out: list[Told] = []
        for j in self._concerned(DEVIATION, following, step, lasts):
            twin = self._twin(following, step, j)
            for run in self._runs(DEVIATION, twin, step, j, lasts[:, j], deviations, self._detectors.episode, out):
                out += self._deviation(following, step, j, run, deviations[run.first : run.last + 1, :, j])
        for j in self._concerned(FIDELITY, following, step, drifted):
            twin = self._twin(following, step, j)
            for run in self._runs(FIDELITY, twin, step, j, drifted[:, j], drifts, self._drift.fidelity, out):
                out += self._fidelity(twin, run, self._drift.fidelity(drifts[run.last, :, j]))
        return out

    def counts(self, following: Following, step: Step) -> Block:
        """How long each twin could not be told from its original, at its first event of each hour: the days, and the
        readings: series TWIN.indistinguishable@estimated and TWIN.indistinguishableReadings@estimated.
        """
        names: list[str] = []
        at: list[int] = []
        values: list[float] = []
        rows = step.active.sum(0).astype(np.int64) - 1
        for j, row in enumerate(rows.tolist()):
            twin, now = self._twin(following, step, j), int(step.at_ns[row, j])
            if now // _HOUR_NS <= self._hours.get(twin, -1):
                continue
            self._hours[twin] = now // _HOUR_NS
            found = self._drift.fidelity(step.states[self._drift.name][row, :, j])
            days = (now - found.from_ns) / (24 * _HOUR_NS) if found.readings else 0.0
            names += [series_id(twin, what, "estimated") for what in ("indistinguishable", "indistinguishableReadings")]
            at += [now, now]
            values += [days, float(found.readings)]
        series = np.arange(len(names), dtype=np.int32)
        return Block(tuple(names), series, np.array(at, np.int64), np.array(values), np.full(len(names), np.nan))

    def save(self) -> bytes:
        """What was told."""
        return msgspec.msgpack.encode(_Saved(self._standing, self._over, self._hours))

    def restore(self, saved: bytes) -> None:
        """Go on from there. Raises Invalid if it is no such thing."""
        try:
            told = msgspec.msgpack.decode(saved, type=_Saved)
        except msgspec.MsgspecError as error:
            raise Invalid(f"this does not say which alarms were told: {error}") from error
        self._standing, self._over, self._hours = told.standing, told.over, told.hours

    # ---- which alarms

    def _twin(self, following: Following, step: Step, j: int) -> str:
        return following.plants[int(step.columns[j])][self._part.place]

    def _concerned(self, name: str, following: Following, step: Step, lasts: Bools) -> list[int]:
        standing = self._standing[name]
        every = range(len(step.columns))
        known = np.array([self._twin(following, step, j) in standing for j in every]) if standing else False
        return np.flatnonzero(lasts.any(0) | known).tolist()

    def _runs(
        self,
        name: str,
        twin: str,
        step: Step,
        j: int,
        lasts: Bools,
        states: Float64s,
        episode: Callable[[Float64s], _Episode],
        out: list[Told],
    ) -> list[_Run]:
        """The alarms of a column that were not told as over. What stood and is none of them is told as over in `out`;
        what stood and goes on has the beginning that it was told with, unless late rows have moved it.
        """
        count = int(step.active[:, j].sum())
        edges = np.flatnonzero(np.diff(np.concatenate([[0.0], lasts[:count] * 1.0, [0.0]]))).reshape(-1, 2)
        runs: list[_Run] = []
        for first, end in edges.tolist():
            e = episode(states[end - 1, :, j])
            over = None if end == count else int(step.at_ns[end, j])
            runs.append(_Run(first, end - 1, e.since_ns, e.raised_ns, over))
        told, done = self._standing[name].get(twin), self._over[name].get(twin, 0)
        same = None if told is None else next((r for r in runs if r.raised_ns == told.raised_ns), None)
        if told is not None and same is None:
            late = step.replayed[j] > 0
            if late and runs and runs[-1].over_ns is None:
                same = runs[-1]
                told.raised_ns = same.raised_ns
            else:
                began = episode(states[0, :, j]).raised_ns == told.raised_ns
                text = told.text if began or not late else f"{told.text} Late readings have taken it back."
                until = max(int(step.at_ns[0, j]), told.since_ns)
                out.append(self._ended(name, twin, told, text, until))
        return [r for r in runs if r is same or r.over_ns is None or r.raised_ns > done]

    def _ended(self, name: str, twin: str, told: _Standing, text: str, until_ns: int) -> Told:
        self._standing[name].pop(twin, None)
        self._over[name][twin] = told.raised_ns
        return Told(twin, name, "cleared", text, told.since_ns, told.raised_ns, until_ns, _json(told.why))

    # ---- what is told of them

    def _deviation(self, following: Following, step: Step, j: int, run: _Run, states: Float64s) -> list[Told]:
        twin = self._twin(following, step, j)
        told, new = self._story(DEVIATION, twin, run)
        if not new and run.over_ns is not None:
            return [self._ended(DEVIATION, twin, told, told.text, run.over_ns)]
        noticed = together([[Noticed(*n) for n in told.noticed], *(self._detectors.noticed(s) for s in states)])
        more = len(noticed) > len(told.noticed)
        told.noticed = [(n.by, n.about, n.since_ns) for n in noticed]
        told.since_ns = run.since_ns
        news = new or more
        record, last = _record(following, step, j, run, self._part)
        first = int(np.searchsorted(record.at_ns, run.since_ns))
        events = last - first + 1
        known = first > 0 and events <= _LONGEST  # its beginning is in the record
        if not told.explained or (more and known) or (known and events >= 2 * told.explained):
            first = min(max(first, 1), last)
            last = min(last, first + _LONGEST - 1)
            why = self._reason(record, run.since_ns, first, last, noticed)
            document = document_of(noticed, why)
            news = news or (why is not None and (not told.explained or changed(_json(told.why), document)))
            if why is not None:
                told.explained = max(events, 1)
            if news:
                told.text = plainly(noticed, run.since_ns) if why is None else why.sentence
                told.why = {**document}
        elif more:
            told.why |= document_of(noticed, None)
        return self._changed(DEVIATION, twin, told, run, new, news)

    def _fidelity(self, twin: str, run: _Run, found: Fidelity) -> list[Told]:
        told, new = self._story(FIDELITY, twin, run)
        if not new and run.over_ns is not None:
            return [self._ended(FIDELITY, twin, told, told.text, run.over_ns)]
        if new:
            seldom = f"once in {self._sensitivity[twin].false_every_s / 86400:g} days or less often"
            told.text = (
                f"the twin can be told from its original by {found.about}, since {to_iso(run.since_ns)};"
                f" readings of a right twin fall like this {seldom}."
            )
            told.why = {
                "by": FIDELITY,
                "about": found.about,
                "evidence": found.evidence,
                "indistinguishable_from": to_iso(found.from_ns),
            }
        told.since_ns = run.since_ns
        return self._changed(FIDELITY, twin, told, run, new, new)

    def _story(self, name: str, twin: str, run: _Run) -> tuple[_Standing, bool]:
        """(what was told of that alarm, whether that is nothing)."""
        told = self._standing[name].get(twin)
        if told is not None and told.raised_ns == run.raised_ns:
            return told, False
        return _Standing(run.since_ns, run.raised_ns), True

    def _changed(self, name: str, twin: str, told: _Standing, run: _Run, new: bool, news: bool) -> list[Told]:
        if run.over_ns is not None:
            return [self._ended(name, twin, told, told.text, run.over_ns)]
        self._standing[name][twin] = told
        if not news:
            return []
        change = "raised" if new else "updated"
        return [Told(twin, name, change, told.text, told.since_ns, told.raised_ns, None, _json(told.why))]

    def _reason(
        self, record: Followed, since_ns: int, first: int, last: int, noticed: Sequence[Noticed]
    ) -> Reason | None:
        if self._budget == 0:
            return None
        self._budget -= 1
        return reason(record, since_ns, first, last, noticed)


def _json(why: dict[str, object]) -> dict[str, JSON]:
    """Read back, it is what was put there."""
    return {**cast(dict[str, JSON], why)}


def _record(following: Following, step: Step, j: int, run: _Run, mine: Part) -> tuple[Followed, int]:
    """(the events of that column's twin that are at hand, the row in which the run ends). Row 0 stands for what was
    before: its belief counts, its event does not. What belongs to another twin than `mine` is called by its name, too.
    """
    column = int(step.columns[j])
    at, events, beliefs, before = following.window(column)
    count, end_ns = int(step.active[:, j].sum()), int(step.at_ns[run.last, j])
    if count > len(at) or end_ns < at[0]:
        size = following.graph.belief_size
        at, events, beliefs = step.at_ns[:count, j], step.events[:count, :, j], step.out[:count, :size, j]
        before = step.before[:, j]
    constants = following.constants[:, column]
    record = Followed(
        following.graph,
        following.kernel,
        np.concatenate([at[:1] - 1, at]),
        np.concatenate([events[:1], events]),
        np.concatenate([before[None], beliefs]),
        constants,
        constants[:, None],
        names=_names(following, column, mine),
    )
    return record, int(np.searchsorted(record.at_ns, end_ns))


def _names(following: Following, column: int, mine: Part) -> dict[str, str]:
    """What declarations of a plant are called: "level" if it is this twin's own, "upper.level" if it is upper's."""
    layout, out = following.graph.layout, dict[str, str]()
    for d in (*layout.states, *layout.tracked, *layout.constants, *layout.inputs, *layout.sensors):
        place, own = whose(following.parts, d.name)
        out[d.name] = own if place == mine.place else f"{following.plants[column][place]}.{own}"
    return out
