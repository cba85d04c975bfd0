from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.clock import from_iso, to_iso
from ectype.errors import Invalid
from ectype.sources.base import Message, Reading
from ectype.sources.readings import MAX_PAYLOAD, instant, readings


def read(topic: str, payload: bytes) -> list[Reading]:
    return list(readings(Message(topic, payload, 5)))


def test_an_object_holds_several_properties_of_the_twin_in_the_topic():
    assert read("farm/R80711", b'{"t":"1970-01-01T00:00:01Z","power":2.5,"on":true}') == [
        Reading("R80711", "power", 1_000_000_000, 2.5),
        Reading("R80711", "on", 1_000_000_000, 1.0),
    ]


@pytest.mark.parametrize("payload", [b"2.5", b'{"value":2.5}', b" 2.5\n", b"25e-1"])
def test_one_value_belongs_to_the_property_in_the_topic(payload):
    assert read("a/b/pump/pressure", payload) == [Reading("pump", "pressure", 5, 2.5)]


def test_a_time_goes_with_one_value_too():
    assert read("pump/pressure", b'{"value":false,"t":2}') == [Reading("pump", "pressure", 2_000_000_000, 0.0)]


def test_a_twin_alone_is_enough_of_a_topic_for_an_object():
    assert read("pump", b'{"a":1}') == [Reading("pump", "a", 5, 1.0)]


def test_null_means_no_value_now():
    assert read("f/pump", b'{"a":null,"b":1}') == [Reading("pump", "b", 5, 1.0)]


wrong = {
    "empty": ("f/p/a", b"", "empty"),
    "not JSON": ("f/p/a", b"hello", "not JSON"),
    "not UTF-8": ("f/p/a", b'"\xff"', "not JSON"),
    "NaN": ("f/p/a", b"NaN", "not JSON"),
    "infinite": ("f/p/a", b"1e999", ""),
    "huge": ("f/p/a", b"9" * 400, ""),
    "text": ("f/p", b'{"a":"on"}', "'a' is text ('on')"),
    "object": ("f/p", b'{"a":{"b":1}}', "'a' is an object"),
    "list": ("f/p", b'{"a":[1]}', "'a' is a list"),
    "a list alone": ("f/p", b"[1]", "is a list"),
    "only null": ("f/p/a", b"null", "no value"),
    "only a time": ("f/p", b'{"t":1}', "no value"),
    "no property": ("p", b"1", "does not say which property"),
    "a twin that cannot be": ("f/p p", b'{"a":1}', "cannot name a twin"),
    "a property that cannot be": ("f/p", b'{"a b":1}', "not a series"),
    "a property of no name": ("f/p", b'{"":1}', "not a series"),
    "a facet of ours": ("f/p", b'{"power@estimated":1}', "names a facet"),
    "deep nesting": ("f/p", b"[" * 100_000, "not JSON"),
    "a time that is none": ("f/p", b'{"a":1,"t":"yesterday"}', "not a time"),
    "a time that is a list": ("f/p", b'{"a":1,"t":[1]}', "seconds since 1970"),
    "a time that is true": ("f/p", b'{"a":1,"t":true}', "seconds since 1970"),
    "milliseconds": ("f/p", b'{"a":1,"t":1400000000000}', "divide milliseconds by 1000"),
    "the year 9999": ("f/p", b'{"a":1,"t":"9999-01-01T00:00:00Z"}', "1677 to 2262"),
    "a long time": ("f/p", b'{"a":1,"t":"' + b"1" * 100 + b'"}', "100 characters"),
    "too much": ("f/p", b"1" * (MAX_PAYLOAD + 1), str(MAX_PAYLOAD)),
}


@pytest.mark.parametrize(("topic", "payload", "says"), wrong.values(), ids=wrong)
def test_nonsense_is_told_with_the_way_out(topic, payload, says):
    with pytest.raises(Invalid) as error:
        read(topic, payload)
    assert says in str(error.value)
    assert 20 < len(str(error.value)) < 400


def test_null_for_t_means_arrival():
    assert read("f/p", b'{"a":1,"t":null}') == [Reading("p", "a", 5, 1.0)]


@given(st.integers(-9_000_000_000 * 10**9, 9_000_000_000 * 10**9))
def test_every_instant_reads_back_from_its_iso_text(at_ns):
    assert instant(to_iso(at_ns)) == at_ns
    assert instant(to_iso(at_ns)) == at_ns  # the second time from memory


@given(
    st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)),
    st.sampled_from(["", "Z", ".5", ".123456789Z", "+01:00", ".25-02:30", ".", ".x", "x", "Z.5", "z", ".5Z5", "ZZ"]),
)
def test_remembered_times_mean_what_the_plain_reader_says(at, tail):
    base = at.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    instant(base)
    try:
        expected = from_iso(base + tail)
    except Invalid:
        with pytest.raises(Invalid):
            instant(base + tail)
    else:
        assert instant(base + tail) == expected


@given(st.floats(0, 4e9))
def test_seconds_as_a_number_are_as_exact_as_the_number(seconds):
    exact = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    assert abs(instant(seconds) - from_iso(exact.isoformat())) <= 1000
    assert instant(int(seconds)) == int(seconds) * 10**9


@given(st.binary(max_size=60))
def test_no_payload_breaks_the_reader(payload):
    try:
        found = read("f/p/a", payload)
    except Invalid:
        return
    assert found
