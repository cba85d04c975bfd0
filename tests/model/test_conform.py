"""Values and schemas: what conforms passes, what does not is named by its path."""

import json
import math
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Invalid, NotFound
from ectype.model import (
    JSON,
    Array,
    Enum,
    Field,
    Map,
    Object,
    Primitive,
    Relationship,
    Schema,
    check_properties,
    check_relationship,
    check_telemetry,
    check_value,
    parse,
)
from tests.model.making import component, interface, prop, relationship, telemetry


def conforms(schema: Schema, value: JSON) -> bool:
    try:
        check_value(schema, value)
    except Invalid:
        return False
    return True


anything: st.SearchStrategy[JSON] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(anything)
def test_whole_numbers_have_their_range_and_are_no_booleans(value: JSON) -> None:
    whole = type(value) is int
    assert conforms(Primitive("integer"), value) == (whole and -(2**31) <= value < 2**31)  # type: ignore[operator]
    assert conforms(Primitive("long"), value) == (whole and -(2**63) <= value < 2**63)  # type: ignore[operator]
    assert conforms(Primitive("boolean"), value) == (value is True or value is False)


@given(anything)
def test_numbers_are_finite(value: JSON) -> None:
    number = type(value) in (int, float) and abs(value) < 10**400 and math.isfinite(value)  # type: ignore[arg-type]
    assert conforms(Primitive("double"), value) == number
    if conforms(Primitive("float"), value):
        assert number


@pytest.mark.parametrize("value", [10**400, math.inf, math.nan, 3.5e38])
def test_a_float_has_the_range_of_32_bits(value: float) -> None:
    assert not conforms(Primitive("float"), value)


@given(st.datetimes(timezones=st.just(UTC)))
def test_the_times_python_writes_are_times(at: datetime) -> None:
    assert conforms(Primitive("dateTime"), at.isoformat())
    assert conforms(Primitive("dateTime"), at.isoformat().replace("+00:00", "Z"))
    assert not conforms(Primitive("dateTime"), at.replace(tzinfo=None).isoformat())
    assert conforms(Primitive("date"), at.date().isoformat())
    assert conforms(Primitive("time"), at.time().isoformat())


@given(st.text(max_size=12) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", fullmatch=True))
def test_a_date_is_a_day_of_the_calendar(text: str) -> None:
    try:
        real = date.fromisoformat(text).isoformat() == text
    except ValueError:
        real = False
    assert conforms(Primitive("date"), text) == real


@pytest.mark.parametrize("text", ["P1D", "PT1H2M3.5S", "P1Y2M3DT4H", "P3W", "-P1D", "P0.5Y"])
def test_durations(text: str) -> None:
    assert conforms(Primitive("duration"), text)


@pytest.mark.parametrize("text", ["", "P", "PT", "P1", "1D", "P1DT", "P1H", "PT1D", "P1.5DT2H", "P1Y3W", "P1D "])
def test_no_durations(text: str) -> None:
    assert not conforms(Primitive("duration"), text)


def test_half_of_a_surrogate_pair_is_no_text() -> None:
    assert conforms(Primitive("string"), "é𝄞")
    assert not conforms(Primitive("string"), "\ud834")


POINT: JSON = {"type": "Point", "coordinates": [-0.5, 48.4]}


@pytest.mark.parametrize(
    ("name", "value", "good"),
    [
        ("point", POINT, True),
        ("point", {"type": "Point", "coordinates": [1]}, False),
        ("point", {"type": "Point", "coordinates": ["1", "2"]}, False),
        ("lineString", POINT, False),
        ("lineString", {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}, True),
        ("multiPolygon", {"type": "MultiPolygon", "coordinates": [[[[0, 0], [1, 1], [1, 0], [0, 0]]]]}, True),
        ("polygon", {"type": "Polygon", "coordinates": [[0, 0]]}, False),
        ("point", "POINT(1 2)", False),
    ],
)
def test_places_are_geojson(name: str, value: JSON, good: bool) -> None:
    assert conforms(Primitive(name), value) == good


STATE = Enum("integer", {"on": 1, "off": 0})
WHOLE = Object((Field("lat", Primitive("double")), Field("states", Array(STATE))))


@pytest.mark.parametrize(
    ("schema", "value", "text"),
    [
        (STATE, True, "true is not one of 1, 0"),
        (STATE, "on", "'on' is not one of 1, 0"),
        (WHOLE, {"lat": "x"}, "place.lat: 'x' is not a number"),
        (WHOLE, {"states": [1, 0, 7]}, r"place.states\[2\]: 7 is not one of 1, 0"),
        (WHOLE, {"lon": 1}, "place: no field 'lon'; there is lat, states"),
        (WHOLE, [], "place: a list is not an object with the fields lat, states"),
        (Map("k", Field("v", Primitive("boolean"))), {"a b": True}, "place: 'a b' cannot name a value"),
        (Map("k", Field("v", Primitive("boolean"))), {"a": 1}, "place.a: 1 is not true or false"),
        (Array(STATE), {}, "place: an object is not a list"),
        (Primitive("dateTime"), "today", "place: 'today' is not an instant like 2014-03-01T12:00:00Z"),
    ],
)
def test_a_fault_says_where_it_is_and_what_to_write(schema: Schema, value: JSON, text: str) -> None:
    with pytest.raises(Invalid, match=text):
        check_value(schema, value, "place")


def test_of_many_faults_five_are_told() -> None:
    with pytest.raises(Invalid, match="and 95 more"):
        check_value(Array(Primitive("double")), ["x"] * 100)


MODELS = parse(
    [
        interface("Part", prop("size"), telemetry("heat")),
        interface(
            "A",
            prop("speed"),
            prop("label", "string"),
            telemetry("power"),
            telemetry("running", "boolean"),
            component("part", "Part"),
            relationship("feeds", properties=[prop("share")]),
            {"@type": "Command", "name": "stop"},
        ),
    ]
)
A = "dtmi:test:A;1"


def test_a_twin_may_leave_out_what_it_has_not() -> None:
    check_properties(MODELS, A, {})
    check_properties(MODELS, A, {"speed": 1, "part": {"$metadata": {}, "size": 2.5}})


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"sped": 1}, "has no property 'sped'; did you mean 'speed'"),
        ({"speed": "fast"}, "speed: 'fast' is not a number"),
        ({"speed": None}, "speed: null is not a number"),
        ({"power": 1}, "'power' is telemetry: publish it"),
        ({"feeds": "x"}, "'feeds' is a relationship"),
        ({"stop": 1}, "'stop' is a command"),
        ({"part": 7}, "part: a component is an object of properties of dtmi:test:Part;1"),
        ({"part": {"size": "x"}}, "part.size: 'x' is not a number"),
        ({"part": {"heat": 1}}, "'part.heat' is telemetry"),
    ],
)
def test_a_twin_conforms_to_its_model(values: dict[str, JSON], text: str) -> None:
    with pytest.raises(Invalid, match=text):
        check_properties(MODELS, A, values)


def test_a_relationship_has_the_properties_it_declares() -> None:
    feeds = MODELS.interface(A).contents["feeds"]
    assert isinstance(feeds, Relationship)
    check_relationship(feeds, {"share": 0.5})
    with pytest.raises(Invalid, match="share: 'x' is not a number"):
        check_relationship(feeds, {"share": "x"})
    with pytest.raises(Invalid, match="'feeds' has no property 'size'"):
        check_relationship(feeds, {"size": 1})


def test_what_can_be_measured() -> None:
    for name in ("power", "running", "speed", "part.heat"):
        check_telemetry(MODELS, A, name)
    for name, text in [
        ("label", "values are not numbers"),
        ("powr", "did you mean 'power'"),
        ("feeds", "no property or telemetry"),
        ("whole.heat", "no component 'whole'"),
    ]:
        with pytest.raises(Invalid, match=text):
            check_telemetry(MODELS, A, name)
    with pytest.raises(NotFound):
        check_telemetry(MODELS, "dtmi:x;1", "power")


@given(anything)
def test_what_passes_is_json(value: JSON) -> None:
    for name in ("double", "long", "string", "boolean"):
        if conforms(Primitive(name), value):
            assert json.loads(json.dumps(value, allow_nan=False).encode()) == value
