"""The few calls by which bytes get onto a disk for good, in one place so that tests can make them fail."""

import errno
import os
import sys
from pathlib import Path

if sys.platform == "darwin":
    import fcntl

    def sync_data(fd: int) -> None:
        """The file's bytes are on disk when this returns. On macOS only F_FULLFSYNC promises that."""
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
else:

    def sync_data(fd: int) -> None:
        """The file's bytes, and its length if it grew, are on disk when this returns."""
        os.fdatasync(fd)


def sync_folder(folder: Path) -> None:
    """The names in `folder` are on disk when this returns."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_at(fd: int, data: bytes, at: int) -> None:
    """Write all of `data` at byte `at`; a part of it may be there when this raises OSError."""
    view = memoryview(data)
    while view:
        done = os.pwrite(fd, view, at)
        view = view[done:]
        at += done


def reserve(fd: int, at: int, size: int) -> bool:
    """Take `size` bytes of disk for the file from byte `at`, which then read as zeros.

    False where the file system cannot. Raises OSError (ENOSPC, EDQUOT) when there is no room.
    """
    if not hasattr(os, "posix_fallocate"):
        return False
    try:
        os.posix_fallocate(fd, at, size)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENODEV):
            return False
        raise
    return True


def replace(path: Path, data: bytes, *, durable: bool) -> None:
    """Put a whole new file in the place of `path`: a reader sees the old bytes or the new, never a mixture."""
    partial = path.with_name(f"{path.name}.new")
    try:
        fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        write_at(fd, data, 0)
        if durable:
            sync_data(fd)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
    partial.replace(path)
    if durable:
        sync_folder(path.parent)
