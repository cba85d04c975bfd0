"""A frame: the entries that became durable together, as the bytes that stores keep and followers read.

    at    size
    0     4       magic "ECT1"
    4     4       length of the payload in bytes
    8     8       index of the first entry
    16    4       count of entries, at least 1
    20    4       CRC-32 of the payload
    24    4       CRC-32 of the 24 bytes before
    28    payload:
          2·n     length of each header
          4·n     length of each body; 0xFFFFFFFF: erased
          …       the headers, joined
          16·n    the salts (zeros where erased)
          …       the bodies, joined

All numbers are big-endian. The head has a CRC of its own so that a damaged length is never mistaken for a frame
that was torn. An erased body takes no room: erasing writes the segment anew without it.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import final
from zlib import crc32

from msgspec import MsgspecError

from ectype.errors import Damaged
from ectype.log.entry import SALT, Entry, read_entry

MAGIC = b"ECT1"
ERASED = 0xFFFF_FFFF
HEAD_SIZE = 28
_HEAD = struct.Struct(">4sIQIII")
_CRC = struct.Struct(">I")
_NO_SALT = bytes(SALT)
_LARGE = 64 << 10


@final
@dataclass(frozen=True, slots=True)
class Frame:
    """Consecutive entries; the first has index `first`."""

    first: int
    entries: tuple[Entry, ...]

    @property
    def next(self) -> int:
        """The index after the last entry."""
        return self.first + len(self.entries)

    def between(self, start: int, stop: int) -> "Frame":
        """The part of this frame with indices in [start, stop); may be empty."""
        if start <= self.first and stop >= self.next:
            return self
        low = max(start, self.first)
        return Frame(low, self.entries[low - self.first : max(stop, low) - self.first])


@final
@dataclass(frozen=True, slots=True)
class Head:
    """The first 28 bytes of a frame, checked."""

    payload: int
    first: int
    count: int
    crc: int

    @property
    def size(self) -> int:
        """The length of the whole frame in bytes."""
        return HEAD_SIZE + self.payload

    @property
    def next(self) -> int:
        """The index after the last entry."""
        return self.first + self.count


def encode(first: int, entries: Sequence[Entry]) -> bytes:
    """The bytes of a frame: about half a microsecond an entry."""
    return b"".join(pieces(first, entries))


def pieces(first: int, entries: Sequence[Entry]) -> list[bytes]:
    """The bytes of a frame, in one piece or several that follow each other; the first begins with the whole head.

    A large body is a piece of its own, and not copied.
    """
    count = len(entries)
    headers = [entry.header for entry in entries]
    bodies = [entry.body for entry in entries]
    small = [
        struct.pack(f">{count}H", *map(len, headers)),
        struct.pack(f">{count}I", *[ERASED if body is None else len(body) for body in bodies]),
        *headers,
        *[entry.salt or _NO_SALT for entry in entries],
    ]
    payload: list[bytes] = []
    if max(map(len, filter(None, bodies)), default=0) >= _LARGE:
        for body in bodies:
            if body is not None and len(body) >= _LARGE:
                payload += [b"".join(small), body]
                small = []
            else:
                small.append(body or b"")
    else:
        small += [body or b"" for body in bodies]
    payload.append(b"".join(small))
    crc = 0
    for piece in payload:
        crc = crc32(piece, crc)
    head = _HEAD.pack(MAGIC, sum(map(len, payload)), first, count, crc, 0)[:24]
    return [b"".join((head, _CRC.pack(crc32(head)), payload[0])), *payload[1:]]


def size_of(entries: Sequence[Entry]) -> int:
    """How many bytes `encode` would make of these."""
    fixed = HEAD_SIZE + (6 + SALT) * len(entries)
    return fixed + sum([len(entry.header) + len(entry.body or b"") for entry in entries])


def decode_head(data: bytes | memoryview) -> Head | None:
    """The head that `data` begins with, or None if it begins with something else."""
    if len(data) < HEAD_SIZE or data[:4] != MAGIC:
        return None
    _, payload, first, count, crc, own = _HEAD.unpack_from(data)
    if crc32(data[:24]) != own or not count:
        return None
    return Head(payload, first, count, crc)


def decode(data: bytes | memoryview) -> Frame:
    """The frame in `data`, all of it. Damaged if its CRCs or its lengths do not hold."""
    head = decode_head(data)
    if head is None or head.size != len(data):
        raise Damaged("no frame of the log begins here")
    return decode_payload(head, bytes(data[HEAD_SIZE:]))


def decode_payload(head: Head, payload: bytes) -> Frame:
    """The frame of a head and its payload. Damaged if CRC, lengths or headers do not hold."""
    if crc32(payload) != head.crc:
        raise Damaged("the checksum of this frame does not hold")
    headers, bodies = _table(head, payload)
    count = head.count
    text = list(accumulate(headers, initial=6 * count))
    salts = text[-1]
    data = list(accumulate([0 if size == ERASED else size for size in bodies], initial=salts + SALT * count))
    if data[-1] != len(payload):
        raise Damaged("the lengths inside this frame do not add up")
    try:
        return Frame(
            head.first,
            tuple(
                [
                    read_entry(
                        payload[a:b],
                        payload[salt : salt + SALT],
                        None if size == ERASED else payload[c : c + size],
                    )
                    for (a, b), salt, c, size in zip(
                        pairwise(text), range(salts, data[0], SALT), data, bodies, strict=False
                    )
                ]
            ),
        )
    except (MsgspecError, ValueError) as error:
        raise Damaged(f"an entry of this frame is none: {error}") from error


def decode_headers(head: Head, payload: bytes) -> list[bytes]:
    """The headers alone: what the Merkle tree is made of."""
    if crc32(payload) != head.crc:
        raise Damaged("the checksum of this frame does not hold")
    ends = accumulate(_table(head, payload)[0], initial=6 * head.count)
    return [payload[a:b] for a, b in pairwise(ends)]


def _table(head: Head, payload: bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if len(payload) < 6 * head.count:
        raise Damaged("the lengths inside this frame do not add up")
    headers = struct.unpack_from(f">{head.count}H", payload)
    return headers, struct.unpack_from(f">{head.count}I", payload, 2 * head.count)
