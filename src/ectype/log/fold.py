"""A fold: a value that follows from the log alone, entry by entry, and can be dropped and made again.

    for index, entry in log.read(fold.size): fold.apply(index, entry)

A fold may begin at any size of any log (a branch, a rewind): it only has to be given the entries in order. With a
snapshot it need not begin at zero after a restart. A snapshot names the log's root at its size, so one of another
log, of an older version of the fold's code, or with a flipped bit is thrown away, not believed.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from ectype.errors import Invalid, Unavailable
from ectype.log.entry import Entry
from ectype.log.sealed import Sealed, unseal
from ectype.log.stores import disk

_log = logging.getLogger("ectype.log")


class Readable(Protocol):
    """What a fold is made from: a Log, a LogView, a log that branches off another."""

    size: int

    def read(self, start: int, stop: int | None = None) -> Iterator[tuple[int, Entry]]:
        """The entries with indices in [start, stop)."""
        ...

    def root(self, size: int | None = None) -> bytes:
        """The Merkle root over the first `size` entries."""
        ...


class Fold(Protocol):
    """An implementer promises that its value depends on nothing but the entries applied, in their order."""

    @property
    def name(self) -> str:
        """What it is called; its files are below folds/<name>."""
        ...

    @property
    def version(self) -> int:
        """Raised whenever the code would make another value from the same entries."""
        ...

    @property
    def size(self) -> int:
        """How many entries it has seen: the index of the next one it wants."""
        ...

    def apply(self, index: int, entry: Entry) -> None:
        """Take entry `index`, which is `size`; afterwards `size` is one more.

        An entry that means nothing to it only moves `size`. It never raises for what an entry says: what is in the
        log has happened.
        """
        ...


class SnapshotFold(Fold, Protocol):
    """A fold whose whole value fits into bytes. (One with a database of its own needs no snapshots: see Fold.)"""

    def snapshot(self) -> bytes:
        """Its value now."""
        ...

    def restore(self, size: int, state: bytes) -> None:
        """Become what `snapshot` gave at `size`."""
        ...


def catch_up(fold: Fold, log: Readable, upto: int | None = None) -> int:
    """Apply to `fold` all entries it has not seen, up to size `upto` (by default all). Returns how many."""
    stop = log.size if upto is None else upto
    if stop > log.size:
        raise Invalid(f"the log has {log.size} entries, so '{fold.name}' cannot be brought to {stop}")
    if fold.size > stop:
        raise Invalid(f"'{fold.name}' has seen {fold.size} entries and cannot go back to {stop}: fold anew")
    before = fold.size
    for index, entry in log.read(before, stop):
        fold.apply(index, entry)
    return fold.size - before


def save(fold: SnapshotFold, log: Readable, folder: Path) -> Path:
    """Write a snapshot of `fold`, durable and whole or not at all, and take older ones away.

    Raises Unavailable when it cannot be written, Invalid when the fold is ahead of the log.
    """
    sealed = Sealed(fold.name, fold.version, fold.size, log.root(fold.size), fold.snapshot())
    path = folder / f"{fold.size:020d}.snapshot"
    try:
        disk.replace(path, sealed.to_bytes(), durable=True)
        for old in folder.glob("*.snapshot"):
            if old != path:
                old.unlink(missing_ok=True)
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}") from error
    return path


def load(fold: SnapshotFold, log: Readable, folder: Path) -> bool:
    """Restore `fold` from the newest snapshot that fits `log`; False (and the fold is as it was) if none does.

    Snapshots that do not fit are deleted: they never will.
    """
    for path in sorted(folder.glob("*.snapshot"), reverse=True):
        sealed = unseal(path.read_bytes())
        if sealed is None:
            _log.warning("%s is damaged and thrown away: '%s' is folded again from the log", path, fold.name)
        elif (
            (sealed.name, sealed.version) == (fold.name, fold.version)
            and sealed.size <= log.size
            and sealed.root == log.root(sealed.size)
        ):
            fold.restore(sealed.size, sealed.state)
            return True
        path.unlink(missing_ok=True)
    return False
