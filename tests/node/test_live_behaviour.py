"""A space's own behaviours, live: files of people, run by the estimator's process, and what comes out."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import aiomqtt
import numpy as np
import pytest

from ectype.estimate.following import Following
from ectype.node.behaviours import in_file
from ectype.node.node import Node, Settings
from ectype.node.view import Draft
from ectype.sources.base import Message
from ectype.trust.access import LOCAL_USER
from ectype.values.arrow import from_arrow, from_arrow_with_metadata
from ectype.values.block import Block
from tests.node.conftest import T0_NS, play

S = 10**9
TANK = """
from ectype.estimate.behaviour import Behaviour, Input, LogNormal, Parameter, Sensor, State
from ectype.estimate.maths import sqrt

class Tank(Behaviour, model="dtmi:demo:Tank;1"):
    h = State("cm", init=(5, 1), q="0.03 cm/sqrt(s)", low=0)
    k = Parameter("cm^0.5/s", prior=LogNormal(0.05, 0.3))
    pump = Input("V", max_age="2 min", property="pumpVoltage")
    level = Sensor("cm", sigma="0.05 cm", gate=5)
    depth = Sensor("cm", sigma="0.1 cm", delay="3 s")

    def derivative(self, t):
        return {self.h: 0.04 * self.pump - self.k * sqrt(self.h)}

    def observe(self, t):
        return {self.level: self.h, self.depth: self.h}

    def outputs(self, t):
        return {"outflow": self.k * sqrt(self.h)}
"""
MANY = TANK.replace('model="dtmi:demo:Tank;1"', 'model="dtmi:demo:Tank;1", filter="etkf"')
TYPE = {
    "@context": "dtmi:dtdl:context;3",
    "@id": "dtmi:demo:Tank;1",
    "@type": "Interface",
    "contents": [
        {"@type": "Telemetry", "name": "level", "schema": "double"},
        {"@type": "Telemetry", "name": "depth", "schema": "double"},
        {"@type": "Telemetry", "name": "pumpVoltage", "schema": "double"},
        {"@type": "Property", "name": "k", "schema": "double"},
    ],
}
SPECIAL = {
    "@context": "dtmi:dtdl:context;3",
    "@id": "dtmi:demo:TallTank;1",
    "@type": "Interface",
    "extends": "dtmi:demo:Tank;1",
    "contents": [],
}


def twin(name: str, model: str = "Tank", **properties: float) -> Draft:
    body = {"$dtId": name, "$metadata": {"$model": f"dtmi:demo:{model};1"}, **properties}
    return Draft("twin.put", f"twin:{name}", body)


class Tanks:
    """A running node of two tanks; `files` are its behaviours."""

    def __init__(self, path: Path, files: dict[str, str], mqtt: bool = False) -> None:
        self.path, self.files, self.mqtt = path, files, mqtt

    async def __aenter__(self) -> Node:
        (self.path / "behaviours").mkdir(parents=True, exist_ok=True)
        for name, text in self.files.items():
            (self.path / "behaviours" / name).write_text(text)
        self.node = node = await Node.start(self.path, Settings(mqtt_port=0 if self.mqtt else None, estimate=True))
        if node.log.size == 0:
            view = node.view(LOCAL_USER)
            for model in (TYPE, SPECIAL):
                await view.write(Draft("model.put", f"model:{model['@id']}", model))
            await view.write(twin("a", k=0.06))
            await view.write(twin("b", "TallTank"))
        return node

    async def __aexit__(self, *error: object) -> None:
        await self.node.close()


def sent(first: int, stop: int) -> list[Message]:
    """What the tanks send in the seconds [first, stop), each sensor in its own message."""
    r = np.random.default_rng(7)
    out = []
    for k in range(stop):
        for name in ("a", "b"):
            for what, value in (("level", r.normal(5, 0.05)), ("pumpVoltage", 3.0), ("depth", r.normal(5, 0.1))):
                if k >= first and (what != "depth" or k % 4 == 0):
                    body = json.dumps({"t": T0_NS // S + k, what: value}).encode()
                    out.append(Message(f"plant/{name}", body, T0_NS, name))
    return out


def believed(node: Node) -> dict[tuple[str, int], float]:
    """(series, instant) -> the estimate that was told last."""
    blocks = [from_arrow(e.body) for _, e in node.log.read(0) if e.kind == "estimated" and e.body is not None]
    return {(name, at): value for name, at, value, _ in Block.concat(blocks).rows()} if blocks else {}


async def until(node: Node, true: Callable[[], bool]) -> None:
    """Return when it is; looks again whenever the log has grown."""
    while not true():
        async for _ in node.log.tail(node.log.size):
            break


def instant(k: int) -> int:
    return T0_NS + k * S


def told(node: Node, k: int) -> bool:
    found = believed(node)
    return all((f"{name}.h@estimated", instant(k)) in found for name in ("a", "b"))


def offline(path: Path, messages: list[Message]) -> dict[tuple[str, int], float]:
    """The levels that the same behaviour gives of all rows at once, without a node."""
    (tank,) = in_file(path / "behaviours" / "plant.py")
    following = Following(tank, ("a", "b"), np.array([[0.06, 0.05]]))
    rows = []
    for m in messages:
        body = json.loads(m.payload)
        at = body.pop("t") * S
        rows += [(f"{m.source}.{name}", at, value) for name, value in body.items()]
    step = following.advance(Block.of(rows))
    out = {}
    for j, i in enumerate(step.columns.tolist()):
        for k in range(int(step.active[:, j].sum())):
            out[f"{following.twins[i]}.h@estimated", int(step.at_ns[k, j])] = float(step.out[k, 0, j])
    return out


@pytest.mark.parametrize("text", [TANK, MANY], ids=["ukf", "etkf"])
def test_a_file_of_twenty_lines_makes_estimates_with_their_deviation_over_mqtt(text: str, tmp_path: Path) -> None:
    async def work() -> None:
        async with Tanks(tmp_path / "t.space", {"plant.py": text}, mqtt=True) as node:
            assert node.mqtt is not None
            async with aiomqtt.Client("127.0.0.1", node.mqtt.port) as client:
                for m in sent(0, 20):
                    await client.publish(m.topic, m.payload, qos=1)
            await until(node, lambda: told(node, 19))
            blocks = [from_arrow(e.body) for _, e in node.log.read(0) if e.kind == "estimated" and e.body is not None]
            stds = {name: std for name, _, _, std in Block.concat(blocks).rows()}
            assert (stds["a.h@estimated"] or 0) > 0
            assert (stds["b.level@estimated"] or 0) > 0.05
            assert "b.outflow@estimated" in stds
            found = believed(node)
            assert {key: found[key] for key in found if ".h@" in key[0]} == offline(tmp_path / "t.space", sent(0, 20))
            assert node.estimator is not None
            assert set(node.estimator.following) == {"a", "b"}
            assert node.estimator.troubles == {}
            info = node.view(LOCAL_USER).behaviours()
            assert (set(info.followed), info.late, info.wrong) == ({"a", "b"}, 0, ())
            forecasts = [e for _, e in node.log.read(0) if e.kind == "predicted" and e.body is not None]
            assert {e.subject for e in forecasts} == {"forecast:a", "forecast:b"}
            block, metadata = from_arrow_with_metadata(forecasts[0].body or b"")
            rows = {(name, at): value for name, at, value, _ in block.rows()}
            last = max(at for _, at in rows)
            assert last == int(metadata["issued_at_ns"]) + 3600 * S
            who = forecasts[0].subject[-1]
            low, high = rows[f"{who}.hP05@predicted", last], rows[f"{who}.hP95@predicted", last]
            assert low < rows[f"{who}.h@predicted", last] < high

    play(work)


@pytest.mark.parametrize("text", [TANK, MANY], ids=["ukf", "etkf"])
def test_killed_restarted_and_late_rows_end_where_rows_in_order_do(text: str, tmp_path: Path) -> None:
    path = tmp_path / "t.space"

    async def work() -> None:
        every = sent(0, 60)
        held = every[40:44]
        async with Tanks(path, {"plant.py": text}) as node:
            for m in [*every[:40], *every[44:60]]:
                await node.ingest.deliver([m])
            await until(node, lambda: len(believed(node)) > 20)
        async with Tanks(path, {}) as node:
            for m in every[60:90]:
                await node.ingest.deliver([m])
            await until(node, lambda: told(node, 12))
            assert node.estimator is not None
            assert node.estimator.child is not None
            node.estimator.child.kill()
            for m in every[90:]:
                await node.ingest.deliver([m])
            await node.ingest.deliver(held)
            wanted = offline(path, every)
            await until(node, lambda: all(believed(node).get(key) == value for key, value in wanted.items()))
            assert node.estimator.late == 0

    play(work)


def test_a_broken_behaviour_stops_nobody_and_is_told_in_a_sentence(tmp_path: Path) -> None:
    files = {
        "plant.py": TANK,
        "broken.py": "import nothing_of_that_name\n",
        "typo.py": "class Pump(\n",
        "quits.py": "raise SystemExit(3)\n",
        "empty.py": "x = 1\n",
        "twice.py": TANK,
    }

    async def work() -> None:
        async with Tanks(tmp_path / "t.space", files) as node:
            for m in sent(0, 8):
                await node.ingest.deliver([m])
            await until(node, lambda: told(node, 7))
            assert node.estimator is not None
            troubles = {where: " ".join(texts) for where, texts in node.estimator.troubles.items()}
            assert "nothing_of_that_name" in troubles["broken.py"]
            assert "line 1" in troubles["typo.py"]
            assert "SystemExit" in troubles["quits.py"]
            assert "no behaviour" in troubles["empty.py"]
            assert "plant.py" in troubles["twice.py"]
            assert "plant.py" not in troubles

    play(work)


def test_a_behaviour_that_breaks_while_it_runs_leaves_the_others_alone(tmp_path: Path) -> None:
    breaks = TANK.replace("Tank", "TallTank") + (
        "    def health(self, t):\n        if not hasattr(self.h, 'is_symbolic') and getattr(self.h, 'size', 0):\n"
        "            raise RuntimeError('out of luck')\n        return {}\n"
    )

    async def work() -> None:
        async with Tanks(tmp_path / "t.space", {"plant.py": TANK, "tall.py": breaks}) as node:
            for m in sent(0, 8):
                await node.ingest.deliver([m])
            await until(node, lambda: ("a.h@estimated", instant(7)) in believed(node))
            assert node.estimator is not None
            (text,) = node.estimator.troubles["tall.py"]
            assert "out of luck" in text
            assert not any(name.startswith("b.") for name, _ in believed(node))

    play(work)


def test_what_does_not_fit_the_type_is_not_followed_and_says_what_to_write(tmp_path: Path) -> None:
    unit = TANK.replace('Sensor("cm", sigma="0.05 cm", gate=5)', 'Sensor("cm", sigma="0.05 cm", property="levle")')
    none = unit.replace('sigma="0.1 cm", delay="3 s"', 'sigma="0.1 cm", property="deep"')

    async def work() -> None:
        async with Tanks(tmp_path / "t.space", {"plant.py": unit}) as node:
            await until(node, lambda: True)
            assert node.estimator is not None
            for m in sent(0, 8):
                await node.ingest.deliver([m])
            await until(node, lambda: ("a.h@estimated", instant(1)) in believed(node))
            assert "did you mean 'level'" in " ".join(node.estimator.troubles["plant.py"])
        async with Tanks(tmp_path / "t.space", {"plant.py": none}) as node:
            assert node.estimator is not None
            async with asyncio.timeout(30):
                await node.estimator.looked.wait()
            assert "none of its sensors" in " ".join(node.estimator.troubles["plant.py"])
            assert node.estimator.following == ()

    play(work)


def test_a_belief_that_becomes_no_number_is_told_and_nothing_is_told_of_it(tmp_path: Path) -> None:
    text = TANK.replace("Tank", "TallTank").replace(", low=0)", ")")
    text = text.replace("0.04 * self.pump - self.k * sqrt(self.h)", "self.k * sqrt(self.h - 20)")

    async def work() -> None:
        async with Tanks(tmp_path / "t.space", {"plant.py": TANK, "tall.py": text}) as node:
            for m in sent(0, 8):
                await node.ingest.deliver([m])
            await until(node, lambda: ("a.h@estimated", instant(7)) in believed(node))
            assert node.estimator is not None
            assert "the belief of b is no number" in " ".join(node.estimator.troubles["tall.py"])
            assert all(np.isfinite(value) for value in believed(node).values())

    play(work)


def test_a_parameter_that_somebody_changes_holds_from_then_on(tmp_path: Path) -> None:
    async def work() -> None:
        async with Tanks(tmp_path / "t.space", {"plant.py": TANK}) as node:
            for m in sent(0, 4):
                await node.ingest.deliver([m])
            await until(node, lambda: told(node, 3))
            before = believed(node)["a.outflow@estimated", instant(3)]
            damaged = {"twin": "b", "behaviour": "dtmi:demo:Tank;1", "parameters": {"k": {}}, "z": ["x"]}
            view = node.view(LOCAL_USER)
            await view.write(Draft("calibration.put", "calibration:b", {**damaged, "covariance": [[-1.0]]}))
            await view.patch_twin("a", [{"op": "replace", "path": "/k", "value": 0.1}], None)
            for k in range(4, 10_000):
                for m in sent(k, k + 1):
                    await node.ingest.deliver([m])
                await until(node, lambda k=k: told(node, k))
                if believed(node)["a.outflow@estimated", instant(k)] > 1.4 * before:
                    break
            assert node.estimator is not None
            assert "b goes on without it" in " ".join(node.estimator.troubles["plant.py"])

    play(work)


def test_a_behaviour_that_ends_the_process_is_left_out_until_it_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "t.space"

    async def work() -> None:
        async with Tanks(path, {"plant.py": TANK, "deadly.py": "import os\nos._exit(3)\n"}) as node:
            for m in sent(0, 8):
                await node.ingest.deliver([m])
            await until(node, lambda: told(node, 7))
            assert node.estimator is not None
            assert "again and again" in " ".join(node.estimator.troubles["deadly.py"])

    play(work)


def test_a_behaviour_that_comes_later_goes_through_the_log_and_a_calibration_changes_what_follows(
    tmp_path: Path,
) -> None:
    path = tmp_path / "t.space"

    async def work() -> None:
        async with Tanks(path, {}) as node:
            for m in sent(0, 8):
                await node.ingest.deliver([m])
            (path / "behaviours" / "plant.py").write_text(TANK)
            await until(node, lambda: told(node, 7))
            before = believed(node)
            assert {key: before[key] for key in before if ".h@" in key[0]} == offline(path, sent(0, 8))
            body = {
                "twin": "a",
                "behaviour": "dtmi:demo:Tank;1",
                "parameters": {"k": {}},
                "z": [float(np.log(0.1))],
                "covariance": [[1e-4]],
            }
            await node.view(LOCAL_USER).write(Draft("calibration.put", "calibration:a", body))
            for k in range(8, 10_000):  # until the child has begun again
                for m in sent(k, k + 1):
                    await node.ingest.deliver([m])
                await until(node, lambda k=k: told(node, k))
                after = believed(node)
                if after["a.outflow@estimated", instant(k)] > 1.6 * after["b.outflow@estimated", instant(k)]:
                    break
            assert after["a.h@estimated", instant(3)] == before["a.h@estimated", instant(3)]

    play(work)
