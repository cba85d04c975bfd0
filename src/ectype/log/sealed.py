"""Sealed bytes: a snapshot that knows what it is and whether it is whole, so a damaged one is never believed.

ECTS <name> <version> <size>\n     what of, in which version of its code, at which size of the log
32 bytes                           the root of the log at that size
32 bytes                           SHA-256 of everything else
…                                  the state
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import final

_LIMIT = 400


@final
@dataclass(frozen=True, slots=True)
class Sealed:
    """A state of something that was folded from the first `size` entries of the log with `root`."""

    name: str
    version: int
    size: int
    root: bytes
    state: bytes

    def to_bytes(self) -> bytes:
        """The bytes to keep."""
        head = f"ECTS {self.name} {self.version} {self.size}\n".encode() + self.root
        return b"".join((head, sha256(head + self.state).digest(), self.state))


def unseal(data: bytes) -> Sealed | None:
    """What `to_bytes` gave, or None if a single bit of it is different."""
    line, newline, _ = data[:_LIMIT].partition(b"\n")
    words = line.decode("ascii", "replace").split(" ")
    start = len(line) + 1
    if not newline or len(words) != 4 or words[0] != "ECTS" or len(data) < start + 64:
        return None
    state = data[start + 64 :]
    if sha256(data[: start + 32] + state).digest() != data[start + 32 : start + 64]:
        return None
    return Sealed(words[1], int(words[2]), int(words[3]), data[start : start + 32], state)
