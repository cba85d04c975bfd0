"""The suite that every store passes. A plugin's test:

from tests.log.store_suite import StoreSuite

class TestMine(StoreSuite):
    def make(self, folder):  return MyStore(folder)     # an empty store
    def again(self, store, folder):  ...                # the same store after its process died
"""

import threading
from abc import ABC, abstractmethod
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ectype.errors import Conflict, Invalid
from ectype.log.entry import Entry
from ectype.log.frame import encode
from ectype.log.stores.base import Store
from tests.log.making import entries

# Every store runs the same properties from the class it inherits, which Hypothesis would rather know was meant.
STORES = settings(suppress_health_check=[HealthCheck.differing_executors], max_examples=25, deadline=None)


def read(store: Store, start: int = 0) -> list[tuple[int, Entry]]:
    """All (index, entry) that `read(start)` gives, whole frames."""
    return [(index, entry) for frame in store.read(start) for index, entry in enumerate(frame.entries, frame.first)]


def fill(store: Store, sizes: list[int]) -> int:
    """Append frames of so many entries; returns how many entries there are now."""
    at = store.head()
    for size in sizes:
        store.append(at, encode(at, entries(at, at + size)))
        at += size
    return at


class StoreSuite(ABC):
    """What a store promises, as tests."""

    @abstractmethod
    def make(self, folder: Path) -> Store:
        """An empty store; `folder` is a fresh one for it alone."""

    @abstractmethod
    def again(self, store: Store, folder: Path) -> Store:
        """What the next process finds after the one with `store` died without closing it."""

    def fresh(self, tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Path]:
        folder = tmp_path_factory.mktemp("store")
        return self.make(folder), folder

    def test_a_frame_may_come_in_pieces(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        store, folder = self.fresh(tmp_path_factory)
        good = encode(0, entries(0, 3))
        store.append(0, good[:40], good[40:50], good[50:])
        with pytest.raises(Invalid):
            store.append(3, encode(3, entries(3, 5)), b"x")
        fill(store, [2])
        assert [entry for _, entry in read(self.again(store, folder))] == entries(0, 5)

    def test_an_empty_store_has_nothing(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        store, _ = self.fresh(tmp_path_factory)
        assert store.head() == 0
        assert read(store) == []
        store.close()

    @STORES
    @given(sizes=st.lists(st.integers(1, 30), max_size=12), data=st.data())
    def test_what_was_appended_is_read_from_any_start_without_gap_or_repeat(
        self, tmp_path_factory: pytest.TempPathFactory, sizes: list[int], data: st.DataObject
    ) -> None:
        store, _ = self.fresh(tmp_path_factory)
        size = fill(store, sizes)
        assert store.head() == size
        start = data.draw(st.integers(0, size))
        found = read(store, start)
        assert [index for index, _ in found] == list(range(size - len(found), size))
        assert len(found) >= size - start
        assert [entry for _, entry in found] == entries(size - len(found), size)
        store.close()

    @STORES
    @given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=8), more=st.lists(st.integers(1, 30), max_size=3))
    def test_what_was_appended_is_there_after_a_crash_and_the_log_goes_on(
        self, tmp_path_factory: pytest.TempPathFactory, sizes: list[int], more: list[int]
    ) -> None:
        store, folder = self.fresh(tmp_path_factory)
        size = fill(store, sizes)
        store = self.again(store, folder)
        assert store.head() == size
        size = fill(store, more)
        assert [entry for _, entry in read(store)] == entries(0, size)
        store.close()

    def test_only_one_of_two_writers_gets_an_index(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        store, _ = self.fresh(tmp_path_factory)
        fill(store, [3])
        for wrong in (0, 2, 4):
            with pytest.raises(Conflict):
                store.append(wrong, encode(wrong, entries(wrong, wrong + 1)))
        assert store.head() == 3
        fill(store, [2])
        assert [entry for _, entry in read(store)] == entries(0, 5)
        store.close()

    def test_bytes_that_are_no_frame_are_not_taken(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        store, _ = self.fresh(tmp_path_factory)
        good = encode(0, entries(0, 2))
        for bad in (b"", b"junk", good[:-1], good + b"x", encode(1, entries(0, 1))):
            with pytest.raises(Invalid):
                store.append(0, bad)
        assert store.head() == 0
        store.close()

    def test_a_reader_in_another_thread_sees_a_growing_prefix(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        store, _ = self.fresh(tmp_path_factory)
        wrong: list[object] = []
        done = threading.Event()

        def look() -> None:
            seen = 0
            while not (done.is_set() and seen == store.head()):
                found = read(store)
                if [e for _, e in found] != entries(0, len(found)) or len(found) < seen:
                    wrong.append(found)
                    return
                seen = len(found)

        reader = threading.Thread(target=look)
        reader.start()
        fill(store, [7] * 40)
        done.set()
        reader.join()
        assert wrong == []
        store.close()

    def test_an_iterator_begun_before_an_append_goes_on_into_it(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        store, _ = self.fresh(tmp_path_factory)
        fill(store, [2, 3])
        reading = store.read(0)
        assert next(reading).first == 0
        fill(store, [4])
        assert [frame.first for frame in reading] == [2, 5]
        store.close()

    def test_the_shelf_keeps_the_last_bytes_under_a_name(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        store, folder = self.fresh(tmp_path_factory)
        assert store.shelf.get("tile/0/000") is None
        store.shelf.put("tile/0/000", b"one")
        store.shelf.put("tile/0/000", b"two", durable=True)
        store.shelf.put("tile/1/000", b"three")
        store.shelf.sync("tile/1/000")
        assert store.shelf.get("tile/0/000") == b"two"
        store.shelf.remove("tile/0")
        store.shelf.remove("nothing")
        store = self.again(store, folder)
        assert store.shelf.get("tile/0/000") is None
        assert store.shelf.get("tile/1/000") == b"three"
        store.close()

    def test_closing_twice_is_closing_once(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        store, _ = self.fresh(tmp_path_factory)
        fill(store, [1])
        store.close()
        store.close()
