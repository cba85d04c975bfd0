"""Plants are found along the relationships of the graph, and estimated as one."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Invalid
from ectype.estimate.behaviour import Behaviour, Input, Sensor, State
from ectype.estimate.compose import compose
from ectype.estimate.emit_plain import PlainKernel
from ectype.estimate.maths import sqrt
from ectype.estimate.plant import plants_of
from ectype.estimate.trace import trace


class Tank(Behaviour, model="dtmi:demo:LinkedTank;1"):
    h = State("m", init=(2, 0.5), q="0.01 m/sqrt(s)", low=0.01)
    inflow = Input("m^3/s", max_age="1 min", default=0.0, along="^feeds.outflow")
    level = Sensor("m", sigma="0.02 m")

    def outputs(self, t):
        return {"outflow": 0.1 * sqrt(self.h)}

    def derivative(self, t):
        return {self.h: (self.inflow - self.outputs(t)["outflow"]) / 2.0}

    def observe(self, t):
        return {self.level: self.h}


class Meter(Behaviour, model="dtmi:demo:Meter;1"):
    total = State("m^3", init=(0, 1), q="0.001 m^3/sqrt(s)")
    flow = Input("m^3/s", max_age="1 min", along="of.outflow")
    count = Sensor("m^3", sigma="0.1 m^3")

    def derivative(self, t):
        return {self.total: self.flow}

    def observe(self, t):
        return {self.count: self.total}


def test_lines_of_one_structure_are_one_fleet_and_who_stands_alone_stays_as_it_is():
    twins = {f"{line}-{place}": Tank for line in ("a", "b", "c") for place in (1, 2)} | {"z": Tank}
    links = [(f"{line}-1", "feeds", f"{line}-2") for line in "abc"] + [
        ("a-1", "beside", "b-1"),
        ("a-2", "feeds", "sea"),
    ]
    lines, alone = plants_of(twins, links)
    assert lines.plants == (("a-1", "a-2"), ("b-1", "b-2"), ("c-1", "c-2"))
    assert alone.plants == (("z",),)
    assert alone.behaviour is Tank
    assert lines.behaviour.layout.belief_names == ("tank0_h", "tank1_h")
    assert [u.name for u in lines.behaviour.layout.inputs] == ["tank0_inflow"]
    assert [lines.whose(name) for name in ("tank0_inflow", "tank1_level")] == [(0, "inflow"), (1, "level")]
    assert alone.whose("h") == (0, "h")


@given(st.randoms(use_true_random=False))
def test_neither_order_nor_repeats_of_twins_and_links_count(random):
    twins = dict.fromkeys("abcdef", Tank)
    links = [("a", "feeds", "c"), ("b", "feeds", "c"), ("d", "feeds", "e"), ("c", "feeds", "f")]
    shuffled = random.sample(list(twins.items()), len(twins)), random.sample(links * 2, len(links) * 2)
    found = plants_of(dict(shuffled[0]), shuffled[1])
    assert [(k.parts, k.plants) for k in found] == [(k.parts, k.plants) for k in plants_of(twins, links)]
    assert sorted(twin for kind in found for plant in kind.plants for twin in plant) == sorted(twins)


def test_of_several_that_feed_it_it_gets_the_sum():
    (kind,) = plants_of({"a": Tank, "b": Tank, "c": Tank}, [("a", "feeds", "c"), ("b", "feeds", "c")])
    bound = kind.behaviour.bind(
        {"tank0_h": 4.0, "tank1_h": 9.0, "tank2_h": 1.0, "tank0_inflow": 0.0, "tank1_inflow": 0.0}
    )
    moved = bound.derivative(0.0)
    assert moved["tank2_h"] == pytest.approx((0.2 + 0.3 - 0.1) / 2)


def test_a_path_may_lead_along_a_relationship_or_against_it():
    (kind,) = plants_of({"m": Meter, "t": Tank}, [("m", "of", "t")])
    assert kind.parts == ("tank0", "meter1")
    assert kind.behaviour.bind({"meter1_total": 0.0, "tank0_h": 4.0, "tank0_inflow": 0.0}).derivative(0.0) == {
        "meter1_total": pytest.approx(0.2),
        "tank0_h": pytest.approx(-0.1),
    }


def test_it_is_the_plant_that_one_composes_by_hand():
    (kind,) = plants_of({"a": Tank, "b": Tank}, [("a", "feeds", "b")])
    by_hand = compose("Plant", Tank.model, {"tank0": Tank, "tank1": Tank}, {"tank1.inflow": "tank0.outflow"})
    assert trace(kind.behaviour).digest == trace(by_hand).digest


def test_a_sensor_downstream_tells_of_the_tank_upstream():
    """Only the lower level is measured. What it cannot explain by itself is the upper tank's level."""
    (kind,) = plants_of({"a": Tank, "b": Tank}, [("a", "feeds", "b")])
    graph = trace(kind.behaviour)
    truth, events = np.array([3.0, 1.5]), np.zeros((400, graph.event_size, 1))
    r = np.random.default_rng(0)
    names = [s.name for s in graph.layout.sensors]
    for k in range(400):
        out = 0.1 * np.sqrt(truth)
        truth = np.maximum(truth + np.array([0.12 - out[0], out[0] - out[1]]) / 2.0, 0.01)
        events[k, 0], events[k, 1], events[k, 2] = k + 1.0, 1.0, 0.12
        lower = 3 + names.index("tank1_level")
        events[k, lower] = truth[1] + 0.02 * r.standard_normal()
        events[k, lower + 2] = 1.0
    _, out = PlainKernel(graph).fold(graph.initial(1), np.zeros((0, 1)), events, np.ones((400, 1)))
    upper, std = out[-1, 0, 0], np.sqrt(out[-1, graph.variance_row(0), 0])
    assert std < 0.2  # alone it would be 0.5 and more
    assert abs(upper - truth[0]) < 3 * std


def test_what_cannot_be_wired_names_the_twins():
    class Wants(Behaviour, model="dtmi:demo:Wants;1"):
        x = State("1", init=(1, 1), q="1 1/sqrt(s)")
        a = Input("1", max_age="1 s", along="of.heat")
        y = Sensor("1", sigma="1 1")

        def derivative(self, t):
            return {self.x: self.a}

        def observe(self, t):
            return {self.y: self.x}

    with pytest.raises(
        Invalid,
        match=r"tank, pump make .* no output 'heat'; its outputs: outflow \(tank0 is tank, wants1 is pump",
    ):
        plants_of({"pump": Wants, "tank": Tank}, [("pump", "of", "tank")])
    with pytest.raises(
        Invalid, match=r"test_plant.py, line \d+: .*along='outflow' is no path; write 'isFedBy.outflow'"
    ):

        class Wrong(Behaviour, model="dtmi:demo:W;1"):
            x = State("1", init=(1, 1), q="1 1/sqrt(s)")
            a = Input("1", max_age="1 s", along="outflow")
            y = Sensor("1", sigma="1 1")


def test_what_twins_are_called_does_not_count_only_how_they_stand_to_each_other():
    """Sorted by name, tank-10 would come before tank-9 which feeds it, and two lines would be two fleets."""
    links = [("tank-1", "feeds", "tank-2"), ("tank-9", "feeds", "tank-10")]
    links += [("x", "feeds", "z"), ("z", "feeds", "y"), ("y", "feeds", "x")]  # round in a ring
    links += [("r", "feeds", "p"), ("p", "feeds", "q"), ("q", "feeds", "r")]
    rings, pairs = plants_of({twin: Tank for link in links for twin in (link[0], link[2])}, links)
    assert pairs.plants == (("tank-1", "tank-2"), ("tank-9", "tank-10"))
    assert {frozenset(plant) for plant in rings.plants} == {frozenset("xyz"), frozenset("pqr")}
    assert pairs.key != rings.key


class Leaves(Behaviour, model="dtmi:demo:Leaves;1", filter="ekf", substeps=3):
    """Its outflow is its inflow, at the same instant."""

    x = State("1", init=(1, 1), q="1 1/sqrt(s)")
    inflow = Input("m^3/s", max_age="1 s", default=0.0, along="^feeds.outflow")
    y = Sensor("1", sigma="1 1")

    def derivative(self, t):
        return {self.x: 0.0 * self.x}

    def observe(self, t):
        return {self.y: self.x}

    def outputs(self, t):
        return {"outflow": self.inflow * 1.0}


def test_who_cannot_be_a_plant_is_followed_alone_and_the_others_are_plants_all_the_same():
    twins = {"a": Tank, "b": Tank, "c": Tank, "d": Tank, "l": Leaves, "m": Leaves, "n": Leaves}
    links = [("a", "feeds", "b"), ("l", "feeds", "m"), ("m", "feeds", "l"), ("pond", "feeds", "d"), ("c", "feeds", "d")]
    told = []
    plant, *alone = plants_of(twins, links, lambda behaviours, why: told.append((behaviours, str(why))))
    assert plant.plants == (("a", "b"),)
    assert {kind.behaviour: kind.plants for kind in alone} == {
        Tank: (("c",), ("d",)),
        Leaves: (("l",), ("m",), ("n",)),
    }
    (missing, without), (loop, needs) = told
    assert (missing, loop) == ((Tank,), (Leaves,))
    assert without.startswith(
        "Tank.inflow is read as a measured input where no behaviour follows its source: d (from pond)"
    )
    assert "l, m make no plant together" in needs
    assert "leaves1.outflow needs leaves0.outflow needs leaves1.outflow" in needs
    with pytest.raises(Invalid, match=r"no behaviour follows its source: d \(from pond\)"):
        plants_of(twins, links)


def test_a_plant_that_no_filter_holds_says_so_before_anything_is_composed():
    names = [f"t{i:03}" for i in range(65)]
    with pytest.raises(Invalid, match=r"t000, t001, t002 and 62 more make no plant .* 65 states .* 64 at the most"):
        plants_of(dict.fromkeys(names, Tank), [(a, "feeds", b) for a, b in pairwise(names)])


def test_a_plant_is_filtered_and_integrated_as_carefully_as_its_components_ask():
    (plant,) = plants_of({"l": Leaves, "m": Leaves}, [("l", "feeds", "m")])
    assert (plant.behaviour.filter, plant.behaviour.substeps) == ("ekf", 3)
    names = [f"t{i:03}" for i in range(17)]
    (line,) = plants_of(dict.fromkeys(names, Tank), [(a, "feeds", b) for a, b in pairwise(names)])
    assert line.behaviour.filter == "etkf", "more than a filter's code can hold is an ensemble"
    (mixed,) = plants_of({"l": Leaves, "t": Tank}, [("t", "feeds", "l")])
    assert (mixed.behaviour.filter, mixed.behaviour.substeps) == ("ukf", 3)
