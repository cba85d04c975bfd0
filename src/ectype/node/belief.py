"""The estimator's belief on disk, between two runs: sealed with the log size and root it belongs to.

It is thrown away, and the filter goes through the measurements again, when it is damaged, of another
log, or of an older version of what the estimator keeps.
"""

from pathlib import Path

from ectype.log.fold import Readable
from ectype.log.sealed import Sealed, unseal
from ectype.log.stores import disk

_NAME = "belief"
_VERSION = 2


def save_belief(folder: Path, log: Readable, state: bytes, size: int) -> None:
    """Keep what was believed after the first `size` entries. Raises OSError when the disk will not take it."""
    sealed = Sealed(_NAME, _VERSION, size, log.root(size), state)
    disk.replace(folder / "belief.snapshot", sealed.to_bytes(), durable=False)


def load_belief(folder: Path, log: Readable) -> tuple[bytes | None, int]:
    """(belief, size of the log it had seen); (None, 0) when there is none that belongs to this log."""
    try:
        sealed = unseal((folder / "belief.snapshot").read_bytes())
    except OSError:
        return None, 0
    if sealed is None or (sealed.name, sealed.version) != (_NAME, _VERSION) or sealed.size > log.size:
        return None, 0
    return (sealed.state, sealed.size) if sealed.root == log.root(sealed.size) else (None, 0)
