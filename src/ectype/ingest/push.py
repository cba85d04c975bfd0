"""Tables of samples that somebody hands over whole, into the log: taken whole when on disk, or refused whole.

    bytes ─► blocks ─► each series checked ─► sealed ─► log.append ─► answered
          (thread)        (loop)             (thread)     (loop)

Reading, hashing and signing happen in a thread beside, so that what else comes in does not wait for a large table.
While one block is on its way to the disk the next is sealed.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Literal, final

import numpy as np

from ectype.clock import Clock, system_clock
from ectype.errors import Invalid, Unavailable
from ectype.ids import split_series
from ectype.ingest.decode import Known
from ectype.ingest.ingest import Appends, quality_bodies
from ectype.ingest.quality import Checks
from ectype.ingest.table import Met, blocks_of_arrow, blocks_of_json
from ectype.log.entry import Entry, seal
from ectype.trust.keys import Signer
from ectype.values.arrow import MEDIA_TYPE, to_arrow
from ectype.values.block import Block

log = logging.getLogger("ectype.ingest")

_REMEMBERED = 100_000
_SOURCES = 10_000
_TOGETHER = 64  # sets of names that are remembered as a whole
_SMALL = 1 << 20  # bytes of a table up to which a thread costs more than it spares
_NAMED = 3  # how many wrong series a refusal names


@final
@dataclass(frozen=True, slots=True)
class Table:
    """What somebody pushes. twin: whose the columns of a wide table are; source, sequence: who sends it, and which
    of its tables this is, counted up, so that one that comes twice is taken once.
    """

    data: bytes | bytearray | memoryview
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
        self._epoch: object = None
        self._sound: set[str] = set()
        self._sound_together: set[tuple[str, ...]] = set()
        self._met: Met = {}
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
        self._thread.shutdown(wait=False)

    async def _push(self, table: Table, counts: SourceCounts, may: Callable[[Iterable[str]], None]) -> Pushed:
        loop = asyncio.get_running_loop()
        now_ns = self._clock()
        if table.sequence is not None and counts.sequence is not None and table.sequence <= counts.sequence:
            counts.repeated += 1
            return Pushed(0, self._size(), repeated=True)
        small = len(table.data) < _SMALL
        if small:
            blocks = _read(table, now_ns, self._met)
        else:
            met: Met = {}  # its own: the loop may read a small table meanwhile
            blocks = await loop.run_in_executor(self._thread, _read, table, now_ns, met)
        for names in {block.names for block in blocks}:
            self._check(names)
            may(names)
        writing: list[asyncio.Future[range]] = []
        try:
            for block in blocks:
                said = [] if self._checks is None else list(quality_bodies(self._checks.judge(block)))
                if small:
                    entries = self._sealed(block, said, now_ns)
                else:
                    entries = await loop.run_in_executor(self._thread, self._sealed, block, said, now_ns)
                writing.append(asyncio.ensure_future(self._log.append(entries)))
                if len(writing) > 1:
                    await writing[-2]
        finally:
            done = await asyncio.gather(*writing, return_exceptions=True)
        size = 0
        for each in done:
            if isinstance(each, BaseException):
                raise each
            size = max(size, each.stop)
        samples = sum(map(len, blocks))
        self._count(counts, table, samples, now_ns)
        return Pushed(samples, size or self._size())

    def _check(self, names: tuple[str, ...]) -> None:
        epoch = getattr(self._known, "epoch", None)
        if epoch is None or epoch != self._epoch or len(self._sound) > _REMEMBERED:
            self._epoch = epoch
            self._sound, self._sound_together = set(), set()
        if names in self._sound_together:
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
            self._sound_together.add(names)

    def _sealed(self, block: Block, said: Sequence[bytes], at_ns: int) -> list[Entry]:
        body = to_arrow(block)
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


def _read(table: Table, now_ns: int, met: Met) -> list[Block]:
    if table.kind == "json":
        return blocks_of_json(bytes(table.data), now_ns)
    return list(_used(blocks_of_arrow(table.data, table.twin, met)))


def _used(blocks: Sequence[Block]) -> Iterator[Block]:
    """The blocks with those names only that have a row: a dictionary may hold more than its batch uses."""
    for block in blocks:
        there = np.bincount(block.series, minlength=len(block.names)) > 0
        if there.all():
            yield block
        else:
            renumber = np.cumsum(there, dtype=np.int32) - 1
            names = tuple(block.names[k] for k in np.flatnonzero(there).tolist())
            yield Block(names, renumber[block.series].astype(np.int32), block.at_ns, block.value, block.std)
