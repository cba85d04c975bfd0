"""Folds of earlier sizes of a log, a few of them at a time: what a query AS OF then is asked of.

The first look back folds the log from its beginning (some 50 µs an entry of the graph, a tenth of that for a row of a
block); a later one goes on from the nearest smaller size that is still there. A look back at one of the newest few
sizes that were asked for costs nothing more.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Lock
from typing import Generic, Protocol, TypeVar, final

from ectype.errors import Invalid
from ectype.log.fold import Fold, Readable, catch_up

KEPT = 4


class Copied(Fold, Protocol):
    """A fold that can be closed."""

    def close(self) -> None:
        """Let it go."""
        ...


F = TypeVar("F", bound=Copied)


@final
class Past(Generic[F]):
    """The folds that were asked for last. Each is used by one caller at a time.

    make(number): an empty one; copy(one, number): another that says the same.
    """

    def __init__(self, make: Callable[[int], F], copy: Callable[[F, int], F]) -> None:
        self._make = make
        self._copy = copy
        self._kept: list[F] = []  # the one used last is at the end
        self._made = 0
        self._lock = Lock()

    @contextmanager
    def at(self, size: int, log: Readable) -> Generator[F]:
        """The fold of the first `size` entries of `log`."""
        if not 0 <= size <= log.size:
            raise Invalid(f"the log has {log.size} entries; there is no {size} to look back at")
        with self._lock:
            found = self._find(size)
            catch_up(found, log, size)
            yield found

    def close(self) -> None:
        """Let all of them go."""
        with self._lock:
            for each in self._kept:
                each.close()
            self._kept = []

    def _find(self, size: int) -> F:
        """The fold to go on with, now the last in the list."""
        base = max((each for each in self._kept if each.size <= size), key=lambda each: each.size, default=None)
        if base is None or base.size < size:
            self._made += 1
            base = self._make(self._made) if base is None else self._copy(base, self._made)
            if len(self._kept) >= KEPT:
                self._kept.pop(0).close()
        else:
            self._kept.remove(base)
        self._kept.append(base)
        return base


def size_at(log: Readable, at_ns: int) -> int:
    """How many entries there were at that instant: those before the first that is later. Clocks do not run back."""
    low, high = 0, log.size
    while low < high:
        middle = (low + high) // 2
        _, entry = next(iter(log.read(middle, middle + 1)))
        low, high = (middle + 1, high) if entry.at_ns <= at_ns else (low, middle)
    return low
