"""A progress bar on standard error that shows only when the work takes longer than a second."""

import sys
import time
from types import TracebackType
from typing import final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_PATIENCE_S = 1.0


@final
class Bar:
    """`with Bar("Reading") as bar: bar.update(done, all)`. Nothing is drawn where nobody looks (no terminal)."""

    def __init__(self, what: str, *, hidden: bool = False) -> None:
        self._what = what
        self._hidden = hidden or not sys.stderr.isatty()
        self._began = time.monotonic()
        self._progress: Progress | None = None

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.finish()

    def finish(self) -> None:
        """Take it off the screen for good."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
        self._hidden = True

    def update(self, done: int, total: int) -> None:
        """`done` of `total` are through."""
        if self._hidden or (self._progress is None and time.monotonic() - self._began < _PATIENCE_S):
            return
        if self._progress is None:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._progress.add_task(self._what, total=total)
            self._progress.start()
        self._progress.update(self._progress.task_ids[0], completed=done, total=total)
