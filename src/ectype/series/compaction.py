"""Few large parts instead of many small ones: neighbours of one size become one part of the next.

A question about one series reads from each part, so its cost grows with their number. With a fan of 4, parts of 1 M
rows become one of 4 M, those one of 16 M and of 64 M: a hundred million rows are in five to ten parts, and each row is
written four times. Only neighbours in the order of appending are merged, so that of repeats the last appended still
wins.
"""

import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, final

from ectype.series.part_writer import ROW_GROUP

Wanted: TypeAlias = Callable[[], bool]
_Made = TypeVar("_Made")


@final
@dataclass(frozen=True, slots=True)
class Sizes:
    """After how many rows the tail becomes a run, runs become a part, and a part's row group ends; how many parts of
    one size are merged (into row groups of twice that), and how many rows the largest part has at most.
    """

    run: int = 65_536
    part: int = 1_000_000
    row_group: int = ROW_GROUP
    fan: int = 4
    most: int = 80_000_000


def due(rows: Sequence[int], sizes: Sizes) -> slice | None:
    """Which parts, given by their rows in order of appending, should become one; None if none should."""
    levels = [max(0, round(math.log(max(n, 1) / sizes.part, sizes.fan))) for n in rows]
    for first in range(len(rows) - sizes.fan + 1):
        which = slice(first, first + sizes.fan)
        if len(set(levels[which])) == 1 and sum(rows[which]) <= sizes.most:
            return which
    return None


@final
class Compaction:
    """At most one piece of work at a time, in a thread beside (or in `executor`): a merge, or what tiers need."""

    def __init__(self, executor: Executor | None) -> None:
        self._executor = executor
        self._own: ThreadPoolExecutor | None = None
        self._running: tuple[Callable[[], None], Future[Any]] | None = None
        self._stop = threading.Event()

    @property
    def running(self) -> bool:
        """Whether something was begun whose end was not yet taken."""
        return self._running is not None

    @property
    def done(self) -> bool:
        """Whether what was begun has ended and `take` will tell how."""
        return self._running is not None and self._running[1].done()

    def begin(self, work: Callable[[Wanted], _Made], adopt: Callable[[_Made], None]) -> None:
        """Begin `work`, which asks now and then whether it is still wanted; `take` hands what it made to `adopt`."""
        assert self._running is None
        stop = self._stop
        if self._executor is None:
            self._executor = self._own = ThreadPoolExecutor(1, "ectype-series-merge")
        future = self._executor.submit(work, lambda: not stop.is_set())
        self._running = (lambda: adopt(future.result())), future

    def take(self) -> None:
        """Adopt what was made. Raises what went wrong; everything is then as it was."""
        assert self._running is not None
        (adopt, _), self._running = self._running, None
        adopt()

    def wait(self) -> None:
        """Until what runs has ended, however it did."""
        if self._running is not None:
            wait([self._running[1]])

    def close(self) -> None:
        """Give up what is being made; the next open begins anew."""
        self._stop.set()
        self._running = None
        if self._own is not None:
            self._own.shutdown()
