"""What the author of a behaviour is told, modes, conserved amounts, and plants made of components."""

import numpy as np
import pytest

from ectype.errors import Invalid
from ectype.estimate.behaviour import Behaviour, Input, Mode, Parameter, Sensor, State
from ectype.estimate.compose import compose
from ectype.estimate.emit_plain import PlainKernel
from ectype.estimate.maths import sqrt, where
from ectype.estimate.methods import methods_of
from ectype.estimate.trace import trace


class Tank(Behaviour, model="dtmi:demo:OneTank;1"):
    h = State("m", init=(2, 0.5), q="0.01 m/sqrt(s)", low=0.01)
    area = Parameter("m^2", fixed=2.0)
    valve = Mode("shut", "open", max_age="1 h", default="open")
    inflow = Input("m^3/s", max_age="1 min", default=0.0)
    level = Sensor("m", sigma="0.02 m")

    def outputs(self, t):
        return {"outflow": where(self.valve.is_("open"), 0.1 * sqrt(self.h), 0.0)}

    def derivative(self, t):
        return {self.h: (self.inflow - self.outputs(t)["outflow"]) / self.area}

    def observe(self, t):
        return {self.level: self.h}

    def conserved(self, t):
        return {"water": (self.area * self.h, self.inflow - self.outputs(t)["outflow"])}


def test_an_error_names_the_line_of_the_declaration():
    with pytest.raises(Invalid, match=r"^test_authoring\.py, line \d+: Wrong\.x q: .*does not measure the same"):

        class Wrong(Behaviour, model="dtmi:demo:Wrong;1"):
            x = State("m", init=(0, 1), q="1 s/sqrt(s)")


def test_a_method_that_branches_on_a_symbol_is_told_what_to_write():
    with pytest.raises(Invalid, match=r"test_authoring\.py, line \d+: Branch\.derivative cannot run.*where for if"):

        class Branch(Behaviour, model="dtmi:demo:Branch;1"):
            x = State("m", init=(0, 1), q="1 m/sqrt(s)")
            y = Sensor("m", sigma="1 m")

            def derivative(self, t):
                return {self.x: 1.0 if self.x > 0 else 0.0}

            def observe(self, t):
                return {self.y: self.x}


def test_what_leaks_is_told():
    with pytest.raises(Invalid, match="water changes by"):

        class Leaky(Behaviour, model="dtmi:demo:Leaky;1"):
            h = State("m", init=(2, 0.5), q="0.01 m/sqrt(s)")
            inflow = Input("m/s", max_age="1 min")
            level = Sensor("m", sigma="0.02 m")

            def derivative(self, t):
                return {self.h: self.inflow - 0.01 * self.h}

            def observe(self, t):
                return {self.level: self.h}

            def conserved(self, t):
                return {"water": (self.h, self.inflow)}


def test_a_mode_switches_the_physics():
    graph = trace(Tank)
    events = np.zeros((1, graph.event_size, 2))
    events[0, 1] = 10.0
    events[0, 2] = [0.0, 1.0]  # shut, open
    c = np.full((1, 2), 2.0)
    after, _ = PlainKernel(graph).fold(graph.initial(2), c, events, np.ones((1, 2)))
    assert after[0, 0] == pytest.approx(2.0)
    assert after[0, 1] < 1.5
    assert Tank.valve.default == 1.0
    with pytest.raises(Invalid, match="no 'ajar'"):
        Tank.bind({"valve": 1.0}).valve.is_("ajar")


PARTS = {"upper": Tank, "lower": Tank}


def test_a_plant_is_its_components_with_their_wires():
    plant = compose("Plant", "dtmi:demo:Plant;1", PARTS, {"lower.inflow": "upper.outflow"})
    assert plant.layout.belief_names == ("upper_h", "lower_h")
    assert [u.name for u in plant.layout.inputs] == ["upper_valve", "upper_inflow", "lower_valve"]
    graph = trace(plant)
    assert methods_of(plant).looks[0].linear

    class ByHand(Behaviour, model="dtmi:demo:Plant;1"):
        upper_h = State("m", init=(2, 0.5), q="0.01 m/sqrt(s)", low=0.01)
        lower_h = State("m", init=(2, 0.5), q="0.01 m/sqrt(s)", low=0.01)
        upper_area = Parameter("m^2", fixed=2.0)
        lower_area = Parameter("m^2", fixed=2.0)
        upper_valve = Mode("shut", "open", max_age="1 h")
        upper_inflow = Input("m^3/s", max_age="1 min")
        lower_valve = Mode("shut", "open", max_age="1 h")
        upper_level = Sensor("m", sigma="0.02 m")
        lower_level = Sensor("m", sigma="0.02 m")

        def derivative(self, t):
            a = where(self.upper_valve.is_("open"), 0.1 * sqrt(self.upper_h), 0.0)
            b = where(self.lower_valve.is_("open"), 0.1 * sqrt(self.lower_h), 0.0)
            return {
                self.upper_h: (self.upper_inflow - a) / self.upper_area,
                self.lower_h: (a - b) / self.lower_area,
            }

        def observe(self, t):
            return {self.upper_level: self.upper_h, self.lower_level: self.lower_h}

    r = np.random.default_rng(0)
    events = np.zeros((20, graph.event_size, 3))
    events[:, 1], events[:, 2], events[:, 4] = 3.0, 1.0, 1.0
    events[:, 3] = r.uniform(0, 0.3, (20, 3))
    events[:, 5:7], events[:, 7:] = r.uniform(1, 2, (20, 2, 3)), 1.0
    given = graph.initial(3), np.full((2, 3), 2.0), events, np.ones((20, 3))
    for a, b in zip(PlainKernel(graph).fold(*given), PlainKernel(trace(ByHand)).fold(*given), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def test_wires_that_lead_nowhere_or_in_a_circle_are_told():
    with pytest.raises(Invalid, match=r"leads nowhere; inputs of 'lower': inflow"):
        compose("Plant", "dtmi:demo:P;1", PARTS, {"lower.inflw": "upper.outflow"})
    with pytest.raises(Invalid, match="has no output 'out'; its outputs: outflow"):
        compose("Plant", "dtmi:demo:P;1", PARTS, {"lower.inflow": "upper.out"})

    class Pipe(Behaviour, model="dtmi:demo:Pipe;1"):
        x = State("1", init=(1, 1), q="1 1/sqrt(s)")
        a = Input("1", max_age="1 s")
        y = Sensor("1", sigma="1 1")

        def outputs(self, t):
            return {"b": self.a + self.x}

        def derivative(self, t):
            return {self.x: self.a}

        def observe(self, t):
            return {self.y: self.x}

    with pytest.raises(Invalid, match=r"p\.b needs q\.b needs p\.b|q\.b needs p\.b needs q\.b"):
        compose("Circle", "dtmi:demo:C;1", {"p": Pipe, "q": Pipe}, {"p.a": "q.b", "q.a": "p.b"})
