"""A type says where its values come from; a real MQTT client sends them as it always did."""

import asyncio
import json
from pathlib import Path

import paho.mqtt.client as paho

from ectype.node.node import Node, Settings
from ectype.node.write import Draft
from ectype.trust.access import LOCAL_USER
from tests.node.conftest import play


def model(comment: str, version: int = 1) -> dict:
    return {
        "@id": f"dtmi:test:Oven;{version}",
        "@type": "Interface",
        "@context": "dtmi:dtdl:context;3",
        "contents": [{"@type": "Telemetry", "name": "heat", "schema": "double", "comment": comment}],
    }


async def put(node: Node, document: dict, twin: str) -> None:
    view = node.view(LOCAL_USER)
    await view.write(Draft("model.put", f"model:{document['@id']}", document))
    await view.write(Draft("twin.put", f"twin:{twin}", {"$dtId": twin, "$metadata": {"$model": document["@id"]}}))


def publish(port: int, topic: str, *payloads: object) -> None:
    """What a device does: QoS 1, and gone when all is acknowledged."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for payload in payloads:
        client.publish(topic, json.dumps(payload), qos=1).wait_for_publish(20)
    client.disconnect()
    client.loop_stop()


def test_topics_of_a_type_become_readings_of_its_twins_at_once_and_after_a_restart(space: Path) -> None:
    async def send(node: Node, topic: str, *payloads: object) -> dict[str, tuple[int, float]]:
        assert node.mqtt is not None
        await asyncio.to_thread(publish, node.mqtt.port, topic, *payloads)
        await node.follower.reach(node.log.size)
        return {name: (at, value) for name, (at, value, _) in node.history.last_all().items()}

    async def work() -> None:
        settings = Settings(mqtt_port=0, estimate=False)
        node = await Node.start(space, settings)
        body = {"hdr": {"ts": 1500}, "zones": [{"c": 180.5}, {"c": 190.5}]}
        assert await send(node, "bakery/oven-1/raw", body) == {}  # nobody said what it means
        said = "mqtt: topic=bakery/{twin}/raw, pointer=/zones/0/c, time=/hdr/ts, time_unit=ms"
        await put(node, model(said), "oven-1")
        assert await send(node, "bakery/oven-1/raw", body) == {"oven-1.heat": (1_500_000_000, 180.5)}
        await put(node, model("mqtt: topic=bakery/{twin}/raw, pointer=/zones/1/c", 2), "oven-2")
        assert (await send(node, "bakery/oven-2/raw", body))["oven-2.heat"][1] == 190.5
        assert (await send(node, "bakery/oven-1/raw", body))["oven-1.heat"] == (1_500_000_000, 180.5)
        await node.close()
        node = await Node.start(space, settings)
        body["zones"][0]["c"], body["hdr"]["ts"] = 181.5, 2500
        assert (await send(node, "bakery/oven-1/raw", body))["oven-1.heat"] == (2_500_000_000, 181.5)
        await node.close()

    play(work)
