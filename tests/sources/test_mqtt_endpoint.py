import asyncio
import functools
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Invalid, Misconfigured, Unavailable
from ectype.sources.mqtt.endpoint import MqttEndpoint
from ectype.sources.mqtt.limits import Limits
from tests.sources import mqtt_wire as wire
from tests.sources.mqtt_bed import Bed, turns

CONNACK = (0x20, b"\0\0")


def looped(test):
    """Run an async test function in a loop of its own."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        asyncio.run(test(*args, **kwargs))

    return run


# ---- who comes in


@looped
async def test_a_client_is_greeted_and_answered():
    client = Bed().client(wire.connect() + wire.PING)
    assert client.took() == [CONNACK, (0xD0, b"")]


@pytest.mark.parametrize(
    ("greeting", "code"),
    [
        (wire.connect(level=6), 1),
        (wire.connect(level=3, name="MQIsdp"), 1),
        (wire.connect("", clean=False), 2),
        (wire.connect("x" * 257), 2),
        (wire.connect("a\nb"), 2),
    ],
)
@looped
async def test_who_cannot_come_in_is_told_why(greeting, code, caplog):
    client = Bed().client(greeting)
    assert client.took() == [(0x20, bytes([0, code]))]
    assert client.pipe.gone
    assert "closed the MQTT connection" in caplog.text


@looped
async def test_only_those_with_the_right_password_come_in():
    bed = Bed(authenticate=lambda user, password: (user, password) == ("me", "secret"))
    assert bed.client(wire.connect("a", user="me", password=b"secret")).took() == [CONNACK]
    for greeting in (
        wire.connect("b"),
        wire.connect("b", user="me"),
        wire.connect("b", user="me", password=b"wrong"),
        wire.connect("b", user="me", password=b"\xff"),
    ):
        client = bed.client(greeting + wire.publish("a/b", b"1"))
        assert client.took() == [(0x20, b"\0\5")]
        assert client.pipe.gone
    await turns()
    assert bed.disk.messages == []


@looped
async def test_a_user_check_that_breaks_refuses(caplog):
    bed = Bed(authenticate=lambda user, password: 1 / 0)
    assert bed.client().took() == [(0x20, b"\0\3")]
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("first", [wire.PING, wire.publish("a", b"1"), wire.subscribe(1, ("a", 0)), b"GET / HTTP/1.1"])
@looped
async def test_whoever_does_not_begin_with_connect_is_out(first):
    bed = Bed()
    client = bed.client(first)
    assert client.took() == []
    assert client.pipe.gone
    await turns()
    assert bed.disk.messages == []
    assert bed.endpoint.stats().connections == 0


@looped
async def test_a_second_connect_ends_the_connection():
    assert Bed().client(wire.connect() + wire.connect()).pipe.gone


@looped
async def test_a_session_waits_for_its_client_and_goes_on_where_it_was():
    bed = Bed()
    client = bed.client(wire.connect("w", clean=False) + wire.subscribe(1, ("#", 1)))
    sender = bed.client(wire.connect("s", keep_alive=0))
    sender.send(wire.publish("a", b"1", 1, 1))
    await turns()
    assert client.took_messages() == [("a", b"1", 1, False)]
    client.pipe.abort()
    await turns()
    sender.send(wire.publish("a", b"2", 1, 2), wire.publish("a", b"lost", 0))
    await turns()
    again = bed.client(wire.connect("w", clean=False))
    (head, flags), *rest = again.took()
    assert (head, flags) == (0x20, b"\1\0")  # session present
    assert [(h, wire.published(h, b)[:3]) for h, b in rest] == [(0x3A, ("a", b"1", 1)), (0x32, ("a", b"2", 2))]
    again.send(wire.ident(0x40, 1), wire.ident(0x40, 2), wire.BYE)
    await turns()
    bed.wait(25 * 3600)
    assert bed.client(wire.connect("w", clean=False)).took() == [CONNACK]


@looped
async def test_a_clean_session_forgets_the_one_before():
    bed = Bed()
    bed.client(wire.connect("w", clean=False) + wire.subscribe(1, ("#", 1))).pipe.abort()
    await turns()
    assert bed.client(wire.connect("w")).took() == [CONNACK]
    sender = bed.client(wire.connect("s") + wire.publish("a", b"1", 1, 1))
    await turns()
    assert sender.took() == [CONNACK, (0x40, b"\0\1")]
    assert bed.endpoint.stats().sent == 0


@looped
async def test_a_session_whose_client_stays_away_keeps_a_bounded_rest():
    bed = Bed()
    bed.client(wire.connect("w", clean=False) + wire.subscribe(1, ("#", 1))).pipe.abort()
    sender = bed.client(wire.connect("s", keep_alive=0))
    await turns()
    for k in range(40):
        sender.send(wire.publish("a", bytes(100_000), 1, k + 1))
        await turns()
    again = bed.client(wire.connect("w", clean=False))
    assert 10 <= len(again.took_messages()) <= 12


@looped
async def test_a_client_id_is_taken_over_by_the_newcomer():
    bed = Bed()
    old = bed.client(wire.connect("pump", will=("pump/gone", b"1", 0, False)) + wire.subscribe(1, ("x", 0)))
    new = bed.client(wire.connect("pump"))
    other_user = bed.client(wire.connect("pump", user="somebody"))
    await turns()
    assert (old.pipe.gone, new.pipe.gone, other_user.pipe.gone) == (True, False, False)
    assert [m.topic for m in bed.disk.messages] == ["pump/gone"]
    assert bed.endpoint.stats().connections == 2
    new.send(wire.PING)
    assert new.took() == [CONNACK, (0xD0, b"")]


@looped
async def test_there_is_room_for_so_many_clients():
    bed = Bed(Limits(connections=2))
    clients = [bed.client(wire.connect(f"c{k}")) if k < 2 else bed.client(None) for k in range(3)]
    assert [c.pipe.gone for c in clients] == [False, False, True]


# ---- to the disk


@looped
async def test_a_message_is_acknowledged_when_it_is_durable_and_not_before():
    bed = Bed()
    stalls = bed.disk.stall()
    client = bed.client(wire.connect("pump") + wire.publish("f/p", b"1", 1, 7) + wire.publish("f/p", b"2", 0))
    client.took()
    await turns()
    assert client.took() == []
    stalls[0].set_result(None)
    await turns()
    assert client.took() == [(0x40, b"\0\7")]
    assert [(m.topic, m.payload, m.at_ns, m.source) for m in bed.disk.messages] == [
        ("f/p", b"1", 42, "pump"),
        ("f/p", b"2", 42, "pump"),
    ]


@looped
async def test_what_many_clients_send_in_one_turn_is_one_batch():
    bed = Bed()
    clients = [bed.client(wire.connect(f"c{k}")) for k in range(20)]
    for client in clients:
        client.send(wire.publish("f/p", b"1", 1, 1))
    await turns()
    assert bed.disk.calls == 1
    assert all(c.took() == [CONNACK, (0x40, b"\0\1")] for c in clients)


@given(st.permutations(range(6)))
def test_acknowledgements_come_in_order_however_the_disk_answers(order):
    async def main():
        bed = Bed()
        stalls = bed.disk.stall()
        watcher = bed.client(wire.connect("watcher") + wire.subscribe(1, ("#", 0)))
        clients = [bed.client(wire.connect(f"c{k}")) for k in range(2)]
        for k in range(6):
            clients[k % 2].send(wire.publish("f/p", b"%d" % k, 1, k + 1))
            await turns()
        acked = []
        for k in order:
            stalls[k].set_result(None)
            await turns()
            acked += [p[1][1] for c in clients for p in c.took() if p[0] == 0x40]
            whole = next((n for n in range(6) if not stalls[n].done()), 6)
            assert sorted(acked) == list(range(1, whole + 1))
        assert [int(m[1]) for m in watcher.took_messages()] == list(range(6))

    asyncio.run(main())


@looped
async def test_what_is_not_durable_is_not_acknowledged_and_its_clients_are_sent_away(caplog):
    bed = Bed()
    sender = bed.client(wire.connect("sender"))
    watcher = bed.client(wire.connect("watcher") + wire.subscribe(1, ("#", 0)))
    bed.disk.error = Unavailable("no space left on the disk; free some")
    sender.took(), watcher.took()
    with caplog.at_level(logging.ERROR):
        sender.send(wire.publish("f/p", b"1", 1, 1, retain=True))
        await turns()
    assert sender.took() == []
    assert sender.pipe.gone
    assert watcher.took() == []
    assert not watcher.pipe.gone
    assert "no space left" in caplog.text
    assert bed.endpoint.stats().failed == 1
    assert bed.endpoint.stats().in_flight == 0
    bed.disk.error = None
    again = bed.client(wire.connect("sender") + wire.publish("f/p", b"1", 1, 1, dup=True))
    await turns()
    assert again.took() == [CONNACK, (0x40, b"\0\1")]
    assert [m[1] for m in watcher.took_messages()] == [b"1"]


@looped
async def test_a_fault_of_ours_acknowledges_nothing_either(caplog):
    bed = Bed()
    bed.disk.error = KeyError("a bug")
    client = bed.client(wire.connect() + wire.publish("f/p", b"1", 1, 1))
    await turns()
    assert client.took() == [CONNACK]
    assert client.pipe.gone
    assert "Traceback" in caplog.text


@looped
async def test_qos_2_is_delivered_once_however_often_it_is_sent():
    bed = Bed()
    client = bed.client()
    client.took()
    both = wire.publish("f/p", b"1", 2, 9) + wire.publish("f/p", b"1", 2, 9, dup=True)
    client.send(both, wire.publish("f/p", b"a", 1, 9), wire.publish("f/p", b"2", 2, 10))
    await turns()
    client.send(wire.publish("f/p", b"1", 2, 9, dup=True))
    await turns()
    assert sorted(client.took()) == sorted([(0x40, b"\0\x09"), *[(0x50, b"\0\x09")] * 3, (0x50, b"\0\x0a")])
    client.send(wire.ident(0x62, 9), wire.publish("f/p", b"3", 2, 9))
    await turns()
    assert client.took() == [(0x70, b"\0\x09"), (0x50, b"\0\x09")]
    assert bed.disk.payloads == [b"1", b"a", b"2", b"3"]


@looped
async def test_qos_2_that_was_not_durable_is_new_when_it_comes_again():
    bed = Bed()
    client = bed.client(wire.connect("s", clean=False))
    client.send(wire.publish("f/p", b"1", 2, 9))
    await turns()
    bed.disk.error = Unavailable("no space left on the disk; free some")
    client.send(wire.publish("f/p", b"1", 2, 9, dup=True) + wire.publish("f/p", b"2", 2, 10))
    await turns()
    assert client.pipe.gone
    bed.disk.error = None
    again = bed.client(wire.connect("s", clean=False))
    again.send(wire.publish("f/p", b"1", 2, 9, dup=True) + wire.publish("f/p", b"2", 2, 10, dup=True))
    await turns()
    assert [head for head, _ in again.took()] == [0x20, 0x50, 0x50]
    assert bed.disk.payloads == [b"1", b"2"]


@looped
async def test_who_came_back_with_a_message_that_then_fails_is_sent_away_too():
    bed = Bed()
    stalls = bed.disk.stall()
    old = bed.client(wire.connect("s", clean=False) + wire.publish("f/p", b"1", 2, 9))
    await turns()
    new = bed.client(wire.connect("s", clean=False) + wire.publish("f/p", b"1", 2, 9, dup=True))
    await turns()
    assert old.pipe.gone
    bed.disk.error = Unavailable("no space left on the disk; free some")
    for stall in stalls:
        stall.set_result(None)
    await turns()
    assert [head for head, _ in new.took()] == [0x20]
    assert new.pipe.gone


@looped
async def test_a_malformed_packet_ends_the_connection_but_not_what_came_before_it(caplog):
    bed = Bed()
    client = bed.client(wire.connect() + wire.publish("f/p", b"1", 1, 1) + wire.publish("f/+", b"2", 1, 2))
    await turns()
    assert client.pipe.gone
    assert bed.disk.payloads == [b"1"]
    assert "f/+" in caplog.text


# ---- too much


@looped
async def test_reading_stops_while_too_much_is_on_its_way_to_the_disk():
    bed = Bed(Limits(connection=10_000, endpoint=30_000))
    stalls = bed.disk.stall()
    clients = [bed.client(wire.connect(f"c{k}", keep_alive=10)) for k in range(5)]
    sent = 0
    for _ in range(100):
        for client in clients:
            if client.pipe.reading:
                client.send(wire.publish("f/p", bytes(700), 1, 1))
                sent += 1
        await turns(2)
    assert not any(c.pipe.reading for c in clients)
    assert bed.endpoint.stats().in_flight <= 30_000 + 5 * 1100
    assert bed.endpoint.stats().paused == 5
    bed.wait(1000)  # the silence is ours, so nobody is sent away for it
    assert not any(c.pipe.gone for c in clients)
    for k in range(1000):
        if k == len(stalls):
            break
        stalls[k].set_result(None)
        await turns()
    assert all(c.pipe.reading for c in clients)
    assert len(bed.disk.messages) == sent
    assert bed.endpoint.stats().in_flight == 0


@looped
async def test_a_subscriber_that_does_not_read_loses_qos_0_and_is_counted():
    bed = Bed()
    slow = bed.client(wire.connect("slow") + wire.subscribe(1, ("#", 0)))
    fast = bed.client(wire.connect("fast") + wire.subscribe(1, ("#", 0)))
    sender = bed.client(wire.connect("sender"))
    slow.pipe.stuck = True
    for k in range(100):
        sender.send(wire.publish("f/p", bytes([k]) * 100_000, 1, 1))
        await turns()
    assert len(fast.took_messages()) == 100
    assert len(slow.pipe.buffer) < 5 << 20
    dropped = bed.endpoint.stats().dropped
    slow.pipe.unstick()
    assert dropped == 100 - len(slow.took_messages()) > 0
    sender.send(wire.publish("f/p", b"now", 0))
    await turns()
    assert slow.took_messages() == [("f/p", b"now", 0, False)]


@looped
async def test_a_qos_1_subscriber_that_falls_too_far_behind_is_sent_away(caplog):
    bed = Bed()
    slow = bed.client(wire.connect("slow") + wire.subscribe(1, ("#", 1)))
    sender = bed.client(wire.connect("sender"))
    slow.pipe.stuck = True
    for _ in range(300):
        sender.send(wire.publish("f/p", bytes(100_000), 1, 1))
        await turns()
        assert slow.protocol.outbox.queued_bytes < 17 << 20
    assert slow.pipe.gone
    assert "reads too slowly" in caplog.text
    assert len(bed.disk.messages) == 300


@looped
async def test_a_subscriber_that_reads_nothing_for_a_minute_is_sent_away():
    bed = Bed()
    slow = bed.client(wire.connect("slow", keep_alive=0) + wire.subscribe(1, ("#", 0)))
    slow.pipe.stuck = True
    sender = bed.client(wire.connect("sender", keep_alive=0))
    for _ in range(50):
        sender.send(wire.publish("f/p", bytes(100_000), 1, 1))
        await turns()
    bed.wait(59)
    assert not slow.pipe.gone
    bed.wait(2)
    assert slow.pipe.gone
    assert not sender.pipe.gone


@looped
async def test_a_connection_that_does_not_finish_closing_is_cut():
    bed = Bed()
    client = bed.client()
    client.pipe.stuck = True
    client.send(wire.PING, wire.BYE)
    assert not client.pipe.gone
    bed.wait(6)
    assert client.pipe.gone


# ---- time


@looped
async def test_silence_beyond_one_and_a_half_keep_alives_ends_the_connection():
    bed = Bed()
    client = bed.client(wire.connect(keep_alive=10, will=("c/gone", b"1", 1, False)))
    forever = bed.client(wire.connect("patient", keep_alive=0))
    bed.wait(15)
    client.send(wire.PING)
    bed.wait(14.9)
    assert not client.pipe.gone
    bed.wait(0.2)
    assert client.pipe.gone
    await turns()
    assert [m.topic for m in bed.disk.messages] == ["c/gone"]
    bed.wait(1e6)
    assert not forever.pipe.gone


@looped
async def test_who_says_nothing_at_all_is_sent_away():
    bed = Bed()
    client = bed.client(None)
    bed.wait(9)
    assert not client.pipe.gone
    bed.wait(2)
    assert client.pipe.gone


# ---- to subscribers


@looped
async def test_subscribers_get_what_they_asked_for_at_the_qos_they_asked_for():
    bed = Bed()
    zero = bed.client(wire.connect("zero") + wire.subscribe(1, ("f/+/x", 0)))
    one = bed.client(wire.connect("one") + wire.subscribe(2, ("f/#", 2), ("f/p/x", 0)))
    assert zero.took() == [CONNACK, (0x90, b"\0\1\0")]
    assert one.took() == [CONNACK, (0x90, b"\0\2\2\0")]
    sender = bed.client(wire.connect("sender"))
    for qos in (0, 1, 2):
        sender.send(wire.publish("f/p/x", b"%d" % qos, qos, 300 + qos))
    sender.send(wire.publish("f/p", b"3", 1, 400), wire.publish("other", b"4", 1, 401))
    await turns()
    assert zero.took_messages() == [("f/p/x", b"%d" % q, 0, False) for q in (0, 1, 2)]
    assert one.took_messages() == [
        ("f/p/x", b"0", 0, False),
        ("f/p/x", b"1", 1, False),
        ("f/p/x", b"2", 2, False),
        ("f/p", b"3", 3, False),
    ]
    one.send(wire.unsubscribe(9, "f/#", "never"))
    assert one.took() == [(0xB0, b"\0\x09")]
    sender.send(wire.publish("f/q", b"5", 1, 402))
    await turns()
    assert one.took_messages() == []


@looped
async def test_nobody_sees_what_is_not_durable_yet():
    bed = Bed()
    stalls = bed.disk.stall()
    watcher = bed.client(wire.connect("w") + wire.subscribe(1, ("#", 0)))
    sender = bed.client(wire.connect("s") + wire.publish("f/p", b"1", 0, retain=True))
    await turns()
    late = bed.client(wire.connect("late") + wire.subscribe(1, ("#", 0)))
    assert watcher.took_messages() == late.took_messages() == []
    stalls[0].set_result(None)
    await turns()
    assert watcher.took_messages() == late.took_messages() == [("f/p", b"1", 0, False)]
    assert sender.took() == [CONNACK]


@looped
async def test_retained_messages_greet_new_subscribers_until_cleared():
    bed = Bed()
    sender = bed.client(wire.connect("s") + wire.publish("f/p/a", b"1", 1, 1, retain=True))
    await turns()
    bed.endpoint.publish("ectype/p/speed", b"60")
    watcher = bed.client(wire.connect("w") + wire.subscribe(1, ("f/#", 1), ("ectype/+/speed", 0)))
    assert watcher.took_messages() == [("f/p/a", b"1", 1, True), ("ectype/p/speed", b"60", 0, True)]
    sender.send(wire.publish("f/p/a", b"", 1, 2, retain=True))
    await turns()
    assert watcher.took_messages() == [("f/p/a", b"", 2, False)]
    assert bed.client(wire.connect("x") + wire.subscribe(1, ("f/#", 1))).took_messages() == []
    assert bed.disk.payloads == [b"1"]  # clearing a topic measures nothing
    assert sender.took() == [CONNACK, (0x40, b"\0\1"), (0x40, b"\0\2")]


@looped
async def test_the_topics_of_the_node_are_published_by_the_node_alone():
    bed = Bed()
    watcher = bed.client(wire.connect("w") + wire.subscribe(1, ("ectype/#", 0), ("$SYS/#", 0)))
    sender = bed.client(wire.connect("s") + wire.publish("ectype/p/speed", b"9", 1, 1, retain=True))
    sender.send(wire.publish("$SYS/x", b"1", 1, 2))
    await turns()
    assert watcher.took_messages() == []
    assert bed.disk.payloads == [b"9", b"1"]  # where they are set aside
    bed.endpoint.publish("ectype/p/speed", b"2", retain=False)
    assert watcher.took_messages() == [("ectype/p/speed", b"2", 0, False)]
    assert bed.endpoint.stats().retained == 0


@pytest.mark.parametrize("topic", ["", "a/+", "#", "a\0", "x" * 70_000])
@looped
async def test_the_node_cannot_publish_to_what_is_no_topic(topic):
    with pytest.raises(Invalid):
        Bed().endpoint.publish(topic, b"1")


@looped
async def test_subscriptions_of_one_client_are_bounded():
    bed = Bed()
    client = bed.client()
    client.took()
    client.send(wire.subscribe(1, *[(f"t/{k}", 0) for k in range(1100)]))
    ((head, body),) = client.took()
    assert (head, body[2:]) == (0x90, b"\0" * 1000 + b"\x80" * 100)


@looped
async def test_a_will_is_published_for_whoever_goes_without_a_word():
    bed = Bed()
    watcher = bed.client(wire.connect("w") + wire.subscribe(1, ("#", 1)))
    polite = bed.client(wire.connect("polite", will=("polite/gone", b"1", 1, True)))
    rude = bed.client(wire.connect("rude", will=("rude/gone", b"1", 1, True)))
    polite.send(wire.BYE)
    rude.pipe.abort()
    await turns()
    assert watcher.took_messages() == [("rude/gone", b"1", 1, False)]
    assert [(m.topic, m.source) for m in bed.disk.messages] == [("rude/gone", "rude")]
    late = bed.client(wire.connect("l") + wire.subscribe(1, ("#", 1)))
    assert late.took_messages() == [("rude/gone", b"1", 1, True)]


# ---- the port


def test_a_taken_port_is_told_at_once():
    async def main():
        bed = Bed()
        first = await MqttEndpoint.start("127.0.0.1", 0, bed.disk.deliver)
        with pytest.raises(Misconfigured, match=f"port {first.port} .*taken"):
            await MqttEndpoint.start("127.0.0.1", first.port, bed.disk.deliver)
        with pytest.raises(Misconfigured):
            await MqttEndpoint.start("192.0.2.1", 0, bed.disk.deliver)
        await first.close()

    asyncio.run(main())


def test_closing_answers_what_is_on_its_way():
    async def main():
        bed = Bed()
        stalls = bed.disk.stall()
        endpoint = await MqttEndpoint.start("127.0.0.1", 0, bed.disk.deliver)
        reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
        writer.write(wire.connect("c", will=("c/gone", b"1", 0, False)) + wire.publish("f/p", b"1", 1, 1))
        assert await reader.readexactly(4) == b"\x20\2\0\0"
        closing = asyncio.ensure_future(endpoint.close())
        while not stalls:
            await turns(1)
        assert not closing.done()
        stalls[0].set_result(None)
        await closing
        assert await reader.read() == b"\x40\2\0\1"
        writer.close()
        assert bed.disk.payloads == [b"1"]

    asyncio.run(main())
