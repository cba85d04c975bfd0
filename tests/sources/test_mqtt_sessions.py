"""Sessions that wait for their client outlive the endpoint, and a crash of it."""

import asyncio
import logging
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectype.errors import Misconfigured
from ectype.sources.mqtt import session_file
from ectype.sources.mqtt.limits import Limits
from tests.sources import mqtt_wire as wire
from tests.sources.mqtt_bed import Bed, Client, turns
from tests.sources.test_mqtt_endpoint import CONNACK, looped
from tests.sources.test_mqtt_waiting import connect5, got, identifiers, publish5, subscribe5, subscribe5_as

PRESENT = (0x20, b"\1\0")
ACK, RECEIVED, RELEASE, COMPLETE = 0x40, 0x50, 0x62, 0x70


async def life(folder: Path, at_s: float = 10**9, limits: Limits | None = None) -> Bed:
    """An endpoint whose files are in `folder`. Its own clock begins where it likes; the wall's is at `at_s`."""
    bed = Bed(limits)
    bed.now_s = 7 * at_s % 1000
    bed.at_ns = int(at_s * 1e9)
    await bed.endpoint.shelve(folder)
    return bed


async def copied(bed: Bed) -> None:
    """A second passes, and with it a copy is written; what comes now may be lost in a crash."""
    bed.at_ns += 10**9
    bed.wait(1)
    for shelf in bed.endpoint._shelves:
        if shelf.writing is not None:
            await shelf.writing


def messages(client: Client) -> list[tuple[bytes, bool]]:
    """(payload, DUP) of each message since the last call, after CONNACK said that the session is there."""
    first, *rest = client.took()
    assert first == PRESENT
    return [(wire.published(head, body)[1], bool(head & 8)) for head, body in rest if head >> 4 == 3]


@looped
async def test_what_waits_and_what_was_not_acknowledged_outlives_the_endpoint(tmp_path):
    bed = await life(tmp_path)
    here = bed.client(wire.connect("here", clean=False) + wire.subscribe(1, ("f/#", 1)))
    away = bed.client(wire.connect("away", clean=False) + wire.subscribe(1, ("f/#", 1)))
    away.send(wire.BYE)
    sender = bed.client(wire.connect("s"))
    sender.send(*(wire.publish("f/a", b"%d" % k, 1, k) for k in (1, 2, 3)))
    await turns()
    here.send(wire.ident(ACK, 2))
    await bed.endpoint.close()

    bed = await life(tmp_path)
    here, away = (bed.client(wire.connect(name, clean=False)) for name in ("here", "away"))
    assert messages(here) == [(b"1", True), (b"3", True)]
    assert messages(away) == [(b"1", False), (b"2", False), (b"3", False)]
    bed.client(wire.connect("s")).send(wire.publish("f/b", b"4", 1, 1))
    await turns()
    assert [m[:3:2] for m in here.took_messages()] == [("f/b", away.took_messages()[0][2])]
    for client in (here, away):
        client.send(*(wire.ident(ACK, k) for k in range(1, 65_536)))
    await bed.endpoint.close()

    bed = await life(tmp_path)
    assert messages(bed.client(wire.connect("here", clean=False))) == []
    assert bed.client(wire.connect("s", clean=False)).took() == [CONNACK]  # it had a clean session
    assert bed.client(wire.connect("away")).took() == [CONNACK]
    await bed.endpoint.close()
    bed = await life(tmp_path)
    assert bed.client(wire.connect("away", clean=False)).took() == [CONNACK]


@looped
async def test_time_passes_while_the_endpoint_is_down(tmp_path):
    bed = await life(tmp_path, 5000)
    away = bed.client(connect5("w", 3600) + subscribe5(1, "f/#"))
    here = bed.client(connect5("here", 100) + subscribe5(1, "f/#"))
    sender = bed.client(connect5("s"))
    away.protocol.connection_lost(None)
    for k, expiry_s in enumerate((30, 600, None), 1):
        sender.send(publish5("f/a", b"%d" % k, k, expiry_s))
    await turns()
    await bed.endpoint.close()
    bed = await life(tmp_path, 5060)
    back = bed.client(connect5("w", 3600, clean=False))
    assert got(back) == [(b"2", 540), (b"3", None)]
    assert here is not None
    bed.wait(0)
    bed.at_ns += 41 * 10**9
    bed.now_s += 41
    assert bed.client(connect5("here", 100, clean=False)).took()[0][1][0] == 0  # 101 s: too late, swept or not
    back.protocol.connection_lost(None)
    await bed.endpoint.close()
    bed = await life(tmp_path, 5101 + 3601)
    assert got(bed.client(connect5("w", 3600, clean=False))) == []


@looped
async def test_filters_keep_their_options_identifiers_and_groups(tmp_path):
    bed = await life(tmp_path)
    bed.client(connect5("w", 99) + subscribe5_as(1, "f/+", 300) + subscribe5_as(2, "$share/g/g/#", 9))
    own = wire.packet(0x82, b"\0\1\0" + wire.text("own/#") + bytes([1 | 4]))  # no local
    as_published = wire.packet(0x82, b"\0\2\0" + wire.text("kept") + bytes([1 | 8]))
    bed.client(connect5("x", 99) + own + as_published)
    await bed.endpoint.close()

    bed = await life(tmp_path)
    w, x = bed.client(connect5("w", 99, clean=False)), bed.client(connect5("x", 99, clean=False))
    w.took(), x.took()
    x.send(publish5("own/a", b"1", 1), publish5("f/a", b"2", 2), publish5("g/a", b"3", 3))
    bed.client(connect5("s")).send(publish5("kept", b"4", 1, retain=True))
    await turns()
    assert identifiers(w) == [(b"2", [300]), (b"3", [9])]
    assert [(head, body[-1:]) for head, body in x.took() if head >> 4 == 3] == [(0x33, b"4")]
    w.send(wire.packet(0xA2, b"\0\1\0" + wire.text("$share/g/g/#") + wire.text("f/+") + wire.text("never")))
    assert w.took() == [(0xB0, b"\0\1\0\0\0\x11")]


@looped
async def test_what_is_under_way_at_qos_2_goes_on_after_a_close(tmp_path):
    bed = await life(tmp_path)
    client = bed.client(wire.connect("w", clean=False) + wire.subscribe(1, ("f/#", 2)))
    client.send(wire.publish("up", b"once", 2, 77))
    bed.client(wire.connect("s")).send(wire.publish("f/a", b"1", 2, 1), wire.publish("f/a", b"2", 2, 2))
    await turns()
    client.send(wire.ident(RECEIVED, 1))
    assert client.took()[-1] == (RELEASE, b"\0\1")
    await bed.endpoint.close()
    assert bed.disk.payloads == [b"once", b"1", b"2"]

    bed = await life(tmp_path)
    client = bed.client(wire.connect("w", clean=False))
    present, release, second = client.took()
    assert (present, release) == (PRESENT, (RELEASE, b"\0\1"))
    assert wire.published(*second)[:3] == ("f/a", b"2", 2)
    assert second[0] == 0x3C
    client.send(wire.publish("up", b"once", 2, 77, dup=True), wire.ident(COMPLETE, 1), wire.ident(RECEIVED, 2))
    await turns()
    assert sorted(client.took()) == [(RECEIVED, b"\0\x4d"), (RELEASE, b"\0\2")]
    assert bed.disk.payloads == []
    client.send(wire.ident(RELEASE, 77), wire.publish("up", b"new", 2, 77))
    await turns()
    assert bed.disk.payloads == [b"new"]


@looped
async def test_after_a_crash_a_new_message_is_not_taken_for_an_old_one(tmp_path):
    bed = await life(tmp_path)
    bed.client(wire.connect("w", clean=False)).send(wire.publish("up", b"5", 2, 1))
    await turns()
    await bed.endpoint.close()
    bed = await life(tmp_path)
    client = bed.client(wire.connect("w", clean=False))
    client.send(wire.ident(RELEASE, 1))
    bed.disk.stall()
    client.send(wire.publish("up", b"5", 2, 1))  # and the node dies before it is on the disk
    await turns()
    bed = await life(tmp_path)
    bed.client(wire.connect("w", clean=False)).send(wire.publish("up", b"5", 2, 1, dup=True))
    await turns()
    assert bed.disk.payloads == [b"5"]


@looped
async def test_a_crash_loses_at_most_what_changed_since_the_last_copy(tmp_path):
    bed = await life(tmp_path)
    here = bed.client(wire.connect("here", clean=False) + wire.subscribe(1, ("f/#", 1)))
    bed.client(wire.connect("away", clean=False) + wire.subscribe(1, ("f/#", 1))).send(wire.BYE)
    await turns()
    sender = bed.client(wire.connect("s"))
    sender.send(wire.publish("f/a", b"1", 1, 1), wire.publish("f/a", b"2", 1, 2))
    await turns()
    here.send(wire.ident(ACK, 1))
    await copied(bed)
    sender.send(wire.publish("f/a", b"late", 1, 3))
    await turns()
    bed = await life(tmp_path, 10**9 + 10**5)  # after more than a day: it is not known when the first one went down
    assert messages(bed.client(wire.connect("here", clean=False))) == [(b"2", True)]
    assert bed.client(wire.connect("away", clean=False)).took() == [CONNACK]
    bed = await life(tmp_path, 10**9 + 10)
    assert messages(bed.client(wire.connect("away", clean=False))) == [(b"1", False), (b"2", False)]


@looped
async def test_a_subscriber_is_not_given_ids_that_it_may_remember_from_before_a_crash(tmp_path):
    bed = await life(tmp_path)
    watcher = bed.client(wire.connect("w", clean=False) + wire.subscribe(1, ("f/#", 2)))
    sender = bed.client(wire.connect("s", keep_alive=0))
    sender.send(wire.publish("f/a", b"old", 2, 1))
    await turns()
    await copied(bed)
    sender.send(*(wire.publish("f/a", b"%d" % k, 2, k) for k in range(2, 1000)))
    await turns()
    remembered = {ident for _, _, ident, _ in watcher.took_messages()}
    assert len(remembered) == 999
    bed = await life(tmp_path)
    watcher = bed.client(wire.connect("w", clean=False))
    watcher.took()
    sender = bed.client(wire.connect("s", keep_alive=0))
    sender.send(*(wire.publish("f/a", b"new %d" % k, 2, k) for k in range(1, 1000)))
    await turns()
    assert remembered.isdisjoint(ident for _, _, ident, _ in watcher.took_messages())


def with_will(name: str, delay_s: int, expiry_s: int) -> bytes:
    session, delay = b"\x11" + expiry_s.to_bytes(4, "big"), b"\x18" + delay_s.to_bytes(4, "big")
    about = delay + b"\x02\0\0\0\x63" + b"\x03" + wire.text("text/plain")
    body = wire.text("MQTT") + bytes([5, 4 | 1 << 3 | 1 << 5]) + b"\0\x3c" + bytes([len(session)]) + session
    return wire.packet(0x10, body + wire.text(name) + bytes([len(about)]) + about + wire.text("gone") + wire.text(name))


@looped
async def test_a_will_that_waits_is_published_in_its_time(tmp_path):
    bed = await life(tmp_path)
    for name in ("a", "b", "c"):
        bed.client(with_will(name, 60, 600)).protocol.connection_lost(None)
    bed.client(with_will("here", 0, 600))
    await bed.endpoint.close()
    assert bed.disk.payloads == []
    bed = await life(tmp_path, 10**9 + 50)
    bed.client(connect5("b", 600, clean=False))
    bed.client(connect5("c", 600, clean=True))
    await turns()
    assert bed.disk.payloads == [b"c"]  # its session is over
    bed.wait(9)
    await turns()
    assert len(bed.disk.messages) == 1
    bed.wait(1)
    await turns()
    assert [(m.topic, m.payload, m.source) for m in bed.disk.messages[1:]] == [("gone", b"a", "a")]
    (kept, left_s), *_ = bed.endpoint.clients.retained.find("gone")
    assert (kept.properties, left_s) == (b"\x03" + wire.text("text/plain"), 99)
    await bed.endpoint.close()
    bed = await life(tmp_path, 10**9 + 100)
    bed.wait(1)
    await turns()
    assert bed.disk.payloads == []


@looped
async def test_of_sessions_that_hold_too_much_those_left_last_are_kept_and_it_is_said(tmp_path, caplog):
    limits = Limits(endpoint=40_000)
    bed = await life(tmp_path, limits=limits)
    gone = [bed.client(wire.connect(f"w{k}", clean=False) + wire.subscribe(1, ("f", 1))) for k in range(4)]
    for k in (3, 0, 1):
        gone[k].protocol.connection_lost(None)
    bed.client(wire.connect("s")).send(wire.publish("f", bytes(12_000), 1, 1))
    await turns()
    with caplog.at_level(logging.ERROR):
        await copied(bed)
        await bed.endpoint.close()
    assert [r.message for r in caplog.records] == [
        "1 MQTT sessions will not outlive the node: all together hold more than 0 MiB"
    ]
    bed = await life(tmp_path, limits=limits)
    heads = [bed.client(wire.connect(f"w{k}", clean=False)).took()[0] for k in range(4)]
    assert heads == [PRESENT, PRESENT, PRESENT, CONNACK]


@looped
async def test_a_change_is_written_within_a_second_and_nothing_else_is(tmp_path):
    path = tmp_path / "sessions"
    bed = await life(tmp_path)
    plain = bed.client(wire.connect("plain") + wire.subscribe(1, ("f", 1)))
    sender = bed.client(wire.connect("s", keep_alive=0))
    sender.send(wire.publish("f", b"1", 1, 1))
    await turns()
    plain.send(wire.ident(ACK, 1))
    await copied(bed)
    assert not path.exists()
    watcher = bed.client(wire.connect("w", clean=False, keep_alive=0))
    steps = (
        lambda: None,
        lambda: watcher.send(wire.subscribe(1, ("f", 2))),
        lambda: sender.send(wire.publish("f", b"2", 2, 2)),
        lambda: watcher.send(wire.ident(RECEIVED, 1)),
        lambda: watcher.send(wire.ident(COMPLETE, 1)),
        lambda: watcher.send(wire.packet(0xA2, b"\0\1" + wire.text("f"))),
        lambda: watcher.protocol.connection_lost(None),
        lambda: bed.client(wire.connect("w")),
    )
    for step in steps:
        step()
        await turns()
        await copied(bed)
        path.unlink()
        await copied(bed)
        assert not path.exists()


@looped
async def test_a_file_that_cannot_be_written_is_told_once_and_tried_again(tmp_path, caplog):
    folder = tmp_path / "mqtt"
    bed = await life(folder)
    folder.write_text("in the way")
    bed.client(wire.connect("w", clean=False))
    with caplog.at_level(logging.ERROR):
        await copied(bed)
        await copied(bed)
    assert [r.message[:30] for r in caplog.records] == ["the MQTT sessions could not be"]
    folder.unlink()
    await copied(bed)
    bed = await life(folder)
    assert bed.client(wire.connect("w", clean=False)).took() == [PRESENT]


@looped
async def test_a_client_without_a_name_is_not_taken_for_one_from_before(tmp_path):
    bed = await life(tmp_path)
    first = bed.client(connect5("", 600))
    name = first.protocol.name
    await bed.endpoint.close()
    bed = await life(tmp_path)
    newcomer = bed.client(connect5("", 600, clean=False))
    assert newcomer.took()[0][1][0] == 0
    assert newcomer.protocol.name != name
    assert bed.client(connect5(name, 600, clean=False)).took()[0][1][0] == 1


@looped
async def test_a_session_that_does_not_wait_is_not_handed_on():
    bed = Bed()
    old = bed.client(wire.connect("w") + wire.subscribe(1, ("f", 1)))
    assert bed.client(wire.connect("w", clean=False)).took() == [CONNACK]
    await turns()
    assert old.pipe.gone
    bed.client(wire.connect("s") + wire.publish("f", b"1", 1, 1))
    await turns()
    assert bed.endpoint.stats().sent == 0


# ---- damage


async def one_copy(folder: Path) -> bytes:
    bed = await life(folder)
    client = bed.client(connect5("w", 600) + subscribe5_as(1, "f/+", 300) + subscribe5(2, "$share/g/g"))
    sender = bed.client(connect5("s"))
    sender.send(publish5("f/a", b"sent", 1))
    client.send(wire.packet(0x34, wire.text("up") + b"\0\7\0" + b"1"))
    await turns()
    client.protocol.connection_lost(None)
    sender.send(publish5("f/a", b"queued", 2, 30))
    bed.client(with_will("x", 60, 600)).protocol.connection_lost(None)
    await turns()
    await bed.endpoint.close()
    return (folder / "sessions").read_bytes()


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return asyncio.run(one_copy(tmp_path_factory.mktemp("sessions")))


@given(st.data())
def test_a_damaged_file_is_named_with_the_way_out(copy, tmp_path_factory, data):
    at = data.draw(st.integers(0, len(copy) - 1))
    other = data.draw(st.integers(1, 255))
    damaged = data.draw(st.sampled_from([copy[:at], copy[:at] + bytes([copy[at] ^ other]) + copy[at + 1 :]]))
    path = tmp_path_factory.mktemp("damaged") / "sessions"
    path.write_bytes(damaged)
    with pytest.raises(Misconfigured, match=r"sessions: the MQTT sessions cannot be read .* remove the file"):
        session_file.read(path, 0.0, 0.0, float)


def test_another_can_read_the_file(copy):
    """As docs/mqtt.md says; here with a reader of its own."""
    records, crc = msgspec.msgpack.decode(copy)
    assert crc == zlib.crc32(copy[1:-5])
    (user, name, version, expiry_s, ends, filters, _, sent, released, queue, received, will), x = records
    assert (user, name, version, expiry_s, ends) == ("", "w", 5, 600, 10**9 + 600)
    assert filters == {"f/+": [1, 300], "$share/g/g": [1, 0]}
    assert sent == [wire.packet(0x32, wire.text("f/a") + b"\0\1" + b"\3\x0b\xac\2" + b"sent")]
    waits = wire.packet(0x32, wire.text("f/a") + b"\0\0" + b"\x08\2\0\0\0\x1e\x0b\xac\2" + b"queued")
    assert queue == [[waits, 10**9 + 30]]
    assert (released, received, will) == ([], [7], None)
    assert x[-1] == [10**9 + 60, "gone", b"x", 1, True, b"\x03" + wire.text("text/plain"), 99]


# ---- whatever happens


class Subscriber:
    """A client of one session, which keeps the promises of MQTT; `got` is what it made of what came."""

    def __init__(self) -> None:
        self.client: Client | None = None
        self.got: list[bytes] = []
        self.begun: set[int] = set()  # QoS 2 ids received and not released
        self.unanswered: list[tuple[int, int]] = []

    def come(self, bed: Bed) -> None:
        self.client = bed.client(wire.connect("w", clean=False))
        self.unanswered = []
        self.read()

    def read(self) -> None:
        if self.client is not None:
            for head, body in self.client.took():
                if head >> 4 == 3:
                    _, payload, ident, _ = wire.published(head, body)
                    if not head & 4 or ident not in self.begun:
                        self.got.append(payload)
                    if head & 4:
                        self.begun.add(ident)
                    self.unanswered.append((RECEIVED if head & 4 else ACK, ident))
                elif head == RELEASE:
                    ident = int.from_bytes(body, "big")
                    self.begun.discard(ident)
                    self.unanswered.append((COMPLETE, ident))

    def answer(self, which: int) -> None:
        if self.client is not None and self.unanswered:
            self.client.send(wire.ident(*self.unanswered.pop(which % len(self.unanswered))))
            self.read()

    def go(self) -> None:
        if self.client is not None:
            self.client.protocol.connection_lost(None)
            self.client = None


STEPS = st.one_of(
    st.sampled_from(["come", "go", "restart", "copy", "crash"]),
    st.tuples(st.just("publish"), st.integers(1, 2)),
    st.tuples(st.just("answer"), st.integers(0, 5)),
)


@settings(max_examples=50)
@given(st.lists(STEPS, max_size=40), st.sampled_from([1, 3, 100]))
@looped
async def test_everything_arrives_and_qos_2_once_however_often_the_endpoint_is_closed(steps, window):
    """And after crashes everything that was there at the last copy."""
    with TemporaryDirectory() as name:
        bed = await life(Path(name))
        bed.client(wire.connect("w", clean=False) + wire.subscribe(1, ("f", 2))).send(wire.BYE)
        await copied(bed)
        subscriber, qos_of, safe, lost, crashed = Subscriber(), dict[int, int](), 0, set[int](), False
        for step in [*steps, "come"]:
            match step:
                case "come":
                    subscriber.go()
                    subscriber.come(bed)
                    subscriber.client.protocol.outbox.window = window
                case "go":
                    subscriber.go()
                case "copy":
                    await copied(bed)
                    safe = len(qos_of)
                case "restart":
                    await bed.endpoint.close()
                    subscriber.read()
                    subscriber.client, bed, safe = None, await life(Path(name)), len(qos_of)
                case "crash":
                    subscriber.client, bed, crashed = None, await life(Path(name)), True
                    lost |= set(range(safe + 1, len(qos_of) + 1))
                case ("publish", qos):
                    qos_of[len(qos_of) + 1] = qos
                    bed.client(wire.connect("s")).send(wire.publish("f", b"%d" % len(qos_of), qos, 1))
                    await turns()
                    subscriber.read()
                case ("answer", which):
                    subscriber.answer(which)
        while subscriber.unanswered:
            subscriber.answer(0)
        got = [int(payload) for payload in subscriber.got]
        assert qos_of.keys() - lost <= set(got) <= qos_of.keys()
        once = [k for k in got if qos_of[k] == 2]
        assert crashed or len(once) == len(set(once))
