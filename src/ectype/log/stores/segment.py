"""A segment: one file of frames, end to end, and how to tell a torn end from damage inside.

    00000000000000001000.seg    named for the index of its first entry
    00000000000000001000.idx    where some of its frames begin, once it is closed; made again if lost

Frames are written one at a time, each on disk before the next begins. So bytes that are no frame can be an
unfinished write only if no frame follows them; with a frame after them they were once right: damage.
Zeros up to the end of the file are room taken in advance.
"""

import os
import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import final
from zlib import crc32

from ectype.errors import Damaged
from ectype.log.frame import HEAD_SIZE, MAGIC, Frame, Head, decode_head, decode_payload

STEP = 64 << 10  # one index entry for so many bytes
_CHUNK = 1 << 20
_INDEX_MAGIC = b"ECTX"
_INDEX_HEAD = struct.Struct(">4sIQQ")


@final
@dataclass(slots=True)
class Index:
    """Where some frames of a segment begin (every 64 KiB or so), and where it ends.

    first: of the segment; next: the index after its last entry; end: the byte after its last frame.
    """

    first: int
    next: int = field(init=False)
    end: int = 0
    firsts: "array[int]" = field(default_factory=lambda: array("Q"))
    offsets: "array[int]" = field(default_factory=lambda: array("Q"))

    def __post_init__(self) -> None:
        self.next = self.first

    def add(self, after: int, size: int) -> None:
        """A frame of `size` bytes was appended; `after` is the index after its last entry."""
        if not self.offsets or self.end - self.offsets[-1] >= STEP:
            self.offsets.append(self.end)  # before firsts: a reader in another thread looks at firsts
            self.firsts.append(self.next)
        self.next = after
        self.end += size

    def find(self, index: int) -> tuple[int, int]:
        """(index, offset) of a frame at or before entry `index`, not far before."""
        at = bisect_right(self.firsts, index) - 1
        return (self.firsts[at], self.offsets[at]) if at >= 0 else (self.first, 0)

    def to_bytes(self) -> bytes:
        """The sidecar file."""
        rows = [x for pair in zip(self.firsts, self.offsets, strict=True) for x in pair]
        body = _INDEX_HEAD.pack(_INDEX_MAGIC, len(self.firsts), self.next, self.end) + struct.pack(
            f">{len(rows)}Q", *rows
        )
        return body + struct.pack(">I", crc32(body))

    @classmethod
    def from_bytes(cls, first: int, data: bytes) -> "Index | None":
        """The index in a sidecar file, or None if it is not whole."""
        if len(data) < _INDEX_HEAD.size + 4 or int.from_bytes(data[-4:]) != crc32(data[:-4]):
            return None
        magic, count, after, end = _INDEX_HEAD.unpack_from(data)
        if magic != _INDEX_MAGIC or len(data) != _INDEX_HEAD.size + 16 * count + 4:
            return None
        rows = struct.unpack_from(f">{2 * count}Q", data, _INDEX_HEAD.size)
        index = cls(first)
        index.next, index.end = after, end
        index.firsts, index.offsets = array("Q", rows[::2]), array("Q", rows[1::2])
        return index


@final
@dataclass(frozen=True, slots=True)
class Torn:
    """Bytes after the last whole frame that are no frame: where they begin, what they are, why they are none."""

    offset: int
    data: bytes
    why: str


def scan(path: Path, first: int) -> tuple[Index, Torn | None]:
    """Check every byte of a segment: its index, and its torn end if it has one.

    Raises Damaged, naming file and offset, if a frame follows bytes that are none. Reads the file whole, once: a
    mapping would kill this process if the one that writes cut the file meanwhile.
    """
    index = Index(first)
    data = memoryview(path.read_bytes())
    while True:
        head, why = _frame_at(data, index.end, index.next)
        if head is None:
            return index, _tear(data, index, why, path)
        index.add(head.next, head.size)


def frames(path: Path, index: int, offset: int, end: int | None = None) -> Iterator[Frame]:
    """The frames from byte `offset`, where the frame of entry `index` begins, up to byte `end`.

    Reads ahead a megabyte at a time. Raises Damaged, naming the place.
    """
    with path.open("rb", buffering=0) as file:
        for place, head, payload in _pieces(file.fileno(), path, index, offset, end):
            try:
                yield decode_payload(head, payload)
            except Damaged as error:
                raise Damaged(f"{path}, byte {place} (entry {head.first}): {error}") from error


def _pieces(fd: int, path: Path, index: int, offset: int, end: int | None) -> Iterator[tuple[int, Head, bytes]]:
    buffer, base, at = b"", offset, 0
    while end is None or base + at < end:
        if len(buffer) - at < HEAD_SIZE:
            buffer, base, at = buffer[at:] + os.pread(fd, _CHUNK, base + len(buffer)), base + at, 0
        if not buffer:
            return
        head = decode_head(memoryview(buffer)[at:])
        if head is None or head.first != index:
            if end is None and _only_zeros(fd, base + at):
                return
            raise Damaged(f"{path}, byte {base + at}: no frame with entry {index} begins here")
        missing = head.size - (len(buffer) - at)
        if missing > 0:
            more = os.pread(fd, max(missing, _CHUNK), base + len(buffer))
            buffer, base, at = buffer[at:] + more, base + at, 0
            if len(buffer) < head.size:
                raise Damaged(f"{path}, byte {base} (entry {index}): the file ends inside this frame")
        yield base + at, head, buffer[at + HEAD_SIZE : at + head.size]
        at += head.size
        index = head.next


def _frame_at(data: memoryview, at: int, index: int) -> tuple[Head | None, str]:
    head = decode_head(data[at : at + HEAD_SIZE])
    if head is None:
        return None, "no frame begins here"
    if head.first != index:
        return None, f"the frame here begins with entry {head.first}, not {index}"
    if at + head.size > len(data):
        return None, f"the file ends inside the frame of entry {index}"
    if crc32(data[at + HEAD_SIZE : at + head.size]) != head.crc:
        return None, f"the checksum of the frame of entry {index} does not hold"
    return head, ""


def _tear(data: memoryview, index: Index, why: str, path: Path) -> Torn | None:
    end = index.end
    rest = bytes(data[end:]).rstrip(b"\0")
    if not rest:
        return None
    head = decode_head(data[end : end + HEAD_SIZE])
    # With a whole head its payload is passed over: what looks like a frame in there is only somebody's body.
    at = head.size if head is not None and head.first == index.next else 1
    if head is not None and head.first != index.next:
        raise Damaged(f"{path}, byte {end}: {why}; restore this file from a backup")
    while (at := rest.find(MAGIC, at)) >= 0:
        later = decode_head(rest[at : at + HEAD_SIZE])
        if later is not None and later.first > index.next:
            raise Damaged(
                f"{path}, byte {end} (entry {index.next}): {why}, but entry {later.first} follows at byte {end + at}; "
                "restore this file from a backup"
            )
        at += 1
    return Torn(end, rest, why)


def _only_zeros(fd: int, at: int) -> bool:
    while chunk := os.pread(fd, _CHUNK, at):
        if chunk.strip(b"\0"):
            return False
        at += len(chunk)
    return True
