import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Misconfigured
from ectype.ingest.bindings import Bindings, Rule, point, read_bindings
from ectype.ingest.decode import Decoder
from ectype.sources.base import Message

FILE = """
[[bind]]
topic = "plant/{line}/{machine}/state"
twin = "{line}-{machine}"
time = "/header/ts"
time_unit = "ms"
values = { temperature = "/sensors/0/value", speed = "/rpm" }

[[bind]]
topic = "meter/{id}/#"
twin = "meter-{id}"
values = { energy = "" }
"""


def anything(twin: str, name: str) -> None:
    return None


def bound(tmp_path, text: str = FILE) -> Decoder:
    (tmp_path / "bindings.toml").write_text(text)
    return Decoder(anything, read_bindings(tmp_path))


def test_foreign_topics_and_payloads_become_readings(tmp_path):
    payload = {"header": {"ts": 1500}, "sensors": [{"value": 21.5}], "rpm": 900}
    decoded = bound(tmp_path).decode(
        [
            [
                Message("plant/a/press/state", json.dumps(payload).encode(), 7),
                Message("meter/9/total/now", b"12", 8),
                Message("farm/p/power", b"3", 9),
            ]
        ]
    )
    assert decoded.set_aside == ()
    assert decoded.block.rows() == [
        ("a-press.temperature", 1_500_000_000, 21.5, None),
        ("a-press.speed", 1_500_000_000, 900.0, None),
        ("meter-9.energy", 8, 12.0, None),
        ("p.power", 9, 3.0, None),
    ]


def test_what_does_not_fit_its_binding_is_set_aside_as_it_came(tmp_path):
    sent = [
        Message("plant/a/press/state", payload, 7)
        for payload in (
            b"{}",
            b'{"rpm": 1}',
            b'{"rpm": 1, "header": {"ts": 1e30}}',
            b"?",
            b'{"rpm":"x","header":{"ts":1}}',
        )
    ]
    decoded = bound(tmp_path).decode([sent])
    assert len(decoded.block) == 0
    assert [i.payload for i in decoded.set_aside] == [m.payload for m in sent]
    assert all(i.topic == "plant/a/press/state" for i in decoded.set_aside)


@pytest.mark.parametrize(
    "text",
    [
        "[[bind]]\ntopic = 'a/{x}'\ntwin = '{y}'\nvalues = { p = '' }",
        "[[bind]]\ntopic = 'a'\ntwin = 'b'\nvalues = {}",
        "[[bind]]\ntopic = 'a'\ntwin = 'b'\nvalues = { p = 'no/slash' }",
        "[[bind]]\ntopic = 'a/{x}/{x}'\ntwin = '{x}'\nvalues = { p = '' }",
        "[[bind]]\ntopic = 'a'",
        "[[bond]]\ntopic = 'a'",
        "= nonsense",
    ],
)
def test_a_file_that_cannot_be_meant_so_is_told_at_once(tmp_path, text):
    with pytest.raises(Misconfigured):
        bound(tmp_path, text)


def test_without_a_file_there_are_no_rules(tmp_path):
    assert not read_bindings(tmp_path).bound("a")


values = st.recursive(
    st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@given(values, st.data())
def test_a_pointer_leads_where_a_walk_leads(value, data):
    pointer, here = "", value
    while isinstance(here, dict | list) and here:
        key = data.draw(st.sampled_from(sorted(here) if isinstance(here, dict) else range(len(here))))
        pointer += "/" + str(key).replace("~", "~0").replace("/", "~1")
        here = here[key]
    assert point(value, pointer) == here


@given(st.text(), st.binary(max_size=40))
def test_any_message_is_rewritten_or_set_aside(topic, payload):
    decoder = Decoder(anything, Bindings([Rule("{a}/#", "{a}", {"p": "/x"}, "/t", "ns")]))
    decoded = decoder.decode([[Message(topic, payload, 1)]])
    assert len(decoded.block) + len(decoded.set_aside) >= 1
