"""How fast does the log take entries, compared with what the disk and SQLite do in the same run?

    python bench/append_rate.py            about a minute
    python bench/append_rate.py --quick    a few seconds, for CI

Rounds are interleaved, so that a busy moment hits all rows alike; what counts is the median of the ratios.

  single       one durable entry at a time (300 bytes on disk), p50, against a bare loop of write + fdatasync of as many
               bytes to a growing file: `store` is the files store alone, `log` is Log.append (hashing, tree,
               compare-and-swap, the way to the writer thread and back)
  groups       1000 entries of 200 bytes a commit, against SQLite (WAL, synchronous=FULL, executemany): `store` writes
               ready frames, `log` also encodes and hashes every entry twice (leaf and tree), SQLite hashes nothing
  crowd        64 tasks that each append one entry at a time: group commit at work
  changes      Log.append in groups of 1000 into memory: what hashing and bookkeeping cost without any disk
  tail         from the return of fdatasync to the entry in the hands of a tail, p50 and p99
"""

import argparse
import asyncio
import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from ectype.log.entry import Entry, seal
from ectype.log.frame import encode
from ectype.log.log import Log
from ectype.log.stores.base import Store
from ectype.log.stores.files import FilesStore
from ectype.log.stores.memory import MemoryStore
from ectype.trust.keys import Signer

SIGNER = Signer.generate()
GROUP = 1000


def stock(count: int, size: int) -> list[Entry]:
    """Sealed entries: signing is not what is measured here. (28 k/s with one signature each.)"""
    return [
        seal(SIGNER, kind="twin.patch", subject=f"twin:{i % 100}", body=os.urandom(size), at_ns=i) for i in range(count)
    ]


def times(do: Callable[[], object], count: int) -> list[float]:
    took: list[float] = []
    for _ in range(count):
        began = time.perf_counter()
        do()
        took.append(time.perf_counter() - began)
    return took


def bare(folder: Path, size: int, count: int) -> float:
    fd = os.open(folder / f"bare-{time.monotonic_ns()}", os.O_WRONLY | os.O_CREAT)
    data = b"x" * size

    def one() -> None:
        os.write(fd, data)
        os.fdatasync(fd)

    try:
        return median(times(one, count))
    finally:
        os.close(fd)


def store_single(folder: Path, entry: Entry, count: int) -> float:
    store = FilesStore(Path(tempfile.mkdtemp(dir=folder)))
    frames = iter([encode(i, [entry]) for i in range(count)])
    try:
        return median(times(lambda: store.append(store.head(), next(frames)), count))
    finally:
        store.close()


async def log_single(folder: Path, entry: Entry, count: int) -> tuple[float, float]:
    log = await Log.open(FilesStore(Path(tempfile.mkdtemp(dir=folder))), SIGNER, origin="bench.invalid/log")
    took: list[float] = []
    for _ in range(count):
        began = time.perf_counter()
        await log.append([entry])
        took.append(time.perf_counter() - began)
    await log.close()
    return median(took), sorted(took)[int(0.99 * count)]


def sqlite_groups(folder: Path, rows: list[tuple[bytes]], groups: int) -> float:
    db = sqlite3.connect(folder / f"{time.monotonic_ns()}.db", isolation_level=None)
    db.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE log(id INTEGER PRIMARY KEY, entry)"
    )
    began = time.perf_counter()
    for _ in range(groups):
        db.execute("BEGIN")
        db.executemany("INSERT INTO log(entry) VALUES(?)", rows)
        db.execute("COMMIT")
    rate = groups * len(rows) / (time.perf_counter() - began)
    db.close()
    return rate


def store_groups(folder: Path, entries: list[Entry], groups: int) -> float:
    store = FilesStore(Path(tempfile.mkdtemp(dir=folder)))
    frames = [encode(GROUP * i, entries) for i in range(groups)]
    began = time.perf_counter()
    for i, frame in enumerate(frames):
        store.append(GROUP * i, frame)
    rate = groups * GROUP / (time.perf_counter() - began)
    store.close()
    return rate


async def log_groups(store: Store, entries: list[Entry], groups: int) -> float:
    log = await Log.open(store, SIGNER, origin="bench.invalid/log")
    began = time.perf_counter()
    for _ in range(groups):
        await log.append(entries)
    rate = groups * GROUP / (time.perf_counter() - began)
    await log.close()
    return rate


async def log_crowd(folder: Path, entry: Entry, count: int, tasks: int = 64) -> float:
    log = await Log.open(FilesStore(Path(tempfile.mkdtemp(dir=folder))), SIGNER, origin="bench.invalid/log")

    async def one() -> None:
        for _ in range(count // tasks):
            await log.append([entry])

    began = time.perf_counter()
    await asyncio.gather(*[one() for _ in range(tasks)])
    rate = log.size / (time.perf_counter() - began)
    await log.close()
    return rate


async def tail_latency(folder: Path, entry: Entry, count: int) -> list[float]:
    store = FilesStore(Path(tempfile.mkdtemp(dir=folder)))
    synced = [0.0]
    append = store.append

    def timed(first: int, frame: bytes) -> None:
        append(first, frame)
        synced[0] = time.perf_counter()

    store.append = timed  # type: ignore[method-assign]
    log = await Log.open(store, SIGNER, origin="bench.invalid/log")
    took: list[float] = []

    async def follow() -> None:
        async for _ in log.tail(0):
            took.append(time.perf_counter() - synced[0])

    follower = asyncio.create_task(follow())
    await asyncio.sleep(0)
    for _ in range(count):
        await log.append([entry])
    await log.close()
    await follower
    return sorted(took)


def main(quick: bool, folder: Path | None) -> dict[str, object]:
    rounds, singles, groups = (2, 100, 20) if quick else (5, 600, 200)
    one = stock(1, 40)[0]
    many = stock(GROUP, 200 - 130)
    rows = [(os.urandom(200),) for _ in range(GROUP)]
    size = len(encode(0, [one]))
    ratios: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        ratios.setdefault(name, []).append(value)

    with tempfile.TemporaryDirectory(dir=folder) as name:
        disk = Path(name)
        for _ in range(rounds):
            floor = bare(disk, size, singles)
            store = store_single(disk, one, singles)
            log, log_p99 = asyncio.run(log_single(disk, one, singles))
            note("single: bare p50 us", 1e6 * floor)
            note("single: store p50 us", 1e6 * store)
            note("single: log p50 us", 1e6 * log)
            note("single: log p99 us", 1e6 * log_p99)
            note("single: store / bare", store / floor)
            note("single: log / bare", log / floor)
            note("crowd: entries/s", asyncio.run(log_crowd(disk, one, 16 * singles)))
        for _ in range(rounds):
            sqlite = sqlite_groups(disk, rows, groups)
            store_rate = store_groups(disk, many, groups)
            log_rate = asyncio.run(log_groups(FilesStore(Path(tempfile.mkdtemp(dir=disk))), many, groups))
            note("groups: SQLite FULL entries/s", sqlite)
            note("groups: store entries/s", store_rate)
            note("groups: log entries/s", log_rate)
            note("groups: store / SQLite", store_rate / sqlite)
            note("groups: log / SQLite", log_rate / sqlite)
            note("changes: entries/s", asyncio.run(log_groups(MemoryStore(), many, groups)))
        took = asyncio.run(tail_latency(disk, one, 3 * singles))
        note("tail: p50 us", 1e6 * took[len(took) // 2])
        note("tail: p99 us", 1e6 * took[int(0.99 * len(took))])
    return {name: round(median(values), 2) for name, values in ratios.items()} | {
        "entry bytes in a group": round(len(encode(0, many)) / GROUP),
        "rounds": rounds,
        "cpus": os.cpu_count(),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--folder", type=Path, help="on which disk (default: the temporary folder)")
    options = parser.parse_args()
    print(json.dumps(main(options.quick, options.folder), indent=1))
