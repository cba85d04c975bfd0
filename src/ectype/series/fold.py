"""The history as a fold: every measurement and estimate in the log, by series and time.

    entry ─► tail (as appended) ─64k rows─► runs (sorted, in memory) ─1 M rows─► part (sorted, Parquet)
                                                     four parts ─► one larger part (compaction.py)
                                                     what is past ─► tiers (retention.py, tiers.py)

A question looks into the parts, the runs and the tail, oldest first, and of samples of one series at one instant
the last appended wins; so late rows land at their place wherever they are kept. Parts are made in a thread beside.
Of a forecast only the newest is kept.

    folder/part-N.parquet   closed parts
    folder/tier-N.parquet   tiers, if the space has rules for them
    folder/run-N.parquet    runs, so that a restart need not fold them again
    folder/SIZE.snapshot    which of these files count at which size of the log, and the tail
"""

import logging
from collections.abc import Generator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

import msgspec
import numpy as np

from ectype.errors import Damaged, EctypeError, Invalid, Misconfigured, Unavailable
from ectype.ids import split_series
from ectype.log.entry import Entry
from ectype.log.fold import Readable, load, save
from ectype.series.answers import Curve, Forecast, Sums
from ectype.series.compaction import Sizes
from ectype.series.kept import (
    Kept,
    KeptForecast,
    KeptRejected,
    column,
    float64s,
    int64s,
    kept_tiers,
    restore_tiers,
    run_of,
    samples_of,
)
from ectype.series.newest import Newest
from ectype.series.part import Part, PartInfo
from ectype.series.part_writer import give_back, write_part
from ectype.series.retention import ALL, Retention, Rule
from ectype.series.retire import Closed, close
from ectype.series.run import Run
from ectype.series.samples import Samples, merge
from ectype.series.tail import Tail
from ectype.series.tier import cut
from ectype.series.tiers import Sight, Stretch, Tiers
from ectype.series.upkeep import Upkeep
from ectype.values.arrow import from_arrow_with_metadata
from ectype.values.block import Block, Float64s, Int32s, Int64s

__all__ = ["Curve", "Forecast", "History", "Samples", "Sizes", "Sums"]

_KINDS = ("measured", "estimated", "predicted")
_REJECTED = 1000  # how many are kept to look at; all are counted
_LIMITS = np.iinfo(np.int64)
_LARGE = 250_000  # samples: what an answer of so many took of memory is given back
_log = logging.getLogger("ectype.series")


@final
@dataclass(slots=True, eq=False)
class _Held:
    """A run in memory, and its file once it has one."""

    run: Run
    file: PartInfo | None = None


@final
class History:
    """The samples of all series at `size` entries of a log. Calls belong to one thread. See `History.open`."""

    name = "series"
    version = 2

    def __init__(
        self,
        folder: Path | None,
        log: Readable | None,
        sizes: Sizes,
        executor: Executor | None,
        retention: Retention = ALL,
    ) -> None:
        """Use `History.open`."""
        self.size = 0
        self.rejected_count = 0
        self._folder = folder
        self._log = log
        self._sizes = sizes
        self._executor = executor
        self._own_executor: Executor | None = None
        self._names: list[str] = []
        self._ids: dict[str, dict[str, int]] = {kind: {} for kind in _KINDS}
        self._old: list[Part | Run] = []
        self._held: list[_Held] = []
        self._tail = Tail()
        self._newest = Newest()
        self._newest_rows = 0  # how much of the tail `_newest` has seen
        self._span: tuple[int, int] | None = None
        self._forecasts: dict[str, Forecast] = {}
        self._rejected: list[KeptRejected] = []
        self._tiers = Tiers(retention)
        self._appended_ns: int | None = None  # when the newest entry was appended
        self._closing: tuple[int, Future[Closed]] | None = None
        self._upkeep: Upkeep | None = None
        if folder is not None:
            self._upkeep = Upkeep(folder, sizes, executor, self._names, self._old, self._tiers, self._id_of)
        self._saved: int | None = None
        self._damaged = False
        self._large = False  # whether there was a large answer since the last save

    @classmethod
    def open(
        cls,
        folder: Path | None = None,
        log: Readable | None = None,
        *,
        sizes: Sizes | None = None,
        executor: Executor | None = None,
        retention: Retention = ALL,
    ) -> "History":
        """The history of `log` kept in `folder`, as far as it had come; None: in memory alone, for branches and tests.

        What is there but damaged, of another version, of other rules or not of `log` is thrown away: the size is 0
        then. executor: where parts are made; by default a thread of its own. retention: how long what is kept; what
        is in memory alone keeps everything.
        """
        sizes = sizes or Sizes()
        if folder is None:
            return cls(folder, log, sizes, executor)
        history = cls(folder, log, sizes, executor, retention)
        if log is None:
            raise Misconfigured("a history in a folder needs the log that it is of")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            try:
                load(history, log, folder)
            except Damaged as error:
                _log.warning("%s: the history is folded again from the log", error)
                history = cls(folder, log, sizes, executor, retention)
            history._sweep()
        except OSError as error:
            raise Unavailable(f"{folder}: the history cannot be opened: {error.strerror}") from error
        return history

    # ---- the fold

    def apply(self, index: int, entry: Entry) -> None:
        """Take in entry `index`, which must be `size`."""
        if index != self.size:
            raise Invalid(f"the history has seen {self.size} entries and cannot take number {index}")
        if entry.kind in _KINDS:
            due = self._tiers.due(self._now_ns()) if self._tiers.any else None
            try:
                self._take(entry, due)
            except EctypeError as error:
                self.rejected_count += 1
                self._rejected = [
                    *self._rejected[1 - _REJECTED :],
                    KeptRejected(index, entry.kind, entry.subject, str(error)),
                ]
        self._appended_ns = entry.at_ns if self._appended_ns is None else max(self._appended_ns, entry.at_ns)
        self.size += 1

    @property
    def busy(self) -> bool:
        """Whether the next rows would have to wait until a part is made: whoever has a loop to run waits for that."""
        if self._closing is None or self._closing[1].done():
            return False
        rows = sum(len(held.run) for held in self._held[self._closing[0] :]) + self._tail.rows
        return rows >= self._sizes.part - self._sizes.run

    def _now_ns(self) -> int | None:
        """What age is counted from (retention.py)."""
        return None if self._span is None or self._appended_ns is None else min(self._span[1], self._appended_ns)

    def _take(self, entry: Entry, due: Int64s | None) -> None:
        if entry.body is None:
            raise Invalid("its body is erased")
        block, metadata = from_arrow_with_metadata(entry.body)
        if entry.kind == "predicted":
            self._predict(block, metadata.get("issued_at_ns", ""))
            return
        ids = self._identify(entry.kind, block.names)
        if len(block):
            series = np.array(ids, np.int32)[block.series]
            if due is None:
                self._append(series, block.at_ns, block.value, block.std)
            else:
                self._sort_out(series, block, due)

    def _identify(self, kind: str, names: Sequence[str]) -> list[int]:
        """The ids of series, new ones for new names. Raises Invalid if one cannot be in an entry of that kind."""
        known = self._ids[kind]
        for name in names:
            if name not in known and split_series(name)[2] != kind:
                raise Invalid(f"{name[:200]!r} has no place in an entry of kind {kind}")
        for name in names:
            if name not in known:
                known[name] = len(self._names)
                self._names.append(name)
                self._tiers.know(name)
        return [known[name] for name in names]

    def _sort_out(self, series: Int32s, block: Block, due: Int64s) -> None:
        """Append what is not past already; what is counts in the tiers of its series, if it has some."""
        bounds = np.append(due, np.full(len(self._names) - len(due), self._tiers.due(self._now_ns())[len(due) :]))
        late = block.at_ns < bounds[series]
        if late.any():
            self._settle()
            rows = Run.of(
                series[late], block.at_ns[late], block.value[late], None if block.std is None else block.std[late]
            )
            self._newest.fold(rows, len(self._names))
            having = late & self._tiers.with_any()[series]
            std = None if block.std is None else block.std[having]
            self._tiers.late.append(series[having], block.at_ns[having], block.value[having], std)
            self._see(block.at_ns)
        on_time = ~late
        if on_time.any():
            std = None if block.std is None else block.std[on_time]
            self._append(series[on_time], block.at_ns[on_time], block.value[on_time], std)

    def _see(self, at_ns: Int64s) -> None:
        first, last = int(at_ns.min()), int(at_ns.max())
        self._span = (min(self._span[0], first), max(self._span[1], last)) if self._span else (first, last)

    def _append(self, series: Int32s, at_ns: Int64s, value: Float64s, std: Float64s | None) -> None:
        self._see(at_ns)
        start = 0
        while start < len(series):
            rows = slice(start, start + self._sizes.run - self._tail.rows)
            self._tail.append(series[rows], at_ns[rows], value[rows], None if std is None else std[rows])
            start = rows.stop
            if self._tail.rows == self._sizes.run:
                self._close_run()

    def _predict(self, block: Block, issued: str) -> None:
        if not issued.removeprefix("-").isdecimal() or abs(int(issued)) > _LIMITS.max:
            raise Invalid('a forecast says in its metadata when it was made, as "issued_at_ns"')
        for name in block.names:
            if split_series(name)[2] != "predicted":
                raise Invalid(f"{name[:200]!r} has no place in an entry of kind predicted")
        if not len(block):
            return
        run = Run.of(block.series, block.at_ns, block.value, block.std)
        for k in (int(each) for each in run.ids):
            before = self._forecasts.get(block.names[k])
            samples = run.slice(k, _LIMITS.min, _LIMITS.max)
            if samples is not None and (before is None or before.issued_ns <= int(issued)):
                forecast = Forecast(int(issued), samples.at_ns, samples.value, _some(samples.std))
                self._forecasts[block.names[k]] = forecast

    # ---- from tail to run to part

    def _close_run(self) -> None:
        run = self._tail.run()
        self._newest.fold(run, len(self._names))
        self._tail.clear()
        self._newest_rows = 0
        self._held.append(_Held(run))
        closing = self._closing[0] if self._closing else 0
        if sum(len(held.run) for held in self._held[closing:]) >= self._sizes.part:
            self._close_part()

    def _close_part(self) -> None:
        """Begin to make a part of all runs. They answer questions until it is there."""
        self._adopt(wait=True)
        runs = [held.run for held in self._held]
        if not runs:
            return
        if self._upkeep is None:
            self._old.append(Run.merge(runs))
            self._held = []
            return
        new_file, names, row_group = self._upkeep.new_file, self._names, self._sizes.row_group
        path = new_file("part")
        tiers = {every_ns: (new_file("tier"), self._tiers.with_tier(every_ns)) for every_ns in self._tiers.live}

        def write() -> Closed:
            return close(Run.merge(runs), names, path, tiers, row_group)

        if self._executor is None:
            self._executor = self._own_executor = ThreadPoolExecutor(1, "ectype-series")
        self._closing = (len(runs), self._executor.submit(write))

    def _adopt(self, *, wait: bool = False) -> None:
        """Let the part that was being made take the place of its runs, if it is there."""
        if self._upkeep is None:
            return
        if self._closing is not None and (wait or self._closing[1].done()):
            (count, future), self._closing = self._closing, None
            try:
                closed = future.result()
                part = self._upkeep.open_part(closed.part)
                tiers = {every_ns: self._upkeep.open_tier(info) for every_ns, info in closed.tiers.items()}
            except (OSError, ValueError, Damaged) as error:  # pyarrow's errors are of these
                _log.warning("no part of the history could be made, so it stays in memory for now: %s", error)
            else:
                self._old.append(part)
                for every_ns, tier in tiers.items():
                    self._tiers.live[every_ns].append(tier)
                self._upkeep.dead += [held.file for held in self._held[:count] if held.file is not None]
                self._held = self._held[count:]
                self._work()
        if self._upkeep.done:
            self._work()

    def _work(self) -> None:
        """Adopt what was made beside, and begin what is next."""
        if self._upkeep is not None:
            self._upkeep.work(self._now_ns(), lambda: [*(held.run for held in self._held), self._tail.run()])

    def _id_of(self, name: str) -> int:
        kind = split_series(name)[2]
        if name not in self._ids.get(kind, {}):
            raise Damaged(f"a part holds the series {name[:200]!r}, which the snapshot does not know")
        return self._ids[kind][name]

    # ---- what survives a restart

    def save(self) -> None:
        """Let the folder say what was folded so far. Raises Unavailable if the disk does not take it."""
        self._adopt()
        if self._upkeep is None or self._folder is None or self._log is None or self._damaged:
            return
        self._work()
        if self._large:
            self._large = False
            give_back()
        if self._saved == self.size and not self._upkeep.dead:
            return
        try:
            for held in self._held:
                if held.file is None:
                    held.file = write_part(self._upkeep.new_file("run"), held.run, self._names, self._sizes.row_group)
            save(self, self._log, self._folder)
            self._upkeep.delete()
        except OSError as error:
            raise Unavailable(f"{self._folder}: the history could not be saved: {error}") from error
        self._saved = self.size

    def settle(self) -> None:
        """Wait until every part that is due is made and merged. Nobody needs to: questions are answered meanwhile."""
        self._adopt(wait=True)
        while self._upkeep is not None and self._upkeep.wait():
            self._adopt()

    def close(self) -> None:
        """Finish what is being made, and save."""
        self._adopt(wait=True)
        self.save()
        if self._upkeep is not None:
            self._upkeep.close()
        if self._own_executor is not None:
            self._own_executor.shutdown()
            self._executor = self._own_executor = None

    def snapshot(self) -> bytes:
        """What `restore` takes: everything that is in no file, and which files count."""
        self._settle()
        run = self._tail.run()
        kept = Kept(
            names=self._names,
            parts=[part.info for part in self._old if isinstance(part, Part)],
            runs=[held.file for held in self._held if held.file is not None],
            files=0 if self._upkeep is None else self._upkeep.files,
            ids=column(run.ids.astype(np.int64)),
            starts=column(run.starts),
            at_ns=column(run.at_ns),
            value=column(run.value),
            std=None if run.std is None else column(run.std),
            seen=self._newest.seen.tobytes(),
            newest_at_ns=column(self._newest.at_ns),
            newest_value=column(self._newest.value),
            newest_std=column(self._newest.std),
            span=self._span,
            forecasts={
                name: KeptForecast(
                    f.issued_ns, column(f.at_ns), column(f.value), None if f.std is None else column(f.std)
                )
                for name, f in self._forecasts.items()
            },
            rejected_count=self.rejected_count,
            rejected=self._rejected,
            appended_ns=self._appended_ns,
            tiers=kept_tiers(self._tiers),
        )
        return msgspec.msgpack.encode(kept)

    def restore(self, size: int, state: bytes) -> None:
        """Become what `snapshot` gave at `size`. Raises Damaged if a file that it names is not as it was."""
        assert self._upkeep is not None
        kept = msgspec.msgpack.decode(state, type=Kept)
        if kept.tiers.rules != self._tiers.retention.digest():
            raise Damaged(f"{self._folder}: retention.toml says something else than before")
        self._names[:] = kept.names
        for number, name in enumerate(self._names):
            self._ids[split_series(name)[2]][name] = number
            self._tiers.know(name)
        restore_tiers(self._tiers, kept.tiers, self._upkeep.open_tier)
        self._appended_ns = kept.appended_ns
        self._old[:] = [self._upkeep.open_part(info) for info in kept.parts]
        self._held = [_Held(self._upkeep.open_part(info).load(), info) for info in kept.runs]
        run = run_of(kept)
        if run is not None:
            self._tail.append(run.series(), run.at_ns, run.value, run.std)
        self._newest.seen = np.frombuffer(kept.seen, np.bool_).copy()
        self._newest.at_ns = int64s(kept.newest_at_ns)
        self._newest.value = float64s(kept.newest_value)
        self._newest.std = float64s(kept.newest_std)
        self._newest_rows = self._tail.rows
        self._span = kept.span
        for name, forecast in kept.forecasts.items():
            samples = samples_of(forecast)
            self._forecasts[name] = Forecast(forecast.issued_ns, samples.at_ns, samples.value, samples.std)
        self.rejected_count, self._rejected = kept.rejected_count, kept.rejected
        self._upkeep.files = kept.files
        self.size = self._saved = size

    def _sweep(self) -> None:
        """Delete files that no snapshot names: half-made ones, and those of a history that was thrown away."""
        named = {part.info.file for part in self._old if isinstance(part, Part)}
        for parts in (*self._tiers.live.values(), *self._tiers.past.values()):
            named |= {part.info.file for part in parts}
        named |= {held.file.file for held in self._held if held.file is not None}
        assert self._upkeep is not None
        self._upkeep.sweep(named, snapshots=self._saved is not None)

    # ---- questions

    def range(self, series: str, from_ns: int = _LIMITS.min, to_ns: int = _LIMITS.max) -> Samples:
        """The samples of a series from `from_ns` to `to_ns`, both included, by time; none if nobody knows it. Where
        its samples are past, those that its tiers have: the first, lowest, highest and last of each stretch.

        Raises Unavailable if a file turns out to be damaged: the next start folds it again from the log.
        """
        return self.curve(series, from_ns, to_ns).samples

    def curve(
        self,
        series: str,
        from_ns: int = _LIMITS.min,
        to_ns: int = _LIMITS.max,
        finest_ns: int = 0,
        *,
        divides: bool = False,
    ) -> Curve:
        """The same, and from where. What is coarser than `finest_ns` is only taken where nothing finer is kept; of
        what is not, the coarsest (divides: of what divides it), as it is read soonest. No extreme is ever lost.
        """
        known = self._find(series)
        if known is None:
            return Curve(Samples.empty(), ())
        sight, stretches = self._see_stretches(known, from_ns, to_ns, finest_ns, divides=divides)
        pieces: list[Samples] = []
        with self._believing():
            for each in stretches:
                if each.every_ns is None:
                    pieces.append(sight.samples(known, each.from_ns, each.to_ns))
                else:
                    tier = sight.tier(known, each.every_ns, each.from_ns, each.to_ns)
                    pieces.append(cut(tier, each.from_ns, each.to_ns).picks)
        samples = merge([piece for piece in pieces if len(piece)])
        self._large |= len(samples) > _LARGE
        return Curve(Samples(samples.at_ns, samples.value, _some(samples.std)), tuple(stretches))

    def sums(self, series: str, from_ns: int, to_ns: int, every_ns: int) -> Sums:
        """How many samples (gaps left out) there are of a series, and their sum, from `from_ns` to `to_ns`: of each
        by itself or of stretches that divide `every_ns`, longer ones only where nothing finer is kept.
        """
        known = self._find(series)
        if known is None:
            return Sums(np.empty(0, np.int64), np.empty(0), np.empty(0), ())
        sight, stretches = self._see_stretches(known, from_ns, to_ns, every_ns, divides=True)
        found: list[tuple[Int64s, Float64s, Float64s]] = []
        with self._believing():
            for each in stretches:
                if each.every_ns is None:
                    samples = sight.samples(known, each.from_ns, each.to_ns)
                    there = ~np.isnan(samples.value)
                    found.append((samples.at_ns[there], np.ones(int(there.sum())), samples.value[there]))
                else:
                    tier = cut(sight.tier(known, each.every_ns, each.from_ns, each.to_ns), each.from_ns, each.to_ns)
                    found.append((tier.start_ns, tier.count, tier.total))
        if not found:
            return Sums(np.empty(0, np.int64), np.empty(0), np.empty(0), ())
        at_ns, count, total = (np.concatenate(columns) for columns in zip(*found, strict=True))
        return Sums(at_ns, count, total, tuple(stretches))

    def retention(self, series: str) -> Rule:
        """How long what is kept of a series."""
        known = self._find(series)
        return self._tiers.retention.of(series) if known is None else self._tiers.rule(known)

    def stretches(self, series: str) -> tuple[Stretch, ...]:
        """What there is of a series: from when to when its samples, and which of its tiers before."""
        known = self._find(series)
        if known is None or self._span is None:
            return ()
        return tuple(self._tiers.stretches(known, *self._span, self._now_ns()))

    def _see_stretches(
        self, known: int, from_ns: int, to_ns: int, finest_ns: int, *, divides: bool
    ) -> tuple[Sight, list[Stretch]]:
        self._adopt()
        low, high = (min(max(ns, int(_LIMITS.min)), int(_LIMITS.max)) for ns in (from_ns, to_ns))
        stretches = self._tiers.stretches(known, low, high, self._now_ns(), finest_ns, divides=divides)
        return self._tiers.sight(self._old, [*(held.run for held in self._held), self._tail]), stretches

    @contextmanager
    def _believing(self) -> Generator[None]:
        """Raises Unavailable, and lets the next start fold anew, if a file turns out to be damaged."""
        try:
            yield
        except Damaged as error:
            self._give_up()
            raise Unavailable(f"{error}; start again: the history is then folded anew from the log") from error

    def _give_up(self) -> None:
        """What is on disk cannot be believed any more: the next start shall not."""
        self._damaged = True
        if self._folder is not None:
            for path in self._folder.glob("*.snapshot"):
                path.unlink(missing_ok=True)

    def last(self, series: str) -> tuple[int, float, float | None] | None:
        """(at_ns, value, std) of the newest sample of a series by time; of repeats the last appended."""
        known = self._find(series)
        if known is None:
            return None
        self._settle()
        return self._newest.get(known)

    def last_all(self) -> dict[str, tuple[int, float, float | None]]:
        """The newest sample of every series that has one, by name."""
        self._settle()
        newest = self._newest
        stds = [None if std != std else std for std in newest.std.tolist()]
        rows = zip(self._names, newest.seen.tolist(), newest.at_ns.tolist(), newest.value.tolist(), stds, strict=False)
        return {name: (at_ns, value, std) for name, seen, at_ns, value, std in rows if seen}

    def series_names(self) -> list[str]:
        """The series that have samples, sorted."""
        return sorted(self.last_all())

    def span(self) -> tuple[int, int] | None:
        """The first and the last instant of any sample; None if there is none."""
        return self._span

    def forecast(self, series: str) -> Forecast | None:
        """The newest forecast of a series (`turbine-1.power@predicted`)."""
        return self._forecasts.get(series)

    def forecast_names(self) -> list[str]:
        """The series that have a forecast, sorted."""
        return sorted(self._forecasts)

    def rejected(self) -> list[tuple[int, str, str, str]]:
        """(index, kind, subject, reason) of the latest entries that meant nothing to the history, oldest first."""
        return [(each.index, each.kind, each.subject, each.reason) for each in self._rejected]

    def _find(self, series: str) -> int | None:
        known = self._ids["measured"].get(series)
        return self._ids["estimated"].get(series) if known is None else known

    def _settle(self) -> None:
        if self._newest_rows < self._tail.rows:
            self._newest.fold(self._tail.run(self._newest_rows), len(self._names))
            self._newest_rows = self._tail.rows


def _some(std: Float64s | None) -> Float64s | None:
    """None instead of nothing but NaN."""
    return None if std is None or bool(np.isnan(std).all()) else std
