"""The store `memory`: frames in a list, gone with the process. For tests and for what-ifs."""

from bisect import bisect_right
from collections.abc import Iterator
from typing import final

from ectype.errors import Conflict, Invalid
from ectype.log.frame import Frame, decode, decode_head
from ectype.log.stores.base import Shelf


@final
class MemoryShelf:
    """A shelf in a dictionary."""

    def __init__(self) -> None:
        self._items: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        """See Shelf."""
        return self._items.get(name)

    def put(self, name: str, data: bytes, *, durable: bool = False) -> None:
        """See Shelf."""
        self._items[name] = data

    def sync(self, name: str) -> None:
        """See Shelf."""

    def remove(self, name: str) -> None:
        """See Shelf."""
        for found in [n for n in self._items if n == name or n.startswith(f"{name}/")]:
            del self._items[found]


@final
class MemoryStore:
    """See Store. As durable as the process."""

    limit = 1 << 30
    parts = 0

    def __init__(self) -> None:
        self.shelf: Shelf = MemoryShelf()
        self._firsts: list[int] = []
        self._frames: list[bytes] = []
        self._head = 0

    def append(self, first: int, *frame: bytes) -> None:
        """See Store."""
        data = b"".join(frame)
        if first != self._head:
            raise Conflict(f"the log has {self._head} entries, so a frame cannot begin at {first}")
        head = decode_head(data)
        if head is None or head.size != len(data) or head.first != first:
            raise Invalid("these bytes are no frame")
        self._frames.append(data)
        self._firsts.append(first)
        self._head = head.next

    def read(self, start: int) -> Iterator[Frame]:
        """See Store."""
        at = max(0, bisect_right(self._firsts, start) - 1)
        while at < len(self._frames):
            frame = decode(self._frames[at])
            if frame.next > start:
                yield frame
            at += 1

    def head(self) -> int:
        """See Store."""
        return self._head

    def close(self) -> None:
        """See Store."""
