"""How a URL finds its connector, and what is said of settings that cannot work."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.clock import system_clock
from ectype.errors import Misconfigured
from ectype.sources.connector import Opening, open_connector
from ectype.sources.pick import Picker, find, missing, pointer
from tests.sources.outside.bed import opening, payload, understood, values


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (opening("gopher://host"), "nothing here speaks 'gopher://'"),
        (opening("http://host/x"), "binds nothing"),
        (opening("http://host/x", {"#/a": "t.a"}, evry_s=1), "evry_s"),
        (opening("http://host/x", {"#/a": "t.a"}, every_s="soon"), "every_s"),
        (opening("http://host/x", {"#/a": "t.a"}, every_s=-1), "seconds above 0"),
        (opening("http:///x", {"#/a": "t.a"}), "names no host"),
        (opening("http://host:99999/x", {"#/a": "t.a"}), "Port out of range"),
        (opening("http://host/x", {"#a": "t.a"}), "no JSON pointer"),
        (opening("http://host/x", {"#/a": "t.a"}, header_file="/nowhere"), "header_file"),
        (opening("ws://host", {}), "binds nothing"),
        (opening("mqtt://host"), "subscribes to nothing"),
        (opening("mqtt://host", {"a": "t.a"}, password_file="/nowhere"), "password_file"),
        (opening("nats://host"), "subscribes to nothing"),
        (opening("modbus://host/1", {"holding:x": "t.a"}), "no register"),
        (opening("modbus://host/1", {"coil:3:int16": "t.a"}), "no register"),
        (opening("modbus://host/300", {"coil:3": "t.a"}), "unit"),
        (opening("opc.tcp://host", {"Speed": "t.a"}), "no node id"),
        (opening("file:///nowhere/at/all"), "no folder"),
        (opening("file://server/share"), "three slashes"),
        (opening("lsl://EEG", {"mu": "t.a"}), "no signal"),
        (opening("brainflow://abacus", {"alpha": "t.a"}), "no board 'abacus'"),
        (opening("brainflow://synthetic", {"alpha:16": "t.a"}), "channel 16"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_opened(told: Opening, said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        open_connector(told, system_clock)


@pytest.mark.parametrize("series", ["no-property", "t.a@estimated", "a b.c"])
def test_a_binding_must_name_a_measured_series(series: str) -> None:
    with pytest.raises(Misconfigured, match="source peer"):
        opening("ws://host", {"#/a": series})


def test_a_name_is_one_word() -> None:
    with pytest.raises(Misconfigured, match="letters, digits"):
        Opening("my source", "ws://host")


def test_a_password_is_not_shown() -> None:
    assert opening("mqtt://ann:secret@broker:1883/x").shown == "mqtt://broker:1883/x"


def test_values_are_picked_by_topic_and_pointer() -> None:
    bind = {"plant/on": "oven.on", "plant/oven#/t/0": "oven.temperature", "#/all": "room.any"}
    picker = Picker(opening("mqtt://host", bind), system_clock, "/at")

    came = understood(list(picker.messages("plant/oven", payload(t=[21.5], all=3, at="2014-03-01T12:00:00Z"))))

    assert values(came) == {"oven.temperature": [21.5], "room.any": [3]}
    assert {each.at_ns for each in came} == {1_393_675_200 * 10**9}
    assert values(understood(list(picker.messages("plant/on", b"true")))) == {"oven.on": [1]}
    assert list(picker.messages("plant/else", b'{"x":1}')) == []


def test_a_payload_that_is_no_json_is_passed_on_to_be_set_aside() -> None:
    picker = Picker(opening("mqtt://host", {"a": "t.a"}), system_clock)

    (message,) = picker.messages("a", b"\xff{")

    assert (message.topic, message.payload, message.source) == ("a", b"\xff{", "peer")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(_JSON, st.data())
def test_a_pointer_finds_what_walking_there_finds(body: object, data: st.DataObject) -> None:
    steps: list[str] = []
    at = body
    while isinstance(at, dict | list) and at and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(list(at) if isinstance(at, dict) else list(range(len(at)))))
        steps.append(str(key))
        at = at[key]
    text = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)

    assert find(body, pointer(text)) is at
    assert missing(find(body, [*pointer(text), "no such key"]))
