"""What is told of twins, and when, without a node."""

import numpy as np

from ectype.estimate.following import Following
from ectype.estimate.plant import Kind
from ectype.node.estimator_told import Forecasts
from ectype.values.block import Block
from tests.foresee.plants import Cart

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
