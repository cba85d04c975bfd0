"""Plants followed live: rows find the filter by the twin that they are of, and it is the filter that one composes by
hand.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectype.errors import Invalid
from ectype.estimate.behaviour import Behaviour, Input, LogNormal, Parameter, Sensor, State
from ectype.estimate.compose import compose
from ectype.estimate.following import Following
from ectype.estimate.maths import sqrt
from ectype.estimate.plant import plants_of
from ectype.values.block import Block

S = 10**9


class Tank(Behaviour, model="dtmi:demo:FollowedTank;1"):
    h = State("m", init=(2, 0.5), q="0.01 m/sqrt(s)", low=0.01)
    k = Parameter("m^2.5/s", prior=LogNormal(0.1, 0.1), drift="1 %/sqrt(s)", property="outlet")
    area = Parameter("m^2", fixed=2.0)
    inflow = Input("m^3/s", max_age="1 min", default=0.0, along="^feeds.outflow")
    level = Sensor("m", sigma="0.02 m", property="waterLevel")
    late = Sensor("m", sigma="0.05 m", delay="2 s")

    def outputs(self, t):
        return {"outflow": self.k * sqrt(self.h)}

    def derivative(self, t):
        return {self.h: (self.inflow - self.outputs(t)["outflow"]) / self.area}

    def observe(self, t):
        return {self.level: self.h, self.late: self.h}


LINES = [("a-up", "feeds", "a-low"), ("b-up", "feeds", "b-low")]
(KIND,) = plants_of({twin: Tank for line in LINES for twin in (line[0], line[2])}, LINES)
BY_HAND = compose("Plant", Tank.model, {"tank0": Tank, "tank1": Tank}, {"tank1.inflow": "tank0.outflow"})
AREAS = np.array([[2.0, 3.0], [1.0, 1.5]])


def rows(seed, seconds=25):
    """What the lines send: each thing on its own clock, and now and then nothing of a twin at all."""
    r = np.random.default_rng(seed)
    told = []
    for line in ("a", "b"):
        for what, every in (
            ("up.inflow", 4.0),
            ("low.waterLevel", 1.0),
            ("up.waterLevel", 1.7),
            ("low.late", 3.1),
            ("low.inflow", 2.0),
        ):
            if r.random() < 0.8:
                at = (np.arange(r.uniform(0, 2), seconds, every) * S).astype(int)
                told += [
                    (f"{line}-{what}", int(t), float(abs(v)))
                    for t, v in zip(at, r.normal(1, 0.1, len(at)), strict=True)
                ]
    return sorted(told, key=lambda row: row[1])


def by_hand(told):
    """The same rows as those of one twin of the composed behaviour. What is measured of a wired input is nobody's."""
    names = {
        "up.inflow": "tank0_inflow",
        "up.waterLevel": "tank0_waterLevel",
        "low.waterLevel": "tank1_waterLevel",
        "low.late": "tank1_late",
    }
    following = Following(BY_HAND, ("a", "b"), AREAS)
    renamed = []
    for series, at, value in told:
        line, _, what = series.partition("-")
        if what in names:
            renamed.append((f"{line}.{names[what]}", at, value))
    following.advance(Block.of(renamed))
    return following


def follow(told, cuts=(), **options):
    following = Following(KIND.behaviour, KIND.plants, AREAS, parts=KIND.parts, **options)
    late = 0
    for first, stop in zip([0, *cuts], [*cuts, len(told)], strict=True):
        late += following.advance(Block.of(told[first:stop])).late
    return following, late


@given(st.integers(0, 2**32 - 1), st.randoms(use_true_random=False), st.data())
@settings(max_examples=10, deadline=None)
def test_in_any_order_and_any_blocks_it_is_the_plant_composed_by_hand_bit_for_bit(seed, luck, data):
    told = rows(seed)
    wanted = by_hand(told)
    luck.shuffle(told)
    cuts = sorted(data.draw(st.sets(st.integers(1, max(len(told) - 1, 1)), max_size=5))) if len(told) > 1 else []
    following, late = follow(told, cuts)
    assert late == 0
    assert np.array_equal(following.belief, wanted.belief)


def test_a_plant_goes_on_from_its_snapshot_bit_for_bit_and_from_no_other_one():
    told = rows(3)
    whole, _ = follow(told)
    half, _ = follow(told[:30])
    again = Following(KIND.behaviour, KIND.plants, AREAS, parts=KIND.parts, snapshot=half.snapshot())
    again.advance(Block.of(told[30:]))
    assert np.array_equal(again.belief, whole.belief)
    assert again.snapshot() == whole.snapshot()
    crossed = tuple(reversed(KIND.plants))
    with pytest.raises(Invalid, match="another fleet"):
        Following(KIND.behaviour, crossed, AREAS, parts=KIND.parts, snapshot=half.snapshot())


def test_each_twin_of_a_plant_has_as_many_events_to_come_late_in_as_it_would_have_alone():
    told = [
        (f"a-{twin}.waterLevel", (2 * k + place) * S, 1.0)
        for k in range(100)
        for place, twin in enumerate(("up", "low"))
    ]
    late = ("a-up.waterLevel", S // 2, 1.1)
    following, _ = follow(told)
    assert following.advance(Block.of([late])).late == 0, "its twins alone would have 100 events since"
