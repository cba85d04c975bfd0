"""`file:///path`: a folder into which somebody puts recordings: CSV, Parquet, Arrow or MCAP. Each is read once.

a file that has not changed for a moment ─► its rows ─► on disk ─► FOLDER/read/
                                    cannot be read ─► FOLDER/failed/, with a .txt that says why

MCAP holds messages with topics, which mean what they mean at the node's own endpoint; the others hold rows.

bind: file column -> property ("P_avg" = "power"), every column of numbers under its own name if left out
options: pattern, id_column, time_column, every_s
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import final
from urllib.request import url2pathname

import msgspec

from ectype.clock import Clock
from ectype.errors import Invalid, Misconfigured, Unavailable
from ectype.sources.base import Message
from ectype.sources.connector import Opening
from ectype.sources.mcap import MAGIC, Mcap
from ectype.sources.recording import Recording

_AT_ONCE = 1000


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """pattern: which files; id_column, time_column: whose row it is, and when; columns: file column -> property;
    every_s: how often to look.
    """

    pattern: str = "*"
    id_column: str = "twin"
    time_column: str = "t"
    columns: dict[str, str] = {}
    every_s: float = 1.0


def connect(opening: Opening, clock: Clock) -> "Folder":
    """A connector for `opening`."""
    return Folder(opening, clock)


@final
class Folder:
    """Looks, waits until a file is whole, reads it, moves it. A row that came twice counts once: history sees to it."""

    def __init__(self, opening: Opening, clock: Clock) -> None:
        del clock  # rows bring their own time
        self._options = opening.options_as(Options)
        self._name = opening.name
        self._columns = self._options.columns or None
        if opening.bind:
            raise Misconfigured(f"source {opening.name}: a folder binds nothing; say columns = {{ ... }} instead")
        if opening.at.netloc not in ("", "localhost"):
            raise Misconfigured(f"source {opening.name}: write three slashes, like file:///srv/recordings")
        self._folder = Path(url2pathname(opening.at.path))
        if not self._folder.is_dir():
            raise Misconfigured(f"source {opening.name}: there is no folder {self._folder}")
        self._sizes: dict[Path, tuple[int, int]] = {}

    async def batches(self) -> AsyncIterator[Sequence[Message]]:
        """The rows of each whole file, in the order of time; files in the order of their names."""
        while True:
            for path in self._whole():
                try:
                    rows = await asyncio.to_thread(self._open, path)
                    batch: list[Message] = []
                    async for message in rows.messages():
                        batch.append(msgspec.structs.replace(message, source=self._name))
                        if len(batch) == _AT_ONCE:
                            yield batch
                            batch = []
                    if batch:
                        yield batch
                except (Misconfigured, Invalid) as error:
                    self._move(path, "failed").with_suffix(".txt").write_text(f"{error}\n", "utf-8")
                else:
                    self._move(path, "read")
            await asyncio.sleep(self._options.every_s)

    def _open(self, path: Path) -> "Recording | Mcap":
        with path.open("rb") as file:
            if file.read(len(MAGIC)) == MAGIC:
                return Mcap(path, self._name)
        return Recording(
            path,
            id_column=self._options.id_column,
            time_column=self._options.time_column,
            columns=self._columns,
            prefix=self._name,
        )

    def _whole(self) -> list[Path]:
        """Files that were as long and as old when last looked at."""
        try:
            seen = {
                path: (path.stat().st_size, path.stat().st_mtime_ns)
                for path in sorted(self._folder.glob(self._options.pattern))
                if path.is_file() and not path.name.startswith(".")
            }
        except OSError as error:
            raise Unavailable(f"{self._folder} cannot be read: {error.strerror}") from error
        before, self._sizes = self._sizes, seen
        return [path for path, size in seen.items() if before.get(path) == size]

    def _move(self, path: Path, to: str) -> Path:
        """Move a file into a folder beside, under a name that is free."""
        target = self._folder / to
        number = 0
        try:
            target.mkdir(exist_ok=True)
            while (moved := target / (path.name if number == 0 else f"{path.stem}-{number}{path.suffix}")).exists():
                number += 1
            return path.rename(moved)
        except OSError as error:
            raise Unavailable(f"{path} was read but cannot be moved to {target}: {error.strerror}") from error
