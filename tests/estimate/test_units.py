import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Invalid
from ectype.units import quantity, unit


@pytest.mark.parametrize(
    ("text", "scale"),
    [
        ("kW", 1e3),
        ("km/h", 1 / 3.6),
        ("cm^0.5/s", 0.1),
        (["1", "1"][0], 1.0),
        ("MWh", 3.6e9),
        ("deg", math.pi / 180),
        ("kg", 1.0),
        ("cm/(V*s)", 0.01),
        ("m/s/sqrt(s)", 1.0),
    ],
)
def test_a_unit_has_its_size_in_si(text, scale):
    assert unit(text).scale == pytest.approx(scale, rel=1e-12)


def test_the_same_thing_written_differently_has_the_same_dimension():
    assert unit("W").dimension == unit("kg*m^2/s^3").dimension == unit("V*A").dimension == unit("J/s").dimension


@given(st.floats(-1e6, 1e6), st.sampled_from(["kW", "W", "MW", "J/s", "V*A"]))
def test_a_quantity_goes_to_another_unit_and_back(number, text):
    watts = quantity(f"{number!r} {text}", "W", "p")
    assert quantity(f"{watts!r} W", text, "p") == pytest.approx(number, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("text", ["", "furlong", "m/", "m^x", "(m", "m)", "5", "m s", "$"])
def test_what_is_no_unit_is_invalid(text):
    with pytest.raises(Invalid):
        unit(text)


def test_a_quantity_of_another_dimension_is_invalid_and_named():
    with pytest.raises(Invalid, match=r"Tank\.level sigma"):
        quantity("3 s", "m", "Tank.level sigma")
    with pytest.raises(Invalid, match="number and a unit"):
        quantity("three", "m", "x")
