"""Smoothers against the textbook: the joint least-squares problem for linear models, and what more data must do."""

import numpy as np
import pytest

from ectype.errors import Invalid
from ectype.estimate.emit_plain import PlainKernel
from ectype.estimate.ensemble import Ensemble
from ectype.estimate.smoother import Smoother
from ectype.estimate.trace import trace
from ectype.estimate.world import Traced

from .behaviours import Cart, CartEkf, CascadedTanks, Heat, constants_of
from .test_filter import random_events, unpack

CART, TANKS = trace(Cart), trace(CascadedTanks)


def joint(events, active):
    """The cart's whole trajectory as one normal equation: mean and covariance of every state given every reading."""
    k = len(events)
    information, right = np.zeros((2 * k + 2, 2 * k + 2)), np.zeros(2 * k + 2)

    def add(rows, offset, inverse):
        nonlocal information, right
        information += rows.T @ inverse @ rows
        right += rows.T @ inverse @ offset

    first = np.zeros((2, 2 * k + 2))
    first[:, :2] = np.eye(2)
    add(first, np.array([0.0, 1.0]), np.diag([1 / 4, 1.0]))
    for i in range(k):
        dt, push = events[i, 1, 0], events[i, 2, 0]
        F, b = np.array([[1, dt], [0, 1]]), np.array([dt * dt / 2, dt]) * push
        q = np.diag([0.01, 0.04]) * dt
        if not active[i, 0]:
            F, b, q = np.eye(2), np.zeros(2), np.eye(2) * 1e-12
        rows = np.zeros((2, 2 * k + 2))
        rows[:, 2 * i : 2 * i + 2], rows[:, 2 * i + 2 : 2 * i + 4] = -F, np.eye(2)
        add(rows, b, np.linalg.inv(q))
        for s, r in ((0, 0.3), (1, 0.2)):
            if active[i, 0] and events[i, 5 + s, 0] > 0:
                row = np.zeros((1, 2 * k + 2))
                row[0, 2 * i + 2 + s] = 1
                add(row, events[i, 3 + s], np.array([[1 / r**2]]))
    cov = np.linalg.inv(information)
    return (cov @ right).reshape(-1, 2)[1:], np.array(
        [cov[2 * i + 2 : 2 * i + 4, 2 * i + 2 : 2 * i + 4] for i in range(k)]
    )


@pytest.mark.parametrize("behaviour", [Cart, CartEkf])
def test_smoothing_a_linear_model_is_the_joint_least_squares_solution(behaviour):
    graph = trace(behaviour)
    events, active = random_events(graph, 25, 1, 8)
    active[:] = 1
    c = np.zeros((0, 1))
    _, out = PlainKernel(graph).fold(graph.initial(1), c, events, active)
    smoothed = Smoother(graph).smooth(c, events, active, out)
    mean, cov = joint(events, active)
    for k in range(25):
        x, P = unpack(graph, smoothed[k, :, 0])
        np.testing.assert_allclose(x, mean[k], rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(P, cov[k], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("lag", [0, 1, 5])
def test_a_fixed_lag_is_the_smoother_of_a_run_that_ends_there(lag):
    events, active = random_events(TANKS, 30, 3, 9)
    c = constants_of(TANKS, 3)
    _, out = PlainKernel(TANKS).fold(TANKS.initial(3), c, events, active)
    smoother = Smoother(TANKS)
    lagged = smoother.lagged(c, events, active, out, lag)
    for end in range(lag, 30):
        whole = smoother.smooth(c, events[: end + 1], active[: end + 1], out[: end + 1])
        np.testing.assert_allclose(lagged[end - lag], whole[end - lag], rtol=1e-9, atol=1e-10)


def test_a_smoothed_tank_is_known_better_than_a_filtered_one():
    events, active = random_events(TANKS, 40, 4, 2)
    active[:] = 1
    c = constants_of(TANKS, 4)
    _, out = PlainKernel(TANKS).fold(TANKS.initial(4), c, events, active)
    smoothed = Smoother(TANKS).smooth(c, events, active, out)
    for i in range(3):
        row = TANKS.variance_row(i)
        assert (smoothed[:, row] <= out[:, row] * (1 + 1e-9)).all()


def test_an_ensemble_update_is_the_kalman_update_of_its_own_mean_and_covariance():
    e = Ensemble(Traced(Cart), 12, seed=3)
    event = np.zeros((1, 7, 1))
    event[0, :, 0] = [5.0, 0.0, 0.0, 1.3, 0.7, 1, 1]
    before = e.initial(1)
    after, _ = e.fold(before, np.zeros((0, 1)), event, np.ones((1, 1)))
    x, P = before.mean(1)[:, 0], np.cov(before[:, :, 0])
    K = P @ np.linalg.inv(P + np.diag([0.09, 0.04]))
    np.testing.assert_allclose(after.mean(1)[:, 0], x + K @ (np.array([1.3, 0.7]) - x), rtol=1e-10)
    np.testing.assert_allclose(np.cov(after[:, :, 0]), P - K @ P, rtol=1e-9, atol=1e-12)


def test_a_large_ensemble_follows_the_kalman_filter_and_a_replay_repeats_it():
    events, active = random_events(CART, 15, 2, 4)
    c = np.zeros((0, 2))
    e = Ensemble(Traced(Cart), 4000, seed=1)
    end, out = e.fold(e.initial(2), c, events, active)
    _, kalman = PlainKernel(CART).fold(CART.initial(2), c, events, active)
    np.testing.assert_allclose(out[:, :2], kalman[:, :2], rtol=0.02, atol=0.15)
    half, _ = e.fold(e.initial(2), c, events[:7], active[:7])
    again, _ = e.fold(half, c, events[7:], active[7:])
    assert np.array_equal(end, again)


def test_thirty_states_from_five_sensors():
    """A rod of 30 cells: the ensemble finds what lies between the sensors, and its spread covers its errors."""
    e = Ensemble(Traced(Heat), 200, seed=2, inflation=1.01)
    r = np.random.default_rng(0)
    twins, k = 6, 60
    truth = 20 + 5 * r.standard_normal((30, twins))
    events = np.zeros((k, 2 + 10, twins))
    for step in range(k):
        for _ in range(10):
            wall = np.vstack([truth[:1], truth, truth[-1:]])
            truth = truth + 0.1 * 0.5 * (wall[2:] - 2 * truth + wall[:-2])
        truth = truth + 0.05 * r.standard_normal(truth.shape)
        events[step, 0], events[step, 1] = step + 1.0, 1.0
        events[step, 2:7] = truth[3::6] + 0.1 * r.standard_normal((5, twins))
        events[step, 7:] = 1
    end, out = e.fold(e.initial(twins), np.zeros((0, twins)), events, np.ones((k, twins)))
    error = end.mean(1) - truth
    assert np.sqrt((error**2).mean()) < 0.5
    assert 0.5 < ((error / out[-1, 30:60]) ** 2).mean() < 2.0


def test_too_many_states_for_a_graph_are_told_the_way_out():
    with pytest.raises(Invalid, match="ensemble"):
        trace(Heat)
