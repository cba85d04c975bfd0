import pytest

from ectype.errors import Invalid
from ectype.estimate.behaviour import Behaviour, Input, Normal, Parameter, Sensor, State

from .behaviours import CascadedTanks


def test_a_behaviour_lists_what_it_declares():
    layout = CascadedTanks.layout
    assert layout.belief_names == ("h1", "h2", "k2")
    assert [p.name for p in layout.constants] == ["k1", "gain", "c"]
    assert layout.inputs[0].max_age_s == 20
    assert layout.tracked[0].q == pytest.approx(0.01 * 0.05 / 86400**0.5)


def test_the_same_physics_computes_on_plain_numbers():
    seen = CascadedTanks.bind({"h2": 3.0}).observe(0.0)
    assert seen == {CascadedTanks.level: 3.0}


def test_a_name_without_a_value_is_named():
    with pytest.raises(Invalid, match=r"CascadedTanks\.h2"):
        CascadedTanks.bind({}).observe(0.0)


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (lambda: State("m", init=(0, 1), q="1 s/sqrt(s)"), "does not measure the same"),
        (lambda: State("m", init=(0, 0), q="1 m/sqrt(s)"), "positive std"),
        (lambda: Sensor("V", sigma="0.1 A"), "does not measure the same"),
        (lambda: Sensor("V", sigma="0 V"), "must be positive"),
        (lambda: Input("V", max_age="3 V"), "does not measure the same"),
        (lambda: Input("V", max_age="3 s", hold="linear"), "zoh"),
        (lambda: Parameter("m"), "either fixed"),
        (lambda: Parameter("m", fixed=1.0, drift="1 m/sqrt(s)"), "needs a prior"),
        (lambda: Parameter("m", prior=Normal(1, 1), drift="1 m/s"), "does not measure the same"),
        (lambda: Input("parsec", max_age="3 s"), "not a unit known"),
    ],
)
def test_a_wrong_declaration_is_told_when_the_class_is_made(declare, words):
    with pytest.raises(Invalid, match=words) as caught:
        type(Behaviour)("Wrong", (Behaviour,), {"thing": declare()}, model="dtmi:demo:Wrong;1")
    assert "Wrong" in str(caught.value)


def test_a_behaviour_must_move_and_observe():
    parts = {"x": State("m", init=(0, 1), q="1 m/sqrt(s)"), "y": Sensor("m", sigma="1 m")}
    with pytest.raises(Invalid, match="derivative"):
        type(Behaviour)("Still", (Behaviour,), parts, model="dtmi:demo:Still;1")
    with pytest.raises(Invalid, match="at least one State"):
        type(Behaviour)("Empty", (Behaviour,), {}, model="dtmi:demo:Empty;1")


def test_a_method_that_returns_the_wrong_names_is_told():
    with pytest.raises(Invalid, match="exactly the states x, v"):

        class Half(Behaviour, model="dtmi:demo:Half;1"):
            x = State("m", init=(0, 1), q="1 m/sqrt(s)")
            v = State("m/s", init=(0, 1), q="1 m/s/sqrt(s)")
            y = Sensor("m", sigma="1 m")

            def derivative(self, t):
                return {self.x: self.v}

            def observe(self, t):
                return {self.y: self.x}

    with pytest.raises(Invalid, match=r"exactly the sensors self\.y"):

        class Blind(Behaviour, model="dtmi:demo:Blind;1"):
            x = State("m", init=(0, 1), q="1 m/sqrt(s)")
            y = Sensor("m", sigma="1 m")

            def step(self, t, dt):
                return {"x": self.x}

            def observe(self, t):
                return {}
