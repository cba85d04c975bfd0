"""What the history keeps of what it does not keep sample by sample: tiers, and from when on each series has samples.

    live    the tiers of what is in parts, one file a part, made with it and merged apart from it; what is in runs and
            in the tail is added when a question comes
    past    the tiers of samples that are gone; each sample in them counts, whatever comes later
    late    samples that came when those of their time were past already, until they are put into `past`
    gone    [series] before when no sample is kept: rows before it in parts and in live tiers do not count any more
    due     [series] before when samples are past, by the rules: what lies between gone and due is still there, yet
            questions are answered from tiers made of it, so that nobody sees when the work is done

All bounds are whole multiples of a rule's coarsest tier, so no stretch is half of this and half of that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from ectype.series.part import Part
from ectype.series.retention import EVERYTHING, Retention, Rule
from ectype.series.run import Piece, Run
from ectype.series.samples import Samples, merge
from ectype.series.tail import Tail
from ectype.series.tier import PER_SERIES, Tier, cut, join, mended, tier_of
from ectype.series.tier_file import tier_in
from ectype.values.block import Int64s

Which = Literal["live", "past"]
FIRST_NS, LAST_NS = int(np.iinfo(np.int64).min), int(np.iinfo(np.int64).max)


@final
@dataclass(frozen=True, slots=True)
class Stretch:
    """From `from_ns` to `to_ns`, both included, a series is answered from the tier of `every_ns`, or (None) from its
    samples.
    """

    from_ns: int
    to_ns: int
    every_ns: int | None


@final
@dataclass(slots=True, eq=False)
class Tiers:
    """See above. live, past: by the length of their stretches. Calls belong to one thread, but for `Sight`'s."""

    retention: Retention
    live: dict[int, list[Part]] = field(default_factory=dict[int, list[Part]])
    past: dict[int, list[Part]] = field(default_factory=dict[int, list[Part]])
    late: Tail = field(default_factory=Tail)
    gone: Int64s = field(default_factory=lambda: np.empty(0, np.int64))
    _rules: list[Rule] = field(default_factory=list[Rule])
    _which: list[int] = field(default_factory=list[int])
    _numbers: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))  # the same, as a column
    _due: tuple[int | None, int, Int64s] | None = None

    def __post_init__(self) -> None:
        self._rules = [*self.retention.rules, EVERYTHING]
        for every_ns in self.retention.widths():
            self.live[every_ns], self.past[every_ns] = [], []

    @property
    def any(self) -> bool:
        """Whether there are rules at all."""
        return len(self._rules) > 1

    def know(self, name: str) -> None:
        """There is one more series."""
        if self.any:
            self._which.append(self._rules.index(self.retention.of(name)))

    def _by_series(self) -> NDArray[np.intp]:
        if len(self._numbers) < len(self._which):
            self._numbers = np.append(self._numbers, np.array(self._which[len(self._numbers) :], np.intp))
        return self._numbers

    def rule(self, series: int) -> Rule:
        """What counts for a series."""
        return self._rules[self._which[series]] if self.any else EVERYTHING

    def due(self, now_ns: int | None) -> Int64s:
        """[series] before when samples are past at `now_ns`."""
        if self._due is None or self._due[:2] != (now_ns, len(self._which)):
            bounds = np.array([_before(rule.raw_ns, rule, now_ns) for rule in self._rules], np.int64)
            self._due = now_ns, len(self._which), bounds[self._by_series()]
            more = len(self._which) - len(self.gone)
            self.gone = np.append(self.gone, np.full(more, FIRST_NS)) if more else self.gone
        return self._due[2]

    def kept(self, every_ns: int, now_ns: int | None) -> Int64s:
        """[series] when the first stretch of that length begins that is still kept; LAST_NS if there is none."""
        bounds: list[int] = []
        for rule in self._rules:
            keep = [tier.keep_ns for tier in rule.tiers if tier.every_ns == every_ns]
            bounds.append(_before(keep[0], rule, now_ns) if keep else LAST_NS)
        return np.array(bounds, np.int64)[self._by_series()]

    def with_tier(self, every_ns: int) -> NDArray[np.bool_]:
        """[series] whether it has such a tier."""
        has = [any(tier.every_ns == every_ns for tier in rule.tiers) for rule in self._rules]
        return np.array(has)[self._by_series()]

    def with_any(self) -> NDArray[np.bool_]:
        """[series] whether it has a tier."""
        return np.array([bool(rule.tiers) for rule in self._rules])[self._by_series()]

    def stretches(
        self, series: int, from_ns: int, to_ns: int, now_ns: int | None, finest_ns: int = 0, *, divides: bool = False
    ) -> list[Stretch]:
        """What answers from `from_ns` to `to_ns`, oldest first: samples as far as they are kept, then tiers. What is
        coarser than `finest_ns` is not taken where something finer is kept. divides: nor what does not divide it.
        """
        rule = self.rule(series)
        levels: list[tuple[int | None, int]] = [(None, _before(rule.raw_ns, rule, now_ns))]
        levels += [(tier.every_ns, _before(tier.keep_ns, rule, now_ns)) for tier in rule.tiers]
        good = [e for e, _ in levels if e and e <= finest_ns and not (divides and finest_ns % e)]
        coarse = max(good, default=None)
        found: list[Stretch] = []
        high = to_ns
        for every_ns, low in levels:
            if coarse is not None and (every_ns is None or every_ns < coarse):
                continue
            low = max(low, from_ns)
            if low <= high:
                found.append(Stretch(low, high, every_ns))
                high = low - 1
        return found[::-1]

    def sight(self, raw: Sequence[Piece], memory: Sequence[Piece]) -> "Sight":
        """Everything there is now, for a question or for work beside. raw: parts; memory: runs and tail."""
        live = {every_ns: tuple(parts) for every_ns, parts in self.live.items()}
        past = {every_ns: tuple(parts) for every_ns, parts in self.past.items()}
        return Sight(tuple(raw), tuple(memory), live, past, self.late, self.gone)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """All pieces as they were at one time. Raises Damaged where a file is not what was written."""

    raw: tuple[Piece, ...]
    memory: tuple[Piece, ...]
    live: dict[int, tuple[Part, ...]]
    past: dict[int, tuple[Part, ...]]
    late: Tail
    gone: Int64s

    @property
    def deviating(self) -> bool:
        """Whether any sample may have a standard deviation."""
        files = [part for parts in self.live.values() for part in parts]
        return any(part.info.deviating for part in files) or any(
            run.std is not None for run in (*self.memory_runs(), self.late.run())
        )

    def memory_runs(self) -> list[Run]:
        """The runs among what is in memory."""
        return [piece for piece in self.memory if isinstance(piece, Run)]

    def samples(self, series: int, from_ns: int, to_ns: int) -> Samples:
        """The samples that are kept."""
        from_ns = max(from_ns, self._gone(series))
        if from_ns > to_ns:
            return Samples.empty()
        found = (piece.slice(series, from_ns, to_ns) for piece in (*self.raw, *self.memory))
        return merge([samples for samples in found if samples is not None])

    def tier(self, series: int, every_ns: int, from_ns: int, to_ns: int) -> Tier:
        """The tier of a series; from_ns and to_ns are widened to whole stretches."""
        from_ns, to_ns = _whole(every_ns, from_ns, to_ns)
        past = [tier_in(part, series, every_ns, from_ns, to_ns) for part in self.past[every_ns]]
        live = self.live_tier(series, every_ns, from_ns, to_ns)
        pieces = [tier for tier in (*past, live) if tier is not None and len(tier.bucket)]
        return join([*pieces, *self.late_tier(series, every_ns, from_ns, to_ns)], every_ns, add=True)

    def live_tier(
        self, series: int, every_ns: int, from_ns: int, to_ns: int, files: Sequence[Tier] | None = None
    ) -> Tier:
        """The tier of the samples that are kept. files: what its files have, if that was read already."""
        from_ns = max(from_ns, self._gone(series))
        if from_ns > to_ns:
            return join([], every_ns, add=True)
        if files is None:
            read = [tier_in(part, series, every_ns, from_ns, to_ns) for part in self.live[every_ns]]
            files = [tier for tier in read if tier is not None]
        else:
            files = [cut(tier, from_ns, to_ns) for tier in files]
        memory = [piece.slice(series, from_ns, to_ns) for piece in self.memory]
        pieces = [*files, *(tier_of(samples, every_ns) for samples in memory if samples is not None)]
        whole = join([tier for tier in pieces if len(tier.bucket)], every_ns, add=False)
        return mended(whole, lambda low, high: self.samples(series, low, high))

    def late_tier(self, series: int, every_ns: int, from_ns: int, to_ns: int) -> list[Tier]:
        """That of the samples that came late; nothing if there are none."""
        samples = self.late.each(series)
        low, high = np.searchsorted(samples.at_ns, from_ns), np.searchsorted(samples.at_ns, to_ns, side="right")
        if low == high:
            return []
        tier = tier_of(samples.take(slice(int(low), int(high))), every_ns)
        at_ns = tier.picks.at_ns
        last = np.flatnonzero(np.append(at_ns[1:] != at_ns[:-1], True))
        return [Tier(every_ns, tier.picks.take(last), tier.bucket, tier.count, tier.total)]

    def _gone(self, series: int) -> int:
        return int(self.gone[series]) if series < len(self.gone) else FIRST_NS


def gone_part(part: Part, gone: Int64s, per_series: int = 1) -> float:
    """Which share of a part's rows are before `gone`, as far as one can tell without looking. 1.0: all, surely."""
    bounds = np.append(gone, np.full(max(0, int(part.ids.max(initial=0)) // per_series + 1 - len(gone)), FIRST_NS))
    bound = bounds[part.ids // per_series]
    if bool((part.last_ns < bound).all()):
        return 1.0
    rows = part.stop - part.start
    span = np.maximum(part.last_ns.astype(np.float64) - part.first_ns, 1.0)
    share = np.clip((bound.astype(np.float64) - part.first_ns) / span, 0.0, 1.0)
    return min(float((share * rows).sum() / rows.sum()), 0.999)


def gone_tier(part: Part, gone: Int64s) -> float:
    """The same of a tier's file."""
    return gone_part(part, gone, PER_SERIES)


def _before(keep_ns: int | None, rule: Rule, now_ns: int | None) -> int:
    """Before when what is kept for so long is past."""
    if keep_ns is None or now_ns is None:
        return FIRST_NS
    return max((now_ns - keep_ns) // rule.align_ns * rule.align_ns, FIRST_NS)


def _whole(every_ns: int, from_ns: int, to_ns: int) -> tuple[int, int]:
    low, high = from_ns // every_ns * every_ns, (to_ns // every_ns + 1) * every_ns - 1
    return max(low, FIRST_NS), min(high, LAST_NS)
