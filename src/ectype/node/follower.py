"""Keeps a node's folds at the head of its log, and lets others wait until they are there.

Every fold sees every entry once, in order. Whoever wrote an entry and then wants to read it back
waits for its index here: that is how a query sees one's own writes.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol, final

from ectype.errors import EctypeError, Unavailable
from ectype.log.entry import Entry
from ectype.log.frame import Frame
from ectype.log.log import Log

_logger = logging.getLogger("ectype.node")
_SAVE_EVERY_S = 30.0
_LONG_S = 0.5  # of catching up, from which on it is not to be done twice
_PATIENCE_S = 3.0  # how long folds wait for tables that come in at full speed, if nobody waits for the folds


class LiveFold(Protocol):
    """A fold as the follower drives it (see `ectype.log.fold`)."""

    name: str
    size: int

    def apply(self, index: int, entry: Entry) -> None:
        """Take in the next entry."""
        ...

    def save(self) -> None:
        """Make what was folded so far survive a restart."""
        ...


@final
class Follower:
    """Drives `folds` along `log`'s tail. `watchers` are told of each frame after all folds have it."""

    def __init__(self, log: Log, folds: Sequence[LiveFold], watchers: Sequence[Callable[[Frame], None]] = ()) -> None:
        self._log = log
        self._folds = folds
        self.watchers = list(watchers)
        self.tables_come: Callable[[], bool] = bool
        self._awaited = 0
        self._level, self._level_s = True, 0.0  # whether the folds had everything when the last frame was done
        self._advanced = asyncio.Event()
        self._broken: Exception | None = None
        self.size = min((fold.size for fold in folds), default=log.size)

    async def catch_up(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Fold the history that is there already; `progress(done, all)` is called now and then.

        What took long is saved on the way and at the end: a node that is killed again and again, each time before it
        would save, must not have more to do at each start.
        """
        head = self._log.size
        loop = asyncio.get_running_loop()
        began = loop.time()
        for index, entry in self._log.read(self.size, head):
            self._apply(index, entry)
            if index % 512 == 511:
                self.size = index + 1
                if loop.time() > began + _SAVE_EVERY_S:
                    self.save()
                    began = loop.time()
                if progress:
                    progress(index + 1, head)
                await asyncio.sleep(0)
        self.size = head
        if loop.time() > began + _LONG_S:
            self.save()

    async def run(self) -> None:
        """Follow for as long as the log lives."""
        loop = asyncio.get_running_loop()
        save_at = loop.time() + _SAVE_EVERY_S
        try:
            async for frame in self._log.tail(self.size):
                await self._let_tables_pass(loop)
                # A fold may be making an index in another thread.
                while any(getattr(fold, "busy", False) for fold in self._folds):  # noqa: ASYNC110
                    await asyncio.sleep(0.002)
                for offset, entry in enumerate(frame.entries):
                    self._apply(frame.first + offset, entry)
                self.size = frame.first + len(frame.entries)
                self._level = self.size >= self._log.size
                self._wake()
                for watcher in self.watchers:
                    watcher(frame)
                if loop.time() > save_at:
                    self.save()
                    save_at = loop.time() + _SAVE_EVERY_S
        except Exception as error:
            self._broken = error
            self._wake()
            _logger.exception("the folds stopped at log index %d", self.size)
            raise

    async def _let_tables_pass(self, loop: asyncio.AbstractEventLoop) -> None:
        """Taking a table in costs less than folding it: while tables come, the folds wait if nobody waits for them."""
        if self._level:
            self._level, self._level_s = False, loop.time()
        # Asked now and then, as an event at each table would cost every small one.
        while self.tables_come() and not self._awaited and loop.time() - self._level_s < _PATIENCE_S:  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    async def reach(self, size: int) -> None:
        """Return once every fold has the first `size` entries. Raises Unavailable if they stopped."""
        self._awaited += 1
        try:
            while self.size < size:
                if self._broken:
                    raise Unavailable(f"the folds stopped at entry {self.size}: {self._broken}; restart the node")
                await self._advanced.wait()
        finally:
            self._awaited -= 1

    def save(self) -> None:
        """Let all folds write their snapshots."""
        for fold in self._folds:
            try:
                fold.save()
            except (OSError, EctypeError) as error:  # a snapshot is a convenience: the log has everything
                _logger.warning("no snapshot of %s could be written: %s", fold.name, error)

    def _apply(self, index: int, entry: Entry) -> None:
        for fold in self._folds:
            if index >= fold.size:
                fold.apply(index, entry)

    def _wake(self) -> None:
        self._advanced.set()
        self._advanced = asyncio.Event()
