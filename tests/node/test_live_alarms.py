"""A tank that begins to leak, from what its sensors send to the alarm that people read."""

import asyncio
import base64
import json
from pathlib import Path

import numpy as np
import pytest

from ectype.cli.main import dispatch
from ectype.node.exposure import expose
from ectype.node.node import Node, Settings
from ectype.node.view import AlarmRow, Draft
from ectype.server.serve import serve
from ectype.sources.base import Message
from ectype.trust.access import LOCAL_USER
from tests.node.conftest import T0_NS, play
from tests.node.test_live_behaviour import believed, until

S = 10**9
TANK = """
from ectype.estimate.behaviour import Behaviour, Input, Normal, Parameter, Sensor, State
from ectype.estimate.maths import sqrt

class Tank(Behaviour, model="dtmi:demo:LeakyTank;1"):
    h = State("cm", init=(9, 0.3), q="0.02 cm/sqrt(s)", low=0.01)
    outlet = Parameter("cm^0.5/s", fixed=0.1)
    leak = Parameter("cm/s", prior=Normal(0.0, 0.02))
    pump = Input("V", max_age="60 s")
    level = Sensor("cm", sigma="0.05 cm")
    inflow = Sensor("cm/s", sigma="0.005 cm/s")
    outflow = Sensor("cm/s", sigma="0.005 cm/s")

    def derivative(self, t):
        return {self.h: 0.1 * self.pump - self.outlet * sqrt(self.h) - self.leak}

    def observe(self, t):
        return {self.level: self.h, self.inflow: 0.1 * self.pump, self.outflow: self.outlet * sqrt(self.h)}
"""
TYPE = {
    "@context": "dtmi:dtdl:context;3",
    "@id": "dtmi:demo:LeakyTank;1",
    "@type": "Interface",
    "contents": [
        {"@type": "Telemetry", "name": name, "schema": "double"} for name in ("pump", "level", "inflow", "outflow")
    ],
}


def sent(stop: int, leak_from: int) -> list[Message]:
    """What two tanks send, second by second; "b" leaks."""
    out: list[Message] = []
    r = np.random.default_rng(5)
    h = {"a": 9.0, "b": 9.0}
    for k in range(stop):
        pump = 3.0 + 0.3 * ((k // 20) % 3 - 1)
        for name in h:
            leak = 0.05 if name == "b" and k >= leak_from else 0.0
            for _ in range(20):
                h[name] = max(h[name] + 0.05 * (0.1 * pump - 0.1 * h[name] ** 0.5 - leak), 0.01)
            h[name] += 0.02 * r.normal()
            read = {"pump": pump, "level": h[name] + 0.05 * r.normal(), "inflow": 0.1 * pump + 0.005 * r.normal()}
            read["outflow"] = 0.1 * h[name] ** 0.5 + 0.005 * r.normal()
            body = json.dumps({"t": T0_NS // S + k, **read}).encode()
            out.append(Message(f"plant/{name}", body, T0_NS, name))
    return out


async def started(path: Path) -> Node:
    (path / "behaviours").mkdir(parents=True, exist_ok=True)
    (path / "behaviours" / "tank.py").write_text(TANK)
    node = await Node.start(path, Settings(estimate=True))
    if node.log.size == 0:
        await node.view(LOCAL_USER).write(Draft("model.put", f"model:{TYPE['@id']}", TYPE))
        for name in ("a", "b"):
            body = {"$dtId": name, "$metadata": {"$model": TYPE["@id"]}}
            await node.view(LOCAL_USER).write(Draft("twin.put", f"twin:{name}", body))
    return node


async def send(node: Node, messages: list[Message]) -> None:
    """Deliver them, and return when the last of them is estimated."""
    for i in range(0, len(messages), 10):
        await node.ingest.deliver(messages[i : i + 10])
    at = json.loads(messages[-1].payload)["t"] * S
    last = f"{messages[-1].source}.h@estimated"
    await until(node, lambda: (last, at) in believed(node))
    await node.follower.reach(node.log.size)


def alarms(node: Node) -> tuple[AlarmRow, ...]:
    return node.view(LOCAL_USER).alarms(active=False, limit=10)


def told(node: Node) -> list[tuple[str, str, str]]:
    return [
        (e.kind, e.subject, json.loads(e.body or b"{}")["text"])
        for _, e in node.log.read(0)
        if e.kind.startswith("alarm.")
    ]


def gist(node: Node) -> list[tuple[str, str, int, str]]:
    """(twin, name, since, raised) of each alarm: what does not depend on how rows came."""
    return sorted((a.twin, a.name, a.since_ns, str((a.why or {})["raised"])) for a in alarms(node))


def test_a_leak_is_an_alarm_with_its_cause_and_a_restart_neither_loses_nor_repeats_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    every = sent(300, leak_from=200)
    whole: list[tuple[str, str, int, str]] = []

    async def in_one_go() -> None:
        node = await started(tmp_path / "one.space")
        try:
            await send(node, every)
            (alarm,) = [a for a in alarms(node) if a.name == "deviation"]
            assert (alarm.twin, alarm.until_ns) == ("b", None)
            assert 195 <= (alarm.since_ns - T0_NS) / S <= 210
            assert alarm.why is not None
            causes = alarm.why["causes"]
            assert isinstance(causes, list)
            assert isinstance(causes[0], dict)
            assert (causes[0]["kind"], causes[0]["name"]) == ("parameter", "leak")
            assert "leak 0 → 0.0" in alarm.text
            web = await serve(node, expose("127.0.0.1"), 0)
            try:
                await asyncio.to_thread(dispatch, ["alarms", "live", "--url", web.url, "--json"])
                rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
                (row,) = [r for r in rows if r["name"] == "deviation"]
                assert row["why"]["causes"][0]["name"] == "leak"
                assert row["cost_kwh"] is None
                await asyncio.to_thread(dispatch, ["alarms", "live", "--url", web.url, "--twin", "b"])
                shown = capsys.readouterr().out
                assert "b deviation since" in shown
                assert alarm.text in shown
                await asyncio.to_thread(dispatch, ["alarms", "live", "--url", web.url, "--twin", "a"])
                assert "No alarm lasts" in capsys.readouterr().out
            finally:
                await web.close()
            whole.extend(gist(node))
            at = {e.subject: i for i, e in node.log.read(0) if e.kind == "alarm.raised"}
        finally:
            await node.close()
        assert dispatch(["log", "prove", str(tmp_path / "one.space"), str(at["alarm:b/fidelity"]), "--json"]) == 0
        made = json.loads(capsys.readouterr().out)
        header = base64.b64decode(made["proof"].splitlines()[1].removeprefix("extra "))
        assert json.loads(header)["subject"] == "alarm:b/fidelity"
        (tmp_path / "proof").write_text(made["proof"])
        assert dispatch(["log", "prove", "--check", str(tmp_path / "proof"), "--key", made["key"]]) == 0

    async def with_a_restart_and_a_death() -> None:
        path = tmp_path / "two.space"
        node = await started(path)
        try:
            await send(node, every[: 2 * 215])
            assert [a.twin for a in alarms(node)] == ["b"]
        finally:
            await node.close()
        node = await started(path)
        try:
            await send(node, every[2 * 215 : 2 * 240])
            assert node.estimator is not None
            assert node.estimator.child is not None
            node.estimator.child.kill()
            await send(node, every[2 * 240 :])
            found = told(node)
            assert {kind for kind, _, _ in found} == {"alarm.raised"}
            assert len(set(found)) == len(found), "nothing twice"
            assert gist(node) == whole
        finally:
            await node.close()

    play(in_one_go)
    play(with_a_restart_and_a_death)


def test_tanks_that_do_not_leak_raise_no_alarm(tmp_path: Path) -> None:
    async def work() -> None:
        node = await started(tmp_path / "t.space")
        try:
            await send(node, sent(300, leak_from=300))
            assert told(node) == []
        finally:
            await node.close()

    play(work)
