"""From traffic to a proposal, and back: with the proposal accepted, the same traffic is understood."""

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.cli import bind
from ectype.errors import Misconfigured
from ectype.ingest.bindings import read_bindings
from ectype.ingest.decode import Decoder
from ectype.ingest.propose import propose
from ectype.node.node import Node, Settings
from ectype.sources.base import Message
from ectype.trust.access import LOCAL_USER
from tests.sources.sparkplug_peer import payload

MS = 1_393_675_200_000


def said(topic: str, value: object) -> Message:
    return Message(topic, json.dumps(value).encode(), 0, "s")


PLANT = [
    said(f"plant/{line}/{machine}/state", {"ts": MS, "sensors": [{"value": 20.5}, {"value": 3}], "on": True, "id": "x"})
    for line in ("a", "b")
    for machine in ("press", "oven")
]
METERS = [
    said(f"meters/{m}/{what}", v) for m in ("m1", "m2") for what, v in (("power", 5), ("power", 5.5), ("volts", 2))
]


def test_levels_that_differ_name_the_twin_and_keys_name_the_properties() -> None:
    found = propose(PLANT)
    (rule,) = found.rules
    assert (rule.topic, rule.twin) == ("plant/{level1}/{level2}/state", "{level1}-{level2}")
    assert rule.values == {"sensors_0": "/sensors/0/value", "sensors_1": "/sensors/1/value", "on": "/on"}
    assert (rule.time, rule.time_unit) == ("/ts", "ms")
    assert set(found.twins) == {"a-press", "a-oven", "b-press", "b-oven"}
    assert len(set(found.twins.values())) == 1


def test_bare_values_are_called_by_the_last_level_and_take_the_wider_type() -> None:
    found = propose(METERS)
    assert [(r.topic, r.twin, r.values) for r in found.rules] == [
        ("meters/{level1}/power", "{level1}", {"power": ""}),
        ("meters/{level1}/volts", "{level1}", {"volts": ""}),
    ]
    (model,) = found.models
    assert model["@id"] == "dtmi:proposed:Meters;1"
    assert model["contents"] == [
        {"@type": "Telemetry", "name": "power", "schema": "double"},
        {"@type": "Telemetry", "name": "volts", "schema": "long"},
    ]


def test_a_sparkplug_birth_needs_no_rule() -> None:
    birth = payload(1, MS, [("Inputs/Temp", 7, 10, 20.5), ("on", 8, 11, True), ("Serial", 9, 12, "A1")])
    found = propose([Message("spBv1.0/plant/DBIRTH/edge-1/press-1", birth, 0)])
    assert (found.rules, found.twins) == ((), {"press-1": "dtmi:proposed:Plant:Press1;1"})
    names = {c["name"]: c["schema"] for c in found.models[0]["contents"]}  # type: ignore[index, union-attr]
    assert names == {"alive": "boolean", "Inputs_Temp": "double", "on": "boolean"}


def test_what_cannot_be_meant_is_left_out_with_the_reason() -> None:
    found = propose([Message("a/b", b"\xff", 0), said("a/c", {"name": "x"}), said("d e/f", 5.0)])
    assert not found.twins
    assert not found.rules
    assert found.left["a/b"].startswith("the payload is not JSON")
    assert found.left["a/c"] == "no number or truth value in it"


JSON = st.recursive(
    st.booleans() | st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6) | st.text(max_size=5) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(["x", "y/z"]), JSON), max_size=8))
def test_any_traffic_with_its_proposal_accepted_is_understood(traffic) -> None:
    messages = [said(f"site/{twin}/{rest}", v) for (twin, rest), v in {(t, r): v for t, r, v in traffic}.items()]
    found = propose(messages)
    declared = {
        (twin, content["name"])
        for twin, model in found.twins.items()
        for each in found.models
        if each["@id"] == model
        for content in each["contents"]  # type: ignore[union-attr]
    }
    decoder = Decoder(
        lambda twin, name: None if (twin, name) in declared else f"{twin}.{name}?", bind.checked(found.rules)
    )
    rules = bind.checked(found.rules)
    for message in messages:
        if message.topic in found.left:
            continue
        assert rules.bound(message.topic)
        decoded = decoder.decode([[message]])
        for each in decoded.set_aside:
            assert "?" not in each.reason.replace("'?'", ""), "every series a rule names is declared"


@pytest.mark.parametrize("how", ["space", "url"])
def test_a_proposal_is_accepted_and_then_the_traffic_is_history(how: str, tmp_path: Path, capsys) -> None:
    space = tmp_path / "s"

    async def deliver() -> Node:
        node = await Node.start(space, Settings(estimate=False))
        await node.ingest.deliver(PLANT)
        await node.follower.reach(node.log.size)
        return node

    async def first() -> None:
        node = await deliver()
        assert node.ingest.stats().set_aside == len(PLANT)
        await node.close()

    async def second() -> None:
        node = await deliver()
        assert node.ingest.stats().set_aside == 0
        last = {name: value for name, _, value, _ in node.view(LOCAL_USER).last().samples.rows()}
        assert len(last) == 12
        await node.close()

    asyncio.run(first())
    if how == "url":
        with pytest.raises(Misconfigured, match="--space"):
            run("mqtt://127.0.0.1:1", "--accept")
        return
    assert run(str(space)) == 0
    assert "[[bind]]" in capsys.readouterr().out
    assert run(str(space), "--accept", "--json") == 0
    assert json.loads(capsys.readouterr().out)["twins"].keys() == {"a-press", "a-oven", "b-press", "b-oven"}
    assert read_bindings(space).bound("plant/a/press/state")
    asyncio.run(second())


def run(*words: str) -> int:
    import argparse

    parser = argparse.ArgumentParser()
    bind.arguments(parser)
    return bind.main(parser.parse_args(words)) or 0


def test_a_live_broker_is_listened_to(tmp_path: Path) -> None:
    import paho.mqtt.publish as publish

    async def scene() -> None:
        node = await Node.start(tmp_path / "s", Settings(mqtt_port=0, estimate=False))
        assert node.mqtt is not None
        port = node.mqtt.port
        listening = asyncio.create_task(asyncio.to_thread(bind.listen, f"mqtt://127.0.0.1:{port}/plant/#", 1.0))
        while not node.mqtt.clients.subscriptions:
            await asyncio.wait([node.failed], timeout=0.01)
        await asyncio.to_thread(publish.multiple, [(m.topic, m.payload, 1, False) for m in PLANT], "127.0.0.1", port)
        came = await listening
        assert [(m.topic, m.payload) for m in came] == [(m.topic, m.payload) for m in PLANT]
        await node.close()

    asyncio.run(scene())
