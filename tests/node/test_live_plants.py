"""Twins that are related in the graph, followed live as one: what is told of them, and what happens when they are not
related any more.
"""

import json
import random
import re
from pathlib import Path

import numpy as np

from ectype.estimate.compose import compose
from ectype.estimate.following import Following
from ectype.estimate.plant import plants_of
from ectype.node.behaviours import in_file
from ectype.node.node import Node, Settings
from ectype.node.view import Draft
from ectype.server.app import create_app
from ectype.sources.base import Message
from ectype.trust.access import LOCAL_USER
from ectype.values.arrow import from_arrow
from ectype.values.block import Block
from tests.node.conftest import T0_NS, play
from tests.node.test_live_behaviour import believed, instant, until
from tests.server.fake import asked_of, views_of

S = 10**9
MODEL = "dtmi:demo:LineTank;1"
DOCS = Path(__file__).parents[2] / "docs" / "estimation.md"
(TANK,) = [text for text in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL) if MODEL in text]
LOOP = TANK.replace('{"outflow": self.k * sqrt(self.h)}', '{"outflow": self.k * sqrt(self.h) + 0.5 * self.inflow}')
TYPE = {
    "@context": "dtmi:dtdl:context;3",
    "@id": MODEL,
    "@type": "Interface",
    "contents": [
        {"@type": "Telemetry", "name": "level", "schema": "double"},
        {"@type": "Property", "name": "outlet", "schema": "double"},
        {"@type": "Relationship", "name": "feeds", "target": MODEL},
    ],
}
LIMITS = f'[type."{MODEL}".level]\nlow = 0\nhigh = 10\n'
FEEDS = (("upper", "lower"), ("tank-9", "tank-10"))


class Line:
    """A running node of two lines of two tanks and one that stands alone; only the lower ones are measured."""

    def __init__(self, path: Path, tank: str = TANK, feeds: tuple[tuple[str, str], ...] = FEEDS) -> None:
        self.path, self.tank, self.feeds = path, tank, feeds

    async def __aenter__(self) -> Node:
        (self.path / "behaviours").mkdir(parents=True, exist_ok=True)
        (self.path / "behaviours" / "tank.py").write_text(self.tank)
        (self.path / "quality.toml").write_text(LIMITS)
        self.node = node = await Node.start(self.path, Settings(estimate=True))
        if node.log.size == 0:
            await node.view(LOCAL_USER).write(Draft("model.put", f"model:{MODEL}", TYPE))
            for name in ("upper", "lower", "tank-9", "tank-10", "alone"):
                body = {"$dtId": name, "$metadata": {"$model": MODEL}, "outlet": 0.09 if name == "upper" else 0.1}
                await node.view(LOCAL_USER).write(Draft("twin.put", f"twin:{name}", body))
            for source, target in self.feeds:
                await related(node, source, target)
        return node

    async def __aexit__(self, *error: object) -> None:
        await self.node.close()


async def related(node: Node, source: str, target: str) -> None:
    body = {
        "$relationshipId": "f",
        "$sourceId": source,
        "$targetId": target,
        "$relationshipName": "feeds",
    }
    await node.view(LOCAL_USER).write(Draft("relationship.put", f"relationship:{source}/f", body))


def sent(first: int, stop: int) -> list[Message]:
    """What the tanks send in the seconds [first, stop): levels, some of which cannot be."""
    r = np.random.default_rng(11)
    out = []
    for k in range(stop):
        for name in ("lower", "tank-10", "alone"):
            value = 99.0 if k % 10 == 3 else 1.4 + 0.02 * r.normal()
            if k >= first:
                body = json.dumps({"t": T0_NS // S + k, "level": value}).encode()
                out.append(Message(f"plant/{name}", body, T0_NS, name))
    return out


def offline(path: Path, messages: list[Message]) -> dict[tuple[str, int], float]:
    """The levels that the plant composed by hand gives of all readings that can be, without a node."""
    (tank,) = in_file(path / "behaviours" / "tank.py")
    plant = compose("Plant", MODEL, {"tank0": tank, "tank1": tank}, {"tank1.inflow": "tank0.outflow"})
    following = Following(plant, ("lower", "tank-10"), np.array([[0.09, 0.1], [0.1, 0.1]]))
    alone = Following(tank, ("alone",), np.array([[0.1]]))
    rows = [(m.source, json.loads(m.payload)) for m in messages]
    good = [(twin, body["t"] * S, body["level"]) for twin, body in rows if body["level"] < 10]
    out = {}
    for which, name in ((following, "tank1_level"), (alone, "level")):
        step = which.advance(Block.of([(f"{twin}.{name}", at, value) for twin, at, value in good]))
        for j, column in enumerate(step.columns.tolist()):
            lower = which.twins[column]
            twins = {"lower": ("upper", "lower"), "tank-10": ("tank-9", "tank-10")}.get(lower, (lower,))
            for k in range(int(step.active[:, j].sum())):
                for state, twin in enumerate(twins):
                    out[f"{twin}.h@estimated", int(step.at_ns[k, j])] = float(step.out[k, state, j])
    return out


def levels(node: Node) -> dict[tuple[str, int], float]:
    return {key: value for key, value in believed(node).items() if ".h@" in key[0]}


async def send(node: Node, first: int, stop: int) -> None:
    """Deliver what is sent in those seconds, and return when the last of it, which can be, is estimated."""
    for m in sent(first, stop):
        await node.ingest.deliver([m])
    await until(node, lambda: all(known(node, f"{t}.h@estimated", stop - 1) for t in ("lower", "tank-9", "alone")))


async def looked(node: Node, plants: tuple[tuple[str, ...], ...]) -> None:
    """Return when the estimator has begun with those plants."""
    assert node.estimator is not None
    while node.estimator.plants != plants:
        node.estimator.looked.clear()
        await node.estimator.looked.wait()


def known(node: Node, series: str, k: int) -> bool:
    return (series, instant(k)) in believed(node)


def test_a_line_is_followed_as_one_under_its_twins_names_through_late_rows_bad_ones_a_restart_and_a_death(
    tmp_path: Path,
) -> None:
    path = tmp_path / "t.space"
    every = sent(0, 60)
    held = every[3 * 20 : 3 * 24]

    async def work() -> None:
        async with Line(path) as node:
            for m in [*every[: 3 * 20], *every[3 * 24 : 3 * 40]]:
                await node.ingest.deliver([m])
            await until(node, lambda: known(node, "upper.h@estimated", 38))
            info = node.view(LOCAL_USER).behaviours()
            assert info.plants == (("tank-9", "tank-10"), ("upper", "lower"))
            assert set(info.followed) == {"upper", "lower", "tank-9", "tank-10", "alone"}
            assert info.wrong == ()
            app = create_app(views_of(node.view(LOCAL_USER)), allowed_hosts=["127.0.0.1"], static=None)  # type: ignore[arg-type]
            told = (await asked_of(app, "/api/behaviours")).json()
            assert told["plants"] == [["tank-9", "tank-10"], ["upper", "lower"]]
            blocks = [from_arrow(e.body) for _, e in node.log.read(0) if e.kind == "estimated" and e.body is not None]
            stds = {name: std for name, _, _, std in Block.concat(blocks).rows()}
            assert 0 < (stds["upper.h@estimated"] or 0) < 0.5
            assert {"lower.level@estimated", "lower.nis@estimated", "upper.outflow@estimated"} <= set(stds)
            assert "upper.level@estimated" not in stds, "nobody measures it"
            assert not any("tank0" in name or "tank1" in name for name in stds)
            forecasts = {e.subject: e for _, e in node.log.read(0) if e.kind == "predicted"}
            assert set(forecasts) == {f"forecast:{t}" for t in ("upper", "lower", "tank-9", "tank-10", "alone")}
            names = from_arrow(forecasts["forecast:upper"].body or b"").names
            assert {name.partition("@")[0] for name in names} >= {"upper.h", "upper.hP05", "upper.level"}
        async with Line(path) as node:
            await node.ingest.deliver(every[3 * 40 : 3 * 41])
            await until(node, lambda: known(node, "upper.h@estimated", 40))
            assert node.estimator is not None
            assert node.estimator.child is not None
            node.estimator.child.kill()
            for m in every[3 * 41 :]:
                await node.ingest.deliver([m])
            await node.ingest.deliver(held)
            wanted = offline(path, every)
            await until(node, lambda: all(levels(node).get(key) == value for key, value in wanted.items()))
            assert set(levels(node)) == set(wanted)
            assert node.estimator.late == 0

    play(work)


def test_who_is_not_related_any_more_is_followed_alone_and_what_was_told_stays(tmp_path: Path) -> None:
    path = tmp_path / "t.space"

    async def work() -> None:
        async with Line(path) as node:
            await send(node, 0, 10)
            before = levels(node)
            assert ("upper.h@estimated", instant(9)) in before
            await node.view(LOCAL_USER).write(Draft("relationship.delete", "relationship:upper/f", {}))
            await looked(node, (("tank-9", "tank-10"),))
            await send(node, 10, 12)
            after = levels(node)
            assert {key: after[key] for key in before} == before, "what was told stays"
            assert ("lower.h@estimated", instant(11)) in after
            assert ("upper.h@estimated", instant(11)) not in after
            assert node.estimator is not None
            assert node.estimator.troubles == {}
            await related(node, "upper", "lower")
            await looked(node, (("tank-9", "tank-10"), ("upper", "lower")))
            await send(node, 12, 15)
            again = levels(node)
            assert {key: again[key] for key in after} == after
            assert ("upper.h@estimated", instant(14)) in again

    play(work)


def test_a_loop_is_told_and_its_twins_are_followed_one_by_one(tmp_path: Path) -> None:
    async def work() -> None:
        feeds = (("upper", "lower"), ("lower", "upper"), ("tank-9", "tank-10"))
        async with Line(tmp_path / "t.space", LOOP, feeds) as node:
            for m in sent(0, 3):
                await node.ingest.deliver([m])
            await until(node, lambda: known(node, "tank-9.h@estimated", 2) and known(node, "lower.h@estimated", 2))
            assert node.estimator is not None
            (text,) = node.estimator.troubles["tank.py"]
            assert text.startswith("lower, upper make no plant together:")
            assert "outflow needs" in text
            assert node.estimator.plants == (("tank-9", "tank-10"),)
            assert not known(node, "upper.h@estimated", 2)

    play(work)


def test_a_source_that_nobody_follows_is_told_and_a_calibration_goes_to_the_twin_that_it_is_of(tmp_path: Path) -> None:
    pond = {**TYPE, "@id": "dtmi:demo:Pond;1", "contents": []}
    pond["contents"] = [{"@type": "Relationship", "name": "feeds", "target": MODEL}]

    async def work() -> None:
        async with Line(tmp_path / "t.space") as node:
            view = node.view(LOCAL_USER)
            calibration = {"behaviour": MODEL, "parameters": {"k": {}}, "covariance": [[1e-4]]}
            for name, value in (("upper", 0.2), ("lower", 0.3)):
                body = {**calibration, "twin": name, "z": [float(np.log(value))]}
                await view.write(Draft("calibration.put", f"calibration:{name}", body))
            await view.write(Draft("model.put", "model:dtmi:demo:Pond;1", pond))
            await view.write(Draft("twin.put", "twin:pond", {"$dtId": "pond", "$metadata": {"$model": pond["@id"]}}))
            await related(node, "pond", "alone")
            assert node.estimator is not None
            while "tank.py" not in node.estimator.troubles or not node.estimator.plants:
                node.estimator.looked.clear()
                await node.estimator.looked.wait()
            await send(node, 0, 3)
            found = believed(node)
            outlet = [
                found[f"{name}.outflow@estimated", instant(2)] / found[f"{name}.h@estimated", instant(2)] ** 0.5
                for name in ("upper", "lower", "tank-9", "tank-10")
            ]
            assert [round(value, 9) for value in outlet] == [0.2, 0.3, 0.1, 0.1]
            (text,) = node.estimator.troubles["tank.py"]
            assert "no behaviour follows its source: alone (from pond)" in text

    play(work)


def test_what_the_worked_example_says_of_the_upper_tank_is_so(tmp_path: Path) -> None:
    (tmp_path / "tank.py").write_text(TANK)
    (tank,) = in_file(tmp_path / "tank.py")
    (kind,) = plants_of({"upper": tank, "lower": tank}, [("upper", "feeds", "lower")])
    following = Following(kind.behaviour, kind.plants, np.full((2, 1), 0.1), parts=kind.parts)
    luck, h, rows = random.Random(1), [3.0, 1.5], []
    for k in range(600):
        flow = [0.1 * level**0.5 for level in h]
        h = [h[0] + (0.12 - flow[0]) / 2, h[1] + (flow[0] - flow[1]) / 2]
        rows.append(("lower.level", k * S, h[1] + luck.gauss(0, 0.02)))
    following.advance(Block.of(rows))
    mean, variance = following.belief[0, 0], following.belief[following.graph.variance_row(0), 0]
    assert f"{h[0]:.3f}" == "1.440"
    assert f"`upper.h@estimated` is {mean:.3f} ± {variance**0.5:.3f} m" in DOCS.read_text()
