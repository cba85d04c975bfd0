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
from pathlib import Path
from typing import final

from ectype.series.part import Part, PartInfo
from ectype.series.part_writer import ROW_GROUP, merge_parts


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
    """At most one merge at a time, in a thread beside (or in `executor`)."""

    def __init__(self, sizes: Sizes, executor: Executor | None) -> None:
        self._sizes = sizes
        self._executor = executor
        self._own: ThreadPoolExecutor | None = None
        self._running: tuple[slice, Future[PartInfo]] | None = None
        self._stop = threading.Event()

    @property
    def running(self) -> bool:
        """Whether a merge was begun and not yet taken."""
        return self._running is not None

    @property
    def done(self) -> bool:
        """Whether a merge has ended and `take` will tell how."""
        return self._running is not None and self._running[1].done()

    def begin(self, parts: Sequence[Part], names: Sequence[str], path: Callable[[], Path]) -> None:
        """Begin to merge some of `parts` into a file at `path()`, if that is due and none is being merged."""
        which = None if self._running else due([part.rows for part in parts], self._sizes)
        if which is None:
            return
        target, chosen, row_group, stop = path(), parts[which], 2 * self._sizes.row_group, self._stop

        def work() -> PartInfo:
            return merge_parts(target, chosen, names, row_group, lambda: not stop.is_set())

        if self._executor is None:
            self._executor = self._own = ThreadPoolExecutor(1, "ectype-series-merge")
        self._running = which, self._executor.submit(work)

    def take(self) -> tuple[slice, PartInfo]:
        """Which parts were merged, and into what. Raises what went wrong; the parts are then as they were."""
        assert self._running is not None
        (which, future), self._running = self._running, None
        return which, future.result()

    def wait(self) -> None:
        """Until the merge that runs has ended, however it did."""
        if self._running is not None:
            wait([self._running[1]])

    def close(self) -> None:
        """Give up what is being merged; the next open begins anew."""
        self._stop.set()
        self._running = None
        if self._own is not None:
            self._own.shutdown()
