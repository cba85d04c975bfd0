"""The store `files`: plain segment files in a folder, the default of every space.

    FOLDER/log/00000000000000000000.seg     frames, end to end; a new file every 64 MiB
    FOLDER/log/00000000000000000000.idx     index of a closed segment
    FOLDER/log/torn-<first>-<n>.bin         what was cut off a torn end
    FOLDER/<name>                           the shelf

Room is taken 4 MiB ahead, so that a full disk is told before a write begins and a flush has no length to record
(a single durable append then takes about two thirds of the time).
"""

import os
import shutil
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import final

from ectype.errors import Conflict, Damaged, Invalid, Refused, Unavailable
from ectype.log.frame import Frame, decode_head
from ectype.log.stores import disk
from ectype.log.stores.base import Shelf, Stopped
from ectype.log.stores.segment import Index, Torn, frames, scan

SEGMENT_BYTES = 64 << 20
_AHEAD = 4 << 20


@final
class FileShelf:
    """A shelf of files below one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def get(self, name: str) -> bytes | None:
        """See Shelf."""
        try:
            return (self._root / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Unavailable(f"{self._root / name}: {error.strerror}") from error

    def put(self, name: str, data: bytes, *, durable: bool = False) -> None:
        """See Shelf."""
        try:
            disk.replace(self._root / name, data, durable=durable)
        except OSError as error:
            raise Unavailable(f"{self._root / name}: {error.strerror}") from error

    def sync(self, name: str) -> None:
        """See Shelf."""
        try:
            fd = os.open(self._root / name, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            raise Unavailable(f"{self._root / name}: {error.strerror}") from error

    def remove(self, name: str) -> None:
        """See Shelf."""
        path = self._root / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@final
@dataclass(frozen=True, slots=True)
class Recovered:
    """A torn end that was cut off at opening: the log now has `size` entries."""

    size: int
    segment: Path
    offset: int
    kept: Path
    cut_bytes: int
    why: str

    def __str__(self) -> str:
        return (
            f"{self.segment}, byte {self.offset}: {self.why}; cut {self.cut_bytes} bytes of an unfinished write "
            f"(kept in {self.kept.name}), the log goes on with {self.size} entries"
        )


@final
class FilesStore:
    """See Store. Opening checks the last segment byte by byte; closed ones are checked as they are read."""

    limit = 1 << 30

    def __init__(
        self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES, floor: int = 0, writable: bool = True
    ) -> None:
        """Open or make the store in `folder`.

        floor: how many entries must be there (a checkpoint vouches for them): with fewer it is Damaged, and
        nothing is cut. writable=False changes nothing on disk and may look on while another process writes.
        """
        self.shelf: Shelf = FileShelf(folder)
        self.recovered: Recovered | None = None
        self._folder = folder / "log"
        self._segment_bytes = segment_bytes
        self._writable = writable
        self._broken: str | None = None
        self._fd = -1
        self._room = 0  # up to where bytes of the active segment are reserved
        self._closed: dict[int, Index] = {}
        if writable:
            self._folder.mkdir(parents=True, exist_ok=True)
        self._firsts = self._names()
        self._active, torn = self._scan_last()
        self.torn = torn
        if self._active.next < floor:
            why = f": {torn.why}" if torn else ""
            raise Damaged(
                f"{self._path(self._active.first)}, byte {self._active.end}{why}; the log has {self._active.next} "
                f"whole entries here, but its checkpoint vouches for {floor}; restore the log from a backup"
            )
        if torn and writable:
            self.recovered = self._cut(torn)

    @property
    def parts(self) -> int:
        """See Store."""
        return max(0, len(self._firsts) - 1)

    def head(self) -> int:
        """See Store."""
        return self._active.next

    def append(self, first: int, *frame: bytes) -> None:
        """See Store."""
        if self._broken:
            raise Stopped(self._broken)
        if first != self._active.next:
            raise Conflict(f"the log has {self._active.next} entries, so a frame cannot begin at {first}")
        size = sum(map(len, frame))
        head = decode_head(frame[0]) if frame else None
        if head is None or head.size != size or head.first != first:
            raise Invalid("these bytes are no frame")
        if not self._writable:
            raise Refused("this log was opened for reading")
        self._make_ready(size)
        end = self._active.end
        try:
            if end + size > self._room:
                self._reserve(end, size)
            for piece in frame:
                disk.write_at(self._fd, piece, end)
                end += len(piece)
        except OSError as error:
            self._cut_back(error)
        self._sync(self._fd)
        self._active.add(head.next, size)

    def read(self, start: int) -> Iterator[Frame]:
        """See Store."""
        at: int | None = None
        while (start if at is None else at) < self._active.next:
            want = start if at is None else at
            first = self._firsts[max(0, bisect_right(self._firsts, want) - 1)]
            active = self._active
            if first == active.first:
                index, end = active, active.end
            else:
                index = self._index_of(first)
                end = index.end
            for frame in self._frames(index, want, end):
                at = frame.next
                if at > start:
                    yield frame
            if at is None or at == want:
                raise Damaged(f"{self._path(first)}: entry {want} is missing; restore this file from a backup")

    def end_of(self, first: int) -> int | None:
        """The byte after the last frame of the segment that begins with entry `first`, if it is the last segment."""
        return self._active.end if first == self._active.first else None

    def close(self) -> None:
        """See Store."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        try:
            if not self._broken:
                os.ftruncate(fd, self._active.end)
        finally:
            self._broken = self._broken or f"{self._folder}: this log was closed"
            os.close(fd)

    # ---- opening

    def _names(self) -> list[int]:
        paths = self._folder.glob("*.seg") if self._folder.is_dir() else ()
        firsts = sorted(int(path.stem) for path in paths if len(path.stem) == 20 and path.stem.isdecimal())
        if firsts and firsts[0] != 0:
            raise Damaged(f"{self._path(0)} is missing; restore it from a backup")
        return firsts

    def _scan_last(self) -> tuple[Index, Torn | None]:
        if not self._firsts:
            return Index(0), None
        try:
            return scan(self._path(self._firsts[-1]), self._firsts[-1])
        except Damaged:
            if self._writable:
                raise
            # Another process may have written two frames while this one was reading. Damage stays damage.
            return scan(self._path(self._firsts[-1]), self._firsts[-1])

    def _cut(self, torn: Torn) -> Recovered:
        size = self._active.next
        path = self._path(self._active.first)
        number = 0
        while (kept := self._folder / f"torn-{size}-{number}.bin").exists():
            number += 1
        disk.replace(kept, torn.data, durable=True)
        fd = os.open(path, os.O_RDWR)
        try:
            os.ftruncate(fd, torn.offset)
            os.fsync(fd)
        finally:
            os.close(fd)
        return Recovered(size, path, torn.offset, kept, len(torn.data), torn.why)

    # ---- writing

    def _make_ready(self, size: int) -> None:
        """Have an active segment open that should take a frame of `size` bytes."""
        full = self._active.end and self._active.end + size > self._segment_bytes
        try:
            if self._fd < 0 and self._firsts:
                self._fd = os.open(self._path(self._active.first), os.O_RDWR)
                self._room = os.fstat(self._fd).st_size
            if self._fd >= 0 and not full:
                return
            if full:
                os.ftruncate(self._fd, self._active.end)
        except OSError as error:
            raise Unavailable(f"{self._folder}: {error.strerror}") from error
        if full:
            self._sync(self._fd)
            self._room = self._active.end
        self._open_next()

    def _open_next(self) -> None:
        done, first = self._active, self._active.next
        path = self._path(first)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        except OSError as error:
            raise Unavailable(f"{path}: {error.strerror}; nothing was appended") from error
        try:
            disk.sync_folder(self._folder)
        except OSError as error:
            os.close(fd)
            self._stop(f"{self._folder}: {error.strerror} while flushing")
        if self._fd >= 0:
            os.close(self._fd)
            self._closed[done.first] = done
            with suppress(OSError):  # it is made again when it is missing
                disk.replace(self._path(done.first, "idx"), done.to_bytes(), durable=False)
        self._fd, self._room = fd, 0
        self._active = Index(first)
        self._firsts = [*self._firsts, first]

    def _reserve(self, end: int, size: int) -> None:
        ahead = max(size, min(_AHEAD, self._segment_bytes - end))
        try:
            reserved = disk.reserve(self._fd, end, ahead)
        except OSError:
            ahead, reserved = size, disk.reserve(self._fd, end, size)
        if reserved:
            self._room = end + ahead

    def _cut_back(self, error: OSError) -> None:
        """A write failed before anything was flushed or acknowledged: what is there of it may go."""
        path = self._path(self._active.first)
        try:
            os.ftruncate(self._fd, self._active.end)
            self._room = self._active.end
        except OSError as second:
            self._stop(f"{path}: {error.strerror}, then {second.strerror} while cutting back")
        raise Unavailable(f"{path}: {error.strerror}; nothing was appended, the log goes on when there is room")

    def _sync(self, fd: int) -> None:
        try:
            disk.sync_data(fd)
        except OSError as error:
            self._stop(f"{self._path(self._active.first)}: {error.strerror} while flushing")

    def _stop(self, why: str) -> None:
        # After a failed flush the kernel may have dropped the bytes and call the pages clean: a second flush
        # would succeed and mean nothing.
        self._broken = f"{why}; what is on disk is unknown, so the log has stopped: check the disk, then start again"
        raise Stopped(self._broken)

    # ---- reading

    def _frames(self, index: Index, want: int, end: int) -> Iterator[Frame]:
        first, offset = index.find(want)
        path = self._path(index.first)
        try:
            for frame in frames(path, first, offset, end):
                if frame.next > want:
                    yield frame
        except FileNotFoundError as error:
            raise Damaged(f"{path} is missing; restore it from a backup") from error

    def _index_of(self, first: int) -> Index:
        """The index of a closed segment: from memory, its sidecar, or the segment itself."""
        found = self._closed.get(first)
        if found is None:
            path = self._path(first)
            following = self._firsts[bisect_right(self._firsts, first)]
            sidecar = self._path(first, "idx")
            found = Index.from_bytes(first, sidecar.read_bytes()) if sidecar.exists() else None
            if found is None or found.next != following:
                found = self._scan_closed(path, first, following)
                if self._writable:
                    with suppress(OSError):
                        disk.replace(sidecar, found.to_bytes(), durable=False)
            self._closed[first] = found
        return found

    def _scan_closed(self, path: Path, first: int, following: int) -> Index:
        try:
            index, torn = scan(path, first)
        except FileNotFoundError as error:
            raise Damaged(f"{path} is missing; restore it from a backup") from error
        if torn or index.next != following:
            why = torn.why if torn else "the file ends here"
            raise Damaged(
                f"{path}, byte {index.end} (entry {index.next}): {why}, but entry {following} follows in the next "
                "segment; restore this file from a backup"
            )
        return index

    def _path(self, first: int, kind: str = "seg") -> Path:
        return self._folder / f"{first:020d}.{kind}"
