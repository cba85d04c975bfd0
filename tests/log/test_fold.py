"""Folds: from a snapshot or from zero, the same value; a snapshot that does not fit is never believed."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Invalid, Unavailable
from ectype.log.entry import Entry
from ectype.log.fold import catch_up, load, save
from ectype.log.log import Log
from ectype.log.sealed import Sealed, unseal
from ectype.log.stores.memory import MemoryStore
from tests.log.making import entries, entry, on_log


class Counts:
    """How many entries each subject has: a fold for tests."""

    def __init__(self, version: int = 1) -> None:
        self.name = "counts"
        self.version = version
        self.size = 0
        self.counts: dict[str, int] = {}

    def apply(self, index: int, entry: Entry) -> None:
        assert index == self.size
        self.size += 1
        self.counts[entry.subject] = self.counts.get(entry.subject, 0) + 1

    def snapshot(self) -> bytes:
        return json.dumps(self.counts).encode()

    def restore(self, size: int, state: bytes) -> None:
        self.size, self.counts = size, json.loads(state)


@given(subjects=st.lists(st.sampled_from("abcd"), max_size=40), data=st.data())
def test_a_fold_from_a_snapshot_equals_the_fold_from_zero(
    tmp_path_factory: pytest.TempPathFactory, subjects: list[str], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("fold")

    async def do(log: Log) -> None:
        await log.append([entry(i, subject) for i, subject in enumerate(subjects)])
        cut = data.draw(st.integers(0, len(subjects)))
        early = Counts()
        assert catch_up(early, log, upto=cut) == cut
        save(early, log, folder)
        late = Counts()
        assert load(late, log, folder)
        assert (late.size, late.counts) == (cut, early.counts)
        catch_up(late, log)
        whole = Counts()
        catch_up(whole, log)
        assert (late.size, late.counts) == (whole.size, whole.counts)

    on_log(MemoryStore(), do)


def test_a_fold_can_be_brought_to_any_size_but_not_back() -> None:
    async def do(log: Log) -> None:
        await log.append(entries(0, 10))
        fold = Counts()
        assert catch_up(fold, log, upto=4) == 4
        assert catch_up(fold, log) == 6
        assert catch_up(fold, log) == 0
        with pytest.raises(Invalid, match="fold anew"):
            catch_up(fold, log, upto=9)
        with pytest.raises(Invalid, match="cannot be brought"):
            catch_up(Counts(), log, upto=11)

    on_log(MemoryStore(), do)


def test_a_snapshot_of_another_log_version_or_future_is_thrown_away(tmp_path: Path) -> None:
    async def make(log: Log) -> None:
        await log.append(entries(0, 5))
        fold = Counts()
        catch_up(fold, log)
        save(fold, log, tmp_path)
        assert not load(Counts(version=2), log, tmp_path)
        assert list(tmp_path.iterdir()) == []
        save(fold, log, tmp_path)

    on_log(MemoryStore(), make)
    kept = next(tmp_path.iterdir()).read_bytes()

    async def other(log: Log) -> None:
        await log.append(entries(1, 9))
        assert not load(Counts(), log, tmp_path)
        (tmp_path / "00000000000000000005.snapshot").write_bytes(kept)

    async def short(log: Log) -> None:
        await log.append(entries(0, 4))
        fold = Counts()
        assert not load(fold, log, tmp_path)
        assert fold.size == 0

    on_log(MemoryStore(), other)
    on_log(MemoryStore(), short)
    assert list(tmp_path.iterdir()) == []


def test_no_flipped_bit_of_a_snapshot_is_believed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def do(log: Log) -> None:
        await log.append(entries(0, 5))
        fold = Counts()
        catch_up(fold, log)
        path = save(fold, log, tmp_path)
        good = path.read_bytes()
        for bit in range(8 * len(good)):
            bad = bytearray(good)
            bad[bit // 8] ^= 1 << bit % 8
            assert unseal(bytes(bad)) is None
        for cut in range(len(good)):
            assert unseal(good[:cut]) is None
        path.write_bytes(good[:-1])
        assert not load(Counts(), log, tmp_path)
        assert "thrown away" in caplog.text
        assert not path.exists()

    on_log(MemoryStore(), do)


def test_only_the_newest_snapshot_is_kept(tmp_path: Path) -> None:
    async def do(log: Log) -> None:
        await log.append(entries(0, 5))
        fold = Counts()
        for size in (2, 5):
            catch_up(fold, log, upto=size)
            save(fold, log, tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["00000000000000000005.snapshot"]

    on_log(MemoryStore(), do)


def test_a_snapshot_that_cannot_be_written_is_unavailable() -> None:
    async def do(log: Log) -> None:
        with pytest.raises(Unavailable):
            save(Counts(), log, Path("/proc/nowhere"))

    on_log(MemoryStore(), do)


@given(st.integers(0, 2**60), st.binary(max_size=100))
def test_sealed_bytes_read_back(size: int, state: bytes) -> None:
    sealed = Sealed("counts", 3, size, bytes(32), state)
    assert unseal(sealed.to_bytes()) == sealed
