"""The contract of a store: what keeps a log's frames, and what it must promise.

A store is asked for one thing: a durable, conditional append on its own head. All order, grouping and checking of
expectations happens above it. `tests/log/store_suite.py` is the suite that every store passes; a plugin imports it.
"""

from collections.abc import Iterator
from typing import Protocol, final

from ectype.errors import Unavailable
from ectype.log.frame import Frame


@final
class Stopped(Unavailable):
    """The store cannot know any more what is on disk, so it takes nothing until it is opened again."""


class Shelf(Protocol):
    """Small named byte strings beside a log: its checkpoint, and what could be made again from it.

    Names are relative paths of `/`-separated parts, like `tile/0/x001/067`.
    """

    def get(self, name: str) -> bytes | None:
        """What was last put there, whole; None if nothing."""
        ...

    def put(self, name: str, data: bytes, *, durable: bool = False) -> None:
        """Replace it at once and whole: a reader sees the old bytes or the new. durable: on disk on return.

        Raises Unavailable when it cannot; then the old bytes are still there.
        """
        ...

    def sync(self, name: str) -> None:
        """Make durable what was put there before."""
        ...

    def remove(self, name: str) -> None:
        """Take it away, with everything below it. Nothing there is no error."""
        ...


class Store(Protocol):
    """An ordered list of frames that only grows.

    One thread appends; any thread may read at the same time.
    """

    @property
    def shelf(self) -> Shelf:
        """What is kept beside the frames."""
        ...

    @property
    def limit(self) -> int:
        """The largest frame it takes, in bytes."""
        ...

    @property
    def parts(self) -> int:
        """How many closed parts (segments) it has: when this grows, the log takes a checkpoint and a snapshot."""
        ...

    def append(self, first: int, *frame: bytes) -> None:
        """Keep a frame whose first entry has index `first`; it is durable when this returns.

        frame: its bytes, in one piece or several (`frame.pieces`), of which the first holds the whole head.

        All or nothing, also after a crash. Raises Conflict if `first` is not the head (somebody else appended),
        Unavailable if it cannot now and nothing changed (the disk is full: the same call may work later), and
        Stopped, from then on for ever, if it cannot know whether it did (a failed fsync is never tried again).
        """
        ...

    def read(self, start: int) -> Iterator[Frame]:
        """The frames that hold entries from `start` on, in order and without a gap, up to the head as of each step.

        The first may begin before `start`. Raises Damaged, naming the place, instead of returning wrong bytes.
        """
        ...

    def head(self) -> int:
        """The index that the next entry gets: how many entries are durable."""
        ...

    def close(self) -> None:
        """Let go of everything. Twice is once."""
        ...
