"""A small form of bench/consistency.py: the wind turbine and a tank on worlds that obey them, in 99.9 % bands."""

import numpy as np
import pytest

from ectype.estimate.emit_llvm import LlvmKernel
from ectype.estimate.models.wind_turbine import WindTurbine
from ectype.estimate.simulate import simulate
from ectype.estimate.trace import trace

from .behaviours import TanksEkf
from .test_filter import unpack


@pytest.mark.parametrize(
    ("behaviour", "mean", "std", "event", "constants"),
    [
        (WindTurbine, [8.0, 1.0, 0.0], [1.0, 0.02, 1.0], [600, 3.0, -1.0, 10.0], [491.0]),
        (TanksEkf, [5.0, 4.0, 0.05], [0.3, 0.3, 0.002], [4, 3.0], []),
    ],
)
def test_errors_are_as_large_as_the_filter_says(tmp_path, behaviour, mean, std, event, constants):
    n, k, graph = 2000, 20, trace(behaviour)
    events = np.zeros((k, graph.event_size, n))
    events[:, 1 : 1 + len(event)] = np.array(event)[:, None]
    events[:, 0] = event[0] * np.arange(1, k + 1)[:, None]
    events[:, -len(graph.layout.sensors) :] = 1
    belief, rng = graph.initial(n), np.random.default_rng(5)
    belief[:3] = np.array(mean)[:, None]
    for i in range(3):
        belief[graph.variance_row(i)] = std[i] ** 2
    first = belief[:3] + np.array(std)[:, None] * rng.standard_normal((3, n))
    c = np.repeat(np.array(constants).reshape(-1, 1), n, 1)
    world = simulate(behaviour, first, c, events, rng)
    after, out = LlvmKernel(graph, tmp_path).fold(belief, c, world.events, np.ones((k, n)))
    for s in range(len(graph.layout.sensors)):
        nis = out[5:, graph.belief_size + 4 * s + 2]
        assert abs(nis.mean() - 1) < 3.3 * np.sqrt(2 / nis.size) + 0.005
    errors = after[:3] - world.truth[-1]
    nees = [e @ np.linalg.solve(unpack(graph, b)[1], e) for e, b in zip(errors.T, after.T, strict=True)]
    assert abs(np.mean(nees) - 3) < 3.3 * np.sqrt(6 / n)
