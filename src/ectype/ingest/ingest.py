"""Messages from any source into the log: one `measured` entry per append, and one for what was set aside.

    deliver ─┐                                     ┌─ everything that waits ─► one block, sealed ─► log.append
    deliver ─┼─► waiting, in order, bounded ────────┤                                                   │
    deliver ─┘                                     └◄─────────── durable: these delivers return ◄───────┘

One append is in flight at a time. What comes while it is under way shares the next entry, so a signature
and a disk flush are paid per flush of the disk and not per message, and a lone message waits for nobody.
What waits is decoded together too: a hundred messages cost little more than ten.
"""

import asyncio
import logging
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Protocol, final

import msgspec

from ectype.clock import Clock, system_clock
from ectype.errors import Unavailable
from ectype.ingest.bindings import Bindings
from ectype.ingest.clocks import ClockError
from ectype.ingest.decode import Decoder, Known, SetAside, set_aside_bodies
from ectype.ingest.quality import Checks, Verdict
from ectype.ingest.repeats import Repeats, arrivals
from ectype.ingest.resent import History, Resent
from ectype.ingest.sparkplug import Sparkplug
from ectype.log.entry import Entry, seal
from ectype.sources.base import Message
from ectype.sources.batch import parts_of, stretches
from ectype.trust.keys import Signer
from ectype.values.arrow import MEDIA_TYPE, to_arrow
from ectype.values.block import Block

log = logging.getLogger("ectype.ingest")

ROWS_PER_ENTRY = 100_000
_WAITING = 100_000  # messages
_PER_APPEND = 25_000  # messages
_APPEND_BYTES = 3 << 20
_VERDICTS = 5000  # in one entry
_REMEMBERED_REASONS = 20
_row = itemgetter(0)
_REMEMBERED_SOURCES = 10_000


class Appends(Protocol):
    """The part of `ectype.log.Log` that ingest needs. size: how many entries are durable."""

    size: int

    async def append(self, entries: Sequence[Entry], *, expected: Mapping[str, int | None] | None = None) -> range:
        """Durable on return."""
        ...


@final
@dataclass(frozen=True, slots=True)
class IngestStats:
    """Counts since the start.

    messages: understood and durable; samples: the values in them; set_aside: not understood, and durable as such;
    entries: appended; waiting: messages on their way to the disk now.
    reasons: the newest messages that were set aside, oldest first; last_seen_ns: per source, when it last sent;
    clocks: per source that says when it measured, how far its clock is from ours;
    repeats: readings that were delivered again and left out; suspect, bad: readings that a check spoke of;
    appending_ns: how long the append under way has taken so far.
    """

    messages: int
    samples: int
    set_aside: int
    entries: int
    waiting: int
    reasons: tuple[SetAside, ...]
    last_seen_ns: Mapping[str, int]
    clocks: Mapping[str, ClockError]
    repeats: int
    suspect: int
    bad: int
    appending_ns: int = 0


@final
class _Batch:
    __slots__ = ("done", "messages", "redelivers")

    def __init__(self, messages: Sequence[Message], done: "asyncio.Future[None]", redelivers: bool) -> None:
        self.messages = messages
        self.redelivers = redelivers
        self.done = done


@final
class Ingest:
    """Takes batches of messages from sources and returns when they are durable. Lives on one event loop.

    known: see `decode.Known`; it is asked on the loop, for each property once per batch.
    name: what the entries are about: `block:<name>` and `set-aside:<name>`. bindings: what foreign topics mean;
    checks: which readings can be trusted; history: where readings of messages that are sent again are looked up.
    """

    def __init__(
        self,
        log: Appends,
        signer: Signer,
        known: Known,
        clock: Clock = system_clock,
        name: str = "mqtt",
        bindings: Bindings | None = None,
        checks: Checks | None = None,
        history: History | None = None,
    ) -> None:
        self._log = log
        self._signer = signer
        self._decoder = Decoder(known, bindings)
        self._checks = checks
        self._repeats = Repeats()
        self._resent = None if history is None else Resent(history)
        self._clock = clock
        self._name = name
        self._waiting: deque[_Batch] = deque()
        self._waiting_messages = 0
        self._turns: deque[asyncio.Future[None]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._appending_ns: int | None = None
        self._messages = self._samples = self._set_aside = self._entries = 0
        self._reasons: deque[SetAside] = deque(maxlen=_REMEMBERED_REASONS)
        self._last_seen: dict[str, int] = {}

    @property
    def sparkplug(self) -> Sparkplug:
        """The edge nodes that were heard."""
        return self._decoder.sparkplug

    async def deliver(self, messages: Sequence[Message], *, redelivers: bool = False) -> None:
        """Return when every one of `messages` is on disk, as samples or as set aside.

        redelivers: after a loss they may come again, so those that came before are looked for and left out.

        Batches are appended in the order of the calls. Waits while too much is on its way already. Raises what the
        log raises (Unavailable); then none of these messages may be acknowledged, though some may be on disk.
        """
        if self._closed:
            raise Unavailable("this space is being closed; connect again when it is open")
        if not messages:
            return
        loop = asyncio.get_running_loop()
        if self._waiting_messages > _WAITING or self._turns:
            await self._wait_for_room(loop)
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append(_Batch(messages, done, redelivers))
        self._waiting_messages += len(messages)
        self._next_turn()
        if self._task is None:
            self._task = loop.create_task(self._drain())
        await done

    def stats(self) -> IngestStats:
        """What came in, what was set aside and why, and who was heard when."""
        return IngestStats(
            messages=self._messages,
            samples=self._samples,
            set_aside=self._set_aside,
            entries=self._entries,
            waiting=self._waiting_messages,
            reasons=tuple(self._reasons),
            last_seen_ns=dict(self._last_seen),
            clocks=self._decoder.clocks.judged(),
            repeats=self._repeats.count + (0 if self._resent is None else self._resent.count),
            suspect=0 if self._checks is None else self._checks.suspect,
            bad=0 if self._checks is None else self._checks.bad,
            appending_ns=0 if self._appending_ns is None else max(self._clock() - self._appending_ns, 0),
        )

    async def close(self) -> None:
        """Take nothing more and wait for what is on its way."""
        self._closed = True
        while self._task is not None:
            await asyncio.wait([self._task])

    async def _wait_for_room(self, loop: asyncio.AbstractEventLoop) -> None:
        """First come, first served: the order of batches is the order of calls."""
        turn: asyncio.Future[None] = loop.create_future()
        self._turns.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            self._turns.remove(turn)
            self._next_turn()
            raise
        self._turns.remove(turn)  # only now: whoever calls meanwhile must queue behind this one

    def _next_turn(self) -> None:
        if self._turns and self._waiting_messages <= _WAITING and not self._turns[0].done():
            self._turns[0].set_result(None)

    async def _drain(self) -> None:
        try:
            while self._waiting:
                await self._append(self._take())
                self._next_turn()
        finally:
            self._task = None

    def _take(self) -> list[_Batch]:
        """As many waiting batches as one append takes: at least one."""
        taken = [self._waiting.popleft()]
        count = len(taken[0].messages)
        while self._waiting and count + len(self._waiting[0].messages) <= _PER_APPEND:
            taken.append(self._waiting.popleft())
            count += len(taken[-1].messages)
        return taken

    async def _append(self, batches: list[_Batch]) -> None:
        error: BaseException | None = None
        self._appending_ns = self._clock()
        try:
            redelivers = any(b.redelivers for b in batches)
            samples = count = 0
            aside: list[SetAside] = []
            for messages, resent in stretches([b.messages for b in batches]):
                decoded = self._decoder.decode(messages)
                block, arrived = decoded.block, arrivals(messages) if redelivers or resent else set[int]()
                if resent and self._resent is not None:
                    block = await self._resent.fresh(block, arrived)
                if redelivers:
                    block = self._repeats.fresh(block, arrived)
                for entries in self._sealed(block, decoded.set_aside):
                    await self._log.append(entries)
                    count += len(entries)
                if redelivers:
                    self._repeats.remember(block, arrived)
                samples += len(block)
                aside += decoded.set_aside
            self._count(batches, samples, aside, count)
        except BaseException as failure:
            error = failure
            if not isinstance(failure, Exception):
                raise
        finally:
            self._appending_ns = None
            for batch in batches:
                self._waiting_messages -= len(batch.messages)
                if batch.done.done():
                    continue
                if error is None:
                    batch.done.set_result(None)
                else:
                    batch.done.set_exception(error if isinstance(error, Exception) else Unavailable("ingest stopped"))

    def _sealed(self, block: Block, aside: Sequence[SetAside]) -> Iterator[list[Entry]]:
        """The entries for these samples and messages, in lists that one append takes.

        What the checks say of a block is in the same append as the block, so in the same frame of the log: whoever
        reads the log frame by frame knows of each reading at once whether it can be trusted.
        """
        at_ns = self._clock()
        entries: list[Entry] = []
        size = 0
        verdicts = [] if self._checks is None else self._checks.judge_rows(block)
        rows = ROWS_PER_ENTRY if len(verdicts) <= _VERDICTS else _VERDICTS
        for start in range(0, len(block), rows):
            body = to_arrow(_cut(block, start, start + rows))
            subject = f"block:{self._name}"
            entries.append(
                seal(self._signer, kind="measured", subject=subject, body=body, media=MEDIA_TYPE, at_ns=at_ns)
            )
            size += len(body)
            if verdicts:
                first, stop = (bisect_left(verdicts, row, key=_row) for row in (start, start + rows))
                for said in quality_bodies([verdict for _, verdict in verdicts[first:stop]]):
                    subject = f"quality:{self._name}"
                    entries.append(seal(self._signer, kind="quality", subject=subject, body=said, at_ns=at_ns))
                    size += len(said)
            if size > _APPEND_BYTES:
                yield entries
                entries, size = [], 0
        for body in set_aside_bodies(aside):
            subject = f"set-aside:{self._name}"
            entries.append(seal(self._signer, kind="set-aside", subject=subject, body=body, at_ns=at_ns))
            size += len(body)
            if size > _APPEND_BYTES:
                yield entries
                entries, size = [], 0
        if entries:
            yield entries

    def _count(self, batches: Sequence[_Batch], samples: int, aside: Sequence[SetAside], entries: int) -> None:
        self._messages += sum(len(b.messages) for b in batches) - len(aside)
        self._samples += samples
        self._set_aside += len(aside)
        self._entries += entries
        if aside:
            self._reasons.extend(aside[-_REMEMBERED_REASONS:])
            log.debug("set %d messages aside; the last: %s: %s", len(aside), aside[-1].topic, aside[-1].reason)
        for part in parts_of(batch.messages for batch in batches):
            if isinstance(part, list):
                for message in part:
                    self._last_seen[message.source] = message.at_ns
            else:
                for _, source in part.origins:
                    self._last_seen[source] = part.at_ns
        while len(self._last_seen) > _REMEMBERED_SOURCES:
            del self._last_seen[next(iter(self._last_seen))]


def quality_bodies(verdicts: Sequence[Verdict]) -> Iterator[bytes]:
    """Bodies of `quality` entries."""
    for start in range(0, len(verdicts), _VERDICTS):
        yield msgspec.json.encode({"items": verdicts[start : start + _VERDICTS]})


def _cut(block: Block, start: int, stop: int) -> Block:
    if len(block) <= stop - start:
        return block
    std = None if block.std is None else block.std[start:stop]
    return Block(block.names, block.series[start:stop], block.at_ns[start:stop], block.value[start:stop], std)
