"""The estimator of a node: by an author of its own, once each, and the same whatever happened in between."""

import asyncio
from pathlib import Path

import pyarrow.parquet as pq

from ectype.demo.space import Recording
from ectype.node.node import Node
from ectype.values.arrow import from_arrow, from_arrow_with_metadata
from ectype.values.block import Block
from tests.node.conftest import STEP_NS, T0_NS, message, play, running

TICKS = 60
SENSORS = ("power", "windSpeed", "pitch", "vane", "nacelle", "windDirection", "temperature")


def recorded(first: int, stop: int) -> list:
    """What the turbines sent in ticks [first, stop), as messages in order of time."""
    table = pq.read_table(Recording().path).sort_by("t").to_pylist()
    found = []
    for row in table:
        step = (int(row["t"].timestamp()) * 10**9 - T0_NS) // STEP_NS
        if first <= step < stop:
            values = {name: row[name] for name in SENSORS if row[name] is not None and row[name] == row[name]}
            found.append(message(row["turbine"], step, **values))
    return found


async def send(node: Node, first: int, stop: int) -> None:
    for each in recorded(first, stop):
        await node.ingest.deliver([each])


async def estimated(node: Node, until_step: int) -> list[tuple]:
    """All estimates in the log, once those of tick `until_step` are there."""
    wanted = T0_NS + until_step * STEP_NS
    while not any(at == wanted for _, at, _, _ in rows(node)):
        async for _ in node.log.tail(node.log.size):
            break
    return rows(node)


def rows(node: Node) -> list[tuple]:
    blocks = [from_arrow(e.body) for _, e in node.log.read(0) if e.kind == "estimated" and e.body is not None]
    return Block.concat(blocks).rows() if blocks else []


def test_estimates_are_in_the_log_by_an_author_of_their_own_with_their_uncertainty(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path / "a.space", estimate=True) as node:
            await send(node, 0, TICKS)
            found = await estimated(node, TICKS - 2)
            stds = {name: std for name, _, _, std in found}
            for quantity in ("rotorWindSpeed", "performance", "yawMisalignment", "expectedPower"):
                assert (stds[f"R80711.{quantity}@estimated"] or 0) > 0
            authors = {e.kind: e.author for _, e in node.log.read(0)}
            assert authors["estimated"] != authors["measured"]
            forecasts = [e for _, e in node.log.read(0) if e.kind == "predicted" and e.body is not None]
            _, metadata = from_arrow_with_metadata(forecasts[0].body or b"")
            assert int(metadata["issued_at_ns"]) >= T0_NS

    play(work)


def test_a_restart_and_a_killed_child_change_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    async def straight() -> list[tuple]:
        async with running(tmp_path / "straight.space", estimate=True) as node:
            await send(node, 0, TICKS)
            return await estimated(node, TICKS - 2)

    async def broken() -> list[tuple]:
        async with running(tmp_path / "broken.space", estimate=True) as node:
            await send(node, 0, TICKS // 3)
            await estimated(node, TICKS // 3 - 2)
        async with running(tmp_path / "broken.space", estimate=True) as node:
            await send(node, TICKS // 3, 2 * TICKS // 3)
            await estimated(node, 2 * TICKS // 3 - 2)
            assert node.estimator is not None
            assert node.estimator.child is not None
            node.estimator.child.kill()
            await send(node, 2 * TICKS // 3, TICKS)
            return await estimated(node, TICKS - 2)

    async def work() -> None:
        expected, found = await straight(), await broken()
        assert len({(name, at) for name, at, _, _ in found}) == len(found), "an estimate was appended twice"
        assert sorted(found, key=_key) == sorted(expected, key=_key)

    play(work)


def test_a_space_without_turbines_needs_no_child(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path / "empty.space", farm=False, estimate=True) as node:
            await asyncio.sleep(0)
            assert node.estimator is not None
            assert node.estimator.child is None

    play(work)


def _key(row: tuple) -> tuple:
    return row[0], row[1]
