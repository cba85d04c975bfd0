"""How soon is a fault noticed, how often is it a false alarm, and is the cause named, against a band on each reading?

Question: tanks with two level gauges and a flow meter; an outlet clogs by 2, 5 or 10 %, or a gauge is 0.1 cm off.
CUSUM and NIS windows at one false alarm every 5,000 s, shared among them, and the drift watch at the same rate.
Baseline in the same run: the same filter with a fixed band on each innovation, at the same false alarm rate.
And what does it cost a fleet: microseconds a twin and tick, beside those of the filter itself.

    python bench/alarms.py [--quick] [--json]
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.stats import norm

from ectype.alarms.detectors import Detectors
from ectype.alarms.explain import explain
from ectype.alarms.live import LiveAlarms
from ectype.alarms.settings import Sensitivity
from ectype.estimate.behaviour import Behaviour, Input, Parameter, Sensor, State
from ectype.estimate.emit_llvm import LlvmKernel
from ectype.estimate.following import Following
from ectype.estimate.kernel import Kernel
from ectype.estimate.maths import Scalar, sqrt
from ectype.estimate.simulate import simulate
from ectype.estimate.trace import Graph, trace
from ectype.fidelity.watch import DriftWatch
from ectype.foresee.followed import Followed
from ectype.values.block import Block

FALSE_EVERY, AT, K, WINDOW = 5000.0, 300, 700, 50


class Plant(Behaviour, model="dtmi:bench:Alarmed;1"):
    """A tank, watched well."""

    h = State("cm", init=(9, 0.3), q="0.02 cm/sqrt(s)", low=0.01)
    outlet = Parameter("cm^0.5/s", fixed=0.1)
    pump = Input("V", max_age="60 s")
    level = Sensor("cm", sigma="0.05 cm")
    gauge = Sensor("cm", sigma="0.05 cm")
    outflow = Sensor("cm/s", sigma="0.005 cm/s")

    def derivative(self, t: Scalar) -> dict[Scalar, Scalar]:
        return {self.h: 0.1 * self.pump - self.outlet * sqrt(self.h)}

    def observe(self, t: Scalar) -> dict[Scalar, Scalar]:
        return {self.level: self.h, self.gauge: self.h, self.outflow: self.outlet * sqrt(self.h)}


def made(outlet: float, off: float, twins: int, rng: np.random.Generator) -> np.ndarray:
    events = np.zeros((K, trace(Plant).event_size, twins))
    events[:, 0], events[:, 1], events[:, 6:] = np.arange(1, K + 1)[:, None], 1.0, 1.0
    events[:, 2] = 3.0 + 0.3 * np.repeat(rng.choice([-1.0, 0.0, 1.0], K // 20 + 1), 20)[:K, None]
    first = 9 + 0.3 * rng.standard_normal((1, twins))
    before = simulate(Plant, first, np.full((1, twins), 0.1), events[:AT], rng)
    then = simulate(Plant, before.truth[-1], np.full((1, twins), outlet), events[AT:], rng)
    out = np.concatenate([before.events, then.events])
    out[AT:, 3] += off
    return out


def begun(raised_us: np.ndarray) -> list[list[int]]:
    """Rows at which alarms are raised, of each twin, from when each was raised last [k, twins]."""
    new = np.diff(raised_us, axis=0, prepend=0.0) > 0
    return [np.flatnonzero(column).tolist() for column in new.T]


def banded(e: np.ndarray) -> list[int]:
    """Rows at which any innovation leaves its band."""
    far = float(norm.isf(0.5 / (FALSE_EVERY * 3)))
    return (50 + np.flatnonzero((np.abs(e[50:]) > far).any(1))).tolist()


def judge(graph: Graph, kernel: Kernel, twins: int, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    result: dict[str, dict[str, float]] = {}
    for name, outlet, off in (
        ("nothing", 0.1, 0.0),
        ("outlet -2 %", 0.098, 0.0),
        ("outlet -5 %", 0.095, 0.0),
        ("outlet -10 %", 0.09, 0.0),
        ("gauge +0.1 cm", 0.1, 0.1),
    ):
        events = made(outlet, off, twins, rng)
        at = np.repeat(np.arange(1, K + 1)[:, None] * 10**9, twins, 1)
        active = np.ones((K, twins))
        _, out = kernel.fold(graph.initial(twins), np.full((1, twins), 0.1), events, active)
        e = out[:, graph.belief_size :: 4] / np.sqrt(out[:, graph.belief_size + 1 :: 4])
        found_by = {"band": [banded(e[:, :, i]) for i in range(twins)]}
        for who, fold in (
            ("ours", Detectors(graph, false_every_s=FALSE_EVERY, window=WINDOW)),
            ("fidelity", DriftWatch(graph, false_every_s=FALSE_EVERY)),
        ):
            found_by[who] = begun(fold.raised_us(fold.fold(fold.initial(twins), at, events, out, active)))
        row: dict[str, float] = {}
        for who in ("ours", "band", "fidelity"):
            found = found_by[who]
            if name == "nothing":
                row[f"{who}: false alarms / due"] = sum(map(len, found)) / (twins * (K - 50) / FALSE_EVERY)
            else:
                after = [next((r - AT for r in rows if r >= AT), None) for rows in found]
                seen = [d for d in after if d is not None and d < 200]
                row[f"{who}: noticed in 200 s"] = len(seen) / twins
                row[f"{who}: median delay, s"] = float(np.median(seen)) if seen else float("nan")
        if name != "nothing":
            cause = ("parameter", "outlet") if off == 0 else ("sensor", "level")
            right = 0
            for i in range(min(twins, 20)):
                f = Followed.by(
                    graph, kernel, np.array([0.1]), np.arange(1, K + 1) * 10**9, np.ascontiguousarray(events[:, :, i])
                )
                best = explain(f, AT, AT + 99).causes[0]
                right += (best.kind, best.name) == cause
            row["named right after 100 s"] = right / min(twins, 20)
        result[name] = row
    return result


def cost(graph: Graph, kernel: Kernel, cache: Path, twins: int, ticks: int) -> dict[str, float]:
    """Microseconds a twin and tick, tick by tick as live: the filter, the detectors and the drift watch."""
    events = made(0.1, 0.0, twins, np.random.default_rng(1))[:ticks]
    at = np.repeat(np.arange(1, ticks + 1)[:, None] * 10**9, twins, 1)
    constants, active = np.full((1, twins), 0.1), np.ones((ticks, twins))
    folds = {n: f(graph, settle=0, cache_dir=cache) for n, f in (("detectors", Detectors), ("drift watch", DriftWatch))}
    for fold in folds.values():
        fold.ride.kernel.wait()
    belief, states = graph.initial(twins), {name: fold.initial(twins) for name, fold in folds.items()}
    spent: dict[str, list[float]] = {"filter": [], **{name: [] for name in folds}}
    for k in range(ticks):
        tick = slice(k, k + 1)
        begin = time.perf_counter()
        belief, out = kernel.fold(belief, constants, events[tick], active[tick])
        spent["filter"].append(time.perf_counter() - begin)
        for name, fold in folds.items():
            begin = time.perf_counter()
            states[name] = fold.fold(states[name], at[tick], events[tick], out, active[tick])[-1]
            spent[name].append(time.perf_counter() - begin)
    assert all(fold.ride.kernel.fast for fold in folds.values())
    told = {name: float(np.median(each[1:])) / twins * 1e6 for name, each in spent.items()}
    return told | {"following, with both": followed(events, twins, ticks, cache)}


def followed(events: np.ndarray, twins: int, ticks: int, cache: Path) -> float:
    """Microseconds a twin and tick of all that a live node does for it before it tells: rows in, states out."""
    constants, names = np.full((1, twins), 0.1), [f"t{i}" for i in range(twins)]
    alarms = LiveAlarms(trace(Plant), dict.fromkeys(names, Sensitivity()), cache_dir=cache)
    following = Following(Plant, names, constants, companions=alarms.companions, cache_dir=cache)
    following.kernel.wait()
    series = tuple(f"{t}.{what}" for what in ("pump", "level", "gauge", "outflow") for t in names)
    spent: list[float] = []
    for k in range(min(ticks, 20)):
        at = np.full(4 * twins, (k + 1) * 10**9)
        block = Block(series, np.arange(4 * twins, dtype=np.int32), at, events[k, 2:6].ravel())
        begin = time.perf_counter()
        alarms.tell(following, following.advance(block))
        spent.append(time.perf_counter() - begin)
    return float(np.median(spent[2:])) / twins * 1e6


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    twins = 20 if args.quick else 300
    graph = trace(Plant)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as cache:
        kernel = LlvmKernel(graph, Path(cache))
        result = judge(graph, kernel, twins, rng)
        for n, ticks in ((1, 300), (1000, 120), (20_000, 60)) if not args.quick else ((1, 60), (1000, 60)):
            result[f"{n:,} twins, us"] = cost(graph, kernel, Path(cache), n, ticks)
    if args.json:
        print(json.dumps(result))
        return
    for name, row in result.items():
        print(f"{name:<14} " + "   ".join(f"{k} {v:.3g}" for k, v in row.items()))


if __name__ == "__main__":
    main()
