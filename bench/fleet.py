"""How many twins a second does a behaviour of twenty lines filter, and what is that against what people use?

A quadruple tank (4 states, RK4, 2 inputs, 2 sensors, 8 parameters a twin), one unscented update of the whole fleet per
call, state in place. In the same run: filterpy (one twin at a time in Python), the textbook matrix form under
jax.jit(vmap), both left out with the reason where not installed, and numpy matrices one twin at a time; and one twin
alone, and what a class that was never seen costs until its first result. Medians; the peers get fewer twins.

    python bench/fleet.py [--quick]
"""

import argparse
import importlib
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from ectype.estimate import emit_cuda
from ectype.estimate.behaviour import Behaviour, Input, LogNormal, Parameter, Sensor, State
from ectype.estimate.emit_llvm import LlvmKernel
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


def matrix_update(xp, x, P, u, z, p):
    """One update of one twin in matrices of `xp` (numpy or jax.numpy), one sensor after the other as in the engine."""
    n, w = 4, xp.array([0.2] + [0.1] * 8)
    a, g, k = p[:4], p[4:6], p[6:]

    def sigma(x, P):
        L = xp.linalg.cholesky(P) * np.sqrt(n + 1)
        return xp.vstack([x, x + L.T, x - L.T])

    def slope(h):
        q, f = a * xp.sqrt(_G2 * h), k * u
        flow = [q[:, 2] - q[:, 0] + g[0] * f[0], q[:, 3] - q[:, 1] + g[1] * f[1]]
        flow += [(1 - g[1]) * f[1] - q[:, 2], (1 - g[0]) * f[0] - q[:, 3]]
        return xp.stack(flow, 1) / xp.array(_AREA)

    h = xp.maximum(sigma(x, P), 1e-4)
    k1 = slope(h)
    k2 = slope(h + 0.5 * k1)
    k3 = slope(h + 0.5 * k2)
    X = h + (k1 + 2 * (k2 + k3) + slope(h + k3)) / 6
    x = w @ X
    P = (X - x).T * w @ (X - x) + xp.eye(4) * 0.0316**2
    for i, std in ((0, 0.2), (1, 5.0)):
        X = sigma(x, P)
        y = 0.5 * X[:, 0] if i == 0 else a[1] * xp.sqrt(_G2 * X[:, 1])
        mean = w @ y
        s = w @ (y - mean) ** 2 + std**2
        c = (X - x).T @ (w * (y - mean))
        x = x + c / s * (z[i] - mean)
        P = P - xp.outer(c, c) / s
    return x, P


def jax_rate(belief, event, constants):
    """Updates a second of jit(vmap(textbook)) in float32, or the reason why there is no such figure."""
    try:
        jax = importlib.import_module("jax")
    except ImportError:
        return "jax is not installed"
    xp, n = jax.numpy, belief.shape[1]
    P = np.broadcast_to(np.eye(4) * 0.49, (n, 4, 4))
    given = [xp.asarray(v, xp.float32) for v in (belief[:4].T, P, event[2:4].T, event[4:6].T, constants.T)]
    run = jax.jit(jax.vmap(lambda *v: matrix_update(xp, *v)))
    jax.block_until_ready(run(*given))
    times = []
    for _ in range(3):
        start = time.perf_counter()
        jax.block_until_ready(run(*given))
        times.append(time.perf_counter() - start)
    return n / float(np.median(times))


def filterpy_rate(belief, event, constants, few):
    """Updates a second of filterpy's UKF, or the reason why there is no such figure."""
    try:
        kalman = importlib.import_module("filterpy.kalman")
    except ImportError:
        return "filterpy is not installed"
    spent = 0.0
    for i in range(few):
        a, g, k, u = constants[:4, i], constants[4:6, i], constants[6:, i], event[2:4, i]

        def slope(h, a=a, g=g, k=k, u=u):
            q, f = a * np.sqrt(_G2 * np.maximum(h, 1e-4)), k * u
            flow = [q[2] - q[0] + g[0] * f[0], q[3] - q[1] + g[1] * f[1]]
            return np.array([*flow, (1 - g[1]) * f[1] - q[2], (1 - g[0]) * f[0] - q[3]]) / _AREA

        def step(h, dt, slope=slope):
            k1 = slope(h)
            k2 = slope(h + 0.5 * dt * k1)
            k3 = slope(h + 0.5 * dt * k2)
            return h + dt * (k1 + 2 * (k2 + k3) + slope(h + dt * k3)) / 6

        points = kalman.MerweScaledSigmaPoints(4, alpha=1.0, beta=0.0, kappa=1.0)
        one = kalman.UnscentedKalmanFilter(
            4, 2, 1.0, lambda h, a=a: np.array([0.5 * h[0], a[1] * np.sqrt(_G2 * max(h[1], 1e-4))]), step, points
        )
        one.x, one.P, one.Q, one.R = belief[:4, i].copy(), np.eye(4) * 0.49, np.eye(4) * 1e-3, np.diag([0.04, 25.0])
        start = time.perf_counter()
        one.predict()
        one.update(event[4:6, i])
        spent += time.perf_counter() - start
    return few / spent


def gpu_rate(graph, given):
    """Updates a second with the state on the GPU, or the reason why there is no such figure."""
    if (reason := emit_cuda.available()) is not None:
        return reason
    cupy = importlib.import_module("cupy")
    arrays = [cupy.asarray(a, np.float32) for a in (given[0], given[1], given[2][None], given[3][None])]
    kernel = emit_cuda.CudaKernel(graph, dtype=np.float32, fast=True)
    n = given[0].shape[1]
    run = kernel.resident(*arrays, cupy.empty((1, graph.output_size, n), np.float32))
    run()
    cupy.cuda.Device().synchronize()
    start = time.perf_counter()
    for _ in range(50):
        run()
    cupy.cuda.Device().synchronize()
    return 50 * n / (time.perf_counter() - start)


def show(name, rate, best):
    if isinstance(rate, str):
        print(f"{name}: left out, {rate}")
    else:
        print(f"{name}: {rate:,.0f} updates/s; ours is {best / rate:,.0f}x that")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="20,000 twins instead of a million")
    quick = parser.parse_args().quick
    n = 20_000 if quick else 1_000_000
    start = time.perf_counter()
    graph = trace(QuadrupleTank)
    traced = time.perf_counter() - start
    rng = np.random.default_rng(0)
    belief = graph.initial(n)
    belief[:4] += 0.3 * rng.standard_normal((4, n))
    constants = np.array([[p.value] for p in graph.layout.constants]) * np.exp(0.05 * rng.standard_normal((8, n)))
    event = np.zeros((graph.event_size, n))
    event[1], event[2:4], event[6:] = 1.0, 3.0, 1.0
    event[4] = 3.0 + 0.1 * rng.standard_normal(n)
    event[5] = 6.0 + rng.standard_normal(n)
    given = (belief, constants, event, np.ones(n))

    few = 300
    PlainKernel(graph).fold(belief[:, :1], constants[:, :1], event[None, :, :1], np.ones((1, 1)))
    print(
        f"trace {traced:.2f} s; first result of the class, with this set-up, after {time.perf_counter() - start:.2f} s"
    )
    start = time.perf_counter()
    ours = [
        matrix_update(np, belief[:4, i], np.eye(4) * 0.49, event[2:4, i], event[4:6, i], constants[:, i])
        for i in range(few)
    ]
    loop = few / (time.perf_counter() - start)
    _, plain = PlainKernel(graph).fold(belief[:, :few], constants[:, :few], event[None, :, :few], np.ones((1, few)))
    worst = max(float(np.abs(plain[0, :4, i] - ours[i][0]).max()) for i in range(few))
    print(
        f"{len(graph.instructions)} scalar operations an update; largest difference of a mean from matrices {worst:.0e}"
    )
    best = 0.0
    with tempfile.TemporaryDirectory() as cache:
        for dtype, fast in ((np.float64, False), (np.float64, True), (np.float32, True)):
            kernel = LlvmKernel(graph, Path(cache), dtype=dtype, fast=fast)
            arrays = [np.array(v, dtype) for v in given] + [np.empty((8, n), dtype)]
            start = time.perf_counter()
            kernel.advance(*arrays)
            compiled = time.perf_counter() - start
            times = []
            for _ in range(15):
                arrays[0][:] = belief
                start = time.perf_counter()
                kernel.advance(*arrays)
                times.append(time.perf_counter() - start)
            best = max(best, n / float(np.median(times)))
            print(
                f"{n:,} twins, {np.dtype(dtype).name}{' fast' if fast else ''}: {n / np.median(times) / 1e6:.1f} M "
                f"updates/s (median), best {n / min(times) / 1e6:.1f}; compile and first update {compiled:.2f} s"
            )
        one = [np.array(v[..., :1]) for v in given] + [np.empty((8, 1))]
        run = LlvmKernel(graph, Path(cache)).bound(*one)
        times = []
        for _ in range(2000):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        print(f"one twin, float64: {1e6 * float(np.median(times)):.1f} us an update")
    print(f"{os.cpu_count()} processors; peers in this run, against ours in float32:")
    show("numpy matrices, one twin at a time", loop, best)
    show("filterpy, one twin at a time", filterpy_rate(belief, event, constants, 100 if quick else 300), best)
    some = slice(0, min(n, 100_000))
    show(
        "jax.jit(vmap), textbook matrices, float32", jax_rate(belief[:, some], event[:, some], constants[:, some]), best
    )
    show("GPU, state resident, float32", gpu_rate(graph, given), best)


if __name__ == "__main__":
    main()
