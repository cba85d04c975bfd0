"""What does following twins live cost, a tick at a time, as a backlog, and when a row comes late?

Question: tanks read once a second, two rows a tick, every twin's window full. Baseline in the same run: the kernel's
own fold of the same events, already packed, which cannot take a row late.

    python bench/late_rows.py [--quick] [--json]
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from ectype.estimate.behaviour import Behaviour, Input, LogNormal, Parameter, Sensor, State
from ectype.estimate.following import Following
from ectype.estimate.maths import sqrt
from ectype.values.block import Block


class Tank(Behaviour, model="dtmi:bench:LiveTank;1"):
    """A level under a pump."""

    h = State("cm", init=(5, 1), q="0.03 cm/sqrt(s)", low=0)
    k = Parameter("cm^0.5/s", prior=LogNormal(0.05, 0.3))
    pump = Input("V", max_age="20 s")
    level = Sensor("cm", sigma="0.05 cm", gate=5)

    def derivative(self, t: float) -> dict[float, float]:
        return {self.h: 0.04 * self.pump - self.k * sqrt(self.h)}

    def observe(self, t: float) -> dict[Sensor, float]:
        return {self.level: self.h}


def measure(twins: int, rows: int) -> dict[str, float]:
    following = Following(
        Tank, [f"t{i}" for i in range(twins)], np.full((1, twins), 0.05), cache_dir=Path(tempfile.mkdtemp())
    )
    following.kernel.wait()
    names = tuple(name for i in range(twins) for name in (f"t{i}.level", f"t{i}.pump"))
    clock = 0

    def block(ticks: int) -> Block:
        nonlocal clock
        at = np.repeat(np.arange(clock, clock + ticks, dtype=np.int64) * 10**9, 2 * twins)
        clock += ticks
        series = np.tile(np.arange(2 * twins, dtype=np.int32), ticks)
        return Block(names, series, at, np.tile(np.tile([5.0, 2.8], twins), ticks))

    following.advance(block(1))
    following.advance(block(200))
    spent = []
    for _ in range(15):
        one = block(1)
        start = time.perf_counter()
        following.advance(one)
        spent.append(time.perf_counter() - start)
    late = []
    for k in range(9):
        row = Block(names[:1], np.zeros(1, np.int32), np.array([(clock - 12) * 10**9 + 1 + k]), np.array([5.0]))
        start = time.perf_counter()
        assert following.advance(row).late == 0
        late.append(time.perf_counter() - start)
    ticks = max(1, rows // (2 * twins))
    backlog = block(ticks)
    start = time.perf_counter()
    step = following.advance(backlog)
    folded = time.perf_counter() - start
    constants = following.constants[:, step.columns]
    start = time.perf_counter()
    following.kernel.fold(step.before, constants, step.events, step.active)
    bare = time.perf_counter() - start
    count = 2 * twins * ticks
    return {
        "twins": twins,
        "tick_ms": 1e3 * float(np.median(spent)),
        "late_row_ms": 1e3 * float(np.median(late)),
        "backlog_rows_per_s": count / folded,
        "bare_fold_rows_per_s": count / bare,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    for twins in (1, 50) if args.quick else (1, 100, 2000):
        told = measure(twins, 20_000 if args.quick else 400_000)
        if args.json:
            print(json.dumps(told))
        else:
            print(
                f"{twins:5} twins: tick {told['tick_ms']:.2f} ms, late row {told['late_row_ms']:.2f} ms, backlog "
                f"{told['backlog_rows_per_s'] / 1e6:.2f} M rows/s (bare fold {told['bare_fold_rows_per_s'] / 1e6:.1f})"
            )


if __name__ == "__main__":
    main()
