"""Edge nodes over time: births, deaths, aliases, what was missed; with paho as the edge node at the end."""

import asyncio
import threading
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from ectype.ingest.bindings import Bindings, Rule
from ectype.ingest.decode import Decoded, Decoder
from ectype.ingest.sparkplug import property_of
from ectype.node.node import Node, Settings
from ectype.node.write import Draft
from ectype.sources.base import Message
from ectype.trust.access import LOCAL_USER
from tests.sources.sparkplug_peer import payload

DOUBLE, INT8, BOOLEAN, TEXT = 10, 1, 11, 12
T_MS = 1_393_675_200_000
NAMES = {"Inputs_Temp", "rpm", "on", "alive"}


def known(twin: str, name: str) -> str | None:
    return None if twin in ("press-1", "edge-1") and name in NAMES else f"'{twin}' has no '{name}'"


class Line:
    """One edge node with a device, as it would speak."""

    def __init__(self, bindings: Bindings | None = None) -> None:
        self.decoder = Decoder(known, bindings)
        self.asked: list[str] = []
        self.decoder.sparkplug.ask = lambda topic, _: self.asked.append(topic)
        self.now_ns = T_MS * 1_000_000

    def say(self, kind: str, metrics, seq: int | None = None, at_ms: int | None = T_MS, device: str = "") -> Decoded:
        self.now_ns += 1_000_000_000
        topic = f"spBv1.0/plant/{kind}/edge-1" + (f"/{device}" if device else "")
        return self.decoder.decode([[Message(topic, payload(seq, at_ms, metrics), self.now_ns, "edge")]])

    def born(self) -> None:
        self.say("NBIRTH", [("bdSeq", None, 8, 3), ("Node Control/Rebirth", None, BOOLEAN, False)], 0)
        self.say(
            "DBIRTH",
            [("Inputs/Temp", 7, DOUBLE, 20.5), ("rpm", 8, INT8, -5), ("Serial", 9, TEXT, "A1")],
            1,
            device="press-1",
        )

    @property
    def node(self):
        return self.decoder.sparkplug.nodes["plant", "edge-1"]


def rows(found: Decoded) -> dict[str, float]:
    assert not found.set_aside
    return {name: value for name, _, value, _ in found.block.rows()}


def test_a_birth_gives_values_and_says_who_is_alive() -> None:
    line = Line()
    assert rows(line.say("NBIRTH", [("bdSeq", None, 8, 3)], 0)) == {"edge-1.alive": 1.0}
    birth = [("Inputs/Temp", 7, DOUBLE, 20.5), ("rpm", 8, INT8, -5), ("Serial", 9, TEXT, "A1"), ("x", 10, DOUBLE, 1.0)]
    found = line.say("DBIRTH", birth, 1, device="press-1")
    assert rows(found) == {"press-1.alive": 1.0, "press-1.Inputs_Temp": 20.5, "press-1.rpm": -5.0}
    assert line.node.members["press-1"].types == {"Inputs/Temp": DOUBLE, "rpm": INT8, "Serial": TEXT, "x": DOUBLE}
    assert not line.asked


def test_data_under_an_alias_is_what_the_birth_named() -> None:
    line = Line()
    line.born()
    found = line.say("DDATA", [("", 7, 0, 21.5), ("", 8, INT8, -7)], 2, T_MS + 500, device="press-1")
    assert found.block.rows() == [
        ("press-1.Inputs_Temp", (T_MS + 500) * 1_000_000, 21.5, None),
        ("press-1.rpm", (T_MS + 500) * 1_000_000, -7.0, None),
    ]


def test_a_missing_message_is_counted_and_the_node_asked_for_its_birth() -> None:
    line = Line()
    line.born()
    line.say("DDATA", [("rpm", None, INT8, 1)], 5, device="press-1")
    assert (line.node.gaps, line.asked) == (3, ["spBv1.0/plant/NCMD/edge-1"])
    line.say("DDATA", [("rpm", None, INT8, 1)], 7, device="press-1")
    assert (line.node.gaps, len(line.asked)) == (4, 1), "asked again only after a while"


def test_the_count_goes_round_at_256() -> None:
    line = Line()
    line.born()
    for seq in [*range(2, 256), 0, 1]:
        line.say("DDATA", [("rpm", None, INT8, 1)], seq, T_MS + seq, device="press-1")
    assert line.node.gaps == 0


def test_a_message_that_comes_twice_is_taken_once() -> None:
    line = Line()
    line.born()
    said = [("rpm", None, INT8, 1)]
    assert len(line.say("DDATA", said, 2, device="press-1").block) == 1
    assert len(line.say("DDATA", said, 2, device="press-1").block) == 0
    assert (line.node.repeats, line.node.gaps) == (1, 0)


def test_an_unknown_alias_is_set_aside_and_the_birth_asked_for() -> None:
    line = Line()
    found = line.say("DDATA", [("", 7, 0, 21.5)], 9, device="press-1")
    assert "no birth certificate of 'edge-1' names" in found.set_aside[0].reason
    assert line.asked == ["spBv1.0/plant/NCMD/edge-1"]


def test_the_death_of_a_node_is_that_of_its_devices() -> None:
    line = Line()
    line.born()
    assert rows(line.say("NDEATH", [("bdSeq", None, 8, 2)], None, None)) == {}, "an earlier life's"
    assert line.node.members["press-1"].alive
    assert rows(line.say("NDEATH", [("bdSeq", None, 8, 3)], None, None)) == {"edge-1.alive": 0.0, "press-1.alive": 0.0}
    assert not any(member.alive for member in line.node.members.values())


def test_a_device_dies_alone_and_comes_back() -> None:
    line = Line()
    line.born()
    assert rows(line.say("DDEATH", [], 2, device="press-1")) == {"press-1.alive": 0.0}
    assert line.node.members[""].alive
    line.say("DBIRTH", [("rpm", 8, INT8, 1)], 3, device="press-1")
    assert line.node.members["press-1"].alive


def test_a_rule_of_the_space_names_the_properties() -> None:
    rule = Rule("spBv1.0/plant/+/{edge}/{device}", "{device}", {"on": "/Inputs~1Temp"})
    line = Line(Bindings([rule]))
    line.born()
    found = line.say("DDATA", [("", 7, 0, 1.0)], 2, device="press-1")
    assert rows(found) == {"press-1.on": 1.0}


def test_metrics_that_no_type_declares_are_told_unless_others_are() -> None:
    line = Line()
    line.born()
    found = line.say("DDATA", [("pressure", None, DOUBLE, 1.0)], 2, device="press-1")
    assert "has no 'pressure'" in found.set_aside[0].reason


def test_a_name_becomes_one_that_a_property_can_have() -> None:
    assert [property_of(name) for name in ("Inputs/Temp 1", "2nd", "ok", "a-")] == ["Inputs_Temp_1", "m_2nd", "ok", "a"]


MODEL = {
    "@id": "dtmi:t:Press;1",
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;3",
    "contents": [
        {"@type": "Telemetry", "name": "rpm", "schema": "double"},
        {"@type": "Property", "name": "alive", "schema": "boolean"},
    ],
}


def test_paho_is_born_reports_and_dies_with_its_will(tmp_path: Path) -> None:
    async def scene() -> None:
        node = await Node.start(tmp_path / "s", Settings(mqtt_port=0, estimate=False))
        view = node.view(LOCAL_USER)
        await view.write(Draft("model.put", f"model:{MODEL['@id']}", MODEL))
        for twin in ("edge-1", "press-1"):
            body = {"$dtId": twin, "$metadata": {"$model": MODEL["@id"]}}
            await view.write(Draft("twin.put", f"twin:{twin}", body))
        assert node.mqtt is not None
        port = node.mqtt.port
        asked = threading.Event()

        def speak() -> None:
            client = paho.Client(paho.CallbackAPIVersion.VERSION2, "edge-1", protocol=paho.MQTTv5)
            client.will_set("spBv1.0/plant/NDEATH/edge-1", payload(None, T_MS, [("bdSeq", None, 8, 1)]), 1)
            client.on_message = lambda *_: asked.set()
            client.connect("127.0.0.1", port)
            client.loop_start()
            client.subscribe("spBv1.0/plant/NCMD/edge-1", 1)

            def say(kind: str, *rest) -> None:
                client.publish(f"spBv1.0/plant/{kind}", payload(*rest), 1).wait_for_publish(10)

            say("NBIRTH/edge-1", 0, T_MS, [("bdSeq", None, 8, 1)])
            say("DBIRTH/edge-1/press-1", 1, T_MS, [("rpm", 4, DOUBLE, 10.0)])
            say("DDATA/edge-1/press-1", 3, T_MS + 1000, [("", 4, 0, 11.0)])
            assert asked.wait(10), "a number was left out: the node asks for a rebirth"
            client.disconnect(ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))
            client.loop_stop()

        await asyncio.to_thread(speak)
        last: dict[str, float] = {}
        while last.get("press-1.alive") != 0.0:
            await asyncio.wait([node.failed], timeout=0.01)
            last = {name: value for name, _, value, _ in view.last().samples.rows()}
        assert last == {"edge-1.alive": 0.0, "press-1.alive": 0.0, "press-1.rpm": 11.0}
        await node.close()

    asyncio.run(scene())
