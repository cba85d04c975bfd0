"""What many clients send in one turn of the loop means what it means when each is read by itself."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectype.ingest.decode import Decoder, decode
from ectype.sources.batch import Batch
from ectype.sources.mqtt.packets import Malformed, Publishes, Run
from ectype.sources.mqtt.reader import Reader
from ectype.sources.mqtt.turn import Turn
from tests.sources import mqtt_wire as wire
from tests.sources.mqtt_bed import Bed, turns

TOPICS = {topic.encode(): topic for topic in ("f/a", "f/b", "plant/line 1/ä", "f/" + "x" * 300)}


def properties(version, some=b""):
    return bytes([len(some)]) + some if version == 5 else b""


@st.composite
def packets(draw, version):
    """A PUBLISH, usual or not."""
    topic = draw(st.sampled_from([*TOPICS.values(), "f/new", "f/a+"]))
    qos = draw(st.sampled_from([0, 1, 1, 1, 2]))
    head = 0x30 | qos << 1 | draw(st.sampled_from([0, 0, 0, 1]))
    ident = draw(st.sampled_from([0, 1, 2, 300])).to_bytes(2, "big") if qos else b""
    said = properties(version, draw(st.sampled_from([b"", b"", b"", b"\x01\x01"])))
    payload = draw(st.sampled_from([b"", b"1.5", b'{"p": 1, "q": -2.5}', b'{"p": 3}' + b" " * 130, b"{"]))
    return wire.packet(head, wire.text(topic) + ident + said + payload)


@st.composite
def pieces(draw):
    """(version, what each of some clients sent, cut anywhere)."""
    version = draw(st.sampled_from([4, 4, 5]))
    sent = []
    for _ in range(draw(st.integers(1, 8))):
        data = b"".join(draw(st.lists(packets(version), min_size=1, max_size=6)))
        data = data[: draw(st.sampled_from([len(data), len(data), 1, 5, max(len(data) - 1, 1)]))]
        sent.append(data)
    return version, sent


def one_by_one(found):
    """(topic, payload, source, QoS, PUBACK or None) of each message, or what is wrong."""
    out = []
    for packet in found:
        if isinstance(packet, Run):
            acks = [packet.pubacks[k : k + 4] for k in range(0, len(packet.pubacks), 4)] or [None] * len(packet.packed)
            for m, ack in zip(packet.packed.messages(), acks, strict=True):
                out.append((m.topic, m.payload, m.source, packet.qos, ack))
        elif isinstance(packet, Publishes):
            acks = [bytes(packet.pubacks[k : k + 4]) for k in range(0, len(packet.pubacks), 4)]
            for m, flag in zip(packet.messages, packet.flags, strict=True):
                qos = flag >> 1 & 3
                out.append((m.topic, m.payload, m.source, qos, acks.pop(0) if qos == 1 else None))
        else:
            assert isinstance(packet, Malformed)
            out.append(packet.reason)
    return out


def reader(who, version):
    made = Reader(f"c{who}", topics=dict(TOPICS))
    made.version = version
    return made


@settings(max_examples=300)
@given(pieces())
def test_pieces_read_together_are_what_each_is_by_itself(given_pieces):
    version, sent = given_pieces
    turn: Turn[int] = Turn(dict(TOPICS), 1 << 20, lambda: None)
    alone = [one_by_one(reader(who, version).feed(data)) for who, data in enumerate(sent)]
    together = [[] for _ in sent]
    for who, data in enumerate(sent):
        if data[0] in b"\x30\x32":
            assert turn.add(who, f"c{who}", data, version)
        else:
            together[who] = alone[who]
    found, rest, odd = turn.read(7)
    for each in found:
        messages = one_by_one([each.run])
        assert [each.senders[k] for k in each.run.packed.which.tolist()] == [
            who for who, count, _ in each.shares for _ in range(count)
        ]
        assert sum(size for _, _, size in each.shares) == each.run.size == len(each.run.packed.data)
        at = 0
        for who, count, _ in each.shares:
            together[who] += messages[at : at + count]
            at += count
        assert at == len(messages)
    for who, data in rest.items():
        together[who] += one_by_one(reader(who, version).feed(data))
    assert together == alone
    assert odd <= set(rest)
    assert not turn


@given(st.lists(st.binary(max_size=40), min_size=4, max_size=8), st.sampled_from([4, 5]))
def test_no_bytes_break_a_turn(tails, version):
    turn: Turn[int] = Turn(dict(TOPICS), 1 << 20, lambda: None)
    for who, tail in enumerate(tails):
        turn.add(who, "c", b"\x32" + tail, version)
    found, rest, _ = turn.read(7)
    read = sum(size for each in found for _, _, size in each.shares)
    assert read + sum(map(len, rest.values())) == sum(1 + len(tail) for tail in tails)


@settings(max_examples=100)
@given(pieces(), st.integers(1, 3))
def test_a_turn_decodes_to_what_its_messages_do(given_pieces, times):
    version, sent = given_pieces
    decoder = Decoder(lambda twin, name: None if name in "pq" else f"{twin} has no {name}")
    for _ in range(times):
        turn: Turn[int] = Turn(dict(TOPICS), 1 << 20, lambda: None)
        for who, data in enumerate(sent):
            turn.add(who, f"c{who}", data, version)
        batch = Batch()
        for each in turn.read(7)[0]:
            batch.add(each.run.packed)
        found = decoder.decode([batch])
        expected = decode(list(batch), lambda twin, name: None if name in "pq" else f"{twin} has no {name}")
        assert found.block.rows() == expected.block.rows()
        assert found.set_aside == expected.set_aside


@pytest.fixture
def run():
    return lambda test: asyncio.run(test())


def test_a_fleet_is_acknowledged_and_seen_by_who_asked(run):
    async def test():
        bed = Bed()
        watcher, other = bed.client(wire.connect("watcher")), bed.client(wire.connect("other"))
        watcher.send(wire.subscribe(1, ("f/#", 1)))
        other.send(wire.subscribe(1, ("f/3", 1), ("f/7", 0)))
        fleet = [bed.client(wire.connect(f"d{k}")) for k in range(10)]
        for c in (watcher, other, *fleet):
            c.took()
        for n in range(3):  # the first turn teaches the topics
            for k, c in enumerate(fleet):
                c.send(wire.publish(f"f/{k}", b"%d" % n, 1, n + 1))
            await turns()
        for c in fleet:
            assert c.took() == [(0x40, (n + 1).to_bytes(2, "big")) for n in range(3)]
        seen = watcher.took_messages()
        assert [(t, p) for t, p, _, _ in seen] == [(f"f/{k}", b"%d" % n) for n in range(3) for k in range(10)]
        assert [i for _, _, i, _ in seen] == list(range(1, 31))
        got = other.took_messages()
        assert sorted((t, p, i > 0) for t, p, i, _ in got) == sorted(
            [("f/3", b"%d" % n, True) for n in range(3)] + [("f/7", b"%d" % n, False) for n in range(3)]
        )
        assert sorted(bed.disk.payloads) == sorted(b"%d" % n for n in range(3) for _ in range(10))

    run(test)


def test_what_came_before_a_goodbye_is_kept(run):
    async def test():
        bed = Bed()
        fleet = [bed.client(wire.connect(f"d{k}")) for k in range(6)]
        for c in fleet:
            c.send(wire.publish("f/a", b"0", 1, 1))
        await turns()
        for k, c in enumerate(fleet):
            c.send(wire.publish("f/a", b"1", 1, 2))
            if k == 0:
                c.send(wire.BYE)
            if k == 1:
                c.send(wire.publish("f/a", b"2", 1, 3) + b"\xf0\x00")  # breaks the protocol
            if k == 2:
                c.send(wire.publish("f/b", b"3", 0))  # another kind: order is kept
            if k == 3:
                c.protocol.connection_lost(None)
        await turns()
        assert sorted(bed.disk.payloads) == [b"0"] * 6 + [b"1"] * 6 + [b"2", b"3"]
        of_2 = [m.payload for m in bed.disk.messages if m.source == "d2"]
        assert of_2 == [b"0", b"1", b"3"]
        assert fleet[1].pipe.gone
        assert not fleet[4].pipe.gone
        fleet[3].pipe.gone = True

    run(test)


def test_nothing_of_a_turn_is_acknowledged_that_is_not_durable(run):
    async def test():
        bed = Bed()
        fleet = [bed.client(wire.connect(f"d{k}")) for k in range(6)]
        for c in fleet:
            c.send(wire.publish("f/a", b"0", 1, 1))
        await turns()
        for c in fleet:
            c.took()
        stalls = bed.disk.stall()
        for c in fleet:
            c.send(wire.publish("f/a", b"1", 1, 2))
        await turns()
        assert len(stalls) == 1, "all of a turn goes to the disk together"
        assert not any(c.pipe.sent for c in fleet)
        assert bed.endpoint.stats().in_flight > 0
        stalls[0].set_result(None)
        await turns()
        assert all(c.took() == [(0x40, b"\0\2")] for c in fleet)
        assert bed.endpoint.stats().in_flight == 0

    run(test)
