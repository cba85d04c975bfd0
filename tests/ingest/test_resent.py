"""What is sent again and is in history is left out of the log, and nothing else."""

import asyncio
import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Unavailable
from ectype.ingest.ingest import Ingest
from ectype.ingest.resent import Resent
from ectype.log.log import Log
from ectype.log.stores.memory import MemoryStore
from ectype.series.samples import Samples
from ectype.sources.base import Message
from ectype.sources.batch import Batch, Packed, parts_of, stretches
from ectype.trust.keys import Signer
from ectype.values.arrow import from_arrow
from ectype.values.block import Block
from tests.node.conftest import play, running
from tests.sources import mqtt_wire as wire

MINUTE, LAST = 60 * 10**9, 2**63 - 1
ARRIVED = {7 * MINUTE, 3}
instants = st.sampled_from([-LAST, -20 * MINUTE, 0, 3, MINUTE, 7 * MINUTE, 9 * MINUTE, 40 * MINUTE, LAST - 1, LAST])
rows = st.tuples(st.sampled_from(["p.x", "p.y", "q.x"]), instants, st.sampled_from([0.0, -0.0, 1.0, np.inf]))


def key(value: float) -> bytes:
    return np.float64(value).tobytes()


class Past:
    """A history of these rows, of which the last counts. asked: how often."""

    def __init__(self, known: Sequence[tuple[str, int, float]]) -> None:
        self.said = {(name, at): value for name, at, value in known}
        self.asked = 0

    def range(self, series: str, from_ns: int, to_ns: int) -> Samples:
        self.asked += 1
        found = sorted((at, v) for (name, at), v in self.said.items() if name == series and from_ns <= at <= to_ns)
        return Samples(np.array([at for at, _ in found], np.int64), np.array([v for _, v in found], np.float64))


@given(st.lists(rows, max_size=30), st.lists(rows, max_size=30))
def test_exactly_what_history_has_is_left_out(known, sent):
    past = Past(known)
    resent = Resent(past.range)
    expected = [
        (name, at, key(value))
        for name, at, value in sent
        if at in ARRIVED or (name, at) not in past.said or key(past.said[name, at]) != key(value)
    ]
    block = Block.of(sent)
    fresh = asyncio.run(resent.fresh(block, ARRIVED))
    assert [(name, at, key(value)) for name, at, value, _ in fresh.rows()] == expected
    assert resent.count == len(sent) - len(expected)
    if len(expected) == len(sent):
        assert fresh is block


def test_whoever_asks_for_too_much_is_taken_for_new_beyond_it():
    sent = [(f"p{k}.x", 5, 1.0) for k in range(300)]
    past = Past(sent)
    fresh = asyncio.run(Resent(past.range).fresh(Block.of(sent), {9}))
    assert (past.asked, len(fresh)) == (256, 300 - 256)


def test_a_history_that_cannot_be_read_stops_nobody():
    def broken(series: str, from_ns: int, to_ns: int) -> Samples:
        raise Unavailable("a file is damaged; start again")

    block = Block.of([("p.x", 5, 1.0)])
    assert asyncio.run(Resent(broken).fresh(block, {9})) is block


@given(st.lists(st.lists(st.tuples(st.sampled_from("pmr"), st.integers(1, 3)), max_size=5), max_size=4))
def test_stretches_are_all_messages_in_order(shape):
    """p: packed; m: one by one; r: sent again."""
    number, batches, expected = 0, list[Batch](), list[tuple[str, bool]]()
    for pieces in shape:
        batch = Batch()
        for kind, count in pieces:
            names = [f"t{number + k}" for k in range(count)]
            number += count
            expected += [(name, kind == "r") for name in names]
            if kind == "p":
                ones = np.arange(count)
                batch.add(Packed(b"." * count, np.arange(count + 1), ones * 0, [(n, "c") for n in names], ones, 1))
            else:
                batch.extend([Message(name, b"1", 1, "c") for name in names], kind == "r")
        batches.append(batch)
    found = list[tuple[str, bool]]()
    for messages, resent in stretches(batches):
        for part in parts_of(messages):
            found += [(m.topic, resent) for m in (part.messages() if isinstance(part, Packed) else part)]
    assert found == expected
    assert [[m.topic for m in batch] for batch in batches] == [[m.topic for m in list(b)] for b in batches]


def test_what_comes_between_keeps_its_place_in_the_log():
    async def work() -> list[float]:
        log = await Log.open(MemoryStore(), Signer.generate(), origin="test")
        ingest = Ingest(log, Signer.generate(), lambda twin, name: None, history=Past([("p.x", 10**9, 2.0)]).range)
        batch = Batch()
        for value, resent in ((1.0, False), (2.0, True), (3.0, True), (4.0, False)):
            batch.extend([Message("plant/p", json.dumps({"t": 1, "x": value}).encode(), 7, "c")], resent)
        await ingest.deliver(batch)
        stats = ingest.stats()
        assert (stats.messages, stats.samples, stats.repeats) == (4, 3, 1)
        await ingest.close()
        values = [float(v) for _, entry in log.read(0) for v in from_arrow(entry.body).value]
        await log.close()
        return values

    assert asyncio.run(work()) == [1.0, 3.0, 4.0]


class Device:
    """A client that says what it wants on the wire. It is gone when it leaves, without reading what it was sent."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> "Device":
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(wire.connect("device", clean=False))
        assert (await self._reader.readexactly(4))[:2] == b"\x20\2"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.transport.abort()

    def send(self, *packets: bytes) -> None:
        self._writer.write(b"".join(packets))

    async def heard(self, count: int) -> list[tuple[int, int]]:
        """(kind, packet id) of so many answers."""
        data = await self._reader.readexactly(4 * count)
        return [(data[k] >> 4, data[k + 2] << 8 | data[k + 3]) for k in range(0, len(data), 4)]


T0 = 1_417_737_600


def reading(step: int, packet_id: int, dup: bool, qos: int = 1, power: float = 5.0) -> bytes:
    body = json.dumps({"t": T0 + step, "power": power}).encode()
    return wire.publish("la-haute-borne/R80711", body, qos, packet_id, dup=dup)


async def folded(node, samples: int) -> None:
    """So many samples are on the disk and in history."""
    for _ in range(3000):
        if node.ingest.stats().samples >= samples and node.history.size == node.log.size:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"only {node.ingest.stats().samples} samples came")


@pytest.mark.parametrize("qos", [1, 2])
def test_what_a_client_sends_again_is_in_the_log_once(tmp_path, qos):
    async def work() -> None:
        async with running(tmp_path / "farm.space", mqtt_port=0) as node:
            async with Device(node.mqtt.port) as device:
                device.send(*(reading(k, k + 1, False, qos) for k in range(3)))
                await folded(node, 3)
            size = node.log.size
        async with running(tmp_path / "farm.space", mqtt_port=0) as node:  # it is known after a restart, too
            size = node.log.size
            async with Device(node.mqtt.port) as device:
                device.send(*(reading(k, k + 11, True, qos) for k in range(3)))
                assert await device.heard(3) == [(4 if qos == 1 else 5, k + 11) for k in range(3)]
                assert (node.log.size, node.ingest.stats().samples, node.ingest.stats().repeats) == (size, 0, 3)
                device.send(reading(3, 21, True, qos), reading(2, 22, True, qos, 6.0))  # never came; another value
                await device.heard(2)
                assert (node.ingest.stats().samples, node.ingest.stats().repeats) == (2, 3)
                device.send(reading(0, 31, False, qos))  # a client that says it is new is believed
                await device.heard(1)
                assert node.ingest.stats().samples == 3

    play(work)


def test_the_same_value_without_a_time_of_its_own_stays(tmp_path):
    async def work() -> None:
        async with running(tmp_path / "farm.space", mqtt_port=0) as node, Device(node.mqtt.port) as device:
            for k in range(3):
                device.send(wire.publish("farm/R80711/power", b"5", 1, k + 1, dup=k > 0))
                await device.heard(1)
                await folded(node, k + 1)
            assert node.ingest.stats().repeats == 0
            assert len(node.history.range("R80711.power")) == 3

    play(work)
