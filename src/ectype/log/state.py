"""What a log knows of itself beside its frames: the tree, and the last index of every subject.

Both are folds of the log. A snapshot of them, taken as segments close, lets a big log open by reading only what
came after it. The signed checkpoint is the low-water mark: a log that is shorter, or has another root there, is not
the log that was.
"""

import logging
from typing import final

import msgspec

from ectype.errors import Damaged, Invalid, Misconfigured, ProofFailed
from ectype.log.frame import Frame
from ectype.log.sealed import Sealed, unseal
from ectype.log.stores.base import Store
from ectype.log.tree import ShelfTiles
from ectype.trust.checkpoint import Checkpoint, VerifierKey, parse_checkpoint, verify_checkpoint
from ectype.trust.merkle import WIDTH, Merkle, leaf_hashes, levels
from ectype.trust.tiles import partial_tiles

CHECKPOINT = "checkpoint"
SNAPSHOT = "folds/log/snapshot"
_VERSION = 1
_log = logging.getLogger("ectype.log")


class _Kept(msgspec.Struct):
    edges: list[bytes]
    heads: dict[str, int]


@final
class State:
    """The tree and the heads at `tree.size` entries."""

    def __init__(self, store: Store, *, writable: bool = True) -> None:
        self._store = store
        self.tiles = ShelfTiles(store.shelf, self._leaves, writable=writable)
        self.tree = Merkle(self.tiles)
        self.heads: dict[str, int] = {}
        self.snapshot_size = 0
        self._partials: set[str] = set()

    @classmethod
    def load(cls, store: Store, *, writable: bool = True) -> "State":
        """The state at the store's head: from the last snapshot if it fits, then frame by frame."""
        state = cls(store, writable=writable)
        head = store.head()
        state._restore(head)
        for frame in store.read(state.tree.size):
            if frame.first >= head:
                break
            rest = frame.between(state.tree.size, head)
            state.extend(leaf_hashes([entry.header for entry in rest.entries]))
            state.note(rest)
        return state

    def extend(self, hashes: bytes) -> None:
        """Add leaf hashes to the tree."""
        self.tree.extend(hashes)

    def note(self, frame: Frame) -> None:
        """Remember the subjects of a frame."""
        self.heads.update([(entry.subject, index) for index, entry in enumerate(frame.entries, frame.first)])

    def check(self, note: str, key: VerifierKey) -> Checkpoint:
        """The checkpoint on the shelf, if this log is the one it speaks of. Raises Damaged or Misconfigured."""
        checkpoint = read_checkpoint(note, key)
        if checkpoint.size > self.tree.size:
            raise Damaged(
                f"the log has {self.tree.size} entries, but its checkpoint vouches for {checkpoint.size}; "
                "restore the log from a backup"
            )
        if self.tree.root(checkpoint.size) != checkpoint.root:
            raise Damaged(
                f"the first {checkpoint.size} entries are not those that the checkpoint signed; run `log verify` to "
                "find the place, and restore the log from a backup"
            )
        return checkpoint

    def partials(self) -> list[tuple[str, bytes]]:
        """The partial tiles at the present size that were not written yet, with their names."""
        fresh: list[tuple[str, bytes]] = []
        for path in partial_tiles(self.tree.size):
            if str(path) not in self._partials and isinstance(path.level, int):
                fresh.append((str(path), self.tree.tile(path.level, path.n, path.width)))
        self._partials = {str(path) for path in partial_tiles(self.tree.size)}
        return fresh

    def snapshot(self) -> Sealed:
        """The state now, to be sealed and kept."""
        kept = _Kept(self.tree.edges(), self.heads)
        return Sealed("log", _VERSION, self.tree.size, self.tree.root(), msgspec.msgpack.encode(kept))

    def _restore(self, head: int) -> None:
        data = self._store.shelf.get(SNAPSHOT)
        if data is None:
            return
        sealed = unseal(data)
        if sealed is None or sealed.name != "log":
            _log.warning("%s is damaged and passed over: opening reads the whole log", SNAPSHOT)
            return
        if sealed.version != _VERSION or sealed.size > head:
            return
        kept = msgspec.msgpack.decode(sealed.state, type=_Kept)
        if len(kept.edges) != levels(sealed.size):
            return
        self.tree = Merkle(self.tiles, sealed.size, kept.edges)
        if self.tree.root() != sealed.root:
            _log.warning("%s does not fit the log's tiles and is passed over", SNAPSHOT)
            self.tree = Merkle(self.tiles)
            return
        self.heads = kept.heads
        self.snapshot_size = sealed.size

    def _leaves(self, n: int) -> bytes:
        start = stop = WIDTH * n
        stop += WIDTH
        leaves: list[bytes] = []
        for frame in self._store.read(start):
            leaves += [entry.header for entry in frame.between(start, stop).entries]
            if frame.next >= stop:
                break
        return leaf_hashes(leaves)


def read_checkpoint(note: str, key: VerifierKey) -> Checkpoint:
    """The checkpoint in `note`, which must be signed by `key` for the log it is named for."""
    try:
        origin = parse_checkpoint(note).origin
        if origin != key.name:
            raise Misconfigured(f"this space holds the log '{origin}'; open it by that name, not as '{key.name}'")
        return verify_checkpoint(note, key)
    except Invalid as error:
        raise Damaged(f"the checkpoint: {error}; restore it from a backup") from error
    except ProofFailed as error:
        raise Damaged(
            f"the checkpoint was not signed by this log's key, or was changed: {error}; restore both from a backup"
        ) from error
