"""What waits expires and says what is left of it; what is retained outlives the node."""

import asyncio
from pathlib import Path

import pytest

from ectype.errors import Misconfigured
from ectype.sources.mqtt.endpoint import MqttEndpoint
from ectype.sources.mqtt.retained import Retained
from tests.sources import mqtt_wire as wire
from tests.sources.mqtt_bed import Bed, Client, Disk, turns
from tests.sources.test_mqtt_endpoint import looped


def connect5(name, expiry_s=0, clean=True):
    properties = b"\x11" + expiry_s.to_bytes(4, "big")
    body = wire.text("MQTT") + bytes([5, 2 * clean]) + b"\0\x3c" + bytes([len(properties)]) + properties
    return wire.packet(0x10, body + wire.text(name))


def publish5(topic, payload, packet_id, expiry_s=None, retain=False):
    properties = b"" if expiry_s is None else b"\x02" + expiry_s.to_bytes(4, "big")
    body = wire.text(topic) + packet_id.to_bytes(2, "big") + bytes([len(properties)]) + properties + payload
    return wire.packet(0x32 | retain, body)


def subscribe5(packet_id, pattern):
    return wire.packet(0x82, packet_id.to_bytes(2, "big") + b"\0" + wire.text(pattern) + b"\1")


def got(client):
    """(payload, seconds left or None) of each message."""
    found = []
    for head, body in client.took():
        if head >> 4 == 3:
            at = 2 + int.from_bytes(body[:2], "big") + 2
            said, payload = body[at + 1 : at + 1 + body[at]], body[at + 1 + body[at] :]
            found.append((payload, int.from_bytes(said[1:5], "big") if said[:1] == b"\2" else None))
    return found


@looped
async def test_what_waits_for_a_client_expires_and_the_rest_says_what_is_left():
    bed = Bed()
    away = bed.client(connect5("w", 3600) + subscribe5(1, "f/#"))
    old = bed.client(wire.connect("old", clean=False) + wire.subscribe(1, ("f/#", 1)))
    sender = bed.client(connect5("s"))
    for client in (away, old):
        client.protocol.connection_lost(None)
    for k, expiry_s in enumerate((5, 60, None), 1):
        sender.send(publish5("f/a", b"%d" % k, k, expiry_s))
    await turns()
    bed.wait(20)
    back = bed.client(connect5("w", 3600, clean=False))
    assert got(back) == [(b"2", 40), (b"3", None)]
    old_back = bed.client(wire.connect("old", clean=False))
    assert [p for _, p, _, _ in old_back.took_messages()] == [b"2", b"3"]
    assert back.protocol.outbox.queued_bytes == sum(map(len, back.protocol.outbox._held.values()))


@looped
async def test_a_client_may_come_back_with_another_version():
    bed = Bed()
    away = bed.client(connect5("w", 3600) + subscribe5_as(1, "f/#", 300))
    sender = bed.client(connect5("s"))
    sender.send(publish5("f/a", b"sent", 1, 90))
    await turns()
    away.protocol.connection_lost(None)
    sender.send(publish5("f/a", b"1", 2, 60), publish5("f/a", b"2" * 200, 3))
    await turns()
    back = bed.client(wire.connect("w", clean=False))
    assert [(p, q) for _, p, q, _ in back.took_messages()] == [(b"sent", 1), (b"1", 2), (b"2" * 200, 3)]
    back.protocol.connection_lost(None)
    sender.send(publish5("f/a", b"3", 4, 60))
    await turns()
    bed.wait(10)
    again = bed.client(connect5("w", 3600, clean=False))
    assert [payload for payload, _ in got(again)] == [b"sent", b"1", b"2" * 200, b"3"]
    outbox = again.protocol.outbox
    assert outbox.queued_bytes == sum(map(len, outbox._held.values()))


@looped
async def test_a_message_that_waits_for_another_version_says_what_is_left():
    bed = Bed()
    old = bed.client(wire.connect("w", clean=False) + wire.subscribe(1, ("f/#", 1)))
    sender = bed.client(connect5("s"))
    old.protocol.connection_lost(None)
    sender.send(publish5("f/a", b"1", 1, 60), publish5("f/a", b"2", 2), publish5("f/a", b"3", 3, 5))
    await turns()
    bed.wait(10)
    assert got(bed.client(connect5("w", 3600, clean=False))) == [(b"1", 50), (b"2", None)]


@looped
async def test_a_message_that_need_not_wait_goes_out_with_its_expiry():
    bed = Bed()
    watcher, sender = bed.client(connect5("w") + subscribe5(1, "f/#")), bed.client(connect5("s"))
    sender.send(publish5("f/a", b"1", 1, 30))
    await turns()
    assert got(watcher) == [(b"1", 30)]


@looped
async def test_what_has_expired_makes_room_for_what_comes():
    bed = Bed()
    away = bed.client(connect5("w", 3600) + subscribe5(1, "f/#"))
    sender = bed.client(connect5("s"))
    away.protocol.connection_lost(None)
    outbox = away.protocol.session.outbox
    for k in range(30):
        sender.send(publish5("f/a", b"x" * 50_000, k + 1, 5))
    await turns()
    assert outbox.queued_bytes > 1 << 20
    bed.wait(10)
    assert outbox.queued_bytes == 0
    sender.send(publish5("f/a", b"new", 40, 5))
    await turns()
    assert got(bed.client(connect5("w", 3600, clean=False))) == [(b"new", 5)]


@looped
async def test_a_retained_message_expires():
    bed = Bed()
    now_ns = [10**18]
    bed.endpoint.clients.retained = Retained(lambda: now_ns[0] / 1e9)
    sender = bed.client(connect5("s"))
    sender.send(publish5("f/a", b"1", 1, 60, retain=True) + publish5("f/b", b"2", 2, retain=True))
    await turns()
    now_ns[0] += 20 * 10**9
    assert sorted(got(bed.client(connect5("w") + subscribe5(1, "f/#")))) == [(b"1", 40), (b"2", None)]
    now_ns[0] += 50 * 10**9
    assert got(bed.client(connect5("x") + subscribe5(1, "f/#"))) == [(b"2", None)]
    assert bed.endpoint.stats().retained == 1


async def one_life(folder: Path, disk: Disk, now_ns: int, sent: bytes) -> list[tuple[bytes, int | None]]:
    """An endpoint with its retained messages in `folder`: what greets a new subscriber, then `sent` is published."""
    endpoint = await MqttEndpoint.start("127.0.0.1", 0, disk.deliver, clock=lambda: now_ns, folder=folder)
    endpoint.publish("ectype/p/speed", b"60")
    found = got(Client(endpoint, connect5("w") + subscribe5(1, "f/#")))
    Client(endpoint, connect5("s")).send(sent)
    await turns()
    await endpoint.close()
    return found


def test_what_is_retained_outlives_the_endpoint(tmp_path):
    path, disk, second = tmp_path / "mqtt", Disk(), 10**9

    async def lives():
        sent = publish5("f/a", b"1", 1, 60, retain=True) + publish5("f/b", b"2", 2, retain=True)
        assert await one_life(path, disk, 0, sent) == []
        assert sorted(await one_life(path, disk, 20 * second, b"\xc0\0")) == [(b"1", 40), (b"2", None)]
        assert await one_life(path, disk, 90 * second, publish5("f/b", b"", 1, retain=True)) == [(b"2", None)]
        assert await one_life(path, disk, 91 * second, b"\xc0\0") == []

    asyncio.run(lives())
    assert b"ectype/" not in (path / "retained").read_bytes()


@pytest.mark.parametrize("damaged", [b"\xc1 nonsense", b"\x91\x93\xa1\xff\xc4\1x\0"])
def test_a_file_that_is_no_copy_is_named_with_the_way_out(tmp_path, damaged):
    path = tmp_path / "retained"
    path.write_bytes(damaged)
    with pytest.raises(Misconfigured, match=r"retained: .* remove the file"):
        Retained().load(path)


@looped
async def test_a_change_is_written_within_a_second_and_only_then(tmp_path):
    bed = Bed()
    await bed.endpoint.shelve(tmp_path)
    shelf = bed.endpoint._shelves[0]
    bed.client(connect5("s")).send(publish5("f/a", b"1", 1, retain=True))
    await turns()
    bed.wait(1)
    assert shelf.writing is not None
    await shelf.writing
    other = Retained()
    other.load(tmp_path / "retained")
    assert [kept.topic for kept, _ in other.find("#")] == ["f/a"]
    (tmp_path / "retained").unlink()
    bed.wait(1)
    assert shelf.writing is None


# ---- subscription identifiers


def subscribe5_as(packet_id, pattern, identifier):
    said = b"\x0b" + wire.length(identifier)
    return wire.packet(0x82, packet_id.to_bytes(2, "big") + bytes([len(said)]) + said + wire.text(pattern) + b"\1")


def identifiers(client):
    """(payload, identifiers) of each message."""
    found = []
    for head, body in client.took():
        if head >> 4 == 3:
            at = 2 + int.from_bytes(body[:2], "big") + 2
            said, payload = body[at + 1 : at + 1 + body[at]], body[at + 1 + body[at] :]
            numbers = []
            while said[:1] == b"\x0b":
                number = said[1] if said[1] < 128 else said[1] & 127 | said[2] << 7
                numbers.append(number)
                said = said[2 if number < 128 else 3 :]
            assert not said
            found.append((payload, sorted(numbers)))
    return found


@looped
async def test_a_message_names_all_subscriptions_that_it_is_for():
    bed = Bed()
    sender = bed.client(connect5("s"))
    sender.send(publish5("f/old", b"0", 1, retain=True))
    await turns()
    watcher = bed.client(connect5("w") + subscribe5_as(1, "f/+", 7) + subscribe5_as(2, "#", 300) + subscribe5(3, "f/a"))
    assert identifiers(watcher) == [(b"0", [7]), (b"0", [300])]
    plain = bed.client(wire.connect("plain") + wire.subscribe(1, ("#", 1)))
    plain.took()
    sender.send(publish5("f/a", b"1", 2) + publish5("g", b"2", 3))
    await turns()
    assert identifiers(watcher) == [(b"1", [7, 300]), (b"2", [300])]
    bed.endpoint.publish("ectype/p/speed", b"60")
    assert identifiers(watcher) == [(b"60", [300])]
    watcher.send(subscribe5(4, "#"))
    watcher.took()
    fleet = [bed.client(connect5(f"d{k}")) for k in range(6)]
    for client in fleet:
        client.send(publish5("f/a", b"3", 1))
    await turns()
    assert identifiers(watcher) == [(b"3", [7])] * 6
    assert [p for _, p, _, _ in plain.took_messages()] == [b"1", b"2", b"60", *[b"3"] * 6]


@looped
async def test_a_shared_subscription_has_an_identifier_too():
    bed = Bed()
    sharer, sender = bed.client(connect5("w") + subscribe5_as(1, "$share/g/f/#", 9)), bed.client(connect5("s"))
    sharer.took()
    sender.send(publish5("f/a", b"1", 1))
    await turns()
    assert identifiers(sharer) == [(b"1", [9])]
