"""An ensemble in the shape of a filter's belief: live, late, beside others, and asked for forecasts and reasons."""

from itertools import pairwise

import numpy as np
import pytest

from ectype.alarms.explain import explain
from ectype.errors import Invalid
from ectype.estimate.engine import compiled, graph_of
from ectype.estimate.ensemble import Ensemble
from ectype.estimate.following import Following
from ectype.estimate.many import Many, ManyKernel
from ectype.estimate.simulate import simulate
from ectype.estimate.trace import trace
from ectype.estimate.world import Traced
from ectype.foresee.fan import Start, draw
from ectype.foresee.followed import Followed
from ectype.node.estimator_told import estimates
from ectype.values.block import Block

from .behaviours import Heat

S = 10**9
SENSORS = [s.name for s in Heat.layout.sensors]


@pytest.fixture(scope="module")
def world():
    """Three rods for 60 s: [k, event_size, 3]."""
    rng = np.random.default_rng(4)
    graph = graph_of(Heat)
    events = np.zeros((60, graph.event_size, 3))
    events[:, 0], events[:, 1] = 1.7e9 + np.arange(1, 61)[:, None], 1.0
    events[:, -len(SENSORS) :] = 1.0
    first = np.array([s.init[0] for s in Heat.layout.states])[:, None] + 3 * rng.standard_normal((30, 3))
    return simulate(Heat, first, np.zeros((0, 3)), events, rng)


def told(world, names="abc"):
    """The readings, as rows in order of time."""
    row = 2 + len(Heat.layout.inputs)
    at = np.round(world.events[:, 0, 0] * 1e9).astype(int).tolist()
    return [
        (f"{name}.{sensor}", at[k], float(world.events[k, row + i, j]))
        for k in range(len(at))
        for i, sensor in enumerate(SENSORS)
        for j, name in enumerate("abc")
        if name in names
    ]


def follow(rows, names="abc", cuts=(), **options):
    following = Following(Heat, tuple(names), np.zeros((0, len(names))), **options)
    for a, b in pairwise([0, *cuts, len(rows)]):
        following.advance(Block.of(rows[a:b]))
    return following


def test_it_believes_what_the_ensemble_believes(world):
    following = follow(told(world))
    ensemble = Ensemble(Traced(Heat))
    started = np.repeat(ensemble.initial(1), 3, 2)
    events = world.events.copy()
    events[0, 1] = 0.0  # before the first reading nothing is known to have passed
    after, out = ensemble.fold(started, np.zeros((0, 3)), events, np.ones((60, 3)))
    graph = following.graph
    assert isinstance(graph, Many)
    np.testing.assert_allclose(following.belief[:30], out[-1, :30], atol=1e-9)
    std = np.sqrt([following.belief[graph.variance_row(i)] for i in range(30)])
    np.testing.assert_allclose(std, out[-1, 30:60], atol=1e-9)
    np.testing.assert_allclose(graph.members_of(following.belief), after, atol=1e-9)
    off = following.belief[:30] - world.truth[-1]
    assert 0.5 < float(np.mean(off**2 / std**2)) < 2.0


def test_a_twin_is_told_the_same_whoever_is_beside_it_and_however_its_rows_come(world):
    rows = told(world)
    whole = follow(rows)
    for j, name in enumerate("abc"):
        alone = follow(told(world, name), name)
        assert alone.belief[:, 0].tobytes() == np.ascontiguousarray(whole.belief[:, j]).tobytes()
    late = sorted(rows, key=lambda row: row[1] + (9 * S if row[0] == f"b.{SENSORS[0]}" else 0))
    assert late != rows
    assert follow(late, cuts=(11, 40, 100)).belief.tobytes() == whole.belief.tobytes()
    saved = follow(rows[:90]).snapshot()
    again = follow(rows[90:], snapshot=saved)
    assert again.belief.tobytes() == whole.belief.tobytes()
    with pytest.raises(Invalid, match="another fleet"):
        follow([], "ab", snapshot=saved)


def test_states_that_no_sensor_reads_are_told_with_how_sure_that_is(world):
    following = follow(told(world)[:-3])
    (block,) = estimates(following, following.advance(Block.of(told(world)[-3:])))
    assert block.std is not None
    deviation = {block.names[s]: v for s, v in zip(block.series, block.std, strict=True)}
    read, unread = "c03", "c06"
    assert 0 < deviation[f"a.{read}@estimated"] < deviation[f"a.{unread}@estimated"] < 5.0


def test_a_forecast_and_a_reason_begin_from_it(world):
    graph = graph_of(Heat)
    kernel = compiled(graph, None)
    assert isinstance(kernel, ManyKernel)
    at_ns = np.round(world.events[:, 0, 0] * 1e9).astype(np.int64)
    events = world.events[:, :, 0].copy()
    row = 2 + len(Heat.layout.inputs)
    events[30:, row] += 2.0  # the first sensor is off from then on
    record = Followed.by(graph, kernel, np.zeros(0), at_ns, events)
    fan = draw(Start.at(record, steps=10, every_s=1.0, way="held", draws=200))
    low, _, high = fan.quantiles("c06")
    assert (low < high).all()
    found = explain(record, 30, 59)
    assert found.causes[0].name == SENSORS[0]
    assert found.causes[0].by == pytest.approx(2.0, abs=0.5)


def test_what_needs_a_graph_of_scalars_says_so():
    with pytest.raises(Invalid, match="chose filter='etkf'"):
        trace(Heat)
