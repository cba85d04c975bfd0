"""Are the filters as sure as they should be? ANEES and ANIS over 20,000 simulated twins of every behaviour shipped.

Each twin's truth is drawn from the behaviour's own priors and noise; NEES is e^T P^-1 e at the end, NIS each sensor's
v^2/S after the first quarter of the events. The 95 % bands: for ANEES that of a chi-square average over twins, for ANIS
that of the twins' own averages (their spread is measured: innovations of a nonlinear filter are not independent).
The false alarm rate is that of a 30-reading window of NIS at 1 in 1,000.

    python bench/consistency.py [--quick]
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from scipy.stats import chi2

from ectype.estimate.emit_llvm import LlvmKernel
from ectype.estimate.models.wind_turbine import WindTurbine
from ectype.estimate.simulate import simulate
from ectype.estimate.trace import trace
from fleet import QuadrupleTank


def tank(n, k, rng):
    events = np.zeros((k, 8, n))
    events[:, 1], events[:, 6:] = 1.0, 1.0
    events[:, 0] = np.arange(1, k + 1)[:, None]
    events[:, 2] = 3 + np.sin(np.arange(k) / 20)[:, None]
    events[:, 3] = 3 + np.cos(np.arange(k) / 33)[:, None]
    constants = np.array([[p.value] for p in QuadrupleTank.layout.constants]) * np.exp(
        0.05 * rng.standard_normal((8, n))
    )
    return QuadrupleTank, np.array([12.0, 12.0, 5.0, 5.0]), np.full(4, 0.7), constants, events


def turbine_tracked(n, k, rng):
    """A turbine that has been followed for a while: performance known to 2 %, yaw to 1 deg."""
    events = np.zeros((k, 9, n))
    events[:, 1] = 600.0
    events[:, 0] = 600.0 * np.arange(1, k + 1)[:, None]
    events[:, 2] = 5.0 * rng.standard_normal((k, n))
    events[:, 3], events[:, 4] = -1.0, 10.0
    events[:, 7:] = 1.0
    return WindTurbine, np.array([8.0, 1.0, 0.0]), np.array([1.0, 0.02, 1.0]), np.full((1, n), 491.0), events


def turbine_cold(n, k, rng):
    """A turbine from its priors: yaw known to 4 deg, where the cosine law bends much."""
    behaviour, mean, _, constants, events = turbine_tracked(n, k, rng)
    return behaviour, mean, np.array([1.0, 0.05, 4.0]), constants, events


def judge(case, n, k, cache, seed=1):
    """name, ANEES and its band, ANIS per sensor and their bands, false alarms in 1,000 windows."""
    rng = np.random.default_rng(seed)
    behaviour, mean, std, constants, events = case(n, k, rng)
    graph = trace(behaviour)
    belief = graph.initial(n)
    belief[: graph.size] = mean[:, None]
    for i in range(graph.size):
        belief[graph.variance_row(i)] = std[i] ** 2
    world = simulate(
        behaviour, mean[:, None] + std[:, None] * rng.standard_normal((graph.size, n)), constants, events, rng
    )
    after, out = LlvmKernel(graph, cache).fold(belief, constants, world.events, np.ones((k, n)))
    error = (after[: graph.size] - world.truth[-1]).T
    cov = np.zeros((n, graph.size, graph.size))
    rows, columns = np.tril_indices(graph.size)
    cov[:, rows, columns] = cov[:, columns, rows] = after[graph.size :].T
    nees = np.einsum("ni,ni->n", error, np.linalg.solve(cov, error[:, :, None])[:, :, 0])
    report = [(f"{behaviour.__name__} NEES", nees.mean(), graph.size, 1.96 * np.sqrt(2 * graph.size / n))]
    alarms = []
    for s, sensor in enumerate(graph.layout.sensors):
        nis = out[k // 4 :, graph.belief_size + 4 * s + 2]
        own = nis.mean(0)
        report.append((f"{behaviour.__name__} NIS {sensor.name}", own.mean(), 1, 1.96 * own.std() / np.sqrt(n)))
        alarms.append((nis[-30:].sum(0) > chi2.ppf(0.999, min(30, len(nis)))).mean())
    return report, alarms


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="2,000 twins instead of 20,000")
    n = 2000 if parser.parse_args().quick else 20_000
    with tempfile.TemporaryDirectory() as cache:
        for case, k in ((tank, 80), (turbine_tracked, 30), (turbine_cold, 30)):
            print(f"{case.__name__}, {n:,} twins, {k} events")
            report, alarms = judge(case, n, k, Path(cache))
            for name, value, centre, band in report:
                verdict = "inside" if abs(value - centre) <= band else "OUTSIDE"
                print(f"{name}: {value:.4f}, 95 % band {centre} ± {band:.4f}: {verdict}")
            print("  false alarms of 30 readings at 0.1 %: " + ", ".join(f"{100 * a:.2f} %" for a in alarms))


if __name__ == "__main__":
    main()
