"""The log: order, durability, compare-and-swap, tails, tree, and what happens when the disk fails."""

import asyncio
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Conflict, Damaged, Invalid, Misconfigured, Unavailable
from ectype.log.entry import Entry
from ectype.log.frame import Frame, encode
from ectype.log.log import Log
from ectype.log.stores import disk
from ectype.log.stores.base import Shelf
from ectype.log.stores.files import FilesStore
from ectype.log.stores.memory import MemoryStore
from ectype.trust.checkpoint import parse_vkey, verify_checkpoint
from ectype.trust.keys import Signer
from ectype.trust.merkle import EMPTY_ROOT, check_consistency, check_inclusion, leaf_hash
from ectype.trust.tiles import decode_bundle
from tests.log.making import ORIGIN, SIGNER, all_of, entries, entry, on_log
from tests.trust.test_merkle import mth


class HeldStore:
    """A memory store whose appends wait until they are let through, as a slow disk does."""

    limit = 1 << 30
    parts = 0

    def __init__(self) -> None:
        self.inner = MemoryStore()
        self.shelf: Shelf = self.inner.shelf
        self.gate = threading.Semaphore(0)
        self.frames: list[int] = []

    def append(self, first: int, *frame: bytes) -> None:
        self.gate.acquire()
        before = self.inner.head()
        self.inner.append(first, *frame)
        self.frames.append(self.inner.head() - before)

    def read(self, start: int) -> Iterator[Frame]:
        return self.inner.read(start)

    def head(self) -> int:
        return self.inner.head()

    def close(self) -> None:
        self.inner.close()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_append_returns_the_indices_and_the_entries_are_read_back_in_order() -> None:
    async def do(log: Log) -> None:
        assert await log.append(entries(0, 3)) == range(3)
        assert await log.append(entries(3, 4)) == range(3, 4)
        assert await log.append([]) == range(4, 4)
        assert log.size == 4
        assert list(log.read(1)) == list(enumerate(entries(1, 4), 1))
        assert list(log.read(1, 3)) == list(enumerate(entries(1, 3), 1))
        assert list(log.read(4)) == []
        assert log.last("twin:2") == 2
        assert log.last("twin:6") is None

    on_log(MemoryStore(), do)


def test_an_entry_is_nowhere_before_it_is_on_disk() -> None:
    store = HeldStore()

    async def do(log: Log) -> None:
        seen: list[int] = []

        async def follow() -> None:
            async for frame in log.tail(0):
                seen.append(frame.next)

        follower = asyncio.create_task(follow())
        append = asyncio.create_task(log.append(entries(0, 1)))
        await settled()
        assert (log.size, list(log.read(0)), log.last("twin:0"), seen) == (0, [], None, [])
        assert log.root() == EMPTY_ROOT
        assert not append.done()
        store.gate.release()
        assert await append == range(1)
        await settled()
        assert (log.size, log.last("twin:0"), seen) == (1, 0, [1])
        follower.cancel()

    on_log(store, do)


def test_what_arrives_while_the_disk_works_goes_into_one_frame() -> None:
    store = HeldStore()

    async def do(log: Log) -> None:
        appends = [asyncio.create_task(log.append([e])) for e in entries(0, 50)]
        await settled()
        store.gate.release(2)
        assert [(await a).start for a in appends] == list(range(50))
        assert store.frames == [1, 49]

    on_log(store, do)


def test_a_large_group_is_split_and_still_in_order() -> None:
    async def do(log: Log) -> None:
        big = [entry(i, size=1 << 20) for i in range(10)]
        await asyncio.gather(*[log.append([e]) for e in big])
        assert await all_of(log) == big
        assert len([frame async for frame in take(log, 10)]) > 2

    on_log(MemoryStore(), do)


async def take(log: Log, count: int, start: int = 0):  # type: ignore[no-untyped-def]
    async for frame in log.tail(start):
        yield frame
        if frame.next >= count:
            return


def test_entries_too_many_for_a_frame_are_refused_and_nothing_is_appended() -> None:
    class Small(HeldStore):
        limit = 1000

    store = Small()
    store.gate.release(100)

    async def do(log: Log) -> None:
        with pytest.raises(Invalid, match="at most 1000 bytes"):
            await log.append(entries(0, 10))
        assert await log.append(entries(0, 1)) == range(1)

    on_log(store, do)


def test_expected_is_compared_with_what_is_still_on_its_way() -> None:
    store = HeldStore()

    async def do(log: Log) -> None:
        mine = asyncio.create_task(log.append([entry(0, "twin:a")], expected={"twin:a": None}))
        await settled()
        with pytest.raises(
            Conflict, match="'twin:a' was expected to have no entry as its last, but it has entry 0"
        ) as told:
            await log.append([entry(1, "twin:a")], expected={"twin:a": None})
        assert told.value.actual == 0
        follow = asyncio.create_task(log.append([entry(1, "twin:a")], expected={"twin:a": 0, "twin:b": None}))
        await settled()
        with pytest.raises(Conflict) as told:
            await log.append([entry(2, "twin:b")], expected={"twin:b": 7})
        assert told.value.actual is None
        store.gate.release(2)
        assert await mine == range(1)
        assert await follow == range(1, 2)
        with pytest.raises(Conflict) as told:
            await log.append([entry(2, "twin:a")], expected={"twin:a": 0})
        assert told.value.actual == 1

    on_log(store, do)


@given(st.integers(2, 8), st.integers(1, 10), st.randoms(use_true_random=False))
def test_of_all_writers_that_expect_the_same_exactly_one_wins(writers: int, rounds: int, random) -> None:  # type: ignore[no-untyped-def]
    async def do(log: Log) -> None:
        wins = 0
        for _ in range(rounds):
            last = log.last("twin:a")

            async def attempt(last: int | None = last) -> bool:
                for _ in range(random.randrange(3)):
                    await asyncio.sleep(0)
                try:
                    await log.append([entry(0, "twin:a")], expected={"twin:a": last})
                except Conflict:
                    return False
                return True

            outcomes = await asyncio.gather(*[attempt() for _ in range(writers)])
            assert sum(outcomes) == 1
            wins += 1
        assert log.size == wins

    on_log(MemoryStore(), do)


@given(st.lists(st.integers(0, 5), max_size=20), st.integers(0, 40), st.integers(1, 4))
def test_every_tail_sees_each_entry_once_in_order_from_where_it_began(sizes: list[int], start: int, tails: int) -> None:
    total = sum(sizes)
    start = min(start, total)

    async def do(log: Log) -> None:
        async def follow(begin: int) -> list[Entry]:
            found: list[Entry] = []
            at = begin
            async for frame in log.tail(begin):
                assert frame.first == at
                at = frame.next
                found += frame.entries
            return found

        half = len(sizes) // 2
        at = 0
        followers: list[tuple[int, asyncio.Task[list[Entry]]]] = []
        for number, size in enumerate(sizes):
            if number == half:
                followers = [(b, asyncio.create_task(follow(b))) for b in (min(start, at), *range(min(tails, at)))]
            await log.append(entries(at, at + size))
            at += size
        await log.close()
        for begin, task in followers:
            assert await task == entries(begin, total)

    on_log(MemoryStore(), do)


def test_a_tail_that_fell_behind_reads_from_the_store_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ectype.log.log._RECENT_BYTES", 2000)

    async def do(log: Log) -> None:
        tail = log.tail(0)
        await log.append(entries(0, 2))
        assert (await anext(tail)).next == 2
        for at in range(2, 200, 2):
            await log.append(entries(at, at + 2))
        assert sum(size for _, size in log._recent) < 4000
        found = [e async for frame in take(log, 200, 2) for e in frame.entries]
        assert found == entries(2, 200)
        seen = 2
        while seen < 200:
            frame = await anext(tail)
            assert frame.first == seen
            seen = frame.next
        await tail.aclose()

    on_log(MemoryStore(), do)


def test_a_start_beyond_the_log_is_refused() -> None:
    async def do(log: Log) -> None:
        await log.append(entries(0, 2))
        for start in (-1, 3):
            with pytest.raises(Invalid):
                log.read(start)
            with pytest.raises(Invalid):
                await anext(log.tail(start))

    on_log(MemoryStore(), do)


@given(st.lists(st.integers(1, 90), min_size=1, max_size=8), st.data())
def test_root_and_proofs_are_those_of_the_headers(sizes: list[int], data: st.DataObject) -> None:
    async def do(log: Log) -> None:
        at = 0
        for size in sizes:
            await log.append(entries(at, at + size))
            at += size
        headers = [e.header for e in entries(0, at)]
        size = data.draw(st.integers(1, at))
        index = data.draw(st.integers(0, size - 1))
        assert log.root() == mth(headers)
        assert log.root(size) == mth(headers[:size])
        check_inclusion(leaf_hash(headers[index]), index, size, log.inclusion(index, size), mth(headers[:size]))
        check_consistency(size, at, log.consistency(size, at), log.root(size), log.root())
        checkpoint = verify_checkpoint(log.checkpoint(), parse_vkey(log.vkey))
        assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (ORIGIN, at, mth(headers))
        if at > 256:
            assert decode_bundle(log.bundle(0)) == headers[:256]
            assert log.tile(0, 0) == b"".join(leaf_hash(h) for h in headers[:256])
        assert decode_bundle(log.bundle(0, min(at, 3))) == headers[: min(at, 3)]
        with pytest.raises(Invalid):
            log.bundle(at // 256, 256)

    on_log(MemoryStore(), do)


@given(st.lists(st.integers(1, 200), min_size=1, max_size=4))
def test_a_log_opened_again_is_the_same_log(sizes: list[int]) -> None:
    store = MemoryStore()
    at = 0
    for size in sizes:
        begin = at

        async def do(log: Log, begin: int = begin, size: int = size) -> None:
            assert log.size == begin
            await log.append(entries(begin, begin + size))
            headers = [e.header for e in entries(0, begin + size)]
            assert log.root() == mth(headers)
            assert log.inclusion(0, log.size) is not None
            for subject in {e.subject for e in entries(0, begin + size)}:
                assert log.last(subject) == max(
                    i for i, e in enumerate(entries(0, begin + size)) if e.subject == subject
                )

        on_log(store, do)
        at += size


def test_without_its_snapshot_a_log_is_the_same_log() -> None:
    store = MemoryStore()

    async def fill(log: Log) -> bytes:
        await log.append(entries(0, 600))
        return log.root()

    root = on_log(store, fill)
    for name in ("folds", "tile"):
        store.shelf.remove(name)

    async def look(log: Log) -> None:
        assert log.root() == root
        assert log.last("twin:3") == 598
        check_inclusion(leaf_hash(entries(0, 600)[5].header), 5, 600, log.inclusion(5, 600), root)

    on_log(store, look)


def test_a_lost_or_damaged_tile_is_made_again_from_the_log(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()

    async def fill(log: Log) -> bytes:
        await log.append(entries(0, 600))
        return log.root()

    root = on_log(store, fill)
    good = store.shelf.get("tile/0/001")
    assert good is not None
    for bad in (None, good[:-1], bytes(8192)):
        if bad is None:
            store.shelf.remove("tile/0/001")
        else:
            store.shelf.put("tile/0/001", bad)

        async def look(log: Log) -> None:
            check_inclusion(leaf_hash(entries(0, 600)[300].header), 300, 600, log.inclusion(300, 600), root)

        on_log(store, look)
        assert store.shelf.get("tile/0/001") == good
        assert "tile/0/001 was lost or damaged" in caplog.text


def test_a_log_shorter_or_other_than_its_checkpoint_is_refused() -> None:
    store = MemoryStore()

    async def fill(log: Log) -> None:
        await log.append(entries(0, 5))

    on_log(store, fill)
    note = store.shelf.get("checkpoint")
    assert note is not None
    for other in ([entries(0, 4)], [entries(1, 6)]):
        fake = MemoryStore()
        fake.shelf.put("checkpoint", note)
        fake.append(0, encode(0, other[0]))
        with pytest.raises(Damaged, match="checkpoint"):
            on_log(fake, all_of)


def test_a_checkpoint_of_another_key_or_log_is_refused() -> None:
    store = MemoryStore()
    on_log(store, all_of)

    async def other(signer: Signer, origin: str) -> None:
        await Log.open(store, signer, origin=origin)

    with pytest.raises(Damaged, match="not signed by this log's key"):
        asyncio.run(other(Signer.generate(), ORIGIN))
    with pytest.raises(Misconfigured, match="holds the log"):
        asyncio.run(other(SIGNER, "example.com/other"))


def test_a_checkpoint_is_kept_while_the_log_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ectype.log.log._KEEP_EVERY_S", 0.0)
    store = MemoryStore()

    async def do(log: Log) -> None:
        await log.append(entries(0, 300))
        for _ in range(10**6):
            await asyncio.sleep(0)
            if log._kept == 300:
                break
        note = store.shelf.get("checkpoint")
        assert note is not None
        assert verify_checkpoint(note.decode(), parse_vkey(log.vkey)).size == 300
        assert store.shelf.get("tile/0/000") is not None
        assert store.shelf.get("tile/0/001.p/44") is not None

    on_log(store, do)


def test_a_snapshot_is_taken_when_a_segment_closes_and_opening_starts_from_it(tmp_path: Path) -> None:
    async def fill(log: Log) -> None:
        for at in range(0, 600, 20):
            await log.append(entries(at, at + 20))
        await log.keep()

    store = FilesStore(tmp_path, segment_bytes=60_000)
    on_log(store, fill)
    assert store.parts >= 3
    read: list[int] = []
    again = FilesStore(tmp_path, segment_bytes=60_000)
    real = again.read
    again.read = lambda start: (read.append(start), real(start))[1]  # type: ignore[method-assign]

    async def look(log: Log) -> None:
        assert log.root() == mth([e.header for e in entries(0, 600)])
        assert log.last("twin:0") == 595

    on_log(again, look)
    assert read == [600]


def failing(monkeypatch: pytest.MonkeyPatch, name: str, code: int) -> None:
    def fail(*given: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(disk, name, fail)


def test_on_a_full_disk_appends_are_refused_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def do(log: Log) -> None:
        await log.append([entry(0, "twin:a")])
        with monkeypatch.context() as full:
            failing(full, "write_at", errno.ENOSPC)
            results = await asyncio.gather(
                *[log.append([entry(i, "twin:a")]) for i in range(1, 5)], return_exceptions=True
            )
            assert all(isinstance(r, Unavailable) and "No space left" in str(r) for r in results)
            assert log.size == 1
            assert list(log.read(0)) == [(0, entry(0, "twin:a"))]
        assert await log.append([entry(9, "twin:a")], expected={"twin:a": 0}) == range(1, 2)

    on_log(FilesStore(tmp_path), do)
    on_log(FilesStore(tmp_path), all_of)


def test_after_a_failed_flush_the_log_stops_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def do(log: Log) -> None:
        await log.append(entries(0, 1))
        tail = log.tail(0)
        await anext(tail)
        with monkeypatch.context() as broken:
            failing(broken, "sync_data", errno.EIO)
            results = await asyncio.gather(*[log.append([e]) for e in entries(1, 4)], return_exceptions=True)
            assert all(isinstance(r, Unavailable) and "while flushing" in str(r) for r in results)
        with pytest.raises(Unavailable, match="the log has stopped"):
            await log.append(entries(1, 2))
        with pytest.raises(Unavailable, match="the log has stopped"):
            await anext(tail)
        assert await all_of(log) == entries(0, 1)

    on_log(FilesStore(tmp_path), do)


def test_a_store_that_somebody_else_appended_to_stops_the_log() -> None:
    store = MemoryStore()

    async def do(log: Log) -> None:
        store.append(0, encode(0, entries(0, 1)))
        with pytest.raises(Conflict):
            await log.append(entries(0, 1))
        with pytest.raises(Conflict):
            await log.append(entries(0, 1))

    on_log(store, do)


def test_a_disk_too_full_for_the_checkpoint_does_not_stop_the_log(caplog: pytest.LogCaptureFixture) -> None:
    class FullShelf:
        full = True

        def __init__(self, inner: Shelf) -> None:
            self.get, self.sync, self.remove = inner.get, inner.sync, inner.remove
            self.inner = inner

        def put(self, name: str, data: bytes, *, durable: bool = False) -> None:
            if self.full:
                raise Unavailable("No space left on device")
            self.inner.put(name, data, durable=durable)

    store = MemoryStore()
    shelf = FullShelf(store.shelf)
    store.shelf = shelf

    async def do(log: Log) -> None:
        assert await log.append(entries(0, 2)) == range(2)
        shelf.full = False

    on_log(store, do)
    assert "the checkpoint could not be written: No space left" in caplog.text
    assert store.shelf.get("checkpoint") is not None


def test_closing_waits_for_what_is_on_its_way_and_refuses_what_comes_later() -> None:
    store = HeldStore()

    async def do(log: Log) -> None:
        append = asyncio.create_task(log.append(entries(0, 2)))
        await settled()
        closing = asyncio.create_task(log.close())
        await settled()
        with pytest.raises(Unavailable, match="closed"):
            await log.append(entries(2, 3))
        store.gate.release(2)
        assert await append == range(2)
        await closing
        await log.close()

    on_log(store, do)


def test_a_cancelled_append_leaves_the_log_in_order() -> None:
    store = HeldStore()

    async def do(log: Log) -> None:
        first = asyncio.create_task(log.append(entries(0, 1)))
        second = asyncio.create_task(log.append(entries(1, 2)))
        await settled()
        first.cancel()
        store.gate.release(5)
        assert await second == range(1, 2)
        assert await all_of(log) == entries(0, 2)

    on_log(store, do)
