"""The one door of a space. Every read and every write of anyone outside passes here, and it knows who asks.

The server, the command line and Python get a `View` and nothing else, so a right that is checked here
is checked for pages, feeds, exports and error texts alike.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, cast, final

import msgspec
import numpy as np

from ectype import __version__
from ectype.clock import to_iso
from ectype.collab.room import Seat
from ectype.errors import Invalid, NotFound, Refused
from ectype.graph.fold import Alarm, Twin
from ectype.ids import split_series
from ectype.ingest.intake import SourceStatus
from ectype.ingest.push import Pushed, Table
from ectype.ingest.report import SenderStatus, Slow, senders, slow
from ectype.node.graph_view import GraphView
from ectype.node.messages import (
    AlarmRow,
    BehavioursInfo,
    Clocked,
    ConsistencyProof,
    Entries,
    EntryRow,
    FeedMarks,
    FeedMessage,
    ForecastColumns,
    History,
    HistoryColumns,
    InclusionProof,
    Json,
    Last,
    Only,
    Quality,
    QualityRows,
    RelationshipRow,
    Relationships,
    Retained,
    SpaceInfo,
    Thin,
    TwinRow,
    Twins,
)
from ectype.node.write import Draft
from ectype.series.answers import Curve
from ectype.series.clock import How, on_clock, sums_on_clock, ticks
from ectype.series.downsample import m4, min_max
from ectype.series.judged import keep, level_now, quality_of
from ectype.series.marks import WORDS
from ectype.series.samples import Samples
from ectype.trust.access import EverybodyMayAll, Principal, Verb, demand
from ectype.trust.merkle import leaf_hash
from ectype.values.block import Block, Int64s

if TYPE_CHECKING:
    from ectype.node.node import Node

_ENTRIES_AT_ONCE = 1000
_SERIES_AT_ONCE = 256
_ROWS_AT_ONCE = 5_000_000
_THIN = {"minmax": min_max, "m4": m4}


@final
class View:
    """A space as `who` may see and change it."""

    def __init__(self, node: "Node", who: Principal) -> None:
        self._node = node
        self.who = who

    # ---- the space and its graph

    def space(self) -> SpaceInfo:
        """What space this is, how long its log is, and its root."""
        self._demand("read", "space")
        node = self._node
        return SpaceInfo(
            node.name, node.log.size, node.log.root(), node.started_ns, __version__, self.who.name, node.replay_speed()
        )

    def sources(self) -> tuple[SourceStatus, ...]:
        """The outside systems that this space listens to, and how they are."""
        self._demand("read", "space")
        return self._node.intake.status()

    def behaviours(self) -> BehavioursInfo:
        """Which twins are followed by a behaviour, and what keeps others from it."""
        self._demand("read", "space")
        estimator = self._node.estimator
        if estimator is None:
            return BehavioursInfo((), 0, ())
        wrong = [(where, text) for where, texts in estimator.troubles.items() for text in texts]
        followed = tuple(t for t in estimator.following if self._may("read", f"twin:{t}"))
        seen = set(followed)
        plants = tuple(plant for each in estimator.plants if (plant := tuple(t for t in each if t in seen)))
        return BehavioursInfo(followed, estimator.late, tuple(wrong), plants)

    def calibration(self, twin_id: str) -> Mapping[str, object]:
        """The last calibration of a twin: what it is followed with. NotFound if it has none."""
        twin = self.twin(twin_id)
        found = self._node.graph.records("calibration").get(twin.id)
        if found is None:
            raise NotFound(
                f"'{twin_id}' has no calibration; find one with `ectype calibrate … --out FILE`, "
                "then `ectype behaviour calibrated SPACE FILE`"
            )
        return found

    def lives(self) -> tuple[Mapping[str, object], ...]:
        """How long the twins still have whose behaviour says what ends their life: the last `life.put` of each."""
        graph = self._node.graph
        told = graph.records("life").items()
        return tuple(body for twin, body in told if graph.find_twin(twin) and self._may("read", f"twin:{twin}"))

    def senders(self) -> tuple[SenderStatus, ...]:
        """Everybody who sends to this space: clock, aliveness, what is missing; the last heard first."""
        self._demand("read", "space")
        ingest = self._node.ingest
        return senders(ingest.stats(), ingest.sparkplug, self._node.pushes.of)

    def repeats(self) -> int:
        """How many readings of outside systems were delivered again, and left out."""
        self._demand("read", "space")
        return self._node.ingest.stats().repeats

    def slow(self) -> tuple[Slow, ...]:
        """Whom others wait for now, and why."""
        self._demand("read", "space")
        stats, mqtt = self._node.ingest.stats(), self._node.mqtt
        paused, unread = ([], {}) if mqtt is None else (mqtt.paused(), mqtt.unread())
        return slow(stats.waiting, stats.appending_ns / 1e9, paused, unread)

    async def push(
        self,
        data: bytes,
        kind: Literal["arrow", "json"],
        twin: str | None = None,
        source: str = "",
        sequence: int | None = None,
    ) -> Pushed:
        """Take a table of samples; on return it is on disk. See `ectype.ingest.push`."""
        table = Table(data, kind, twin, source or self.who.name, sequence)
        return await self._node.pushes.push(table, self._demand_writing)

    def models(self) -> Json:
        """All types, as DTDL documents."""
        self._demand("read", "models")
        return cast(Json, self._node.graph.models().to_documents())

    def twins(self) -> Twins:
        """All twins."""
        graph = self._node.graph
        return Twins(graph.size, tuple(_twin_row(t) for t in graph.twins() if self._may("read", f"twin:{t.id}")))

    def twin(self, twin_id: str) -> TwinRow:
        """One twin; NotFound if there is none, or none for `who`."""
        found = self._node.graph.find_twin(twin_id)
        if found is None or not self._may("read", f"twin:{twin_id}"):
            raise NotFound(f"there is no twin '{twin_id}'")
        return _twin_row(found)

    def relationships(self) -> Relationships:
        """All relationships between twins that `who` may see."""
        graph = self._node.graph
        rows = [
            RelationshipRow(r.source, r.id, r.name, r.target, cast(Mapping[str, Json], r.properties))
            for r in graph.all_relationships()
            if self._may("read", f"twin:{r.source}") and self._may("read", f"twin:{r.target}")
        ]
        return Relationships(graph.size, tuple(rows))

    async def patch_twin(self, twin_id: str, patch: Sequence[Json], if_match: int | None = None) -> int:
        """Change a twin's properties by a JSON Patch (RFC 6902: add, replace, remove); its new last index."""
        self.twin(twin_id)
        return await self.write(Draft("twin.patch", f"twin:{twin_id}", list(patch)), if_match)

    async def write(self, draft: Draft, if_match: int | None = None) -> int:
        """Append a decision; its index, once every read sees it."""
        self._demand("write", draft.subject)
        return (await self._node.writer.write(self.who, draft, if_match)).index

    def alarms(self, active: bool, limit: int) -> tuple[AlarmRow, ...]:
        """Alarms, newest first; only those that last if `active`."""
        rows = self._node.graph.alarms(active_only=active, limit=limit)
        return tuple(_alarm_row(a) for a in rows if self._may("read", f"twin:{a.twin}"))

    @property
    def graph(self) -> GraphView:
        """Twins, relationships, models, routes and jobs one by one: what the Azure Digital Twins API asks."""
        return GraphView(self._node, self.who)

    # ---- series

    def last(self) -> Last:
        """The newest sample of every series."""
        history = self._node.history
        rows: list[tuple[str, int, float] | tuple[str, int, float, float]] = []
        for name, (at_ns, value, std) in history.last_all().items():
            if self._may("read", f"series:{name}"):
                rows.append((name, at_ns, value) if std is None else (name, at_ns, value, std))
        return Last(history.size, Block.of(rows))

    def not_good(self) -> dict[str, Quality]:
        """The series whose newest reading is suspect or bad."""
        node = self._node
        levels = {name: level_now(node.marks, node.history, name) for name in node.marks.series()}
        return {name: WORDS[level] for name, level in levels.items() if level and self._may("read", f"series:{name}")}

    def quality(self, series: Sequence[str], most: int, only_now: bool = False) -> QualityRows:
        """What is thought of these series, or of all: those with most bad readings, at most `most`.

        The worst now come first, the longest of them. only_now: leave out what is good now.
        """
        node = self._node
        for name in series:
            self._demand_series(name)
        names = [name for name in series or node.marks.series() if self._may("read", f"series:{name}")]
        told = [row for name in names[:most] if (row := quality_of(node.marks, node.history, name)) is not None]
        suspect, bad = sum(row.suspect for row in told), sum(row.bad for row in told)
        rows = [row for row in told if row.now != "good" or not only_now]
        rows.sort(key=lambda row: (-WORDS.index(row.now), row.since_ns or 0, -row.bad, -row.suspect, row.series))
        return QualityRows(node.marks.size, suspect, bad, tuple(rows))

    def history(
        self,
        series: Sequence[str],
        from_ns: int,
        to_ns: int,
        points: int | None,
        thin: Thin = "minmax",
        quality: bool = False,
        only: Only | None = None,
    ) -> History:
        """Series from `from_ns` to `to_ns` inclusive, each in at most about `points` samples, no peak lost; with
        points None every sample, as long as there are not too many. Where a tier is fine enough for the points, or
        is all that is kept, they are its samples; the answer says so.

        quality: say of each sample what is thought of it; only: leave out what is not good, or what is bad (of samples
        alone, never of tiers).
        """
        if not series:
            raise Invalid("no series was asked for; add series=TWIN.PROPERTY")
        if len(series) > _SERIES_AT_ONCE:
            raise Invalid(f"{len(series)} series at once; at most {_SERIES_AT_ONCE}")
        if from_ns > to_ns:
            raise Invalid("'from' is later than 'to'")
        if points is not None and points < 2:
            raise Invalid("a curve needs at least 2 points")
        columns: list[HistoryColumns] = []
        first_ns, last_ns = self._node.history.span() or (0, 0)
        shown_ns = min(to_ns, last_ns) - max(from_ns, first_ns)
        for name in series:
            self._demand_series(name)
            every_ns = 0 if points is None else max(0, shown_ns // points)
            curve = self._curve(name, from_ns, to_ns, every_ns, only)
            samples = curve.samples
            if points is not None:
                samples = _THIN[thin](samples, points)
            columns.append((self._judged if quality else _columns)(name, curve, samples))
            if sum(len(column.at_ns) for column in columns) > _ROWS_AT_ONCE:
                raise Invalid(
                    f"more than {_ROWS_AT_ONCE} samples at once; ask for less time, or with points= or every="
                )
        return History(self._node.history.size, tuple(columns))

    def ticks(self, from_ns: int, to_ns: int, every_ns: int) -> Int64s:
        """The ticks of a clock from `from_ns` to `to_ns`, as far as there are samples of anything."""
        if from_ns > to_ns:
            raise Invalid("'from' is later than 'to'")
        span = self.span()
        if span is None:
            return np.empty(0, np.int64)
        return ticks(max(from_ns, span[0] - every_ns + 1), min(to_ns, span[1]), every_ns)

    def on_clock(
        self, series: str, at_ns: Int64s, every_ns: int, how: How, max_age_ns: int, only: Only | None = None
    ) -> Clocked:
        """What a series was at, or did from, each tick at_ns [k] of one clock (`series/clock.py`)."""
        self._demand_series(series)
        if not len(at_ns):
            return Clocked(np.empty(0))
        history, from_ns, to_ns = self._node.history, int(at_ns[0]), int(at_ns[-1])
        if how in ("mean", "count") and only is None:
            sums = history.sums(series, from_ns, to_ns + every_ns - 1, every_ns)
            return Clocked(sums_on_clock(sums.at_ns, sums.count, sums.total, at_ns, every_ns, how), sums.stretches)
        early, late = (max_age_ns, 0) if how == "last" else (0, every_ns - 1)
        curve = self._curve(series, from_ns - early, to_ns + late, every_ns, only, divides=True)
        return Clocked(on_clock(curve.samples, at_ns, every_ns, how, max_age_ns), curve.stretches)

    def retained(self) -> tuple[Retained, ...]:
        """How long what is kept of each series, and what there is of it."""
        history = self._node.history
        names = [name for name in history.series_names() if self._may("read", f"series:{name}")]
        return tuple(Retained(name, history.retention(name), history.stretches(name)) for name in names)

    def span(self) -> tuple[int, int] | None:
        """The first and the last instant that any series has a sample of."""
        self._demand("read", "space")
        return self._node.history.span()

    def forecast(self, series: Sequence[str]) -> tuple[ForecastColumns, ...]:
        """The newest forecast of each series that has one."""
        found: list[ForecastColumns] = []
        for name in series:
            self._demand_series(name)
            forecast = self._node.history.forecast(name)
            if forecast is not None:
                found.append(ForecastColumns(name, forecast.issued_ns, forecast.at_ns, forecast.value))
        return tuple(found)

    def _curve(
        self, name: str, from_ns: int, to_ns: int, finest_ns: int, only: Only | None, *, divides: bool = False
    ) -> Curve:
        """Samples of a series, from tiers where they are fine enough; with `only` from all samples, those that pass."""
        history = self._node.history
        if only is None:
            return history.curve(name, from_ns, to_ns, finest_ns, divides=divides)
        curve = history.curve(name, from_ns, to_ns)
        if coarse := [s for s in curve.stretches if s.every_ns is not None]:
            raise Invalid(
                f"of {name} until {to_iso(coarse[-1].to_ns)} only tiers are kept, and they do not tell good readings "
                "from bad ones; ask without only=, or for what came later"
            )
        kept = keep(curve.samples, self._node.marks.levels(name, curve.samples), only)
        return Curve(kept, curve.stretches)

    def _judged(self, name: str, curve: Curve, samples: Samples) -> HistoryColumns:
        marks = self._node.marks
        levels = marks.levels(name, samples)
        marked = np.flatnonzero(levels)
        why: list[tuple[str, ...]] = [()] * len(samples)
        for row, reasons in zip(marked.tolist(), marks.reasons(name, samples.at_ns[marked]), strict=True):
            why[row] = reasons
        words: list[Quality] = [WORDS[level] for level in map(int, levels.tolist())]
        return replace(_columns(name, curve, samples), quality=tuple(words), why=tuple(why))

    # ---- the log

    async def feed(self, start: int | None = None) -> AsyncIterator[FeedMessage]:
        """What happens, from entry `start` (None: from now) on, without gap or repeat, once all reads see it."""
        self._demand("read", "feed")
        node = self._node
        first = node.log.size if start is None else start
        if not 0 <= first <= node.log.size:
            raise Invalid(f"the log has {node.log.size} entries; a feed cannot start at {first}")
        async for frame in node.log.tail(first):
            await node.follower.reach(frame.next)
            yield self._visible(node.feed.message(frame, node.log.size))

    def entries(self, start: int, stop: int) -> Entries:
        """Entries as they stand in the log, at most a thousand."""
        self._demand("read", "log")
        log = self._node.log
        if not 0 <= start <= log.size:
            raise Invalid(f"the log has {log.size} entries, so none can be read from {start} on")
        rows = [
            EntryRow(i, e.header, e.salt, e.body) if self._may("read", e.subject) else EntryRow(i, e.header, None, None)
            for i, e in log.read(start, min(stop, start + _ENTRIES_AT_ONCE))
        ]
        return Entries(log.size, tuple(rows))

    def checkpoint(self) -> str:
        """The signed checkpoint (C2SP) of the log as it is now."""
        self._demand("read", "log")
        return self._node.log.checkpoint()

    def verifier_key(self) -> str:
        """The key that checkpoints are signed with, as C2SP writes it."""
        self._demand("read", "log")
        return self._node.log.vkey

    def proof(self, index: int, size: int | None = None) -> InclusionProof:
        """Proof that entry `index` is in the log's first `size` entries."""
        self._demand("read", "log")
        log = self._node.log
        size = log.size if size is None else size
        if not 0 <= index < size <= log.size:
            raise Invalid(f"the log has {log.size} entries; there is no proof of entry {index} among {size}")
        _, entry = next(log.read(index, index + 1))
        path = tuple(log.inclusion(index, size))
        return InclusionProof(index, size, leaf_hash(entry.header), path, log.root(size))

    def consistency(self, first: int, second: int) -> ConsistencyProof:
        """Proof that the log of `first` entries is the beginning of that of `second`."""
        self._demand("read", "log")
        log = self._node.log
        if not 0 <= first <= second <= log.size:
            raise Invalid(f"the log has {log.size} entries; {first} and {second} are not two sizes of it in order")
        return ConsistencyProof(first, second, tuple(log.consistency(first, second)), log.root(first), log.root(second))

    # ---- together

    def room(self, name: str) -> Seat:
        """A seat in the shared document of that name: to watch it, and to write if `who` may."""
        self._demand("read", f"doc:{name}")
        return self._node.room(name).seat(self.who.name, may_write=self._may("write", f"doc:{name}"))

    # ---- rights

    def _may(self, verb: Verb, resource: str) -> bool:
        return self._node.rights.may(self.who, verb, resource)

    def _demand(self, verb: Verb, resource: str) -> None:
        demand(self._node.rights, self.who, verb, resource)

    def _demand_series(self, name: str) -> None:
        split_series(name)
        if not self._may("read", f"series:{name}"):
            raise Refused(f"{self.who.name} may not read {name}")

    def _demand_writing(self, series: Iterable[str]) -> None:
        if not isinstance(self._node.rights, EverybodyMayAll):  # asked for a thousand series a table
            for name in series:
                self._demand("write", f"series:{name}")

    def _visible(self, message: FeedMessage) -> FeedMessage:
        """`message` without what `who` may not see; usually the message itself."""
        may = self._may
        blocks = [b for b in message.blocks if all(may("read", f"series:{n}") for n in b.samples.names)]
        entries = [e for e in message.entries if may("read", e.subject)]
        marks = [
            FeedMarks(m.index, tuple(item for item in m.items if may("read", f"series:{item.series}")))
            for m in message.marks
        ]
        if (len(blocks), len(entries), marks) == (len(message.blocks), len(message.entries), list(message.marks)):
            return message
        return FeedMessage(message.first, message.next, message.size, tuple(blocks), tuple(entries), tuple(marks))


def _columns(name: str, curve: Curve, samples: Samples) -> HistoryColumns:
    return HistoryColumns(name, samples.at_ns, samples.value, samples.std, curve.stretches)


def _twin_row(twin: Twin) -> TwinRow:
    return TwinRow(twin.id, twin.model, twin.last_index, cast(Mapping[str, Json], twin.properties))


def _alarm_row(alarm: Alarm) -> AlarmRow:
    severity: Literal["warning", "critical"] = "critical" if alarm.severity == "critical" else "warning"
    return AlarmRow(
        alarm.id,
        alarm.twin,
        alarm.name,
        severity,
        alarm.text,
        alarm.since_ns,
        alarm.until_ns,
        alarm.cost_kwh,
        None if alarm.why is None else cast(dict[str, Json], msgspec.json.decode(alarm.why)),
    )
