from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.sources.mqtt.packets import (
    Connect,
    Disconnect,
    Malformed,
    PingReq,
    PubAcks,
    Publishes,
    PubRel,
    Run,
    Subscribe,
    Unsubscribe,
    Will,
    qos_of,
)
from ectype.sources.mqtt.reader import Reader
from ectype.sources.mqtt.writer import acknowledge, connack, publish_head, remaining_length, suback, topic_field
from tests.sources import mqtt_wire as wire

topics = st.text(st.characters(blacklist_characters="+#\0", blacklist_categories=("Cs",)), min_size=1, max_size=30)
publishes = st.builds(
    lambda topic, payload, qos, ident, retain: wire.publish(topic, payload, qos, ident, retain),
    topics,
    st.binary(max_size=300),
    st.integers(0, 2),
    st.integers(1, 65535),
    st.booleans(),
)
filters = st.sampled_from(["a", "a/+", "+/b", "#", "a/#", "/", "+", "ä/€/+"])
ids = st.integers(1, 65535)
many = st.builds(
    lambda topic, payloads, qos: b"".join(wire.publish(topic, p, qos, k + 1) for k, p in enumerate(payloads)),
    st.sampled_from(["a", "a/b"]),
    st.lists(st.one_of(st.binary(max_size=4), st.binary(min_size=115, max_size=140)), min_size=40, max_size=80),
    st.integers(0, 1),
)
packets = st.one_of(
    many,
    ids.map(lambda i: wire.ident(0x40, i) * 30),
    publishes,
    publishes,
    ids.map(lambda i: wire.ident(0x40, i)),
    ids.map(lambda i: wire.ident(0x62, i)),
    st.builds(
        lambda i, f: wire.subscribe(i, *f),
        ids,
        st.lists(st.tuples(filters, st.integers(0, 2)), min_size=1, max_size=4),
    ),
    st.builds(lambda i, f: wire.unsubscribe(i, *f), ids, st.lists(filters, min_size=1, max_size=4)),
    st.just(wire.PING),
    st.just(wire.connect("someone", user="me", password=b"\xff", will=("w", b"x", 1, True))),
)


def flat(found) -> list:
    """The packets with runs taken apart: reads cut runs, never packets."""
    out = []
    for packet in found:
        if isinstance(packet, Publishes):
            ids = dict(packet.exactly_once)
            acks = [packet.pubacks[k : k + 4] for k in range(0, len(packet.pubacks), 4)]
            for k, (message, flag) in enumerate(zip(packet.messages, packet.flags, strict=True)):
                ident = bytes(acks.pop(0)) if qos_of(flag) == 1 else ids.get(k)
                out.append((message.topic, message.payload, message.source, flag, ident))
            assert not acks
        elif isinstance(packet, Run):
            acks = [packet.pubacks[k : k + 4] for k in range(0, len(packet.pubacks), 4)] or [None] * len(packet.packed)
            for message, ack in zip(packet.packed.messages(), acks, strict=True):
                out.append((message.topic, message.payload, message.source, 0x30 | packet.qos << 1, ack))
        elif isinstance(packet, PubAcks):
            out.extend(("puback", i) for i in packet.ids)
        else:
            out.append(packet)
    return out


def cut(data: bytes, places) -> list[bytes]:
    edges = [0, *sorted(p % (len(data) + 1) for p in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@given(st.lists(packets, max_size=12), st.lists(st.integers(0, 4000), max_size=12))
def test_split_reads_give_the_same_packets_as_joined_reads(sent, places):
    data = b"".join(sent)
    reader = Reader("me")
    assert flat(p for part in cut(data, places) for p in reader.feed(part)) == flat(Reader("me").feed(data))


@given(st.lists(st.one_of(packets, st.binary(max_size=20)), max_size=8), st.lists(st.integers(0, 4000), max_size=8))
def test_any_bytes_in_any_cuts_end_the_same_way(sent, places):
    data = b"".join(sent)
    reader = Reader("me", max_packet=4096)
    parts = [p for part in cut(data, places) for p in reader.feed(part)]
    whole = Reader("me", max_packet=4096).feed(data)
    assert flat(parts) == flat(whole)
    assert all(not isinstance(p, Malformed) for p in whole[:-1])
    assert reader.held <= 4096 + 5 or not parts


@given(st.binary(max_size=400))
def test_byte_by_byte_never_raises(data):
    reader = Reader()
    for k in range(len(data)):
        for packet in reader.feed(data[k : k + 1]):
            if isinstance(packet, Malformed):
                assert packet.reason
                assert reader.feed(b"\xc0\x00") == []


@given(st.lists(st.tuples(topics, st.binary(max_size=200), st.integers(0, 2), st.booleans()), min_size=1, max_size=20))
def test_a_run_of_publishes_is_one_batch_with_its_acknowledgements(sent):
    data = b"".join(wire.publish(t, p, q, k + 1, r) for k, (t, p, q, r) in enumerate(sent))
    (run,) = Reader("c").feed(data, at_ns=7)
    assert isinstance(run, Publishes)
    assert [(m.topic, m.payload, m.at_ns, m.source) for m in run.messages] == [(t, p, 7, "c") for t, p, _, _ in sent]
    assert [(qos_of(f), f & 1) for f in run.flags] == [(q, r) for _, _, q, r in sent]
    assert run.pubacks == b"".join(wire.ident(0x40, k + 1) for k, s in enumerate(sent) if s[2] == 1)
    assert run.exactly_once == [(k, k + 1) for k, s in enumerate(sent) if s[2] == 2]
    assert run.size == len(data)


def test_connect_is_read_in_full():
    data = wire.connect("pump", clean=False, keep_alive=17, user="u", password=b"\0p", will=("t/w", b"bye", 2, True))
    assert Reader().feed(data) == [Connect(4, "pump", False, 17, "u", b"\0p", Will("t/w", b"bye", 2, True))]


def test_messages_carry_the_client_id_of_the_connect_before_them():
    _, run = Reader("nobody").feed(wire.connect("pump") + wire.publish("a", b"1"))
    assert isinstance(run, Publishes)
    assert run.messages[0].source == "pump"


@pytest.mark.parametrize(("level", "name"), [(3, "MQIsdp"), (6, "MQTT"), (4, "MQIsdp")])
def test_another_protocol_level_is_told_and_nothing_after_it_is_read(level, name):
    reader = Reader()
    (connect,) = reader.feed(wire.connect(level=level, name=name) + b"\xff\xff\xff")
    assert isinstance(connect, Connect)
    assert connect.level != 4
    assert reader.feed(wire.PING) == []


def test_the_rare_packets_are_read():
    data = (
        wire.subscribe(5, ("a/+", 1), ("#", 2))
        + wire.unsubscribe(6, "a/+")
        + wire.ident(0x40, 9)
        + wire.ident(0x40, 10)
        + wire.ident(0x62, 11)
        + wire.PING
        + wire.BYE
    )
    assert Reader().feed(data) == [
        Subscribe(5, (("a/+", 1), ("#", 2))),
        Unsubscribe(6, ("a/+",)),
        PubAcks([9, 10]),
        PubRel(11),
        PingReq(),
        Disconnect(),
    ]


def test_nothing_is_read_after_a_goodbye():
    assert Reader().feed(wire.BYE + wire.publish("a", b"1")) == [Disconnect()]


broken = {
    "no topic": wire.packet(0x30, b""),
    "a topic longer than the packet": wire.packet(0x30, b"\x00\x09abc"),
    "an empty topic": wire.publish("", b"1"),
    "a plus in the topic": wire.publish("a/+", b"1"),
    "a hash in the topic": wire.publish("a#", b"1"),
    "a topic that is not UTF-8": wire.publish(b"\xc3\x28", b"1"),
    "a surrogate in the topic": wire.publish(b"\xed\xa0\x80", b"1"),
    "a zero in the topic": wire.publish("a\0b", b"1"),
    "QoS 3": wire.packet(0x36, wire.text("a") + b"\0\1"),
    "packet id zero": wire.publish("a", b"1", 1, 0),
    "no packet id": wire.packet(0x32, wire.text("a") + b"\1"),
    "a repeat at QoS 0": wire.publish("a", b"1", dup=True),
    "a five byte length": b"\x30\xff\xff\xff\xff\x01",
    "packet type 0": b"\x00\x00",
    "packet type 15": b"\xf0\x00",
    "a server's CONNACK": b"\x20\x02\x00\x00",
    "a server's SUBACK": b"\x90\x03\x00\x01\x00",
    "PINGREQ with a body": b"\xc0\x01\x00",
    "PINGREQ with flags": b"\xc1\x00",
    "DISCONNECT with a body": b"\xe0\x01\x00",
    "PUBACK of one byte": b"\x40\x01\x01",
    "PUBACK of packet 0": wire.ident(0x40, 0),
    "PUBREL without its flag": wire.ident(0x60, 1),
    "SUBSCRIBE without its flag": wire.packet(0x80, b"\0\1" + wire.text("a") + b"\0"),
    "SUBSCRIBE of nothing": wire.packet(0x82, b"\0\1"),
    "SUBSCRIBE without an id": wire.packet(0x82, b""),
    "SUBSCRIBE with packet id 0": wire.subscribe(0, ("a", 0)),
    "SUBSCRIBE with QoS 3": wire.subscribe(1, ("a", 3)),
    "SUBSCRIBE without a QoS": wire.packet(0x82, b"\0\1" + wire.text("a")),
    "an empty filter": wire.subscribe(1, ("", 0)),
    "a hash inside a filter": wire.subscribe(1, ("a/#/b", 0)),
    "a hash that is not a level": wire.subscribe(1, ("a#", 0)),
    "a plus that is not a level": wire.subscribe(1, ("a/b+", 0)),
    "UNSUBSCRIBE of nothing": wire.packet(0xA2, b"\0\1"),
    "CONNECT of HTTP": b"GET / HTTP/1.1\r\n\r\n",
    "another protocol": wire.connect(name="HTTP"),
    "CONNECT with its reserved flag": wire.packet(0x10, wire.text("MQTT") + b"\x04\x03\0\0" + wire.text("c")),
    "CONNECT with a will of QoS 3": wire.connect(will=("a", b"", 3, False)),
    "CONNECT with will flags and no will": wire.packet(0x10, wire.text("MQTT") + b"\x04\x0a\0\0" + wire.text("c")),
    "CONNECT with a wildcard will": wire.connect(will=("a/#", b"", 0, False)),
    "CONNECT with a password alone": wire.connect(password=b"x"),
    "CONNECT cut short": wire.packet(0x10, wire.text("MQTT") + b"\x04\x02\0"),
    "CONNECT without a level": wire.packet(0x10, wire.text("MQTT")),
    "CONNECT with more behind": wire.packet(0x10, wire.connect()[2:] + b"x"),
    "a client id that is not UTF-8": wire.connect(b"\xff"),
}


@pytest.mark.parametrize("data", broken.values(), ids=broken)
def test_what_breaks_the_protocol_is_named(data):
    before = wire.publish("fine", b"1")
    run, last = Reader().feed(before + data + wire.PING)
    assert isinstance(run, Publishes)
    assert len(run.messages) == 1
    assert isinstance(last, Malformed)
    assert len(last.reason) > 20


def test_a_packet_over_the_limit_is_refused_before_it_is_sent():
    reader = Reader(max_packet=1000)
    (whole,) = reader.feed(wire.publish("a", b"x" * (1000 - 3)))
    assert isinstance(whole, Publishes)
    (last,) = reader.feed(b"\x30" + wire.length(1001))
    assert isinstance(last, Malformed)
    assert "1000" in last.reason


def test_a_large_packet_in_small_pieces_is_joined_once():
    reader = Reader(max_packet=1 << 20)
    data = wire.publish("a", bytes(1 << 19))
    found = [p for k in range(0, len(data), 7) for p in reader.feed(data[k : k + 7])]
    assert flat(found) == flat(Reader().feed(data))


def test_the_topic_cache_stays_bounded_and_right():
    topics: dict[bytes, str] = {}
    reader = Reader(topics=topics)
    for k in range(40_000):
        (run,) = reader.feed(wire.publish(f"a/{k}"))
        assert isinstance(run, Publishes)
        assert run.messages[0].topic == f"a/{k}"
    assert len(topics) <= 16_384
    reader.feed(wire.publish("x" * 5000))
    assert all(len(t) < 300 for t in topics)


@given(st.integers(0, 268_435_455))
def test_lengths_are_encoded_as_the_standard_says(n):
    assert remaining_length(n) == wire.length(n)


@given(topics, st.binary(max_size=300), st.integers(0, 1), st.integers(1, 65535), st.booleans())
def test_what_we_publish_is_what_a_client_reads(topic, payload, qos, ident, retain):
    data = (
        publish_head(topic_field(topic), len(payload), qos, retain)
        + (ident.to_bytes(2, "big") if qos else b"")
        + payload
    )
    ((head, body),) = wire.split(data)
    assert wire.published(head, body) == (topic, payload, ident if qos else 0, retain)
    assert data == wire.publish(topic, payload, qos, ident, retain)


def test_server_packets_match_the_standard():
    assert connack(5) == b"\x20\x02\x00\x05"
    assert connack(0, session_present=True) == b"\x20\x02\x01\x00"
    assert acknowledge(4, 0x1234) == b"\x40\x02\x12\x34"
    assert suback(3, [0, 1, 0x80]) == b"\x90\x05\x00\x03\x00\x01\x80"


FIVE = wire.packet(0x10, wire.text("MQTT") + b"\x05\x02\0\x3c" + b"\0" + wire.text("c"))


def five(head: int, body: bytes) -> list:
    """What a packet of MQTT 5 is read as."""
    _, *rest = Reader().feed(FIVE + wire.packet(head, body))
    return rest


def test_the_properties_of_mqtt_5_are_read_and_those_for_subscribers_kept():
    said = b"\x02" + bytes((0, 0, 0, 9)) + b"\x26" + wire.text("k") + wire.text("v") + b"\x23\0\x07"
    (run,) = five(0x32, wire.text("a") + b"\0\1" + bytes((len(said),)) + said + b"2.5")
    assert isinstance(run, Publishes)
    assert [(m.topic, m.payload) for m in run.messages] == [("a", b"2.5")]
    assert run.properties is not None
    assert run.properties[0].forwarded == said[5:-3]  # an alias is between us, an expiry counted down
    assert run.properties[0].expiry_s == 9
    assert run.pubacks == b"\x40\2\0\1"


def test_a_topic_alias_stands_for_its_topic():
    named = wire.packet(0x30, wire.text("a/b") + b"\x03\x23\0\1" + b"1")
    short = wire.packet(0x30, wire.text("") + b"\x03\x23\0\1" + b"2")
    _, run = Reader().feed(FIVE + named + short)
    assert isinstance(run, Publishes)
    assert [(m.topic, m.payload) for m in run.messages] == [("a/b", b"1"), ("a/b", b"2")]


@pytest.mark.parametrize(
    ("head", "body"),
    {
        "an alias without a topic": (0x30, wire.text("") + b"\x03\x23\0\1"),
        "an alias of 0": (0x30, wire.text("a") + b"\x03\x23\0\0"),
        "an alias beyond ours": (0x30, wire.text("a") + b"\x03\x23\1\0"),
        "no properties": (0x30, wire.text("a")),
        "a property twice": (0x30, wire.text("a") + b"\x04\1\1\1\1"),
        "a property of CONNECT": (0x30, wire.text("a") + b"\x03\x21\0\1"),
        "an unknown property": (0x30, wire.text("a") + b"\x02\x7f\1"),
        "properties beyond the end": (0x30, wire.text("a") + b"\x09\1\1"),
        "AUTH": (0xF0, b""),
        "a reserved bit in SUBSCRIBE": (0x82, b"\0\1\0" + wire.text("a") + b"\xc0"),
        "DISCONNECT with a tail": (0xE0, b"\0\0x"),
    }.values(),
)
def test_what_breaks_mqtt_5_is_named(head, body):
    (last,) = [p for p in five(head, body) if not isinstance(p, Publishes) or p.messages]
    assert isinstance(last, Malformed)


heads = st.sampled_from([0x30, 0x32, 0x34, 0x40, 0x50, 0x62, 0x70, 0x82, 0xA2, 0xE0])


@given(st.lists(st.tuples(heads, st.binary(max_size=30)), max_size=6))
def test_any_bytes_of_mqtt_5_are_read_or_named(sent):
    reader = Reader(max_packet=4096)
    reader.feed(FIVE)
    for head, body in sent:
        for packet in reader.feed(wire.packet(head, body)):
            assert not isinstance(packet, Malformed) or packet.reason


@given(st.integers(1, 5), st.lists(st.binary(min_size=9, max_size=9), min_size=60, max_size=70))
def test_a_long_run_of_mqtt_5_is_the_same_in_pieces(cuts, payloads):
    data = FIVE + b"".join(
        wire.packet(0x32, wire.text("a/b") + (k + 1).to_bytes(2, "big") + b"\0" + p) for k, p in enumerate(payloads)
    )
    whole, pieces = Reader().feed(data), Reader()
    places = [len(data) * k // cuts for k in range(cuts)]
    assert flat(p for part in cut(data, places) for p in pieces.feed(part)) == flat(whole)
    assert isinstance(whole[1], Run)
