"""The traced filter against filters written here in matrices, and its back ends against each other."""

import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import casadi as ca
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from ectype.estimate import emit_cuda
from ectype.estimate.behaviour import Behaviour, Sensor, State
from ectype.estimate.emit_cuda import CudaKernel
from ectype.estimate.emit_llvm import LlvmKernel, _load
from ectype.estimate.emit_numpy import NumpyKernel
from ectype.estimate.emit_plain import PlainKernel
from ectype.estimate.emit_python import PythonKernel
from ectype.estimate.events import Carry, pack
from ectype.estimate.maths import cos, sin
from ectype.estimate.methods import methods_of
from ectype.estimate.models.wind_turbine import WindTurbine
from ectype.estimate.trace import trace

from .behaviours import Cart, CascadedTanks, Everything, TanksEkf, constants_of

CART, TANKS = trace(Cart), trace(CascadedTanks)


def unpack(graph, column):
    n = graph.size
    cov = np.zeros((n, n))
    cov[np.tril_indices(n)] = column[n:]
    return column[:n], cov + np.tril(cov, -1).T


def random_events(graph, k, n, seed):
    r = np.random.default_rng(seed)
    events = np.zeros((k, graph.event_size, n))
    events[:, 1] = r.uniform(0, 5, (k, n))
    events[:, 0] = np.cumsum(events[:, 1], 0)
    inputs, sensors = len(graph.layout.inputs), len(graph.layout.sensors)
    events[:, 2 : 2 + inputs] = r.uniform(1, 3, (k, inputs, n))
    events[:, 2 + inputs : 2 + inputs + sensors] = r.uniform(3, 7, (k, sensors, n))
    events[:, 2 + inputs + sensors :] = r.random((k, sensors, n)) < 0.7
    return events, (r.random((k, n)) < 0.9).astype(float)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_on_a_linear_model_it_is_the_textbook_kalman_filter(seed):
    events, active = random_events(CART, 20, 1, seed)
    _, out = PlainKernel(CART).fold(CART.initial(1), np.zeros((0, 1)), events, active)
    x, P = np.array([0.0, 1.0]), np.diag([4.0, 1.0])
    H, R = np.eye(2), np.diag([0.3, 0.2]) ** 2
    for k in range(20):
        if active[k, 0]:
            dt, push, present = events[k, 1, 0], events[k, 2, 0], events[k, 5:7, 0] > 0
            F = np.array([[1, dt], [0, 1]])
            x = F @ x + np.array([dt * dt / 2, dt]) * push
            P = F @ P @ F.T + np.diag([0.01, 0.04]) * dt
            h = H[present]
            S = h @ P @ h.T + R[np.ix_(present, present)]
            K = P @ h.T @ np.linalg.inv(S)
            x = x + K @ (events[k, 3:5, 0][present] - h @ x)
            P = (np.eye(2) - K @ h) @ P
        mean, cov = unpack(CART, out[k, : CART.belief_size, 0])
        np.testing.assert_allclose(mean, x, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(cov, P, rtol=1e-7, atol=1e-8)


def test_on_a_nonlinear_model_it_is_the_textbook_unscented_filter():
    events, active = random_events(TANKS, 60, 1, 3)
    _, out = PlainKernel(TANKS).fold(TANKS.initial(1), constants_of(TANKS, 1), events, active)
    n, low = 3, np.array([0.0, 0.0, 0.0])
    x, P = unpack(TANKS, TANKS.initial(1)[:, 0])
    w = np.array([1 / (n + 1)] + [0.5 / (n + 1)] * (2 * n))

    def sigma(x, P):
        L = np.linalg.cholesky(P) * np.sqrt(n + 1)
        return np.vstack([x, x + L.T, x - L.T])

    def flow(s, u):
        h1, h2, k2 = s
        out = 0.05 * np.sqrt(h1)
        return np.array([0.04 * u - out, out - k2 * np.sqrt(h2), 0.0])

    def step(s, u, dt):
        s = np.maximum(s, low)
        a = flow(s, u)
        b = flow(s + dt / 2 * a, u)
        c = flow(s + dt / 2 * b, u)
        d = flow(s + dt * c, u)
        return s + dt / 6 * (a + 2 * b + 2 * c + d)

    q = np.array([0.03, 0.03, TANKS.layout.tracked[0].q]) ** 2
    for k in range(60):
        if active[k, 0]:
            dt, u, y, present = events[k, 1:5, 0]
            X = np.array([step(s, u, dt) for s in sigma(x, P)])
            x = w @ X
            P = (X - x).T @ np.diag(w) @ (X - x) + np.diag(q) * dt
            X = sigma(x, P)
            z = X[:, 1]
            S = w @ (z - w @ z) ** 2 + 0.05**2
            C = (X - x).T @ (w * (z - w @ z))
            v = y - w @ z
            if present and v * v / S <= 25:
                x = x + C / S * v
                P = P - np.outer(C, C) / S
            x = np.maximum(x, low)
        mean, cov = unpack(TANKS, out[k, : TANKS.belief_size, 0])
        np.testing.assert_allclose(mean, x, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(cov, P, rtol=1e-7, atol=1e-11)


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("kernels")


def back_end(name, graph, cache):
    if name == "cuda" and (reason := emit_cuda.available()):
        pytest.skip(reason)
    return {
        "casadi": PlainKernel,
        "python": PythonKernel,
        "llvm": lambda g: LlvmKernel(g, cache),
        "llvm fast": lambda g: LlvmKernel(g, cache, fast=True),
        "llvm one wide": lambda g: LlvmKernel(g, cache, width=1),
        "cuda": CudaKernel,
    }[name](graph)


@pytest.mark.parametrize("behaviour", [CascadedTanks, Cart, WindTurbine, Everything])
@pytest.mark.parametrize("name", ["casadi", "python", "llvm", "llvm fast", "llvm one wide", "cuda"])
def test_all_back_ends_agree_with_numpy(cache, name, behaviour):
    graph = trace(behaviour)
    events, active = random_events(graph, 50, 7, 1)
    given = graph.initial(7), constants_of(graph, 7), events, active
    kernel = back_end(name, graph, cache)
    for a, b in zip(NumpyKernel(graph).fold(*given), kernel.fold(*given), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-12)


def test_two_that_compile_the_same_at_once_do_not_take_each_others_draft(tmp_path, monkeypatch):
    both, write = threading.Barrier(2, timeout=30), Path.write_bytes

    def written(path, data):
        write(path, data)
        both.wait()

    monkeypatch.setattr(Path, "write_bytes", written)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: _load("the same", lambda: "define void @f() { ret void }", tmp_path), range(2))
    assert one.get_function_address("f")
    assert other.get_function_address("f")


def test_a_sweep_over_a_fleet_is_the_fold_of_one_event(cache):
    n = 4099  # several portions, and some twins left over
    events, active = random_events(TANKS, 1, n, 2)
    given = [TANKS.initial(n), constants_of(TANKS, n), events[0], active[0]]
    after, out = PlainKernel(TANKS).fold(*given[:2], events, active)
    for dtype, fast, tolerance in ((np.float64, False, 0.0), (np.float64, True, 1e-12), (np.float32, True, 2e-5)):
        arrays = [np.array(a, dtype) for a in given] + [np.empty((4, n), dtype)]
        LlvmKernel(TANKS, cache, dtype=dtype, fast=fast).advance(*arrays)
        np.testing.assert_allclose(arrays[0], after, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(arrays[4][1], out[0, TANKS.belief_size + 1], rtol=10 * tolerance, atol=tolerance)


def test_bound_arrays_are_advanced_in_place(cache):
    events, _ = random_events(TANKS, 1, 1, 4)
    arrays = [TANKS.initial(1), constants_of(TANKS, 1), events[0].copy(), np.ones(1), np.empty((4, 1))]
    LlvmKernel(TANKS, cache).bound(*arrays)()
    after, _ = PlainKernel(TANKS).fold(TANKS.initial(1), constants_of(TANKS, 1), events, np.ones((1, 1)))
    assert np.array_equal(arrays[0], after)


def test_object_code_that_was_damaged_is_compiled_again(tmp_path):
    given = CART.initial(1), np.zeros((0, 1)), *random_events(CART, 1, 1, 0)
    want, _ = LlvmKernel(CART, tmp_path).fold(*given)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-9] + b"not code!")
    again, _ = LlvmKernel(CART, tmp_path).fold(*given)
    assert np.array_equal(want, again)


def test_the_cuda_source_has_every_operation():
    text = emit_cuda.source(trace(Everything), single=False)
    assert text.count("{") == text.count("}")
    assert "tanh(" in text
    assert "pow(" in text


def test_a_second_start_compiles_nothing(cache):
    LlvmKernel(CART, cache).fold(CART.initial(1), np.zeros((0, 1)), *random_events(CART, 1, 1, 0))
    before = {p: p.stat().st_mtime_ns for p in cache.rglob("*")}
    LlvmKernel(trace(Cart), cache).fold(CART.initial(1), np.zeros((0, 1)), *random_events(CART, 1, 1, 0))
    assert {p: p.stat().st_mtime_ns for p in cache.rglob("*")} == before


def test_the_wind_turbine_traces_to_the_same_graph_each_time():
    assert trace(WindTurbine).digest == trace(WindTurbine).digest != TANKS.digest


@given(st.integers(0, 2**32 - 1), st.integers(1, 39))
@settings(max_examples=20, deadline=None)
def test_a_run_of_events_may_be_cut_anywhere(seed, cut):
    events, active = random_events(TANKS, 40, 2, seed)
    kernel, c = PlainKernel(TANKS), constants_of(TANKS, 2)
    whole, out = kernel.fold(TANKS.initial(2), c, events, active)
    half, first = kernel.fold(TANKS.initial(2), c, events[:cut], active[:cut])
    rest, second = kernel.fold(half, c, events[cut:], active[cut:])
    assert np.array_equal(whole, rest)
    assert np.array_equal(out, np.concatenate([first, second]))


def test_a_reading_whose_input_is_too_old_is_not_assimilated():
    graph = trace(WindTurbine)
    at = np.array([0, 600, 6000], np.int64) * 10**9
    column = np.array([[1.0], [np.nan], [np.nan]])
    values = {"vane": column, "pitch": -column, "temperature": column, "power": np.full((3, 1), 500.0)}
    events, carry = pack(graph, Carry.fresh(graph, 1), at, values)
    power_present = events.events[:, -1, 0]
    assert power_present.tolist() == [1.0, 1.0, 0.0]
    assert events.events[:, 1, 0].tolist() == [0.0, 600.0, 5400.0]
    again, _ = pack(graph, carry, at[2:] + 1, {})
    assert again.active.sum() == 0


def test_errors_of_simulated_tanks_are_as_large_as_the_filter_says():
    """ANEES and ANIS over 2,000 tanks inside their 99.9 % bands, with the filter's own model as the truth."""
    n, k = 2000, 40
    r = np.random.default_rng(7)
    c = constants_of(TANKS, n)
    belief = TANKS.initial(n)
    belief[:3] = np.array([[6.0], [6.0], [0.05]])
    std = np.array([0.5, 0.5, 0.003])
    for i in range(3):
        belief[TANKS.variance_row(i)] = std[i] ** 2
    truth = belief[:3] + std[:, None] * r.standard_normal((3, n))
    events = np.zeros((k, TANKS.event_size, n))
    events[:, 1], events[:, 2] = 4.0, 3.0
    for step in range(k):
        for _ in range(20):
            out = 0.05 * np.sqrt(truth[0])
            truth[1] += 0.2 * (out - truth[2] * np.sqrt(truth[1]))
            truth[0] += 0.2 * (0.12 - out)
        truth += np.array([[0.06], [0.06], [2 * TANKS.layout.tracked[0].q]]) * r.standard_normal((3, n))
        events[step, 3] = truth[1] + 0.05 * r.standard_normal(n)
        events[step, 4] = 1
    belief, out = PlainKernel(TANKS).fold(belief, c, events, np.ones((k, n)))
    d = TANKS.belief_size
    nis = out[5:, d + 2]
    assert abs(nis.mean() - 1) < 3.3 * np.sqrt(2 / nis.size)
    errors = belief[:3] - truth
    nees = np.array([e @ np.linalg.solve(unpack(TANKS, b)[1], e) for e, b in zip(errors.T, belief.T, strict=True)])
    assert abs(nees.mean() - 3) < 3.3 * np.sqrt(2 * 3 / n)


def test_the_extended_filter_is_the_textbook_one_with_jacobians_by_differences():
    graph = trace(TanksEkf)
    events, active = random_events(graph, 40, 1, 6)
    events[:, 4] = 0.1 + 0.002 * events[:, 4]
    _, out = PlainKernel(graph).fold(graph.initial(1), np.zeros((0, 1)), events, active)
    x, P = unpack(graph, graph.initial(1)[:, 0])
    low = np.array([0.01, 0.01, 0.0])
    q = np.array([0.03, 0.03, graph.layout.tracked[0].q]) ** 2

    def slope(s, u):
        out = s[2] * np.sqrt(s[0])
        return np.array([0.04 * u - out, out - s[2] * np.sqrt(s[1]), 0.0])

    def step(s, u, dt):
        s = np.maximum(s, low)
        for _ in range(4):
            h = dt / 4
            a = slope(s, u)
            b = slope(s + h / 2 * a, u)
            c = slope(s + h / 2 * b, u)
            s = s + h / 6 * (a + 2 * b + 2 * c + slope(s + h * c, u))
        return s

    def differences(f, s):
        return np.stack([(f(s + d) - f(s - d)) / 2e-5 for d in 1e-5 * np.eye(3)], -1)

    for k in range(40):
        if active[k, 0]:
            dt, u, *readings = events[k, 1:5, 0]
            F = differences(lambda s, u=u, dt=dt: step(s, u, dt), x)
            x, P = step(x, u, dt), F @ P @ F.T + np.diag(q) * dt
            for i, look in enumerate((lambda s: s[1], lambda s: s[2] * np.sqrt(max(s[1], 0.01)))):
                if events[k, 5 + i, 0] > 0:
                    h = differences(look, x)
                    S = h @ P @ h + (0.05, 0.01)[i] ** 2
                    K = P @ h / S
                    x = x + K * (readings[i] - look(x))
                    keep = np.eye(3) - np.outer(K, h)
                    P = keep @ P @ keep.T + np.outer(K, K) * (0.05, 0.01)[i] ** 2
            x = np.maximum(x, low)
        mean, cov = unpack(graph, out[k, : graph.belief_size, 0])
        np.testing.assert_allclose(mean, x, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(cov, P, rtol=1e-4, atol=1e-7)


def test_many_substeps_reach_a_reference_integrator():
    class Pendulum(Behaviour, model="dtmi:demo:Pendulum;1", substeps=600, filter="ekf"):
        a = State("1", init=(1.0, 1e-9), q="0 1/sqrt(s)")
        w = State("1/s", init=(0.0, 1e-9), q="0 1/s/sqrt(s)")
        y = Sensor("1", sigma="1 1")

        def derivative(self, t):
            return {self.a: self.w, self.w: -9.81 * sin(self.a) + 0.3 * cos(2 * t)}

        def observe(self, t):
            return {self.y: self.a}

    m = methods_of(Pendulum)
    step = ca.Function("step", [ca.vertcat(*m.x, m.t, m.dt)], [ca.vertcat(*m.moved)])
    given = (lambda t, s: [s[1], -9.81 * np.sin(s[0]) + 0.3 * np.cos(2 * t)]), (0.5, 1.5), [1.0, 0.0]
    want = solve_ivp(*given, method="DOP853", rtol=1e-11, atol=1e-11).y[:, -1]
    np.testing.assert_allclose(np.asarray(step([1.0, 0.0, 0.5, 1.0])).ravel(), want, rtol=1e-10, atol=1e-10)


def test_a_sensor_a_million_times_sharper_than_the_belief_leaves_a_covariance_that_is_positive(cache):
    class Sharp(Behaviour, model="dtmi:demo:Sharp;1"):
        x = State("1", init=(0, 1e4), q="1e-6 1/sqrt(s)")
        v = State("1/s", init=(0, 1e4), q="1e-6 1/s/sqrt(s)")
        y = Sensor("1", sigma="1e-4 1")
        z = Sensor("1", sigma="1e-4 1")

        def derivative(self, t):
            return {self.x: self.v, self.v: 0.0 * self.x}

        def observe(self, t):
            return {self.y: self.x, self.z: self.x + 1e-3 * self.v}

    graph = trace(Sharp)
    events = np.zeros((200, graph.event_size, 1))
    events[:, 1], events[:, 4:] = 0.01, 1.0
    for kernel in (PlainKernel(graph), LlvmKernel(graph, cache, dtype=np.float32, fast=True)):
        _, out = kernel.fold(graph.initial(1), np.zeros((0, 1)), events, np.ones((200, 1)))
        for row in out[:, :5, 0].astype(np.float64):
            assert np.linalg.eigvalsh(unpack(graph, row)[1]).min() >= -1e-7 * np.trace(unpack(graph, row)[1])
        assert np.isfinite(out).all()


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc is not installed")
def test_the_cuda_source_compiles(tmp_path):
    for single in (False, True):
        path = tmp_path / f"k{single}.cu"
        path.write_text(emit_cuda.source(trace(Everything), single))
        subprocess.run(["nvcc", "-std=c++14", "-ptx", path, "-o", path.with_suffix(".ptx")], check=True, timeout=120)
