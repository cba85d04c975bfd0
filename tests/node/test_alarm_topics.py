"""An ordinary MQTT client watches alarms."""

import asyncio
import json
import shutil
from pathlib import Path

import aiomqtt
import pytest

from ectype.node.node import Node, Settings
from ectype.node.view import Draft
from ectype.trust.access import LOCAL_USER
from tests.node.conftest import T0_NS, play
from tests.node.test_live_behaviour import SPECIAL, TYPE, twin

S = 10**9


async def told(node: Node, change: str, who: str, name: str = "deviation", **body: object) -> None:
    """As the estimator tells an alarm."""
    whole = {"twin": who, "name": name, "severity": "warning", "text": "", "since_ns": str(T0_NS), **body}
    await node.view(LOCAL_USER).write(Draft(f"alarm.{change}", f"alarm:{who}/{name}", whole))


async def started(path: Path) -> Node:
    node = await Node.start(path, Settings(mqtt_port=0, estimate=False))
    if node.log.size == 0:
        for model in (TYPE, SPECIAL):
            await node.view(LOCAL_USER).write(Draft("model.put", f"model:{model['@id']}", model))
        for name in ("a", "b"):
            await node.view(LOCAL_USER).write(twin(name))
    return node


async def heard(client: aiomqtt.Client, count: int) -> list[tuple[str, bool, dict]]:
    """(topic, retained, what it says) of the next messages."""
    out: list[tuple[str, bool, dict]] = []
    async for message in client.messages:
        out.append((str(message.topic), message.retain, json.loads(message.payload)))
        if len(out) == count:
            break
    return out


def test_alarms_that_stand_come_first_then_every_change(tmp_path: Path) -> None:
    why = {"by": "cusum", "about": "level", "raised": "2014-12-05T00:03:25Z"}

    async def work() -> None:
        node = await started(tmp_path / "t.space")
        await told(node, "raised", "a", text="it leaks", why=why)
        await told(node, "raised", "b")
        await told(node, "cleared", "b", until_ns=str(T0_NS + S))
        await node.close()
        node = await started(tmp_path / "t.space")
        assert node.mqtt is not None
        try:
            async with aiomqtt.Client("127.0.0.1", node.mqtt.port) as client:
                await client.subscribe("ectype/+/alarms/#")
                (first,) = await heard(client, 1)
                said = {
                    "state": "raised",
                    "twin": "a",
                    "name": "deviation",
                    "severity": "warning",
                    "text": "it leaks",
                    "since": "2014-12-05T00:00:00Z",
                    "until": None,
                    "cost_kwh": None,
                    "why": why,
                }
                assert first == ("ectype/a/alarms/deviation", True, said)
                await told(node, "raised", "a", text="the outlet", why=why)
                await told(node, "cleared", "a", text="the outlet", until_ns=str(T0_NS + 90 * S), why=why)
                await told(node, "raised", "b", "fidelity", severity="critical", since_ns=str(T0_NS + S))
                updated, over, other = await heard(client, 3)
                assert updated == ("ectype/a/alarms/deviation", False, {**said, "text": "the outlet"})
                over_said = {**said, "text": "the outlet", "state": "cleared", "until": "2014-12-05T00:01:30Z"}
                assert over == ("ectype/a/alarms/deviation", False, over_said)
                assert other[0] == "ectype/b/alarms/fidelity"
                assert (other[2]["state"], other[2]["severity"]) == ("raised", "critical")
                await node.view(LOCAL_USER).write(Draft("twin.delete", "twin:b", {}))
                ((topic, _, said),) = await heard(client, 1)
                assert (topic, said["state"]) == ("ectype/b/alarms/fidelity", "cleared"), "nobody is left to end it"
            async with aiomqtt.Client("127.0.0.1", node.mqtt.port) as late:
                await late.subscribe("ectype/#")
                await told(node, "raised", "a", "deviation", since_ns=str(T0_NS + 200 * S))
                ((topic, retained, _),) = await heard(late, 1)
                assert (topic, retained) == ("ectype/a/alarms/deviation", False), "none stood"
        finally:
            await node.close()

    play(work)


def test_they_are_told_where_the_space_says(tmp_path: Path) -> None:
    async def work() -> None:
        path = tmp_path / "t.space"
        path.mkdir()
        (path / "alarms.toml").write_text('topic = "plant/wrong/{name}/with/{twin}"')
        node = await started(path)
        assert node.mqtt is not None
        try:
            await told(node, "raised", "a", "odd/name")
            async with aiomqtt.Client("127.0.0.1", node.mqtt.port) as client:
                await client.subscribe("plant/#")
                await client.subscribe("ectype/+/alarms/#")
                await told(node, "raised", "b")
                found = await heard(client, 2)
                topics = [(topic, retained) for topic, retained, _ in found]
                assert topics == [("plant/wrong/odd_name/with/a", True), ("plant/wrong/deviation/with/b", False)]
        finally:
            await node.close()

    play(work)


@pytest.mark.skipif(shutil.which("mosquitto_sub") is None, reason="it is not installed: apt install mosquitto-clients")
def test_mosquitto_sub_shows_an_alarm_that_stands(tmp_path: Path) -> None:
    async def work() -> None:
        node = await started(tmp_path / "t.space")
        assert node.mqtt is not None
        try:
            await told(node, "raised", "a", text="it leaks")
            command = ["-p", str(node.mqtt.port), "-t", "ectype/+/alarms/#", "-C", "1", "-v"]
            shown = await asyncio.create_subprocess_exec("mosquitto_sub", *command, stdout=asyncio.subprocess.PIPE)
            out, _ = await shown.communicate()
            topic, _, said = out.decode().partition(" ")
            assert topic == "ectype/a/alarms/deviation"
            assert json.loads(said)["text"] == "it leaks"
        finally:
            await node.close()

    play(work)
