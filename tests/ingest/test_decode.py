import json
from base64 import b64decode

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Invalid
from ectype.ids import series_id
from ectype.ingest.decode import KEPT_PAYLOAD, SetAside, decode, set_aside_bodies
from ectype.sources.base import Message
from ectype.sources.readings import readings
from ectype.values.canonical import canonical


def anything(twin: str, name: str) -> None:
    return None


values = st.one_of(
    st.floats(), st.integers(), st.booleans(), st.none(), st.text(max_size=3), st.lists(st.integers(), max_size=1)
)
times = st.sampled_from([1.5, 2, "2014-03-01T12:00:00Z", "2014-03-01T12:00:00.25", "no", 1e13, None])
names = st.sampled_from(["a", "b", "value", "x.y", "", "no way"])
objects = st.builds(
    lambda v, t: {**v, **({} if t == 2 else {"t": t})}, st.dictionaries(names, values, max_size=4), times
)
payloads = st.one_of(
    objects.map(lambda v: json.dumps(v).encode()),
    values.map(lambda v: json.dumps(v).encode()),
    st.binary(max_size=5),
)
topics = st.sampled_from(["f/p", "f/p/a", "f/q/a", "p", "f/q", "f//a", "ä/p"])
messages = st.lists(st.builds(Message, topics, payloads, st.integers(0, 10**18), st.just("c")), max_size=30)


@given(messages)
def test_a_batch_means_what_its_messages_mean_one_by_one(batch):
    expected, reasons = [], []
    for message in batch:
        try:
            expected += [(series_id(r.twin, r.name), r.at_ns, r.value, None) for r in readings(message)]
        except Invalid as error:
            reasons.append((message.topic, message.payload, str(error), message.at_ns, "c"))
    decoded = decode(batch, anything)
    assert decoded.block.rows() == expected
    assert [(i.topic, i.payload, i.reason, i.at_ns, i.source) for i in decoded.set_aside] == reasons


def test_an_unknown_property_sets_the_whole_message_aside():
    def known(twin: str, name: str) -> str | None:
        return None if (twin, name) == ("p", "a") else f"'{twin}' has no property '{name}'"

    decoded = decode([Message("f/p", b'{"a":1,"b":2}', 1), Message("f/p", b'{"a":3}', 2)], known)
    assert decoded.block.rows() == [("p.a", 2, 3.0, None)]
    assert [i.reason for i in decoded.set_aside] == ["'p' has no property 'b'"]


def test_what_is_known_is_asked_once_per_property_and_batch():
    asked = []
    decode([Message("f/p", b'{"a":1,"b":2}', 1), Message("g/p/a", b"2", 1)] * 5, lambda t, n: asked.append((t, n)))
    assert asked == [("p", "a"), ("p", "b")]


def test_the_topics_of_the_node_cannot_be_measured():
    (item,) = decode([Message("ectype/p/a", b"1", 1)], anything).set_aside
    assert "API" in item.reason


def test_a_long_payload_is_kept_in_part_and_says_so():
    (item,) = decode([Message("f/p", b"x" * (KEPT_PAYLOAD + 1), 1)], anything).set_aside
    assert len(item.payload) == KEPT_PAYLOAD
    assert str(KEPT_PAYLOAD + 1) in item.reason


@given(
    st.lists(
        st.builds(SetAside, st.text(max_size=9), st.binary(max_size=99), st.text(), st.integers(0, 2**63), st.text()),
        max_size=20,
    ),
    st.integers(1, 2000),
)
def test_bodies_of_set_aside_messages_are_canonical_and_hold_all_in_order(items, limit):
    bodies = set_aside_bodies(items, limit)
    found = [item for body in bodies for item in json.loads(body)["items"]]
    assert [b64decode(f["payload_b64"]) for f in found] == [i.payload for i in items]
    assert [(f["topic"], f["reason"], int(f["at_ns"])) for f in found] == [(i.topic, i.reason, i.at_ns) for i in items]
    for body in bodies:
        assert canonical(msgspec.json.decode(body)) == body
        assert len(body) < limit + 3000
