import json
from base64 import b64decode
from datetime import datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Invalid
from ectype.ids import series_id
from ectype.ingest.decode import KEPT_PAYLOAD, Decoder, SetAside, decode, set_aside_bodies
from ectype.ingest.shapes import instants
from ectype.sources.base import Message
from ectype.sources.batch import Batch
from ectype.sources.mqtt.packets import Publishes, Run
from ectype.sources.mqtt.reader import Reader
from ectype.sources.readings import instant, readings
from ectype.values.canonical import canonical
from tests.sources import mqtt_wire as wire


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


alike_payloads = st.one_of(
    st.builds(lambda a, b: json.dumps({"a": a, "b": b}).encode(), st.integers(-9, 9), st.floats()),
    st.sampled_from(
        [b'{"a":1', b'"b":2}', b'{"a":1,"b":2}{"a":1,"b":2}', b'{"a":1,\n"b":2}', b'{"a":"}","b":1}', b"{}", b""]
    ),
    st.builds(lambda a, t: json.dumps({"t": t, "a": a}).encode(), st.integers(-9, 9), times),
    st.sampled_from([b"1", b"2.5", b"1 2", b"1\n2", b"-", b" 3", b'{"value":1}', b'{"value":1,"t":5}']),
)


@given(
    st.lists(st.lists(alike_payloads, min_size=1, max_size=3), min_size=1, max_size=4),
    st.sampled_from([1, 3, 20, 60]),
    st.sampled_from(["f/p", "f/p/a"]),
)
def test_what_is_read_together_means_what_it_means_one_by_one(batches, times_over, topic):
    decoder = Decoder(anything)
    for payloads in batches:
        payloads = payloads * times_over
        packets = b"".join(wire.publish(topic, p, 1, k + 1) for k, p in enumerate(payloads))
        batch = Batch()
        for run in Reader("c").feed(packets, 7):
            if isinstance(run, Run):
                batch.add(run.packed)
            else:
                assert isinstance(run, Publishes)
                batch.extend(run.messages)
        assert [m.payload for m in batch] == payloads
        together = decoder.decode([batch])
        one_by_one = decode(list(batch), anything)
        assert together.block.rows() == one_by_one.block.rows()
        assert together.set_aside == one_by_one.set_aside


instants_written = st.builds(
    lambda at, digits: at.isoformat()[:19] + (f".{at.microsecond:06d}"[: digits + 1] if digits else "") + "Z",
    st.datetimes(datetime(1600, 1, 1), datetime(2300, 1, 1)),
    st.sampled_from([0, 3, 6]),
)
broken_times = st.sampled_from(
    [
        f"2014-{rest}"
        for rest in ("02-29T12:00:00Z", "13-01T12:00:00Z", "03-01T24:00:00Z", "03-01T12:00", "03-01T12:0\n")
    ]
)


@given(st.lists(instants_written, min_size=1, max_size=3), st.one_of(st.none(), broken_times))
def test_times_by_columns_are_the_times_one_by_one(written, broken):
    written = [t.zfill(20) for t in written] * 30 + ([broken] if broken else [])
    try:
        expected = [instant(t) for t in written]
    except Invalid:
        expected = None
    found = instants(written)
    assert (None if found is None else found.tolist()) == expected
