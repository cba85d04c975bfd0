"""What does a calibration cost, does it arrive, and are its intervals right, against least squares as usually done?

Question: a cart on a spring and damper, pushed about, with process noise; 300 samples of its place; stiffness, damping
and gain are unknown. From truths and starts drawn from a wide prior: how long does a calibration take, how often does
it end at the truth, and how often is the truth inside the 95 % intervals? Baseline in the same run: the record
simulated from its start (by the same traced integrator, in CasADi's virtual machine) and scipy's least_squares with
finite differences over the parameters and the first state, intervals from J^T J; and, as the second peer, the same on
the innovations of the very filter that we differentiate exactly (its update in CasADi's virtual machine, too).

    python bench/calibrate.py [--quick] [--json]
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import argparse
import json
import statistics
import time
from collections.abc import Callable

import casadi as ca
import numpy as np
from scipy.optimize import least_squares

from ectype.calibrate.calibration import calibrate
from ectype.calibrate.climb import climb
from ectype.calibrate.coordinates import Coordinates
from ectype.calibrate.likelihood import Likelihood
from ectype.estimate.behaviour import Behaviour, Input, LogNormal, Parameter, Sensor, State
from ectype.estimate.methods import methods_of
from ectype.estimate.simulate import simulate
from ectype.estimate.trace import trace


class Cart(Behaviour, model="dtmi:bench:Cart;1", filter="ekf"):
    """Mass 1 on a spring and a damper, pushed."""

    x = State("m", init=(0, 0.5), q="0.02 m/sqrt(s)")
    v = State("m/s", init=(0, 0.5), q="0.1 m/s/sqrt(s)")
    stiffness = Parameter("1/s^2", prior=LogNormal(2.0, 0.8))
    damping = Parameter("1/s", prior=LogNormal(0.3, 0.6))
    gain = Parameter("1", prior=LogNormal(1.0, 0.4))
    push = Input("m/s^2", max_age="10 s", default=0.0)
    place = Sensor("m", sigma="0.05 m")

    def derivative(self, t):
        return {self.x: self.v, self.v: self.gain * self.push - self.stiffness * self.x - self.damping * self.v}

    def observe(self, t):
        return {self.place: self.x}


def made(c: Coordinates, z: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    events = np.zeros((k, 5, 1))
    events[:, 0], events[:, 1], events[:, 4] = 0.3 * np.arange(1, k + 1)[:, None], 0.3, 1.0
    events[:, 2, 0] = np.repeat(rng.choice([-1.0, 0.0, 1.0], k // 17 + 1), 17)[:k]
    return simulate(Cart, 0.5 * rng.standard_normal((2, 1)), c.constants(z)[:, None], events, rng).events[:, :, 0]


class Usual:
    """Simulate from the first state, compare, differences for slopes."""

    def __init__(self, c: Coordinates, k: int) -> None:
        m = methods_of(Cart)
        e = ca.SX.sym("e", 3)
        given = ca.vertcat(m.t, m.dt, *m.inputs)
        x, constants = ca.vertcat(*m.x), ca.vertcat(*m.constants)
        moved = ca.substitute(ca.vertcat(*m.moved), given, e)
        step = ca.Function("step", [ca.vertcat(x, constants), e], [ca.vertcat(moved, constants)], {"cse": True})
        self._run, self._c = step.mapaccum("run", k), c

    def __call__(self, record: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """z and its standard deviations."""
        c, inputs = self._c, record[:, :3].T

        def miss(unknown: np.ndarray) -> np.ndarray:
            z = unknown[:3]
            place = np.asarray(self._run(np.concatenate([unknown[3:], c.constants(z)]), inputs))[0]
            misses = (record[:, 3] - place) / 0.05
            prior = np.concatenate([(z - c.mean) / c.spread, unknown[3:] / 0.5])
            return np.concatenate([np.nan_to_num(misses, nan=1e6, posinf=1e6, neginf=-1e6), prior])

        found = least_squares(miss, np.concatenate([start, np.zeros(2)]), x_scale="jac")
        cov = np.linalg.pinv(found.jac.T @ found.jac)
        return found.x[:3], np.sqrt(np.maximum(np.diag(cov)[:3], 0.0))


class Innovations:
    """The filter's innovations over their standard deviations as residuals, differences for slopes."""

    def __init__(self, c: Coordinates, k: int) -> None:
        self._graph, self._c = trace(Cart), c
        g = self._graph
        state, event = ca.MX.sym("state", g.belief_size + 3), ca.MX.sym("event", g.event_size)
        out = g.function(ca.vertcat(state, event))
        after = ca.vertcat(out[: g.belief_size], state[g.belief_size :])
        told = out[g.belief_size : g.belief_size + 2]
        self._run = ca.Function("step", [state, event], [after, told]).mapaccum("run", k)
        self._first = g.initial(1)[:, 0]

    def __call__(self, record: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """z and its standard deviations."""
        c, events = self._c, record.T

        def miss(z: np.ndarray) -> np.ndarray:
            told = np.asarray(self._run(np.concatenate([self._first, c.constants(z)]), events)[1])
            misses = np.nan_to_num(told[0] / np.sqrt(told[1]), nan=1e6, posinf=1e6, neginf=-1e6)
            return np.concatenate([misses, (z - c.mean) / c.spread])

        found = least_squares(miss, start, x_scale="jac")
        cov = np.linalg.pinv(found.jac.T @ found.jac)
        return found.x, np.sqrt(np.maximum(np.diag(cov), 0.0))


def each(f: Callable[[], object], times: int) -> float:
    """The median time in seconds."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        f()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few plants: it works")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    plants, k = (6, 300) if args.quick else (200, 300)
    rng, c = np.random.default_rng(0), Coordinates.of(Cart)
    ours, peers = "ectype", {"simulation": Usual(c, k), "innovations": Innovations(c, k)}
    rows: dict[str, dict[str, list[float]]] = {n: {"seconds": [], "off": [], "inside": []} for n in (ours, *peers)}
    for _ in range(plants):
        truth, start = (c.mean + c.spread * rng.standard_normal(3) for _ in range(2))
        record = made(c, truth, k, rng)
        for name in rows:
            began = time.perf_counter()
            if name == ours:
                found = calibrate(Cart, record, start=c.values(start))
                z, std = found.z, np.sqrt(np.diag(found.cov))
            else:
                with np.errstate(all="ignore"):
                    z, std = peers[name](record, start)
            rows[name]["seconds"].append(time.perf_counter() - began)
            rows[name]["off"].append(float(np.abs(z - truth).max()))
            rows[name]["inside"].append(float((np.abs(z - truth) <= 1.959964 * std).mean()))
    table = {
        name: {
            "ms": 1e3 * statistics.median(row["seconds"]),
            "arrived": float(np.mean(np.array(row["off"]) < 0.5)),
            "median_error": statistics.median(row["off"]),
            "inside_95": float(np.mean(row["inside"])),
        }
        for name, row in rows.items()
    }
    # The same job, from the same start nearby: only the climb, without shooting.
    begin = c.at({"stiffness": 3.0})
    likelihood = Likelihood(c, [record])
    climbs = {ours: lambda: climb(c, likelihood, begin), "innovations": lambda: peers["innovations"](record, begin)}
    took = {name: 1e3 * each(f, 3 if args.quick else 30) for name, f in climbs.items()}
    if args.json:
        print(json.dumps({"plants": plants, **table, "climb_ms": took}))
        return
    print(f"{plants} carts, truth and start drawn from the prior, {k} samples each; peers: scipy's least_squares on")
    for name, row in table.items():
        print(
            f"  {name:12} {row['ms']:6.1f} ms   ended at the truth {row['arrived']:6.1%}   "
            f"median error {row['median_error']:.3f}   truth inside the 95 % intervals {row['inside_95']:6.1%}"
        )
    for name in peers:
        peer, own = table[name], table[ours]
        print(
            f"  against {name}: {peer['ms'] / own['ms']:.2f} times as fast, "
            f"error {peer['median_error'] / own['median_error']:.2f} times smaller"
        )
    print(
        f"  climbing alone, from the same start: {took[ours]:.1f} ms, {took['innovations']:.1f} ms with differences: "
        f"{took['innovations'] / took[ours]:.1f} times as fast"
    )


if __name__ == "__main__":
    main()
