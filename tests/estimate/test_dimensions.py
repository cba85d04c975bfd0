"""Units followed through a behaviour's expressions, when its class is made."""

import pytest

from ectype.errors import Invalid
from ectype.estimate.behaviour import Behaviour, Input, Parameter, Sensor, State
from ectype.estimate.maths import exp, maximum, sin, sqrt, where


def made(slope, reading=lambda b: b.x, *, state="m", sensor="m"):
    class Made(Behaviour, model="dtmi:test:Made;1"):
        x = State(state, init=(1, 1), q=f"0.1 ({state})/sqrt(s)", low=0.1)
        v = State("m/s", init=(0, 1), q="0.1 m/s/sqrt(s)")
        k = Parameter("1/s^2", fixed=1.0)
        f = Parameter("1", fixed=1.0)
        a = Parameter("deg", fixed=1.0)
        g = Parameter("m^0.5/s", fixed=1.0)
        u = Input("m/s^2", max_age="1 s")
        seen = Sensor(sensor, sigma=f"0.1 {sensor}")

        def derivative(self, t):
            return {self.x: slope(self), self.v: self.u - self.k * self.x}

        def observe(self, t):
            return {self.seen: reading(self)}

    return Made


@pytest.mark.parametrize(
    "slope",
    [
        lambda b: b.v,
        lambda b: -b.g * sqrt(b.x) * b.f,
        lambda b: 0.1 * b.x,  # 0.1 may be per second
        lambda b: b.v + 0.1 * b.u,
        lambda b: b.v + 1.0,
        lambda b: where(b.x > 2.0, b.v, 0.0),
        lambda b: b.v * exp(-b.f) * sin(0.01745 * b.a),
        lambda b: maximum(b.v, 0.0) + (b.v**2 / b.x) * (b.x / b.v),
        lambda b: sqrt(b.k) * b.x,
    ],
)
def test_what_measures_what_it_should_passes(slope):
    assert made(slope).layout.states[0].name == "x"


@pytest.mark.parametrize(
    ("slope", "told"),
    [
        (lambda b: b.x, r"derivative, x: this is in m, and must be in \(m\)/s"),
        (lambda b: b.k * b.x, r"this is in m\*s\^-2"),
        (lambda b: b.v + b.x, r"this adds m\*s\^-1 and m|this adds m and m\*s\^-1"),
        (lambda b: b.v * exp(b.x), "this is exp of m, and must be of a plain number"),
        (lambda b: b.v * sin(b.a), "must be of radians"),
        (lambda b: maximum(b.v, b.u), r"takes the larger of m\*s\^-1 and m\*s\^-2"),
        (lambda b: where(b.x > b.v, b.v, 0.0), "this compares"),
        (lambda b: b.g * b.x, r"m\^1.5\*s\^-1"),
    ],
)
def test_what_does_not_is_told_with_line_and_way_out(slope, told):
    with pytest.raises(Invalid, match=told) as error:
        made(slope)
    assert "test_dimensions.py, line 2" in str(error.value)
    assert "correct the expression or the declared units" in str(error.value)


def test_a_factor_of_a_hundred_is_no_unit_of_its_own():
    def rod(factor):
        class Rod(Behaviour, model="dtmi:test:Rod;1"):
            x = State("cm", init=(1, 1), q="0.1 cm/sqrt(s)")
            v = Input("cm/s", max_age="1 s")
            seen = Sensor("m", sigma="0.1 cm")

            def derivative(self, t):
                return {self.x: self.v}

            def observe(self, t):
                return {self.seen: factor(self.x)}

        return Rod

    with pytest.raises(Invalid, match=r"observe, seen: this is in 0.01 m, and must be in m;"):
        rod(lambda x: x)
    assert rod(lambda x: 0.01 * x).layout.sensors[0].sigma == pytest.approx(0.001)


def test_step_noise_and_unrest_are_followed_too():
    def made_of(moved=lambda b, dt: b.x, noise=lambda b: 0.1, unrest=lambda b: 0.1):
        class Stepped(Behaviour, model="dtmi:test:Stepped;1"):
            x = State("m", init=(1, 1), q="0.1 m/sqrt(s)")
            v = Input("m/s", max_age="1 s")
            seen = Sensor("m", sigma="0.1 m")

            def step(self, t, dt):
                return {self.x: moved(self, dt)}

            def observe(self, t):
                return {self.seen: self.x}

            def noise(self, t):
                return {self.seen: noise(self)}

            def unrest(self, t):
                return {self.x: unrest(self)}

        return Stepped

    made_of(lambda b, dt: b.x + b.v * dt, lambda b: 0.1 * b.x, lambda b: sqrt(b.x * b.v))
    with pytest.raises(Invalid, match=r"Stepped.step, x: this adds"):
        made_of(lambda b, dt: b.x + b.v)
    with pytest.raises(Invalid, match=r"Stepped.noise, seen: this is in m\*s"):
        made_of(noise=lambda b: b.v)
    with pytest.raises(Invalid, match=r"Stepped.unrest, x: this is in m,"):
        made_of(unrest=lambda b: b.x)


def test_of_a_state_in_plain_numbers_nothing_is_said():
    class Plain(Behaviour, model="dtmi:test:Plain;1"):
        x = State("1", init=(1, 1), q="0.1 1/sqrt(s)")
        seen = Sensor("1", sigma="0.1 1")

        def derivative(self, t):
            return {self.x: -self.x}

        def observe(self, t):
            return {self.seen: self.x}

    assert Plain.layout.states[0].unit == "1"
