"""What is told of twins, and when, without a node."""

import numpy as np

from ectype.estimate.following import Following
from ectype.estimate.plant import Kind
from ectype.node.estimator_told import Forecasts
from ectype.values.block import Block
from tests.foresee.plants import Cart, Tank

S = 10**9
T0_NS = 1_700_000_000 * S
CARTS = tuple(f"cart-{k}" for k in range(20))


def test_a_fleet_whose_hour_begins_is_told_a_few_at_a_time_and_nobody_is_left_out() -> None:
    kind = Kind.alone(Cart, CARTS)
    following = Following(Cart, CARTS, np.zeros((0, len(CARTS))))
    forecasts = Forecasts(kind, [np.zeros((0, 1))] * len(CARTS))
    at_once: list[int] = []
    told: list[str] = []
    for k in range(30):
        step = following.advance(Block.of([(f"{cart}.place", T0_NS + k * S, 1.0) for cart in CARTS]))
        subjects = sorted({draft.subject for draft in forecasts.due(following, step)})
        at_once.append(len(subjects))
        told += subjects
    assert max(at_once) < len(CARTS) / 2
    assert sorted(told) == sorted(f"forecast:{cart}" for cart in CARTS)


def test_no_forecast_is_told_where_nothing_is_known_of_an_input() -> None:
    following = Following(Tank, ("t",), np.array([[0.1]]))
    forecasts = Forecasts(Kind.alone(Tank, ("t",)), [np.array([[0.1]])])

    def advance(first: int, stop: int, *names: str) -> list[str]:
        rows = [(f"t.{name}", T0_NS + k * S, 3.0) for k in range(first, stop) for name in names]
        return [draft.subject for draft in forecasts.due(following, following.advance(Block.of(rows)))]

    assert advance(0, 20, "level") == []
    assert advance(20, 22, "level", "pump") == ["forecast:t"]
    assert advance(3600, 3700, "level") == []  # the pump's reading is older than it may be
    assert advance(3700, 3701, "pump") == ["forecast:t"]
