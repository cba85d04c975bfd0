"""The Merkle tree of RFC 6962 / 9162: a root per size, and proofs that only short paths are needed for.

The tree grows at its right edge alone, so what it holds is that edge, in the shape of C2SP tiles:

    level 2   [ .. ]                       each hash covers 65,536 leaves
    level 1   [ tile 0 ][ .. ]             each hash covers 256 leaves: the root of a full tile below
    level 0   [ tile 0 ][ tile 1 ]..[ ..]  leaf hashes
                                    ^ the edge: at most 255 hashes a level, kept here

Full tiles (256 hashes, 8,192 bytes) go to a `Tiles` shelf and come back only for proofs; the levels between
are hashed again from them. A tree of any size needs some kilobytes of memory beside its shelf.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Protocol, final

from ectype.errors import Invalid, ProofFailed

HASH = 32
WIDTH = 256
TILE = HASH * WIDTH
EMPTY_ROOT = sha256(b"").digest()


class Tiles(Protocol):
    """Where full tiles are kept."""

    def put(self, level: int, n: int, hashes: bytes) -> None:
        """Keep the 256 hashes of tile `n` at `level`."""
        ...

    def get(self, level: int, n: int, root: bytes) -> bytes:
        """The 256 hashes put there before. Their root is `root`: an implementer checks it and never returns others."""
        ...


@final
class MemoryTiles:
    """Tiles in a dictionary: 32 bytes a leaf."""

    def __init__(self) -> None:
        self._tiles: dict[tuple[int, int], bytes] = {}

    def put(self, level: int, n: int, hashes: bytes) -> None:
        """See Tiles."""
        self._tiles[level, n] = hashes

    def get(self, level: int, n: int, root: bytes) -> bytes:
        """See Tiles."""
        return self._tiles[level, n]


@final
class Merkle:
    """A growing tree. `size` is its number of leaves."""

    def __init__(self, tiles: Tiles | None = None, size: int = 0, edges: Sequence[bytes] = ()) -> None:
        """A tree of `size` leaves whose full tiles are on the shelf; `edges` is what `edges()` said at that size."""
        if len(edges) != levels(size) or any(len(e) != HASH * edge_width(size, i) for i, e in enumerate(edges)):
            raise Invalid(f"these edges are not those of a tree with {size} leaves")
        self._tiles = MemoryTiles() if tiles is None else tiles
        self._edges = [bytearray(edge) for edge in edges]
        self.size = size

    def extend(self, hashes: bytes) -> None:
        """Add leaves, given as their joined leaf hashes: about one SHA-256 of 65 bytes each."""
        before = self.size
        self.size += len(hashes) // HASH
        level = 0
        while hashes:
            if level == len(self._edges):
                self._edges.append(bytearray())
            edge = self._edges[level]
            edge += hashes
            n = before >> 8 * (level + 1)
            roots: list[bytes] = []
            while len(edge) >= TILE * (len(roots) + 1):
                tile = bytes(edge[TILE * len(roots) : TILE * (len(roots) + 1)])
                self._tiles.put(level, n + len(roots), tile)
                roots.append(subtree(tile))
            del edge[: TILE * len(roots)]
            hashes = b"".join(roots)
            level += 1

    def edges(self) -> list[bytes]:
        """The hashes of the incomplete tile of each level, lowest first: with `size`, the whole state of the tree."""
        return [bytes(edge) for edge in self._edges]

    def root(self, size: int | None = None) -> bytes:
        """The root over the first `size` leaves (all of them if None)."""
        size = self.size if size is None else self._check(size)
        return self._range(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """The audit path of leaf `index` in the tree of `size` leaves, lowest first (RFC 9162 section 2.1.3.1)."""
        if not 0 <= index < self._check(size):
            raise Invalid(f"entry {index} is not among the first {size}")
        path: list[bytes] = []
        low, high = 0, size
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                path.append(self._range(middle, high))
                high = middle
            else:
                path.append(self._range(low, middle))
                low = middle
        return path[::-1]

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Proof that the tree of `old` leaves is the beginning of that of `new` (RFC 9162 section 2.1.4.1)."""
        if not 0 <= old <= self._check(new):
            raise Invalid(f"a tree of {old} leaves cannot be the beginning of one of {new}")
        if old in (0, new):
            return []
        path: list[bytes] = []
        low, high = 0, new
        while high != old:
            middle = low + _split(high - low)
            if old <= middle:
                path.append(self._range(middle, high))
                high = middle
            else:
                path.append(self._range(low, middle))
                low = middle
        if low:
            path.append(self._range(low, high))
        return path[::-1]

    def tile(self, level: int, n: int, width: int = WIDTH) -> bytes:
        """The first `width` hashes of tile `n` at `level`. NotFound is for the caller: Invalid if not there yet."""
        if not (0 <= level < 64 and n >= 0 and 1 <= width <= WIDTH):
            raise Invalid(f"tile {n} of level {level}, {width} wide, cannot be")
        if (self.size >> 8 * level) < n * WIDTH + width:
            raise Invalid(f"tile {n} of level {level} has no {width} hashes in a log of {self.size} entries")
        return self._tile(level, n)[: HASH * width]

    def _check(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise Invalid(f"the log has {self.size} entries, not {size}")
        return size

    def _tile(self, level: int, n: int) -> bytes:
        if n == self.size >> 8 * (level + 1):
            return bytes(self._edges[level])
        at = HASH * (n % WIDTH)
        return self._tiles.get(level, n, self._tile(level + 1, n // WIDTH)[at : at + HASH])

    def _range(self, low: int, high: int) -> bytes:
        """MTH(D[low:high]) for a range that RFC 6962's recursion reaches."""
        if low == high - 1 or (high - low) & (high - low - 1) == 0:
            height = (high - low).bit_length() - 1
            level, rest = divmod(height, 8)
            at = low >> 8 * level  # the number of its first hash at that level
            tile = self._tile(level, at // WIDTH)
            return subtree(tile[HASH * (at % WIDTH) : HASH * (at % WIDTH + (1 << rest))])
        middle = low + _split(high - low)
        return node_hash(self._range(low, middle), self._range(middle, high))


def leaf_hash(data: bytes) -> bytes:
    """The hash of one leaf: SHA-256(0x00 ‖ data)."""
    return sha256(b"\0" + data).digest()


def leaf_hashes(leaves: Sequence[bytes]) -> bytes:
    """The joined hashes of many leaves."""
    hash_of = sha256
    return b"".join([hash_of(b"\0" + leaf).digest() for leaf in leaves])


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(b"\1" + left + right).digest()


def subtree(hashes: bytes) -> bytes:
    """The root over a power of two of joined hashes."""
    hash_of = sha256
    while len(hashes) > HASH:
        hashes = b"".join([hash_of(b"\1" + hashes[i : i + 64]).digest() for i in range(0, len(hashes), 64)])
    return hashes


def levels(size: int) -> int:
    """How many tile levels a tree of `size` leaves has."""
    return (size.bit_length() + 7) // 8


def edge_width(size: int, level: int) -> int:
    """How many hashes the incomplete tile of `level` holds."""
    return (size >> 8 * level) % WIDTH


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Prove that `leaf` (a leaf hash) is entry `index` of the log whose first `size` entries have `root`.

    `path` holds the sibling hashes, lowest first. Raises ProofFailed if it does not lead to `root`.
    RFC 9162 section 2.1.3.2.
    """
    if not 0 <= index < size:
        raise ProofFailed(f"entry {index} is not among the first {size}")
    node, last, at = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ProofFailed("the inclusion proof is too long")
        if node & 1 or node == last:
            at = node_hash(sibling, at)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            at = node_hash(at, sibling)
        node >>= 1
        last >>= 1
    if last:
        raise ProofFailed("the inclusion proof is too short")
    if at != root:
        raise ProofFailed(f"the inclusion proof of entry {index} does not lead to the root of {size} entries")


def check_consistency(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Prove that the log with `old_root` at `old` entries is the beginning of that with `new_root` at `new`.

    Raises ProofFailed. RFC 9162 section 2.1.4.2; from an empty log everything follows, with an empty path.
    """
    if not 0 <= old <= new:
        raise ProofFailed(f"a log of {old} entries is not the beginning of one of {new}")
    if old in (0, new):
        if path:
            raise ProofFailed("the consistency proof is too long")
        if old_root != (new_root if old else EMPTY_ROOT):
            raise ProofFailed(f"two logs of {old} entries have different roots")
        return
    steps = list(path)
    if old & (old - 1) == 0:
        steps.insert(0, old_root)
    if not steps:
        raise ProofFailed("the consistency proof is too short")
    node, last = old - 1, new - 1
    while node & 1:
        node >>= 1
        last >>= 1
    was = now = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise ProofFailed("the consistency proof is too long")
        if node & 1 or node == last:
            was, now = node_hash(step, was), node_hash(step, now)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            now = node_hash(now, step)
        node >>= 1
        last >>= 1
    if last:
        raise ProofFailed("the consistency proof is too short")
    if was != old_root or now != new_root:
        raise ProofFailed(f"the log of {old} entries is not the beginning of that of {new}")


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1
