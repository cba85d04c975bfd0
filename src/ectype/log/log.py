"""The log: the one way in, in one order, acknowledged when on disk.

    append ─► pending group ─► frame ─► writer thread: write + fdatasync ─► durable ─► acknowledged, tails wake
                    ▲                                   │
                    └── everything that arrives ────────┘  goes into the next group (group commit)

The event loop owns all state; the writer thread sees bytes only. A second thread keeps tiles, checkpoint and
snapshots, a second apart, and is never waited for by an append.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import final

from ectype.clock import Clock, system_clock
from ectype.errors import Conflict, Damaged, EctypeError, Invalid, Unavailable
from ectype.log.entry import Entry
from ectype.log.frame import Frame, pieces, size_of
from ectype.log.state import CHECKPOINT, SNAPSHOT, State
from ectype.log.stores.base import Stopped, Store
from ectype.trust.checkpoint import Checkpoint, VerifierKey
from ectype.trust.keys import Signer
from ectype.trust.merkle import WIDTH, leaf_hashes
from ectype.trust.tiles import encode_bundle

_GROUP_BYTES = 4 << 20  # a group is closed when it is larger
_LARGE_GROUP = 256 << 10
_RECENT_BYTES = 8 << 20  # live frames kept for tails
_KEEP_EVERY_S = 1.0
_READ_AHEAD = 64  # frames that a tail takes from the store at a time
_log = logging.getLogger("ectype.log")


@final
class _Group:
    """Entries that will become durable together."""

    __slots__ = ("entries", "first", "hashes", "heads", "size", "waiting")

    def __init__(self, first: int) -> None:
        self.first = first
        self.entries: list[Entry] = []
        self.heads: dict[str, int] = {}
        self.size = 0
        self.hashes: bytes | None = None
        self.waiting: list[tuple[asyncio.Future[range], range]] = []

    @property
    def next(self) -> int:
        return self.first + len(self.entries)

    def leaves(self) -> bytes:
        if self.hashes is None:
            self.hashes = leaf_hashes([entry.header for entry in self.entries])
        return self.hashes


@final
class Log:
    """An ordered, signed, append-only log over one store. Belongs to the event loop that opened it."""

    def __init__(self, store: Store, signer: Signer, vkey: VerifierKey, state: State, clock: Clock) -> None:
        """Use `Log.open`."""
        self.clock = clock
        self.origin = vkey.name
        self.vkey = str(vkey)
        self.size = state.tree.size
        self._store = store
        self._signer = signer
        self._state = state
        self._loop = asyncio.get_running_loop()
        self._next = self.size  # the index that the next entry gets, counting pending ones
        self._groups: deque[_Group] = deque()  # the first is being written
        self._writing = False
        self._stopped: EctypeError | None = None
        self._closed = False
        self._unsettled: deque[_Group] = deque()  # durable, but not in the tree yet
        self._recent: deque[tuple[Frame, int]] = deque()
        self._recent_bytes = 0
        self._wakers: set[asyncio.Future[None]] = set()
        self._signed: tuple[int, str] | None = None
        self._kept = -1  # the size of the checkpoint on the shelf
        self._parts = store.parts
        self._timer: asyncio.TimerHandle | None = None
        self._keeping: asyncio.Future[None] | None = None
        self._keeper = ThreadPoolExecutor(1, "ectype-log-keeper")
        self._jobs: SimpleQueue[tuple[_Group, int, list[bytes] | None] | None] = SimpleQueue()
        self._writer = Thread(target=self._write, name="ectype-log-writer", daemon=True)
        self._writer.start()

    @classmethod
    async def open(cls, store: Store, signer: Signer, *, origin: str, clock: Clock = system_clock) -> "Log":
        """The log in `store`, whose checkpoints are signed by `signer` in the name `origin`.

        Takes the time of reading what came after the last snapshot. Raises Damaged if the log is not the one that
        its checkpoint speaks of, Misconfigured if that is of another origin.
        """
        vkey = VerifierKey(origin, signer.public)
        state = await asyncio.to_thread(_load, store, vkey)
        log = cls(store, signer, vkey, state, clock)
        try:
            await log.keep()
        except Unavailable as error:  # a full disk is no reason not to read; it is tried again as the log grows
            _log.warning("the checkpoint could not be written: %s", error)
        except BaseException:
            log._let_go()
            raise
        return log

    # ---- writing

    async def append(self, entries: Sequence[Entry], *, expected: Mapping[str, int | None] | None = None) -> range:
        """Append all of `entries` or none, and return their indices once they are on disk.

        expected: the last index that a subject must have, None for no entry yet; appends that are still on their
        way count. Raises Conflict with the actual index if one has another, Invalid if the entries are too many for
        one frame, and Unavailable if the disk is full (nothing was appended; try again) or the log has stopped.
        If the caller is cancelled, the entries may be appended all the same.
        """
        self._check_open()
        if expected:
            self._check_expected(expected)
        if not entries:
            return range(self._next, self._next)
        size = size_of(entries)
        if size > self._store.limit:
            raise Invalid(f"{len(entries)} entries of {size} bytes at once; at most {self._store.limit} bytes go")
        group = self._open_group(size)
        first = self._next
        self._next += len(entries)
        group.entries += entries
        group.size += size
        heads = group.heads
        for index, entry in enumerate(entries, first):
            heads[entry.subject] = index
        done: asyncio.Future[range] = self._loop.create_future()
        group.waiting.append((done, range(first, self._next)))
        if not self._writing:
            self._write_next()
        return await done

    @property
    def next(self) -> int:
        """The index that the next entry gets, counting those on their way."""
        return self._next

    def last(self, subject: str) -> int | None:
        """The index of the last durable entry about `subject`, None if there is none."""
        return self._state.heads.get(subject)

    # ---- reading

    def read(self, start: int, stop: int | None = None) -> Iterator[tuple[int, Entry]]:
        """The durable entries with indices in [start, stop), in order; up to the present end if stop is None."""
        size = self.size
        if start < 0 or start > size:
            raise Invalid(f"the log has {size} entries, so none can be read from {start} on")
        return _entries(self._store, start, size if stop is None else min(stop, size))

    async def tail(self, start: int) -> AsyncIterator[Frame]:
        """Every frame from entry `start` on: what is there, then each as it becomes durable. No gap, no repeat.

        The first frame is cut to `start`. Ends when the log is closed; raises Unavailable when the log has stopped.
        A tail that is slow reads from the store again, so it holds no memory and nobody waits for it.
        """
        if not 0 <= start <= self._next:
            raise Invalid(f"the log has {self.size} entries, so it cannot be followed from {start} on")
        while True:
            if start < self.size:
                for frame in self._live(start) or await asyncio.to_thread(self._history, start, self.size):
                    start = frame.next
                    yield frame
            elif self._closed:
                return
            elif self._stopped:
                raise _again(self._stopped)
            else:
                await self._growth()

    def root(self, size: int | None = None) -> bytes:
        """The Merkle root over the first `size` entries (all durable ones if None)."""
        self._settle()
        return self._state.tree.root(size)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Proof that entry `index` is in the log of `size` entries; for `merkle.check_inclusion`."""
        self._settle()
        return self._state.tree.inclusion(index, size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Proof that the log of `old` entries is the beginning of that of `new`; for `merkle.check_consistency`."""
        self._settle()
        return self._state.tree.consistency(old, new)

    def checkpoint(self) -> str:
        """The signed checkpoint of the log as it is now."""
        if self._signed is None or self._signed[0] != self.size:
            self._signed = self.size, Checkpoint(self.origin, self.size, self.root()).sign(self._signer)
        return self._signed[1]

    def tile(self, level: int, n: int, width: int = WIDTH) -> bytes:
        """The first `width` hashes of a C2SP tile. Invalid if the log has not grown so far."""
        self._settle()
        return self._state.tree.tile(level, n, width)

    def bundle(self, n: int, width: int = WIDTH) -> bytes:
        """The C2SP entry bundle behind tile `n` of level 0. Invalid if the log has not grown so far."""
        start = n * WIDTH
        if not (1 <= width <= WIDTH and start >= 0 and start + width <= self.size):
            raise Invalid(f"bundle {n} has no {width} entries in a log of {self.size}")
        return encode_bundle([entry.header for _, entry in self.read(start, start + width)])

    # ---- ending

    async def keep(self) -> None:
        """Write tiles and checkpoint of what is durable now, without waiting for the second to pass."""
        while self._keeping is not None:
            await asyncio.wait([self._keeping])
        if self._kept != self.size:
            await self._keep(snapshot=False)

    async def close(self) -> None:
        """Wait for what is on its way, write checkpoint and snapshot, and let go of the store. Twice is once."""
        if self._closed:
            return
        self._closed = True
        pending = [done for group in self._groups for done, _ in group.waiting]
        if pending:
            await asyncio.wait(pending)
        self._wake()
        try:
            while self._keeping is not None:
                await asyncio.wait([self._keeping])
            if self._stopped is None:
                await self._keep(snapshot=True)
        finally:
            self._let_go()
            await asyncio.to_thread(self._writer.join)
            self._store.close()

    def _let_go(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._jobs.put(None)
        self._keeper.shutdown(wait=False)

    # ---- groups

    def _check_open(self) -> None:
        if self._stopped is not None:
            raise _again(self._stopped)
        if self._closed:
            raise Unavailable("the log is closed")

    def _check_expected(self, expected: Mapping[str, int | None]) -> None:
        for subject, index in expected.items():
            actual = self._last_pending(subject)
            if actual != index:
                was, now = ("no entry" if i is None else f"entry {i}" for i in (index, actual))
                raise Conflict(f"'{subject}' was expected to have {was} as its last, but it has {now}", actual)

    def _last_pending(self, subject: str) -> int | None:
        for group in reversed(self._groups):
            if subject in group.heads:
                return group.heads[subject]
        return self._state.heads.get(subject)

    def _open_group(self, size: int) -> _Group:
        """The group that collects now: never the one being written."""
        if len(self._groups) > self._writing:
            group = self._groups[-1]
            if group.size + size <= min(_GROUP_BYTES, self._store.limit):
                return group
        group = _Group(self._next)
        self._groups.append(group)
        return group

    def _write_next(self) -> None:
        group = self._groups[0]
        self._writing = True
        # A large group is encoded in the writer's thread: several milliseconds, most of them outside the GIL.
        large = group.size > _LARGE_GROUP
        self._jobs.put((group, group.first, None if large else pieces(group.first, group.entries)))
        # In the next turn of the loop, so that the writer gets the interpreter first and both work at once.
        self._loop.call_soon(group.leaves)

    def _write(self) -> None:
        """The writer thread: bytes in, durable or not out."""
        while (job := self._jobs.get()) is not None:
            group, first, data = job
            error: BaseException | None = None
            try:
                self._store.append(first, *(pieces(first, group.entries) if data is None else data))
            except BaseException as failure:  # noqa: BLE001 - handed to the loop, which decides
                error = failure
            with suppress(RuntimeError):  # the loop has been closed: nobody is left to tell
                self._loop.call_soon_threadsafe(self._written, group, error)

    def _written(self, group: _Group, error: BaseException | None) -> None:
        self._writing = False
        if error is not None:
            self._failed(error)
            return
        self._groups.popleft()
        self.size = group.next
        self._state.heads.update(group.heads)
        self._remember(Frame(group.first, tuple(group.entries)), group.size)
        for done, indices in group.waiting:
            if not done.done():
                done.set_result(indices)
        self._wake()
        if self._groups:
            self._write_next()
        self._unsettled.append(group)
        self._loop.call_soon(self._settle)
        if self._timer is None and self._keeping is None and not self._closed:
            self._timer = self._loop.call_later(_KEEP_EVERY_S, self._keep_soon)
        if self._store.parts != self._parts:
            self._keep_soon()

    def _failed(self, error: BaseException) -> None:
        """Nothing that is pending can be appended any more: what it expected of earlier entries does not hold."""
        if not isinstance(error, Unavailable) or isinstance(error, Stopped):
            self._stopped = error if isinstance(error, EctypeError) else Unavailable(f"the log has stopped: {error!r}")
            _log.error("the log has stopped: %s", error)
        groups, self._groups = self._groups, deque()
        self._next = self.size
        for group in groups:
            for done, _ in group.waiting:
                if not done.done():
                    done.set_exception(_again(self._stopped or error))
        if self._stopped:
            self._wake()

    # ---- tails

    def _remember(self, frame: Frame, size: int) -> None:
        self._recent.append((frame, size))
        self._recent_bytes += size
        while self._recent_bytes > _RECENT_BYTES and len(self._recent) > 1:
            self._recent_bytes -= self._recent.popleft()[1]

    def _live(self, start: int) -> list[Frame]:
        """The recent frames from `start` on, or nothing if they do not reach back to it."""
        if not self._recent or self._recent[0][0].first > start:
            return []
        found: list[Frame] = []
        for frame, _ in reversed(self._recent):
            if frame.next <= start:
                break
            found.append(frame)
        found[-1] = found[-1].between(start, found[-1].next)
        return found[::-1]

    def _history(self, start: int, size: int) -> list[Frame]:
        found: list[Frame] = []
        budget = _GROUP_BYTES
        for frame in self._store.read(start):
            if frame.first >= size:
                break
            found.append(frame.between(start, size))
            budget -= size_of(frame.entries)
            if len(found) == _READ_AHEAD or budget < 0:
                break
        return found

    async def _growth(self) -> None:
        waker: asyncio.Future[None] = self._loop.create_future()
        self._wakers.add(waker)
        try:
            await waker
        finally:
            self._wakers.discard(waker)

    def _wake(self) -> None:
        wakers, self._wakers = self._wakers, set()
        for waker in wakers:
            if not waker.done():
                waker.set_result(None)

    # ---- tree, checkpoint, snapshot

    def _settle(self) -> None:
        while self._unsettled:
            self._state.extend(self._unsettled.popleft().leaves())

    def _keep_soon(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._keeping is None and not self._closed:
            self._keeping = asyncio.ensure_future(self._keep_once())

    async def _keep_once(self) -> None:
        try:
            await self._keep(snapshot=self._store.parts != self._parts)
        except EctypeError as error:  # nothing is lost: the frames are durable, and it is tried again
            _log.warning("the checkpoint could not be written: %s", error)
        finally:
            self._keeping = None
            if self._kept != self.size and not self._closed and self._timer is None:
                self._timer = self._loop.call_later(_KEEP_EVERY_S, self._keep_soon)

    async def _keep(self, *, snapshot: bool) -> None:
        """Tiles, then the checkpoint that needs them, then the snapshot that the checkpoint covers."""
        self._settle()
        size, note, partials = self.size, self.checkpoint(), self._state.partials()
        self._parts = self._store.parts
        sealed = self._state.snapshot().to_bytes() if snapshot else None

        def write() -> None:
            self._state.tiles.flush()
            for name, hashes in partials:
                self._store.shelf.put(name, hashes)
            self._store.shelf.put(CHECKPOINT, note.encode(), durable=True)
            if sealed is not None:
                self._state.tiles.sync()
                self._store.shelf.put(SNAPSHOT, sealed, durable=True)

        await self._loop.run_in_executor(self._keeper, write)
        self._kept = size


def _load(store: Store, vkey: VerifierKey) -> State:
    note = store.shelf.get(CHECKPOINT)
    state = State.load(store)
    if note is not None:
        state.check(note.decode("utf-8", "replace"), vkey)
    return state


def _entries(store: Store, start: int, stop: int) -> Iterator[tuple[int, Entry]]:
    if start >= stop:
        return
    for frame in store.read(start):
        part = frame.between(start, stop)
        yield from enumerate(part.entries, part.first)
        if frame.next >= stop:
            return
    raise Damaged(f"the log ends before entry {stop}")


def _again(error: BaseException) -> BaseException:
    """The same error anew: one exception raised in several tasks would collect all their tracebacks."""
    return type(error)(*error.args) if isinstance(error, EctypeError) else error
