"""Looking on: a log on disk as it was at one moment, without its lock and without writing anything.

For `log show`, `log verify` and `log prove` while another process runs, and for checking a copy of a space.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import final

from ectype.errors import Invalid, Misconfigured, NotFound
from ectype.log.entry import Entry
from ectype.log.space import is_space, load_checkpoint
from ectype.log.state import CHECKPOINT, State
from ectype.log.stores.files import FilesStore
from ectype.trust.checkpoint import Checkpoint, VerifierKey, parse_vkey
from ectype.trust.keys import Signer


@final
class LogView:
    """The whole frames that were on disk when it was opened. See `open_view`.

    size: how many entries they hold; signed: the checkpoint on disk, of at most that size; note: its text.
    """

    def __init__(self, path: Path, key: VerifierKey, checkpoint: Checkpoint, note: str) -> None:
        """Use `open_view`."""
        self.path = path
        self.key = key
        self.vkey = str(key)
        self.origin = checkpoint.origin
        self.signed = checkpoint
        self.note = note
        self.store = FilesStore(path, floor=checkpoint.size, writable=False)
        self.size = self.store.head()
        self._state: State | None = None

    def read(self, start: int, stop: int | None = None) -> Iterator[tuple[int, Entry]]:
        """The entries with indices in [start, stop), in order."""
        if not 0 <= start <= self.size:
            raise Invalid(f"the log has {self.size} entries, so none can be read from {start} on")
        end = self.size if stop is None else min(stop, self.size)
        for frame in self.store.read(start):
            part = frame.between(start, end)
            yield from enumerate(part.entries, part.first)
            if frame.next >= end:
                return

    def root(self, size: int | None = None) -> bytes:
        """The Merkle root over the first `size` entries."""
        return self._tree().tree.root(self.size if size is None else size)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Proof that entry `index` is in the log of `size` entries."""
        return self._tree().tree.inclusion(index, size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Proof that the log of `old` entries is the beginning of that of `new`."""
        return self._tree().tree.consistency(old, new)

    def checkpoint(self) -> str:
        """The signed checkpoint on disk."""
        return self.note

    def _tree(self) -> State:
        if self._state is None:
            state = State.load(self.store, writable=False)
            state.check(self.note, self.key)
            self._state = state
        return self._state


def open_view(path: Path, vkey: str | None = None) -> LogView:
    """The log at `path`, to look at.

    vkey: the verifier key that must have signed its checkpoint; by default the one that the space names itself, which
    shows damage but not a forger who replaced both. Raises NotFound, Misconfigured or Damaged.
    """
    if not is_space(path):
        raise NotFound(f"there is no space at {path}")
    key = parse_vkey(vkey) if vkey is not None else _own_key(path)
    checkpoint = load_checkpoint(path, key.public)
    if checkpoint is None:
        raise Misconfigured(f"{path / CHECKPOINT} is missing; restore it from a backup")
    if checkpoint.origin != key.name:
        raise Misconfigured(f"{path} holds the log '{checkpoint.origin}', and this key is of '{key.name}'")
    return LogView(path, key, checkpoint, (path / CHECKPOINT).read_text(encoding="utf-8"))


def _own_key(path: Path) -> VerifierKey:
    file = path / "keys" / "log.vkey"
    try:
        return parse_vkey(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        pem = path / "keys" / "node.pem"
        if not pem.exists():
            raise Misconfigured(f"{file} is missing; name the verifier key that should have signed this log") from error
        public = Signer.load(pem).public
    except (OSError, UnicodeDecodeError, Invalid) as error:
        raise Misconfigured(f"{file}: {error}; delete it, it is made again from the key") from error
    checkpoint = load_checkpoint(path, public)
    if checkpoint is None:
        raise Misconfigured(f"{path / CHECKPOINT} is missing; restore it from a backup")
    return VerifierKey(checkpoint.origin, public)
