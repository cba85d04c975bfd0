"""Tables of samples that somebody hands over whole, into the log: taken whole when on disk, or refused whole.

    bytes ─► blocks ─► each series checked ─► with others that wait: sealed ─► log.append ─► all answered
                              (loop)                  (thread)                    (loop)

Hashing and signing happen in a thread beside, and reading too where a table is large, so that what else comes in does
not wait. While one group of blocks is being sealed the next ones gather: as in the log, whoever comes together shares
the cost, here of a signature. While one group is on its way to the disk the next is sealed.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, final

from ectype.clock import Clock, system_clock
from ectype.errors import Invalid, Unavailable
from ectype.ids import split_series
from ectype.ingest.decode import Known
from ectype.ingest.ingest import Appends, quality_bodies
from ectype.ingest.quality import Checks
from ectype.ingest.table import blocks_of_arrow, blocks_of_json
from ectype.log.entry import Entry, seal
from ectype.trust.keys import Signer
from ectype.values.arrow import MEDIA_TYPE, joined_to_arrow
from ectype.values.block import Block

log = logging.getLogger("ectype.ingest")

_REMEMBERED = 100_000
_SOURCES = 10_000
_TOGETHER = 64  # sets of names that are remembered as a whole
_SMALL = 1 << 20  # bytes of a table up to which a thread costs more than it spares
_FEW = 2000  # rows that are sealed sooner than a thread is told of them
_ROWS_PER_ENTRY = 100_000
_ON_THEIR_WAY = 2  # groups that may be sealed and not yet on disk
_NAMED = 3  # how many wrong series a refusal names


@final
@dataclass(frozen=True, slots=True)
class Table:
    """What somebody pushes. twin: whose the columns of a wide table are; source, sequence: who sends it, and which
    of its tables this is, counted up, so that one that comes twice is taken once.
    """

    data: bytes
    kind: Literal["arrow", "json"]
    twin: str | None = None
    source: str = ""
    sequence: int | None = None


@final
@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of it. samples: on disk now; size: of the log then; repeated: it had come before, and was dropped."""

    samples: int
    size: int
    repeated: bool = False


@final
@dataclass(slots=True)
class SourceCounts:
    """What came from one source of tables since the start. missed: sequence numbers that never came; turn: numbered
    tables of one source are taken one after the other.
    """

    tables: int = 0
    samples: int = 0
    repeated: int = 0
    last_ns: int = 0
    sequence: int | None = None
    missed: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


@final
@dataclass(slots=True, eq=False)
class _Ticket:
    """A table whose blocks are on their way. left: how many are not on disk yet; size: of the log with the rest."""

    left: int
    done: "asyncio.Future[int]"
    size: int = 0

    def count(self, appended: "asyncio.Task[range]") -> None:
        """One block is on disk, or is not."""
        if appended.cancelled():
            self.fail(Unavailable("the space was closed before this was on disk; send it again"))
        elif (error := appended.exception()) is not None:
            self.fail(error)
        else:
            self.left -= 1
            self.size = max(self.size, appended.result().stop)
            if not self.left and not self.done.done():
                self.done.set_result(self.size)

    def fail(self, error: BaseException) -> None:
        """One block is not on disk."""
        if not self.done.done():
            self.done.set_exception(error)


@final
class Pushes:
    """Takes tables. Lives on one event loop. known: see `decode.Known`; checks: which readings can be trusted."""

    def __init__(
        self,
        log: Appends,
        signer: Signer,
        known: Known,
        clock: Clock = system_clock,
        checks: Checks | None = None,
        name: str = "push",
    ) -> None:
        self._log = log
        self._signer = signer
        self._known = known
        self._clock = clock
        self._checks = checks
        self._subject = f"block:{name}"
        self._quality = f"quality:{name}"
        self._thread = ThreadPoolExecutor(1, "ectype-push")
        self._waiting: deque[tuple[Block, _Ticket]] = deque()
        self._sealing: asyncio.Task[None] | None = None
        self._epoch: object = None
        self._sound: set[str] = set()
        self._sound_together: dict[int, tuple[str, ...]] = {}  # by id: comparing a thousand names takes long
        self._busy: set[asyncio.Future[None]] = set()
        self._closed = False
        self.of: OrderedDict[str, SourceCounts] = OrderedDict()

    async def push(self, table: Table, may: Callable[[Iterable[str]], None]) -> Pushed:
        """Return when all samples of `table` are on disk.

        may(series) raises if the asker may not write one of them. Raises Invalid, with the place, if anything in the
        table is not right, and what the log raises (then some of it may be on disk; sent again, history keeps it once).
        """
        if self._closed:
            raise Unavailable("this space is being closed; send it again when it is open")
        busy: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._busy.add(busy)
        try:
            counts = self._counts(table.source)
            async with nullcontext() if table.sequence is None else counts.turn:
                return await self._push(table, counts, may)
        finally:
            self._busy.discard(busy)
            busy.set_result(None)

    def full_speed(self) -> bool:
        """Whether several tables are on their way at this moment: somebody is loading, not reporting."""
        return len(self._busy) > 1

    async def close(self) -> None:
        """Take nothing more and wait for what is on its way."""
        self._closed = True
        while self._busy:
            await asyncio.wait(self._busy)
        if self._sealing is not None:
            await self._sealing
        self._thread.shutdown(wait=False)

    async def _push(self, table: Table, counts: SourceCounts, may: Callable[[Iterable[str]], None]) -> Pushed:
        loop = asyncio.get_running_loop()
        now_ns = self._clock()
        if table.sequence is not None and counts.sequence is not None and table.sequence <= counts.sequence:
            counts.repeated += 1
            return Pushed(0, self._size(), repeated=True)
        if len(table.data) < _SMALL:
            blocks = _read(table, now_ns)
        else:
            blocks = await loop.run_in_executor(self._thread, _read, table, now_ns)
        for names in {id(block.names): block.names for block in blocks}.values():
            self._check(names)
            may(names)
        size = await self._written(blocks) if blocks else self._size()
        samples = sum(map(len, blocks))
        self._count(counts, table, samples, now_ns)
        return Pushed(samples, size)

    def _written(self, blocks: Sequence[Block]) -> "asyncio.Future[int]":
        """The size of the log, once all of `blocks` are on disk."""
        ticket = _Ticket(len(blocks), asyncio.get_running_loop().create_future())
        self._waiting.extend((block, ticket) for block in blocks)
        if self._sealing is None:
            self._sealing = asyncio.create_task(self._seal_all(), name="push")
        return ticket.done

    async def _seal_all(self) -> None:
        """Seal what waits, a group at a time, and hand it to the log."""
        loop = asyncio.get_running_loop()
        appending: deque[asyncio.Task[range]] = deque()
        while self._waiting:
            blocks, tickets = self._group()
            try:
                now_ns = self._clock()
                said = [body for block in blocks for body in self._judged(block)]
                seal_them = partial(self._sealed, blocks, said, now_ns)
                few = sum(map(len, blocks)) < _FEW
                entries = seal_them() if few else await loop.run_in_executor(self._thread, seal_them)
            except Exception as error:  # noqa: BLE001 - told to everyone whose samples these are
                for ticket in tickets:
                    ticket.fail(error)
                continue
            task = asyncio.create_task(self._log.append(entries))
            for ticket in tickets:
                task.add_done_callback(ticket.count)
            appending.append(task)
            if len(appending) > _ON_THEIR_WAY:
                await asyncio.wait([appending.popleft()])
        self._sealing = None

    def _group(self) -> tuple[list[Block], list[_Ticket]]:
        """The next blocks that can share an entry, and whose they are."""
        block, ticket = self._waiting.popleft()
        blocks, tickets, rows = [block], [ticket], len(block)
        while self._waiting:
            following, ticket = self._waiting[0]
            rows += len(following)
            if following.names is not block.names or rows > _ROWS_PER_ENTRY:
                break
            self._waiting.popleft()
            blocks.append(following)
            tickets.append(ticket)
        return blocks, tickets

    def _judged(self, block: Block) -> list[bytes]:
        return [] if self._checks is None else list(quality_bodies(self._checks.judge(block)))

    def _check(self, names: tuple[str, ...]) -> None:
        epoch = getattr(self._known, "epoch", None)
        if epoch is None or epoch != self._epoch or len(self._sound) > _REMEMBERED:
            self._epoch = epoch
            self._sound, self._sound_together = set(), {}
        if id(names) in self._sound_together:
            return
        wrong: list[str] = []
        for name in sorted(set(names) - self._sound):
            twin, property_name, facet = split_series(name)
            if facet != "measured":
                raise Invalid(f"'{name}' names a facet; what a source sends is measured")
            reason = self._known(twin, property_name)
            if reason is None:
                self._sound.add(name)
            else:
                wrong.append(reason)
        if wrong:
            more = f"; and {len(wrong) - _NAMED} more series" if len(wrong) > _NAMED else ""
            raise Invalid(f"nothing was taken: {'; '.join(wrong[:_NAMED])}{more}")
        if len(self._sound_together) < _TOGETHER:
            self._sound_together[id(names)] = names

    def _sealed(self, blocks: Sequence[Block], said: Sequence[bytes], at_ns: int) -> list[Entry]:
        body = joined_to_arrow(blocks)
        entries = [seal(self._signer, kind="measured", subject=self._subject, body=body, media=MEDIA_TYPE, at_ns=at_ns)]
        entries += [seal(self._signer, kind="quality", subject=self._quality, body=b, at_ns=at_ns) for b in said]
        return entries

    def _counts(self, source: str) -> SourceCounts:
        counts = self.of.get(source)
        if counts is None:
            while len(self.of) >= _SOURCES:
                self.of.popitem(last=False)
            counts = self.of[source] = SourceCounts()
        return counts

    def _count(self, counts: SourceCounts, table: Table, samples: int, now_ns: int) -> None:
        counts.tables += 1
        counts.samples += samples
        counts.last_ns = now_ns
        if table.sequence is not None:
            if counts.sequence is not None:
                counts.missed += max(table.sequence - counts.sequence - 1, 0)
            counts.sequence = max(table.sequence, counts.sequence or 0)

    def _size(self) -> int:
        return self._log.size


def _read(table: Table, now_ns: int) -> list[Block]:
    if table.kind == "json":
        return blocks_of_json(table.data, now_ns)
    return blocks_of_arrow(table.data, table.twin)
