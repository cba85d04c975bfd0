"""A space on disk: one log, its key, its folds, and the lock that lets one process at a time write.

    SPACE/lock              held by the process that writes; says which
    SPACE/keys/node.pem     the Ed25519 key of this node, made at first start
    SPACE/keys/log.vkey     its public half, as the C2SP verifier key to hand to whoever wants to check
    SPACE/checkpoint        the newest signed checkpoint: the log is never shorter than it says
    SPACE/log/…             segments (stores/files.py)
    SPACE/tile/…            the Merkle tree as C2SP tiles
    SPACE/folds/<name>/…    what folds keep; may be deleted at any time while nobody runs

There is no settings file: all of this follows from the folder.
"""

import fcntl
import logging
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import final

from ectype.errors import Damaged, Invalid, Misconfigured, NotFound, Refused, Unavailable
from ectype.log.state import CHECKPOINT, read_checkpoint
from ectype.log.stores import disk
from ectype.log.stores.files import SEGMENT_BYTES, FileShelf, FilesStore, Recovered
from ectype.trust.checkpoint import Checkpoint, VerifierKey, parse_checkpoint
from ectype.trust.keys import Signer

_log = logging.getLogger("ectype.log")


@final
@dataclass(slots=True)
class Space:
    """An open space: `Log.open(space.store, space.signer, origin=space.origin)` is its log.

    recovered: what opening had to cut off a torn end, None if nothing.
    """

    path: Path
    store: FilesStore
    signer: Signer
    origin: str
    recovered: Recovered | None
    _lock: int

    def folder(self, fold: str) -> Path:
        """Where the fold of that name keeps its files."""
        folder = self.path / "folds" / fold
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def close(self) -> None:
        """Close the store and let the next process in. Twice is once."""
        self.store.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def open_space(
    path: Path, create: bool = True, *, origin: str | None = None, segment_bytes: int = SEGMENT_BYTES
) -> Space:
    """Open the space at `path` for writing, making it if it is not there and `create`.

    origin: the name in checkpoints; by default the one it has, for a new space one made from its key.
    Raises Refused while another process has it, NotFound if there is none, Damaged if the log is not whole, and
    Misconfigured if a file is missing or may not be read.
    """
    if not create and not is_space(path):
        raise NotFound(f"there is no space at {path}")
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = _take_lock(path)
    except OSError as error:
        raise Misconfigured(f"{path}: {error.strerror}; choose a folder that you may write to") from error
    try:
        return _open_locked(path, origin, segment_bytes, lock)
    except OSError as error:
        os.close(lock)
        raise Unavailable(f"{error.filename or path}: {error.strerror}") from error
    except BaseException:
        os.close(lock)
        raise


def is_space(path: Path) -> bool:
    """True if a space was made at `path`."""
    return (path / "keys" / "node.pem").exists() or (path / CHECKPOINT).exists() or (path / "log").is_dir()


def load_checkpoint(path: Path, public: bytes) -> Checkpoint | None:
    """The checkpoint of the space at `path`, if the key with those public bytes signed it; None if there is none."""
    try:
        note = FileShelf(path).get(CHECKPOINT)
        if note is None:
            return None
        text = note.decode()
        return read_checkpoint(text, VerifierKey(parse_checkpoint(text).origin, public))
    except (Invalid, UnicodeDecodeError) as error:
        raise Damaged(f"{path / CHECKPOINT}: {error}; restore it from a backup") from error


def _open_locked(path: Path, origin: str | None, segment_bytes: int, lock: int) -> Space:
    has_log = any((path / "log").glob("*.seg"))
    key = path / "keys" / "node.pem"
    if has_log and not key.exists():
        raise Misconfigured(f"{key} is missing, and only it can sign this log; restore it from a backup")
    signer = Signer.load_or_create(key)
    checkpoint = load_checkpoint(path, signer.public)
    if checkpoint is None:
        if has_log:
            raise Damaged(f"{path / CHECKPOINT} is missing, so the log's end is not known; restore it from a backup")
        checkpoint = Checkpoint(origin or _origin(signer), 0, sha256(b"").digest())
        disk.replace(path / CHECKPOINT, checkpoint.sign(signer).encode(), durable=True)
    if origin is not None and origin != checkpoint.origin:
        raise Misconfigured(f"{path} holds the log '{checkpoint.origin}', not '{origin}'; open it without a name")
    vkey = path / "keys" / "log.vkey"
    if not vkey.exists():
        disk.replace(vkey, f"{VerifierKey(checkpoint.origin, signer.public)}\n".encode(), durable=True)
    store = FilesStore(path, segment_bytes=segment_bytes, floor=checkpoint.size)
    if store.recovered is not None:
        _log.warning("%s", store.recovered)
    return Space(path, store, signer, checkpoint.origin, store.recovered, lock)


def _origin(signer: Signer) -> str:
    return f"ectype.invalid/{signer.key_id[:16]}"


def _take_lock(path: Path) -> int:
    fd = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.pread(fd, 20, 0).decode("ascii", "replace").strip() or "?"
        os.close(fd)
        raise Refused(f"space {path} is in use by process {owner}; stop that one, or open another folder") from error
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd
