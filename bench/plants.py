"""What does it bring, and cost, to follow related twins as one filter?

Question: lines of tanks, each feeding the next, where only the last is measured, once a second; all that a live node
does for them at a tick: filter, alarms of every twin, estimates. Baseline in the same run: the same twins one by one,
whose inflow is then not known. The first tank's error is against the truth that readings were drawn from.

    python bench/plants.py [--quick] [--json]
"""

import argparse
import json
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from ectype.estimate.behaviour import Behaviour, Input, Sensor, State
from ectype.estimate.maths import sqrt
from ectype.estimate.plant import Kind, plants_of
from ectype.estimate.swap import SwappingKernel
from ectype.node.estimator_followed import Followed
from ectype.node.pipe import Begin, TwinRecord
from ectype.values.block import Block

INFLOW, SIGMA = 0.12, 0.02


class Tank(Behaviour, model="dtmi:bench:LineTank;1"):
    """Fed by the tank before it."""

    h = State("m", init=(2, 0.5), q="0.003 m/sqrt(s)", low=0.01)
    inflow = Input("m^3/s", max_age="1 min", default=INFLOW, along="^feeds.outflow")
    level = Sensor("m", sigma="0.02 m")

    def outputs(self, t: float) -> dict[str, float]:
        return {"outflow": 0.1 * sqrt(self.h)}

    def derivative(self, t: float) -> dict[float, float]:
        return {self.h: (self.inflow - self.outputs(t)["outflow"]) / 2.0}

    def observe(self, t: float) -> dict[Sensor, float]:
        return {self.level: self.h}


def drawn(tanks: int, ticks: int) -> np.ndarray:
    """[ticks, tanks]: true levels, from the prior on."""
    rng = np.random.default_rng(tanks)
    h = np.maximum(2 + 0.5 * rng.standard_normal(tanks), 0.3)
    out = np.empty((ticks, tanks))
    for k in range(ticks):
        flow = 0.1 * np.sqrt(h)
        h = np.maximum(
            h + (np.concatenate([[INFLOW], flow[:-1]]) - flow) / 2.0 + 0.003 * rng.standard_normal(tanks), 0.01
        )
        out[k] = h
    return out


def follow(kind: Kind, cache: Path) -> tuple[Followed, float]:
    """What follows them, compiled; and how long it took until it could begin."""
    names = [twin for plant in kind.plants for twin in plant]
    records = {name: TwinRecord(name, Tank.model, {}, []) for name in names}
    start = time.perf_counter()
    followed = Followed(kind, "bench", records, Begin([*records.values()], None, str(cache)), None, [])
    return followed, time.perf_counter() - start


def measure(tanks: int, ticks: int) -> dict[str, float]:
    names = [f"t{i}" for i in range(tanks)]
    truth = drawn(tanks, ticks)
    readings = truth + SIGMA * np.random.default_rng(99).standard_normal(truth.shape)
    (line,) = plants_of(dict.fromkeys(names, Tank), [(a, "feeds", b) for a, b in pairwise(names)])
    told: dict[str, float] = {"tanks": tanks}
    for what, kind in (("one", line), ("each", Kind.alone(Tank, names))):
        followed, began = follow(kind, Path(tempfile.mkdtemp()))
        if isinstance(kernel := followed.following.kernel, SwappingKernel):
            kernel.wait()
        spent: list[float] = []
        for k in range(ticks):
            at = 1_700_000_000 * 10**9 + k * 10**9
            # Alone each tank is measured, so that as many filters have work; the line has the last reading alone.
            rows = [(f"{names[-1]}.level", at, float(readings[k, -1]))]
            if what == "each":
                rows = [(f"{name}.level", at, float(readings[k, i])) for i, name in enumerate(names)]
            block = Block.of(rows)
            start = time.perf_counter()
            followed.advance(block)
            spent.append(time.perf_counter() - start)
        told |= {f"{what}_begin_s": began, f"{what}_tick_ms": 1e3 * float(np.median(spent[-40:]))}
        if what == "one":
            graph = followed.following.graph
            belief = followed.following.belief[:, 0]
            first = kind.plants[0].index(names[0])
            told["first_std_m"] = float(np.sqrt(belief[graph.variance_row(first)]))
            told["first_error_m"] = float(belief[first] - truth[-1, first])
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    for tanks in (2, 4) if args.quick else (1, 2, 4, 8, 16, 32, 64):
        told = measure(tanks, 60 if args.quick else 300)
        print(json.dumps(told) if args.json else "   ".join(f"{k} {v:.3g}" for k, v in told.items()))


if __name__ == "__main__":
    main()
