"""How many twins a second does a behaviour of twenty lines filter, and what is that against plain Python?

A quadruple tank (4 states, RK4, 2 inputs, 2 sensors, 8 parameters a twin) authored as any behaviour is, one update of
the whole fleet per call. Baseline in the same run: the same unscented filter in numpy matrices, one twin at a time;
filterpy too where it is installed. Medians; float32 with `fast`, float64 without.

    python bench/fleet_ukf.py [--quick]
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from ectype.estimate.behaviour import Behaviour, Input, LogNormal, Parameter, Sensor, State
from ectype.estimate.emit_numba import NumbaKernel
from ectype.estimate.emit_plain import PlainKernel
from ectype.estimate.maths import sqrt
from ectype.estimate.trace import trace

_G2 = 2 * 981.0
_AREA = (28.0, 32.0, 28.0, 32.0)


def _level() -> State:
    return State("cm", init=(6.0, 0.7), q="0.0316 cm/sqrt(s)", low=1e-4)


class QuadrupleTank(Behaviour, model="dtmi:demo:QuadrupleTank;1"):
    h1, h2, h3, h4 = _level(), _level(), _level(), _level()
    a1 = Parameter("cm^2", prior=LogNormal(0.071, 0.05))
    a2 = Parameter("cm^2", prior=LogNormal(0.057, 0.05))
    a3 = Parameter("cm^2", prior=LogNormal(0.071, 0.05))
    a4 = Parameter("cm^2", prior=LogNormal(0.057, 0.05))
    g1 = Parameter("1", prior=LogNormal(0.7, 0.05))
    g2 = Parameter("1", prior=LogNormal(0.6, 0.05))
    k1 = Parameter("cm^3/(V*s)", prior=LogNormal(3.33, 0.05))
    k2 = Parameter("cm^3/(V*s)", prior=LogNormal(3.35, 0.05))
    u1 = Input("V", max_age="10 s")
    u2 = Input("V", max_age="10 s")
    level = Sensor("V", sigma="0.2 V")
    flow = Sensor("cm^3/s", sigma="5 cm^3/s")

    def derivative(self, t):
        q1, q2 = self.a1 * sqrt(_G2 * self.h1), self.a2 * sqrt(_G2 * self.h2)
        q3, q4 = self.a3 * sqrt(_G2 * self.h3), self.a4 * sqrt(_G2 * self.h4)
        f1, f2 = self.k1 * self.u1, self.k2 * self.u2
        return {
            self.h1: (q3 - q1 + self.g1 * f1) / _AREA[0],
            self.h2: (q4 - q2 + self.g2 * f2) / _AREA[1],
            self.h3: ((1 - self.g2) * f2 - q3) / _AREA[2],
            self.h4: ((1 - self.g1) * f1 - q4) / _AREA[3],
        }

    def observe(self, t):
        return {self.level: 0.5 * self.h1, self.flow: self.a2 * sqrt(_G2 * self.h2)}


def matrix_update(x, P, u, z, p):
    """One update of one twin in numpy matrices; sensors one after the other, as in the engine."""
    n, w = 4, np.array([0.2] + [0.1] * 8)
    a, g, k = p[:4], p[4:6], p[6:]

    def sigma(x, P):
        L = np.linalg.cholesky(P) * np.sqrt(n + 1)
        return np.vstack([x, x + L.T, x - L.T])

    def slope(h):
        q, f = a * np.sqrt(_G2 * h), k * u
        flow = np.array(
            [q[2] - q[0] + g[0] * f[0], q[3] - q[1] + g[1] * f[1], (1 - g[1]) * f[1] - q[2], (1 - g[0]) * f[0] - q[3]]
        )
        return flow / _AREA

    def step(h):
        k1 = slope(h)
        k2 = slope(h + 0.5 * k1)
        k3 = slope(h + 0.5 * k2)
        return h + (k1 + 2 * (k2 + k3) + slope(h + k3)) / 6

    X = np.array([step(np.maximum(s, 1e-4)) for s in sigma(x, P)])
    x = w @ X
    P = (X - x).T * w @ (X - x) + np.eye(4) * 0.0316**2
    for i, std in ((0, 0.2), (1, 5.0)):
        X = sigma(x, P)
        y = 0.5 * X[:, 0] if i == 0 else a[1] * np.sqrt(_G2 * X[:, 1])
        mean = w @ y
        s = w @ (y - mean) ** 2 + std**2
        c = (X - x).T @ (w * (y - mean))
        x = x + c / s * (z[i] - mean)
        P = P - np.outer(c, c) / s
    return x, P


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="20,000 twins instead of a million, float64 only")
    quick = parser.parse_args().quick
    n = 20_000 if quick else 1_000_000
    graph = trace(QuadrupleTank)
    rng = np.random.default_rng(0)
    belief = graph.initial(n)
    belief[:4] += 0.3 * rng.standard_normal((4, n))
    constants = np.array([[p.value] for p in graph.layout.constants]) * np.exp(0.05 * rng.standard_normal((8, n)))
    event = np.zeros((1, graph.event_size, n))
    event[0, 1], event[0, 2:4], event[0, 6:] = 1.0, 3.0, 1.0
    event[0, 4] = 3.0 + 0.1 * rng.standard_normal(n)
    event[0, 5] = 6.0 + rng.standard_normal(n)
    active = np.ones((1, n))

    few = min(n, 300)
    start = time.perf_counter()
    ours = [
        matrix_update(belief[:4, i], np.diag(np.full(4, 0.49)), event[0, 2:4, i], event[0, 4:6, i], constants[:, i])
        for i in range(few)
    ]
    loop = few / (time.perf_counter() - start)
    print(f"numpy, one twin at a time: {loop:,.0f} updates/s")
    _, plain = PlainKernel(graph).fold(belief[:, :few], constants[:, :few], event[:, :, :few], active[:, :few])
    worst = max(float(np.abs(plain[0, :4, i] - ours[i][0]).max()) for i in range(few))
    print(f"largest difference of a mean from it: {worst:.1e} ({len(graph.instructions)} scalar operations an update)")
    with tempfile.TemporaryDirectory() as cache:
        for dtype, fast in ((np.float64, False),) if quick else ((np.float64, False), (np.float32, True)):
            kernel = NumbaKernel(graph, Path(cache), shape="sweep", dtype=dtype, fast=fast)
            given = [np.ascontiguousarray(v, dtype) for v in (belief, constants, event, active)]
            out = np.empty((1, plain.shape[1], n), dtype)
            start = time.perf_counter()
            kernel.advance(*given, out)
            compiled = time.perf_counter() - start
            times = []
            for _ in range(9):
                given[0][:] = belief
                start = time.perf_counter()
                kernel.advance(*given, out)
                times.append(time.perf_counter() - start)
            rate = n / float(np.median(times))
            print(
                f"numba {np.dtype(dtype).name}{' fast' if fast else ''}: {rate / 1e6:.1f} M updates/s (median), best "
                f"{n / min(times) / 1e6:.1f}; {rate / loop:,.0f}x the loop; compile {compiled:.1f} s"
            )


if __name__ == "__main__":
    main()
