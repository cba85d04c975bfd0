"""The files store where the shared suite cannot look: segments, sidecars, torn ends, disks that fail."""

import errno
import os
from pathlib import Path

import pytest

from ectype.errors import Damaged, Refused, Unavailable
from ectype.log.frame import encode
from ectype.log.stores import disk
from ectype.log.stores.base import Stopped
from ectype.log.stores.files import FilesStore
from ectype.log.stores.segment import Index
from tests.log.making import entries
from tests.log.store_suite import fill, read


def segments(folder: Path) -> list[Path]:
    return sorted((folder / "log").glob("*.seg"))


def filled(folder: Path, sizes: list[int], **options: int) -> FilesStore:
    store = FilesStore(folder, **options)  # type: ignore[arg-type]
    fill(store, sizes)
    return store


def fail(monkeypatch: pytest.MonkeyPatch, name: str, code: int, after: int = 0) -> None:
    """Let `disk.<name>` raise an OSError from its call number `after` on."""
    real, calls = getattr(disk, name), iter(range(10**9))

    def failing(*given: object) -> object:
        if next(calls) >= after:
            raise OSError(code, os.strerror(code))
        return real(*given)

    monkeypatch.setattr(disk, name, failing)


def test_a_segment_closes_when_the_next_frame_would_not_fit(tmp_path: Path) -> None:
    store = filled(tmp_path, [5] * 12, segment_bytes=6000)
    store.close()
    names = [int(path.stem) for path in segments(tmp_path)]
    assert names[0] == 0
    assert names[1:] == sorted(names[1:])
    assert len(names) > 3
    assert store.parts == len(names) - 1
    assert all(path.stat().st_size <= 6000 for path in segments(tmp_path))
    assert all(path.with_suffix(".idx").exists() for path in segments(tmp_path)[:-1])


def test_a_frame_larger_than_a_segment_gets_one_of_its_own(tmp_path: Path) -> None:
    store = filled(tmp_path, [1, 40, 1], segment_bytes=2000)
    assert len(segments(tmp_path)) == 3
    assert [e for _, e in read(store)] == entries(0, 42)
    store.close()


@pytest.mark.parametrize("harm", ["delete", "flip", "cut", "stale"])
def test_a_lost_or_damaged_sidecar_is_made_again(tmp_path: Path, harm: str) -> None:
    filled(tmp_path, [5] * 12, segment_bytes=6000).close()
    sidecar = segments(tmp_path)[0].with_suffix(".idx")
    good = sidecar.read_bytes()
    if harm == "delete":
        sidecar.unlink()
    elif harm == "flip":
        sidecar.write_bytes(good[:20] + bytes([good[20] ^ 1]) + good[21:])
    elif harm == "cut":
        sidecar.write_bytes(good[:-3])
    else:
        sidecar.write_bytes(Index(0).to_bytes())
    store = FilesStore(tmp_path, segment_bytes=6000)
    assert [e for _, e in read(store)] == entries(0, 60)
    assert sidecar.read_bytes() == good
    store.close()


def test_reading_deep_in_a_big_closed_segment_begins_near_the_place(tmp_path: Path) -> None:
    store = filled(tmp_path, [20] * 80, segment_bytes=400_000)
    index = Index.from_bytes(0, segments(tmp_path)[0].with_suffix(".idx").read_bytes())
    assert index is not None
    assert len(index.firsts) > 3
    first, offset = index.find(700)
    assert first <= 700 < first + 400
    assert offset > 100_000
    assert next(store.read(700)).first == 700
    store.close()


def test_an_unfinished_write_is_cut_kept_and_told(tmp_path: Path) -> None:
    filled(tmp_path, [3, 2]).close()
    (path,) = segments(tmp_path)
    whole = path.read_bytes()
    torn = encode(5, entries(5, 9))[:-10]
    path.write_bytes(whole + torn)
    store = FilesStore(tmp_path)
    assert store.head() == 5
    assert path.read_bytes() == whole
    told = store.recovered
    assert told is not None
    assert (told.size, told.offset, told.cut_bytes) == (5, len(whole), len(torn))
    assert told.kept.name == "torn-5-0.bin"
    assert told.kept.read_bytes() == torn
    for part in (str(path), f"byte {len(whole)}", f"cut {len(torn)} bytes", "torn-5-0.bin", "5 entries"):
        assert part in str(told)
    store.close()
    path.write_bytes(whole + torn)
    again = FilesStore(tmp_path)
    assert again.recovered is not None
    assert again.recovered.kept.name == "torn-5-1.bin"
    again.close()


def test_a_body_that_looks_like_a_frame_does_not_turn_a_torn_end_into_damage(tmp_path: Path) -> None:
    from ectype.log.entry import seal
    from tests.log.making import SIGNER

    filled(tmp_path, [2]).close()
    trap = seal(SIGNER, kind="x", subject="x", body=encode(9, entries(9, 10)) + b"tail", at_ns=0)
    (path,) = segments(tmp_path)
    path.write_bytes(path.read_bytes() + encode(2, [trap])[:-2])
    store = FilesStore(tmp_path)
    assert store.head() == 2
    store.close()


def test_damage_before_a_whole_frame_is_refused_with_its_place(tmp_path: Path) -> None:
    filled(tmp_path, [3, 2, 1]).close()
    (path,) = segments(tmp_path)
    data = bytearray(path.read_bytes())
    second = len(encode(0, entries(0, 3)))
    for at in (second, second + 5, second + 20, second + 26, second + 200):
        data[at] ^= 4
        path.write_bytes(data)
        with pytest.raises(Damaged, match=rf"{path.name}, byte {second}.*entry 5 follows"):
            FilesStore(tmp_path)
        assert path.read_bytes() == data
        data[at] ^= 4


def test_a_log_shorter_than_its_floor_is_refused_and_nothing_is_cut(tmp_path: Path) -> None:
    filled(tmp_path, [3, 2]).close()
    (path,) = segments(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    before = path.read_bytes()
    with pytest.raises(Damaged, match="vouches for 5"):
        FilesStore(tmp_path, floor=5)
    assert path.read_bytes() == before
    assert list((tmp_path / "log").glob("torn*")) == []
    store = FilesStore(tmp_path, floor=3)
    assert store.head() == 3
    store.close()


def test_a_missing_segment_is_named(tmp_path: Path) -> None:
    filled(tmp_path, [5] * 12, segment_bytes=6000).close()
    first, second, *_ = segments(tmp_path)
    second.unlink()
    second.with_suffix(".idx").unlink()
    store = FilesStore(tmp_path, segment_bytes=6000)
    with pytest.raises(Damaged, match=first.name):
        read(store)
    store.close()
    first.unlink()
    with pytest.raises(Damaged, match="missing"):
        FilesStore(tmp_path)


def test_damage_in_a_closed_segment_is_refused_when_it_is_read(tmp_path: Path) -> None:
    filled(tmp_path, [5] * 12, segment_bytes=6000).close()
    path = segments(tmp_path)[1]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    store = FilesStore(tmp_path, segment_bytes=6000)
    with pytest.raises(Damaged, match=f"{path.name}, byte "):
        read(store)
    store.close()


def test_on_a_full_disk_the_append_is_refused_and_the_log_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled(tmp_path, [3])
    with monkeypatch.context() as full:
        fail(full, "reserve", errno.ENOSPC)
        store._room = 0  # the room taken in advance is used up
        with pytest.raises(Unavailable, match="No space left") as told:
            fill(store, [1])
        assert not isinstance(told.value, Stopped)
    fill(store, [2])
    store.close()
    again = FilesStore(tmp_path)
    assert [e for _, e in read(again)] == entries(0, 5)
    again.close()


def test_a_write_that_fails_half_way_is_cut_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(tmp_path, [3])
    (path,) = segments(tmp_path)

    def half(fd: int, data: bytes, at: int) -> None:
        os.pwrite(fd, data[: len(data) // 2], at)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(disk, "write_at", half)
        with pytest.raises(Unavailable, match="nothing was appended"):
            fill(store, [2])
    assert path.stat().st_size == len(encode(0, entries(0, 3)))
    fill(store, [4])
    again = FilesStore(tmp_path)
    assert again.recovered is None
    assert [e for _, e in read(again)] == entries(0, 7)
    again.close()
    store.close()


@pytest.mark.parametrize("call", ["sync_data", "sync_folder"])
def test_after_a_failed_flush_the_store_takes_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    store = filled(tmp_path, [3], segment_bytes=100)
    with monkeypatch.context() as broken:
        fail(broken, call, errno.EIO)
        with pytest.raises(Stopped, match="Input/output error while flushing"):
            fill(store, [2])
    with pytest.raises(Stopped, match="check the disk"):
        fill(store, [2])
    assert store.head() == 3
    assert [e for _, e in read(store)] == entries(0, 3)
    store.close()


def test_a_full_disk_when_the_next_segment_opens_is_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(tmp_path, [3], segment_bytes=100)
    with monkeypatch.context() as full:
        real = os.open

        def no_new(path: object, flags: int, mode: int = 0o777) -> int:
            if flags & os.O_CREAT:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(path, flags, mode)  # type: ignore[arg-type]

        full.setattr(os, "open", no_new)
        with pytest.raises(Unavailable, match="No space left"):
            fill(store, [2])
    fill(store, [2, 2])
    assert [e for _, e in read(store)] == entries(0, 7)
    store.close()


def test_files_without_room_in_advance_work_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "reserve", lambda fd, at, size: False)
    store = filled(tmp_path, [3, 2])
    assert segments(tmp_path)[0].stat().st_size == len(encode(0, entries(0, 3))) + len(encode(3, entries(3, 5)))
    store.close()


def test_a_store_for_reading_changes_nothing_and_sees_whole_frames_only(tmp_path: Path) -> None:
    writer = filled(tmp_path, [3, 2])
    (path,) = segments(tmp_path)
    with path.open("r+b") as file:
        file.seek(len(encode(0, entries(0, 3))) + len(encode(3, entries(3, 5))))
        file.write(encode(5, entries(5, 9))[:-10])
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    reader = FilesStore(tmp_path, writable=False)
    assert [e for _, e in read(reader)] == entries(0, 5)
    assert reader.torn is not None
    with pytest.raises(Refused):
        fill(reader, [1])
    reader.close()
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    writer.close()


def test_nothing_is_appended_to_a_closed_store(tmp_path: Path) -> None:
    store = filled(tmp_path, [1])
    store.close()
    with pytest.raises(Unavailable, match="closed"):
        fill(store, [1])
