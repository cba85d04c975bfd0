"""What does a fan cost, is it as sure as it should be, and does it beat persistence and a fan that trusts its model?

Question: tanks with a pump that moves every 20 s and an outlet of their own, calibrated on their first 300 samples:
60 steps ahead from many instants of the next 300. Baselines in the same run: persistence with
its own errors; the ensemble that many build by hand, the mean state simulated with sensor noise alone (no belief, no
posterior, no process noise); and, for the cost, the same thousand trajectories in hand-written numpy.

    python bench/forecast.py [--quick] [--json]
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import argparse
import json
import time

import numpy as np

from ectype.calibrate.calibration import calibrate
from ectype.estimate.behaviour import Behaviour, Input, LogNormal, Parameter, Sensor, State
from ectype.estimate.emit_numpy import NumpyKernel
from ectype.estimate.maths import sqrt
from ectype.estimate.simulate import simulate
from ectype.estimate.trace import trace
from ectype.fidelity.companions import crps
from ectype.foresee.fan import Start, draw
from ectype.foresee.followed import Followed
from ectype.foresee.skill import skill

AHEAD = 60


class Tank(Behaviour, model="dtmi:bench:ForeseenTank;1"):
    """A level under a pump."""

    h = State("cm", init=(9, 1), q="0.02 cm/sqrt(s)", low=0.01)
    outlet = Parameter("cm^0.5/s", prior=LogNormal(0.1, 0.1))
    pump = Input("V", max_age="60 s")
    level = Sensor("cm", sigma="0.05 cm")

    def derivative(self, t: float) -> dict[float, float]:
        return {self.h: 0.1 * self.pump - self.outlet * sqrt(self.h)}

    def observe(self, t: float) -> dict[Sensor, float]:
        return {self.level: self.h}


def recorded(seed: int, k: int) -> tuple[Followed, np.ndarray]:
    rng = np.random.default_rng(seed)
    graph = trace(Tank)
    events = np.zeros((k, graph.event_size, 1))
    events[:, 0, 0], events[:, 1], events[:, 4] = 1.7e9 + np.arange(1, k + 1), 1.0, 1.0
    events[:, 2, 0] = 3.0 + np.repeat(rng.choice([-1.0, 0.0, 1.0], k // 20 + 1), 20)[:k]
    truth = 0.1 * np.exp(0.1 * rng.standard_normal((1, 1)))
    made = simulate(Tank, np.array([[9.0]]) + rng.standard_normal((1, 1)), truth, events, rng).events[:, :, 0]
    at_ns = np.round(events[:, 0, 0] * 1e9).astype(np.int64)
    found = calibrate(Tank, made[: k // 2])
    return Followed.by(graph, NumpyKernel(graph), found.constants, at_ns, made, found.draw(1000, rng)), made


def by_hand(start: Start, rng: np.random.Generator) -> np.ndarray:
    """[steps, draws] of the level's readings."""
    x, out = start.first[0].copy(), np.empty((AHEAD, start.first.shape[1]))
    a = start.constants[0]
    for k in range(AHEAD):
        u = start.inputs[k, 0]

        def f(h: np.ndarray, u: np.ndarray = u) -> np.ndarray:
            return 0.1 * u - a * np.sqrt(np.maximum(h, 0.01))

        k1 = f(x)
        k2 = f(x + 0.5 * k1)
        k3 = f(x + 0.5 * k2)
        x = x + (k1 + 2 * k2 + 2 * k3 + f(x + k3)) / 6 + 0.02 * rng.standard_normal(len(x))
        x = np.maximum(x, 0.01)
        out[k] = x + 0.05 * rng.standard_normal(len(x))
    return out


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    tanks, origins = (2, 10) if args.quick else (20, 50)
    rows, known, naive = [], [], []
    for seed in range(tanks):
        followed, events = recorded(seed, 600)
        rows.append(skill(followed, steps=AHEAD, origins=origins, draws=300, seed=seed)["level"][-1])
        known.append(skill(followed, steps=AHEAD, way="recorded", origins=origins, draws=300, seed=seed)["level"][-1])
        rng = np.random.default_rng(seed)
        for i in np.linspace(300, 539, origins).astype(int):
            start = Start.at(followed, steps=AHEAD, at_ns=int(followed.at_ns[i]), draws=300)
            h, outlet = np.full(300, followed.beliefs[i, 0]), followed.constants[0]
            for k in range(AHEAD):
                h = np.maximum(h + 0.1 * start.inputs[k, 0] - outlet * np.sqrt(h), 0.01)
            drawn = h + 0.05 * rng.standard_normal(300)
            truth = events[i + AHEAD, 3]
            low, high = np.quantile(drawn, (0.05, 0.95))
            naive.append((float(crps(drawn[None], np.array([truth]))[0]), float(low <= truth <= high)))
    followed, _ = recorded(0, 600)
    start = Start.at(followed, steps=AHEAD, draws=1000)
    draw(start)
    ours, hand = [], []
    for k in range(3 if args.quick else 20):
        began = time.perf_counter()
        draw(start.again(k))
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        by_hand(start, np.random.default_rng(k))
        hand.append(time.perf_counter() - began)
    weight = np.array([r.origins for r in rows])

    def of(values: list[float]) -> float:
        return float((np.array(values) * weight).sum() / weight.sum())

    result = {
        "origins": int(weight.sum()),
        "inside the 90 %": of([r.covered for r in rows]),
        "inside the 90 %, inputs known": of([r.covered for r in known]),
        "skill, inputs known": of([r.skill for r in known]),
        "inside the 90 %, mean state and sensor noise alone": float(np.mean([n[1] for n in naive])),
        "rms / persistence": of([r.rms for r in rows]) / of([r.rms_persistence for r in rows]),
        "skill (CRPS against persistence)": of([r.skill for r in rows]),
        "fan of 1,000 x 60 steps, ms": 1e3 * float(np.median(ours)),
        "the same in hand-written numpy, ms": 1e3 * float(np.median(hand)),
        "cost / by hand": float(np.median(ours) / np.median(hand)),
    }
    if args.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:<52} {value:.3g}")


if __name__ == "__main__":
    main()
