"""C2SP tlog-tiles: the paths and bytes by which anybody can fetch and check the log as static files.

    checkpoint                    the newest signed checkpoint
    tile/<L>/<N>                  256 hashes: tile N of level L
    tile/<L>/<N>.p/<W>            the first W hashes of a tile that is not full yet
    tile/entries/<N>[.p/<W>]      the entries (here: headers) behind tile N of level 0, each after its length

See https://c2sp.org/tlog-tiles. N is written in groups of three digits: 1234067 is x001/x234/067.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, final

from ectype.errors import Damaged, Invalid
from ectype.trust.merkle import WIDTH, edge_width, levels

_PATH = re.compile(r"tile/(entries|0|[1-9]\d?)/((?:x\d{3}/)*\d{3})(?:\.p/([1-9]\d{0,2}))?")


@final
@dataclass(frozen=True, slots=True)
class TilePath:
    """Which tile a path names. level "entries" is a bundle of entries."""

    level: int | Literal["entries"]
    n: int
    width: int = WIDTH

    def __str__(self) -> str:
        groups = [f"{self.n % 1000:03d}"]
        rest = self.n // 1000
        while rest:
            groups.append(f"x{rest % 1000:03d}")
            rest //= 1000
        name = f"tile/{self.level}/{'/'.join(reversed(groups))}"
        return name if self.width == WIDTH else f"{name}.p/{self.width}"


def parse_path(text: str) -> TilePath:
    """The tile that a path names. Invalid for any other spelling."""
    match = _PATH.fullmatch(text)
    if match:
        level = "entries" if match[1] == "entries" else int(match[1])
        path = TilePath(level, int(match[2].replace("x", "").replace("/", "")), int(match[3] or WIDTH))
        if (level == "entries" or level < 64) and str(path) == text:
            return path
    raise Invalid(f"{text[:200]!r} is no tile; write it like tile/0/x001/067 or tile/entries/000.p/17")


def partial_tiles(size: int) -> Iterator[TilePath]:
    """The incomplete tiles of a tree of `size` leaves, which a checkpoint of that size needs."""
    for level in range(levels(size)):
        width = edge_width(size, level)
        if width:
            yield TilePath(level, size >> 8 * (level + 1), width)


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """An entry bundle: each entry after its length in two bytes, big-endian."""
    return b"".join([struct.pack(">H", len(entry)) + entry for entry in entries])


def decode_bundle(data: bytes) -> list[bytes]:
    """The entries of a bundle. Damaged if it ends inside one."""
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 2])
        entry = data[at + 2 : at + 2 + size]
        if at + 2 + size > len(data):
            raise Damaged(f"this entry bundle ends inside its entry {len(entries)}")
        entries.append(entry)
        at += 2 + size
    return entries
