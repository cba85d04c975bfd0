"""Every truncation and ten thousand flipped bits: recovered to the exact prefix, or refused; never just accepted."""

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ectype.errors import Damaged, EctypeError
from ectype.log.entry import Entry
from ectype.log.log import Log
from ectype.log.space import open_space
from ectype.log.state import State
from ectype.log.stores import disk
from ectype.trust.merkle import check_inclusion, leaf_hash
from tests.log.making import entries, on_space
from tests.trust.test_merkle import mth

SEGMENT = 5000
SIZE = 24


@pytest.fixture
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests harm files, not disks: they need no flush."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(disk, "sync_data", lambda fd: None)


class Specimen:
    """A space whose files can be harmed and put back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = {p.relative_to(path): p.read_bytes() for p in path.rglob("*") if p.is_file()}
        self._full = {str(path / name): data for name, data in self.files.items()}
        self._stats: dict[str, tuple[int, int, int]] = {}
        self.headers = [e.header for e in entries(0, SIZE)]
        self.roots = [mth(self.headers[:size]) for size in range(SIZE + 1)]

    def heal(self) -> None:
        for folder, _, names in os.walk(self.path):
            for name in names:
                if f"{folder}/{name}" not in self._full:
                    Path(folder, name).unlink()
        for name, data in self._full.items():
            path = Path(name)
            if not path.exists() or self._stats.get(name) != seen(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                self._stats[name] = seen(path)

    def outcome(self, floor: int, *, at_a_frame: bool = False) -> int | EctypeError:
        """Open it for writing and read all: the size it came back with, or how it was refused.

        at_a_frame: the file was cut exactly where a frame ends, which nobody can tell from never having been written.
        """
        try:
            space = open_space(self.path, segment_bytes=SEGMENT)
        except EctypeError as error:
            return error
        try:
            state = State.load(space.store)
            note = space.store.shelf.get("checkpoint")
            assert note is not None
            checkpoint = state.check(note.decode(), key_of(space.origin, space.signer.public))
            found = [e for frame in space.store.read(0) for e in frame.entries]
            size = len(found)
            assert found == entries(0, size), "other entries than were written"
            assert state.tree.size == size >= checkpoint.size >= floor
            assert state.tree.root() == self.roots[size]
            for index in (0, size // 2, size - 1):
                path = state.tree.inclusion(index, size)
                check_inclusion(leaf_hash(self.headers[index]), index, size, path, self.roots[size])
            assert {s: i for i, s in enumerate(e.subject for e in found)} == state.heads
            if size < SIZE and not at_a_frame:
                assert space.recovered is not None, "entries went without a word"
            return size
        except EctypeError as error:
            return error
        finally:
            space.close()


def seen(path: Path) -> tuple[int, int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def key_of(origin: str, public: bytes):  # type: ignore[no-untyped-def]
    from ectype.trust.checkpoint import VerifierKey

    return VerifierKey(origin, public)


async def fill(log: Log) -> None:
    for at in range(0, SIZE, 3):
        await log.append(entries(at, at + 3))


@pytest.fixture
def folder() -> Iterator[Path]:
    """Somewhere quick: tens of thousands of files are written."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture
def closed(folder: Path, unsynced: None) -> Specimen:
    """A log that was closed: its checkpoint covers all of it."""
    on_space(folder / "closed", fill, SEGMENT)
    return Specimen(folder / "closed")


@pytest.fixture
def crashed(folder: Path, unsynced: None) -> Specimen:
    """A log whose process was killed: the checkpoint covers 15 of 24 entries, and room is taken in advance."""
    path = folder / "crashed"

    async def some(log: Log) -> None:
        for at in range(0, 15, 3):
            await log.append(entries(at, at + 3))

    on_space(path, some, SEGMENT)
    shutil.copytree(path, folder / "at15")

    async def rest(log: Log) -> None:
        for at in range(15, SIZE, 3):
            await log.append(entries(at, at + 3))
        shutil.copytree(path, folder / "killed")

    on_space(path, rest, SEGMENT)
    killed = folder / "killed"
    shutil.copy(folder / "at15" / "checkpoint", killed / "checkpoint")
    return Specimen(killed)


def last_segment(specimen: Specimen) -> Path:
    return max(name for name in specimen.files if name.suffix == ".seg")


def test_every_truncation_of_a_closed_log_is_refused(closed: Specimen) -> None:
    name = last_segment(closed)
    for size in range(len(closed.files[name])):
        (closed.path / name).write_bytes(closed.files[name][:size])
        outcome = closed.outcome(SIZE)
        assert isinstance(outcome, Damaged), f"cut to {size} bytes: {outcome}"
        assert (closed.path / name).read_bytes() == closed.files[name][:size], "it was refused, yet changed"
    closed.heal()
    assert closed.outcome(SIZE) == SIZE


def test_every_truncation_of_a_crashed_log_comes_back_to_the_exact_prefix_or_is_refused(crashed: Specimen) -> None:
    name = last_segment(crashed)
    data = crashed.files[name].rstrip(b"\0")
    frames = [at for at in range(len(data)) if data[at : at + 4] == b"ECT1"] + [len(data)]
    first = int(name.stem)
    outcomes: set[object] = set()
    for size in range(len(data)):
        (crashed.path / name).write_bytes(data[:size])
        whole = first + 3 * sum(end <= size for end in frames[1:])
        outcome = crashed.outcome(15, at_a_frame=size in frames)
        if whole < 15:
            assert isinstance(outcome, Damaged)
            assert (crashed.path / name).read_bytes() == data[:size]
        else:
            assert outcome == whole
        outcomes.add(outcome if isinstance(outcome, int) else type(outcome))
        crashed.heal()
    assert {15, 18, 21} <= outcomes


def test_ten_thousand_flipped_bits_are_each_recovered_from_or_refused(closed: Specimen, crashed: Specimen) -> None:
    random_ = random.Random(4)
    tally: dict[str, dict[str, int]] = {}
    for specimen, floor, flips in ((closed, SIZE, 5000), (crashed, 15, 5000)):
        names = sorted(name for name in specimen.files if name.name != "lock")
        segment = last_segment(specimen)
        for number in range(flips):
            name = names[number % len(names)]
            data = bytearray(specimen.files[name])
            reach = len(data.rstrip(b"\0")) + 100 if name == segment else len(data)
            bit = random_.randrange(8 * min(reach, len(data)))
            data[bit // 8] ^= 1 << bit % 8
            (specimen.path / name).write_bytes(data)
            outcome = specimen.outcome(floor)
            what = "refused" if isinstance(outcome, EctypeError) else "whole" if outcome == SIZE else "prefix"
            if name.suffix == ".seg" and specimen is closed:
                assert what == "refused", f"{name}, bit {bit}: a checkpoint covers it, yet {what}"
            if name.suffix == ".seg" and bit // 8 < len(data.rstrip(b"\0")) - 200:
                assert what != "whole", f"{name}, bit {bit}: accepted"
            if name.name == "checkpoint":
                assert what == "refused"
            if name.suffix == ".idx" or name.parts[0] in ("tile", "folds"):
                assert what == "whole", f"{name}, bit {bit}: derived, yet {outcome}"
            kind = name.suffix or name.parts[0]
            tally.setdefault(kind, {}).setdefault(what, 0)
            tally[kind][what] += 1
            specimen.heal()
    assert tally[".seg"]["refused"] > 1000
    assert tally[".seg"]["prefix"] > 50
    assert set(tally) >= {".seg", ".idx", ".pem", ".vkey", "checkpoint", "tile", "folds"}


def test_a_swapped_body_or_salt_with_its_checksums_made_right_is_found_by_verify(closed: Specimen) -> None:
    from ectype.errors import ProofFailed
    from ectype.log.frame import encode
    from ectype.log.verify import verify_space

    name = min(n for n in closed.files if n.suffix == ".seg")
    for change in (
        lambda e: Entry(e.header, e.salt, e.body + b" ", e.kind, e.subject, e.author, e.at_ns, e.media),
        lambda e: Entry(e.header, bytes(16), e.body, e.kind, e.subject, e.author, e.at_ns, e.media),
    ):
        one = [*entries(0, 1), change(entries(1, 2)[0]), *entries(2, 3)]
        old = encode(0, entries(0, 3))
        (closed.path / name).write_bytes(closed.files[name].replace(old, encode(0, one)))
        for sidecar in (closed.path / "log").glob("*.idx"):
            sidecar.unlink()
        with pytest.raises(ProofFailed, match=rf"{name.name}, byte 0 \(entry 1\)"):
            verify_space(closed.path)
        closed.heal()
