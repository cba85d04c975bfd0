"""Ordinary MQTT tools watch what the node knows."""

import asyncio
from pathlib import Path

from ectype.demo.farm import drafts
from ectype.node.node import Node, Settings
from ectype.trust.access import LOCAL_USER
from tests.node.conftest import T0_NS, message, play
from tests.sources import mqtt_wire as wire


async def packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head, size = await reader.readexactly(2)
    assert size < 128
    return head, await reader.readexactly(size)


def test_measurements_and_set_points_reach_whoever_subscribes(space: Path) -> None:
    async def work() -> None:
        node = await Node.start(space, Settings(mqtt_port=0, estimate=False))
        assert node.mqtt is not None
        for draft in drafts(T0_NS, T0_NS):
            await node.view(LOCAL_USER).write(draft)
        await node.ingest.deliver([message("R80711", 1, power=100.0)])
        await node.follower.reach(node.log.size)
        reader, writer = await asyncio.open_connection("127.0.0.1", node.mqtt.port)
        writer.write(wire.connect("w") + wire.subscribe(1, ("ectype/R80711/+", 0)))
        assert (await packet(reader))[0] == 0x20
        assert (await packet(reader))[0] == 0x90
        topic, payload, _, retained = wire.published(*await packet(reader))
        assert (topic, payload, retained) == ("ectype/R80711/power", b"100.0", True)
        await node.ingest.deliver([message("R80711", 2, power=101.5), message("R80711", 3, power=102.5)])
        topic, payload, _, retained = wire.published(*await packet(reader))
        assert (topic, payload, retained) == ("ectype/R80711/power", b"102.5", False)
        writer.close()
        await node.close()

    play(work)


def test_retained_messages_are_there_after_a_restart(space: Path) -> None:
    async def greeted(sent: bytes, answers: int) -> list[tuple[int, bytes]]:
        """One life of a node: what a client hears after CONNACK when it sends this."""
        node = await Node.start(space, Settings(mqtt_port=0, estimate=False))
        assert node.mqtt is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", node.mqtt.port)
        writer.write(wire.connect("c") + sent)
        heard = [await packet(reader) for _ in range(answers + 1)]
        writer.close()
        await node.close()
        return heard[1:]

    async def work() -> None:
        sent = wire.publish("farm/hello", b"1", 1, 1, retain=True)
        assert await greeted(sent, 1) == [(0x40, b"\0\1")]
        _, found = await greeted(wire.subscribe(1, ("farm/#", 0)), 2)
        assert wire.published(*found) == ("farm/hello", b"1", 0, True)

    play(work)
