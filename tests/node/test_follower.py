"""How folds are brought to the head of the log, and what of that is kept."""

import asyncio
from collections.abc import Iterator

import pytest

from ectype.log.entry import Entry
from ectype.node import follower
from ectype.node.follower import Follower

ENTRY = Entry(b"", b"", b"", "measured", "block:b", "a", 0, None)


class Log:
    """A thousand entries."""

    size = 1000

    def read(self, start: int, stop: int) -> Iterator[tuple[int, Entry]]:
        return ((index, ENTRY) for index in range(start, stop))


class Fold:
    """Remembers at which sizes it was saved."""

    name = "fold"

    def __init__(self) -> None:
        self.size, self.saved = 0, list[int]()

    def apply(self, index: int, entry: Entry) -> None:
        assert index == self.size
        self.size = index + 1

    def save(self) -> None:
        self.saved.append(self.size)


@pytest.mark.parametrize(
    ("patience_s", "long_s", "saved"),
    [(1e9, 1e9, []), (1e9, -1.0, [1000]), (-1.0, 1e9, [512]), (-1.0, -1.0, [512, 1000])],
)
def test_what_took_long_is_saved_so_that_it_is_not_done_at_each_start(
    monkeypatch: pytest.MonkeyPatch, patience_s: float, long_s: float, saved: list[int]
) -> None:
    monkeypatch.setattr(follower, "_SAVE_EVERY_S", patience_s)
    monkeypatch.setattr(follower, "_LONG_S", long_s)
    fold = Fold()
    follows = Follower(Log(), [fold])  # type: ignore[arg-type]
    asyncio.run(follows.catch_up())
    assert fold.saved == saved
    assert follows.size == fold.size == 1000
