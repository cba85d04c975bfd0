"""Checking a whole space: every byte that the log, its tree and its checkpoint are made of.

Order of checks: checkpoint (signature) → each frame (CRC, lengths, order) → each entry (canonical header, digest of
the body, author's signature) → each tile against the leaves → the root at the checkpoint's size.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import final

from ectype.errors import Damaged, EctypeError, Invalid, ProofFailed
from ectype.log.entry import check_entry, parse_entry
from ectype.log.frame import Frame, size_of
from ectype.log.sealed import unseal
from ectype.log.state import SNAPSHOT
from ectype.log.stores.base import Shelf
from ectype.log.stores.segment import Index, frames
from ectype.log.view import LogView, open_view
from ectype.trust.merkle import TILE, Merkle, leaf_hashes, subtree
from ectype.trust.tiles import TilePath, partial_tiles

Progress = Callable[[int, int], None]


@final
@dataclass(frozen=True, slots=True)
class Report:
    """What was found right.

    size: entries checked; signed_size, root: what the checkpoint vouches for; erased: entries without a body;
    notes: files that are damaged or left over but not needed (they are made again), and torn ends that were cut.
    """

    origin: str
    vkey: str
    size: int
    signed_size: int
    root: bytes
    segments: int
    tiles: int
    erased: int
    authors: tuple[str, ...]
    notes: tuple[str, ...]


def verify_space(path: Path, progress: Progress | None = None, *, vkey: str | None = None) -> Report:
    """Check everything in the space at `path`, also while another process writes to it.

    progress(done, total), in entries, is called now and then. About 60 µs an entry, nearly all of it signatures.
    Raises Damaged or ProofFailed, naming file, byte and entry, at the first thing that is wrong.
    """
    view = open_view(path, vkey)
    check = _Check(view, progress or _silent)
    firsts = sorted(int(file.stem) for file in (path / "log").glob("*.seg"))
    firsts = [first for first in firsts if first < view.size]
    for first in firsts:
        check.segment(path / "log" / f"{first:020d}.seg", first)
    return check.finish(len(firsts))


@final
class _Tiles:
    """Tiles that are compared with those on the shelf as the tree grows past them."""

    def __init__(self, shelf: Shelf, path: Path) -> None:
        self._shelf = shelf
        self._path = path
        self.checking = True
        self.count = 0

    def put(self, level: int, n: int, hashes: bytes) -> None:
        if self.checking:
            self.same(TilePath(level, n), hashes)

    def get(self, level: int, n: int, root: bytes) -> bytes:
        found = self._shelf.get(str(TilePath(level, n)))
        if found is None or len(found) != TILE or subtree(found) != root:
            raise Damaged(f"{self._path / str(TilePath(level, n))}: this tile changed while it was checked")
        return found

    def same(self, name: TilePath, hashes: bytes) -> None:
        found = self._shelf.get(str(name))
        if found is None and name.width < 256:
            full = self._shelf.get(str(TilePath(name.level, name.n)))
            found = full and full[: len(hashes)]  # a partial tile may go once the full one is there
        if found != hashes:
            what = "is missing" if found is None else "does not hold the hashes of the entries below it"
            raise Damaged(f"{self._path / str(name)}: this tile {what}; delete it, and it is made again from the log")
        self.count += 1


@final
class _Check:
    def __init__(self, view: LogView, progress: Progress) -> None:
        self._view = view
        self._progress = progress
        self._tiles = _Tiles(view.store.shelf, view.path)
        self._tree = Merkle(self._tiles)
        self._signed = view.signed
        self._authors: dict[str, None] = {}
        self._erased = 0
        self._notes: list[str] = []
        if not self._signed.size:
            self._at_checkpoint()

    def segment(self, path: Path, first: int) -> None:
        if first != self._tree.size:
            raise Damaged(f"{path}: the log goes on with entry {self._tree.size}, so a segment before this is missing")
        index = Index(first)
        end = self._view.store.end_of(first)
        for frame in frames(path, first, 0, end):
            self._frame(path, index.end, frame)
            index.add(frame.next, size_of(frame.entries))
            self._progress(self._tree.size, self._view.size)
        if end is None:
            self._sidecar(path, index)

    def finish(self, segments: int) -> Report:
        view = self._view
        if self._tree.size < view.size:
            raise Damaged(f"{view.path}: the log ends after {self._tree.size} entries instead of {view.size}")
        sealed = view.store.shelf.get(SNAPSHOT)
        if sealed is not None and unseal(sealed) is None:
            self._notes.append(f"{view.path / SNAPSHOT} is damaged; it is not used and will be made again")
        if view.store.torn is not None:
            self._notes.append(
                f"{len(view.store.torn.data)} bytes of an unfinished write follow entry {view.size - 1}: the next "
                "start cuts them off, unless a process is writing them just now"
            )
        self._notes += [f"{kept}: cut off a torn end at an earlier start" for kept in _torn(view.path)]
        return Report(
            view.origin,
            view.vkey,
            view.size,
            self._signed.size,
            self._signed.root,
            segments,
            self._tiles.count,
            self._erased,
            tuple(self._authors),
            tuple(self._notes),
        )

    def _frame(self, path: Path, offset: int, frame: Frame) -> None:
        for at, entry in enumerate(frame.entries, frame.first):
            try:
                check_entry(parse_entry(entry.header, entry.salt, entry.body))
            except (Invalid, ProofFailed) as error:
                raise _placed(error, f"{path}, byte {offset} (entry {at})") from error
            self._authors[entry.author] = None
            self._erased += entry.body is None
        hashes = leaf_hashes([entry.header for entry in frame.entries])
        cut = 32 * max(0, self._signed.size - frame.first)
        if frame.first < self._signed.size <= frame.next:
            self._tree.extend(hashes[:cut])
            self._at_checkpoint()
            hashes = hashes[cut:]
        self._tree.extend(hashes)

    def _at_checkpoint(self) -> None:
        if self._tree.root() != self._signed.root:
            raise ProofFailed(
                f"{self._view.path}: the first {self._signed.size} entries are each whole, but they are not those "
                "that the checkpoint signed; somebody changed the log and its entries' signatures"
            )
        for name in partial_tiles(self._signed.size):
            if isinstance(name.level, int):
                self._tiles.same(name, self._tree.tile(name.level, name.n, name.width))
        self._tiles.checking = False  # what comes after it may still be on its way to the shelf

    def _sidecar(self, path: Path, index: Index) -> None:
        sidecar = path.with_suffix(".idx")
        if not sidecar.exists() or sidecar.read_bytes() != index.to_bytes():
            self._notes.append(f"{sidecar} is missing or damaged; it is not used and will be made again")


def _placed(error: EctypeError, place: str) -> EctypeError:
    kind = ProofFailed if isinstance(error, ProofFailed) else Damaged
    return kind(f"{place}: {error}")


def _torn(path: Path) -> list[Path]:
    return sorted((path / "log").glob("torn-*.bin"))


def _silent(done: int, total: int) -> None:
    pass
