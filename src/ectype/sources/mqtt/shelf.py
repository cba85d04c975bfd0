"""Something in memory that outlives the node: a copy of it in a file, put in its place whole and seldom.

About a second after a change, and longer the longer the last copy took: copying takes at most a tenth of the time.
A crash can lose what has changed since; closing loses nothing.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import final

log = logging.getLogger("ectype.mqtt")

_PAUSE = 10  # times as long as a copy took until the next


@final
class Shelf:
    """Keeps the file of one thing.

    what: as it stands in a sentence. changes: a number that is another one after a change.
    copy: what is there now, for the file. It is iterated over in a thread of its own.
    """

    def __init__(
        self,
        path: Path,
        what: str,
        changes: Callable[[], int],
        copy: Callable[[], Awaitable[Iterable[bytes]]],
        monotonic: Callable[[], float],
    ) -> None:
        """The file is taken to hold what is there now."""
        self._path = path
        self._what = what
        self._changes = changes
        self._copy = copy
        self._monotonic = monotonic
        self._written = changes()
        self._failing = False
        self._next_s = 0.0
        self.writing: asyncio.Task[None] | None = None

    def sweep(self, now_s: float) -> None:
        """Begin to write a copy, if there is a change and it is time."""
        if self.writing is None and now_s >= self._next_s and self._written != self._changes():
            self.writing = asyncio.ensure_future(self._rewrite())

    async def close(self) -> None:
        """Write what has changed, once what is being written is."""
        if self.writing is not None:
            await asyncio.wait([self.writing])
        if self._written != self._changes():
            self._failing = False  # say it once more
            await self._rewrite()

    async def write(self) -> None:
        """Put a copy in the place of the file. OSError if that fails; the file is then as it was."""
        changes, copy = self._changes(), await self._copy()
        await asyncio.to_thread(_replace, self._path, copy)
        self._written = changes

    async def _rewrite(self) -> None:
        began_s = self._monotonic()
        try:
            await self.write()
            self._failing = False
        except OSError as error:
            if not self._failing:
                log.error(
                    "the %s could not be written to %s and will be lost with the node, unless it can before that: %s",
                    self._what, self._path, error,
                )  # fmt: skip
            self._failing = True
        finally:
            now_s = self._monotonic()
            self._next_s = now_s + _PAUSE * (now_s - began_s)
            self.writing = None


def _replace(path: Path, pieces: Iterable[bytes]) -> None:
    """Put the pieces in the place of the file, whole and on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.new")
    with partial.open("wb") as file:
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
