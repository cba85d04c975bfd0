"""The log's tree on a shelf: full tiles as C2SP files beside the log, and made again from it when they are lost.

A tile read back is believed only if its root is the hash above it, up to the edge, which the signed checkpoint
covers. So a flipped bit or a missing file costs time, not truth.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import final

from ectype.errors import Damaged
from ectype.log.stores.base import Shelf
from ectype.trust.merkle import TILE, WIDTH, subtree
from ectype.trust.tiles import TilePath

_log = logging.getLogger("ectype.log")
_CACHED = 256  # tiles, 2 MiB


@final
class ShelfTiles:
    """See merkle.Tiles. What is put stays in memory until `flush`, which may run in another thread."""

    def __init__(self, shelf: Shelf, leaves: Callable[[int], bytes], *, writable: bool = True) -> None:
        """`leaves(n)`: the 256 leaf hashes from entry 256·n on, from the log itself."""
        self._shelf = shelf
        self._leaves = leaves
        self._writable = writable
        self._waiting: dict[tuple[int, int], bytes] = {}
        self._cache: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._unsynced: list[str] = []

    def put(self, level: int, n: int, hashes: bytes) -> None:
        """See Tiles."""
        self._waiting[level, n] = hashes

    def get(self, level: int, n: int, root: bytes) -> bytes:
        """See Tiles."""
        key = level, n
        found = self._waiting.get(key) or self._cache.get(key)
        if found is None:
            found = self._shelf.get(str(TilePath(level, n)))
            if found is None or len(found) != TILE or subtree(found) != root:
                found = self._again(level, n, root)
        self._cache[key] = found
        self._cache.move_to_end(key)
        while len(self._cache) > _CACHED:
            self._cache.popitem(last=False)
        return found

    def flush(self) -> None:
        """Write the waiting tiles, and take away the partial ones that they replace. Raises Unavailable."""
        for (level, n), hashes in list(self._waiting.items()):
            name = str(TilePath(level, n))
            self._shelf.put(name, hashes)
            self._shelf.remove(f"{name}.p")
            self._unsynced.append(name)
            del self._waiting[level, n]

    def sync(self) -> None:
        """Make durable what was flushed. Raises Unavailable."""
        while self._unsynced:
            self._shelf.sync(self._unsynced[-1])
            self._unsynced.pop()

    def _again(self, level: int, n: int, root: bytes) -> bytes:
        name = str(TilePath(level, n))
        hashes = self._made(level, n)
        if subtree(hashes) != root:
            raise Damaged(
                f"{name}: this tile does not hash to the tree above it, nor do the entries of the log; run `log verify`"
            )
        _log.warning("%s was lost or damaged and has been made again from the log", name)
        if self._writable:
            self._shelf.put(name, hashes)
        return hashes

    def _made(self, level: int, n: int) -> bytes:
        if level == 0:
            return self._leaves(n)
        return b"".join(subtree(self._made(level - 1, WIDTH * n + i)) for i in range(WIDTH))
