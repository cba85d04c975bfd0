"""How fast does the history answer, compared with unsorted Parquet (pyarrow) and with SQLite in the same run?

    python bench/history.py            5 M samples of 200 series, about a minute
    python bench/history.py --quick    400,000 samples, a few seconds, for CI

Samples come in blocks of 10,000 rows in order of time, all series in turn, as they do from a fleet. The history
keeps the newest rows in memory and the rest in parts. The baselines hold the same rows: one Parquet file in the
order of arrival, read with pyarrow's filter, and one SQLite table with an index on (series, at).

  fold         rows/s taken in, parts being made beside, against writing the Parquet file and filling SQLite
  range        all samples of one series, p50 over different series
  window       the last tenth of one series, p50
  screen       one series as at most 2,000 points by MinMax, p50 (reading and thinning; baselines read and thin alike)
  last         the newest sample of all series
  bytes        per sample on disk
  restart      opening after a close, and the resident memory it adds (5 M rows: none are left in the log to fold)
"""

import argparse
import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ectype.log.entry import Entry
from ectype.series.downsample import min_max
from ectype.series.fold import History
from ectype.series.samples import Samples
from ectype.values.arrow import MEDIA_TYPE, to_arrow
from ectype.values.block import Block

SERIES = 200
BLOCK = 10_000
STEP_NS = 1_000_000_000
POINTS = 2000


class Size:
    """A log of which only size and root are asked."""

    size = 0

    def read(self, start: int, stop: int | None = None) -> Iterator[tuple[int, Entry]]:
        raise NotImplementedError

    def root(self, size: int | None = None) -> bytes:
        return sha256(str(size).encode()).digest()


def blocks(rows: int) -> Iterator[Block]:
    """Slow waves with noise, in steps of 0.01 like real sensors give."""
    names = tuple(f"turbine-{k // 10}.p{k % 10}" for k in range(SERIES))
    random = np.random.default_rng(1)
    for start in range(0, rows, BLOCK):
        row = np.arange(start, start + BLOCK)
        value = np.round(100 * np.sin(row / 1e6 + row % SERIES) + random.normal(0, 1, BLOCK), 2)
        yield Block(names, (row % SERIES).astype(np.int32), row // SERIES * STEP_NS, value)


def p50_ms(do: Callable[[int], object], count: int) -> float:
    took: list[float] = []
    for number in range(count):
        began = time.perf_counter()
        do(number * 37 % SERIES)
        took.append(1e3 * (time.perf_counter() - began))
    return median(took)


def resident_mb() -> float:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    return next(int(line.split()[1]) / 1024 for line in status.read_text().splitlines() if line.startswith("VmRSS"))


def fill_parquet(path: Path, rows: int) -> float:
    began = time.perf_counter()
    with pq.ParquetWriter(path, table(next(blocks(BLOCK))).schema, compression="zstd") as writer:
        for block in blocks(rows):
            writer.write_table(table(block))
    return rows / (time.perf_counter() - began)


def merge_groups(path: Path) -> None:
    """Row groups as large as anybody would make them: tiny ones would make the baseline slow for nothing."""
    whole = pq.read_table(path)
    pq.write_table(whole, path, compression="zstd", row_group_size=1_000_000)


def table(block: Block) -> pa.Table:
    series = pa.DictionaryArray.from_arrays(pa.array(block.series), pa.array(block.names))
    return pa.table({"series": series, "at": pa.array(block.at_ns), "value": pa.array(block.value)})


def fill_sqlite(path: Path, rows: int) -> tuple[sqlite3.Connection, float]:
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=OFF")
    db.execute("CREATE TABLE samples(series INTEGER, at INTEGER, value REAL, PRIMARY KEY(series, at)) WITHOUT ROWID")
    began = time.perf_counter()
    for block in blocks(rows):
        columns = (block.series.tolist(), block.at_ns.tolist(), block.value.tolist())
        db.executemany("INSERT OR REPLACE INTO samples VALUES(?, ?, ?)", zip(*columns, strict=True))
    db.commit()
    return db, rows / (time.perf_counter() - began)


def from_sqlite(db: sqlite3.Connection, series: int, low: int, high: int) -> Samples:
    found = db.execute("SELECT at, value FROM samples WHERE series = ? AND at BETWEEN ? AND ?", (series, low, high))
    at_ns, value = zip(*found.fetchall(), strict=True)
    return Samples(np.array(at_ns, np.int64), np.array(value))


def from_parquet(path: Path, name: str, low: int, high: int) -> Samples:
    wanted = (pc.field("series") == name) & (pc.field("at") >= low) & (pc.field("at") <= high)
    found = pq.read_table(path, columns=["at", "value"], filters=wanted)
    return Samples(found.column("at").to_numpy(), found.column("value").to_numpy())


def fill_history(folder: Path, rows: int) -> tuple[History, Size, float, float]:
    """The history, its log, rows/s, and the longest that one entry took in seconds."""
    entries = [Entry(b"", b"", to_arrow(block), "measured", "block:b", "a", 0, MEDIA_TYPE) for block in blocks(rows)]
    log = Size()
    log.size = len(entries)
    history = History.open(folder, log)
    worst = 0.0
    began = time.perf_counter()
    for index, entry in enumerate(entries):
        before = time.perf_counter()
        history.apply(index, entry)
        worst = max(worst, time.perf_counter() - before)
    return history, log, rows / (time.perf_counter() - began), worst


def questions(
    history: History, db: sqlite3.Connection, plain: Path, end: int, counts: tuple[int, int, int]
) -> Iterator[tuple[str, dict[str, float]]]:
    """(question, p50 ms of each)."""
    names = next(blocks(BLOCK)).names
    count, some, few = counts
    tenth = end - end // 10

    def three(
        ours: Callable[[int], object], sqlite: Callable[[int], object], parquet: Callable[[int], object]
    ) -> dict[str, float]:
        return {"ectype": p50_ms(ours, count), "sqlite": p50_ms(sqlite, some), "unsorted parquet": p50_ms(parquet, few)}

    for name, low in (("range", 0), ("window", tenth)):
        yield (
            name,
            three(
                lambda k, low=low: history.range(names[k], low, end),
                lambda k, low=low: from_sqlite(db, k, low, end),
                lambda k, low=low: from_parquet(plain, names[k], low, end),
            ),
        )
    yield (
        "screen",
        three(
            lambda k: min_max(history.range(names[k], 0, end), POINTS),
            lambda k: min_max(from_sqlite(db, k, 0, end), POINTS),
            lambda k: min_max(from_parquet(plain, names[k], 0, end), POINTS),
        ),
    )
    last = "SELECT series, at, value FROM samples JOIN (SELECT series, max(at) at FROM samples GROUP BY series)"
    yield (
        "last",
        three(
            lambda _: history.last_all(),
            lambda _: db.execute(f"{last} USING (series, at)").fetchall(),
            lambda _: pq.read_table(plain).group_by("series").aggregate([("at", "max")]),
        ),
    )
    # What parts and rows in memory say together is what SQLite says.
    mine, other = history.range(names[7], tenth, end), from_sqlite(db, 7, tenth, end)
    assert mine.at_ns.tolist() == other.at_ns.tolist()
    assert mine.value.tolist() == other.value.tolist()


def main(quick: bool, folder: Path | None) -> dict[str, object]:
    rows, counts = (400_000, (20, 10, 3)) if quick else (5_000_000, (200, 20, 5))
    results: dict[str, object] = {"rows": rows, "series": SERIES, "cpus": os.cpu_count()}
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        disk = Path(temporary)
        plain, end = disk / "plain.parquet", rows // SERIES * STEP_NS
        history, log, rate, worst = fill_history(disk / "series", rows)
        parquet_rate = fill_parquet(plain, rows)
        merge_groups(plain)
        db, sqlite_rate = fill_sqlite(disk / "plain.sqlite", rows)
        rates = {"ectype": rate, "sqlite": sqlite_rate, "unsorted parquet": parquet_rate}
        results["fold: rows/s"] = {who: round(value) for who, value in rates.items()}
        results["fold: longest entry ms"] = round(1e3 * worst, 1)
        for name, took in questions(history, db, plain, end, counts):
            results[f"{name}: p50 ms"] = {who: round(value, 3) for who, value in took.items()}
            results[f"{name}: baseline / ectype"] = {
                who: round(value / took["ectype"], 1) for who, value in took.items() if who != "ectype"
            }
        began = time.perf_counter()
        history.close()
        results["close: ms"] = round(1e3 * (time.perf_counter() - began), 1)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        sizes = {
            "ectype": sum(path.stat().st_size for path in (disk / "series").iterdir()),
            "sqlite": (disk / "plain.sqlite").stat().st_size,
            "unsorted parquet": plain.stat().st_size,
        }
        results["bytes/sample"] = {who: round(size / rows, 2) for who, size in sizes.items()}
        before = resident_mb()
        began = time.perf_counter()
        again = History.open(disk / "series", log)
        results["restart: ms"] = round(1e3 * (time.perf_counter() - began), 1)
        results["restart: MB resident more"] = round(resident_mb() - before, 1)
        assert again.size == log.size
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--folder", type=Path, help="on which disk (default: the temporary folder)")
    options = parser.parse_args()
    print(json.dumps(main(options.quick, options.folder), indent=1))
