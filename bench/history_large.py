"""Does the history stay fast and small when it is large? 100 M samples of 1,000 series, each decade of size on the way.

    python bench/history_large.py                      100 M samples, some minutes, 1 GB of disk
    python bench/history_large.py --samples 1e9        what else stays the same; 10 GB of disk
    python bench/history_large.py --series 100 --tiers 5min    a million samples a series, and a tier beside them
    python bench/history_large.py --quick              1 M samples, for CI

Samples come through the fold as they do from the log, in blocks of 10,000 rows in order of time. At each decade:

  range        all samples of one series, and its last 10,000, p50 over different series
  screen       one series as at most 2,000 points by MinMax
  last         the newest sample of all series
  tier         the same from the tier, with --tiers; and the mean of each hour
  resident     what the process needs before the questions, and after them
  bytes        per sample on disk

Baseline in the same run: the same rows in one Parquet file in the order of arrival, read with pyarrow's filter.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from ectype.log.entry import Entry
from ectype.series.downsample import min_max
from ectype.series.fold import History
from ectype.series.retention import Retention, Rule, TierRule, length_ns
from ectype.values.arrow import MEDIA_TYPE, to_arrow
from ectype.values.block import Block
from history import BLOCK, POINTS, STEP_NS, Size, from_parquet, p50_ms, resident_mb, table


def names_of(series: int) -> tuple[str, ...]:
    return tuple(f"turbine-{k // 10}.p{k % 10}" for k in range(series))


def blocks(start: int, stop: int, names: tuple[str, ...]) -> Iterator[Block]:
    """Slow waves with noise, in steps of 0.01 like real sensors give."""
    random = np.random.default_rng(start + 1)
    for first in range(start, stop, BLOCK):
        row = np.arange(first, first + BLOCK)
        which = row % len(names)
        value = np.round(100 * np.sin(row / 1e7 + which) + random.normal(0, 1, BLOCK), 2)
        yield Block(names, which.astype(np.int32), row // len(names) * STEP_NS, value)


def saved(history: History, folder: Path) -> int:
    """How many parts there are once those that were merged are gone."""
    history.save()
    return len(list(folder.glob("part-*.parquet")))


def asked(history: History, names: tuple[str, ...], rows: int, count: int) -> dict[str, float]:
    """p50 in ms of each question."""
    end = rows // len(names) * STEP_NS
    near = end - 10_000 * STEP_NS
    fine, hour = end // POINTS, 3600 * STEP_NS
    tiers: dict[str, float] = {}

    def name(k: int) -> str:
        return names[k * 5 % len(names)]

    if history.retention(names[0]).tiers:
        tiers = {
            "screen of 2,000 points, from tiers": p50_ms(
                lambda k: min_max(history.curve(name(k), 0, end, fine).samples, POINTS), count
            ),
            "count and sum of each hour": p50_ms(lambda k: history.sums(name(k), 0, end, hour), count),
        }
    return tiers | {
        "range, all of a series": p50_ms(lambda k: history.range(name(k), 0, end), count),
        "range, its last 10,000": p50_ms(lambda k: history.range(name(k), near, end), count),
        "screen of 2,000 points": p50_ms(lambda k: min_max(history.range(name(k), 0, end), POINTS), count),
        "last of all series": p50_ms(lambda _: history.last_all(), count),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=float, default=1e8)
    parser.add_argument("--quick", action="store_true", help="1 M samples: it works")
    parser.add_argument("--series", type=int, default=1000, help="how many (default %(default)s)")
    parser.add_argument("--tiers", metavar="TIME", help="with a tier of that length")
    parser.add_argument("--folder", type=Path, help="where to keep it meanwhile")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    names = names_of(args.series)
    rows = 1_000_000 if args.quick else int(args.samples)
    decades = sorted({rows, *(10**d for d in range(6, 12) if 10**d < rows)})
    results: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory(dir=args.folder) as temporary:
        folder, plain = Path(temporary) / "series", Path(temporary) / "plain.parquet"
        log = Size()
        rules = () if args.tiers is None else (Rule(tiers=(TierRule(length_ns(args.tiers) or 0),)),)
        history = History.open(folder, log, retention=Retention(rules))
        done, spent, worst = 0, 0.0, 0.0
        for decade in decades:
            for block in blocks(done, decade, names):
                entry = Entry(b"", b"", to_arrow(block), "measured", "block:b", "a", 0, MEDIA_TYPE)
                began = time.perf_counter()
                history.apply(log.size, entry)
                took = time.perf_counter() - began
                spent, worst = spent + took, max(worst, took)
                log.size += 1
            done = decade
            history.save()
            busy = {"parts": len(list(folder.glob("part-*.parquet"))), **asked(history, names, done, 50)}
            began = time.perf_counter()
            history.settle()
            settling = time.perf_counter() - began
            before = resident_mb()
            cold = asked(history, names, done, 20)  # checksums are compared the first time, and the disk may be read
            row = {
                "samples": done,
                "fold, rows/s": done / spent,
                "longest entry, ms": 1e3 * worst,
                "p50 ms": asked(history, names, done, 200),
                "p50 ms, first time": cold,
                "p50 ms, while parts are merged": busy,
                "until all are merged, s": settling,
                "resident, MB": before,
                "parts": saved(history, folder),
                "resident after questions, MB": resident_mb(),
                "bytes a sample": sum(f.stat().st_size for f in folder.iterdir()) / done,
                "of which tiers": sum(f.stat().st_size for f in folder.glob("tier-*")) / done,
            }
            results.append(row)
            if not args.json:
                show(row)
        history.close()
        if rows <= 200_000_000:
            with pq.ParquetWriter(plain, table(next(blocks(0, BLOCK, names))).schema, compression="zstd") as writer:
                for start in range(0, rows, 1_000_000):
                    for block in blocks(start, start + 1_000_000, names):
                        writer.write_table(table(block))
            end = rows // len(names) * STEP_NS
            slow = p50_ms(lambda k: from_parquet(plain, names[k * 5 % len(names)], 0, end), 3)
            ours = results[-1]["p50 ms"]
            assert isinstance(ours, dict)
            ratio = slow / ours["range, all of a series"]
            results.append({"unsorted parquet, range ms": slow, "unsorted parquet / ectype": ratio})
            if not args.json:
                print(f"unsorted Parquet needs {slow:.0f} ms for all of a series, {ratio:.0f} times as long")
    if args.json:
        print(json.dumps(results))


def show(row: dict[str, object]) -> None:
    print(f"{row['samples']:,} samples")
    for name, value in row.items():
        if isinstance(value, dict):
            print(f"  {name}: " + ", ".join(f"{k} {v:.2f}" for k, v in value.items()))
        elif name != "samples":
            print(f"  {name}: {value:,.2f}")


if __name__ == "__main__":
    main()
