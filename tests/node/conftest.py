"""A node on a farm, started and stopped inside a test."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ectype.demo.farm import drafts
from ectype.node.node import Node, Settings
from ectype.sources.base import Message
from ectype.trust.access import LOCAL_USER, Rights

T0_NS = 1_417_737_600 * 10**9
STEP_NS = 600 * 10**9


def message(turbine: str, step: int, **values: float) -> Message:
    """What a turbine sends at a tick of the farm's clock."""
    body = {"t": (T0_NS + step * STEP_NS) // 10**9, **values}
    return Message(f"la-haute-borne/{turbine}", json.dumps(body).encode(), T0_NS, turbine)


@asynccontextmanager
async def running(path: Path, *, farm: bool = True, rights: Rights | None = None, **settings: object):
    """A node on the space at `path`; with `farm`, the farm is written if it is not there."""
    node = await Node.start(path, Settings(**{"estimate": False, **settings}), rights=rights)
    try:
        if farm and node.log.size == 0:
            for draft in drafts(T0_NS, T0_NS):
                await node.view(LOCAL_USER).write(draft)
        yield node
    finally:
        await node.close()


@pytest.fixture
def space(tmp_path: Path) -> Path:
    """Where a space will be."""
    return tmp_path / "farm.space"


def play(work: Callable[[], Awaitable[None]]) -> None:
    """Run a test's coroutine, and never for longer than a minute."""

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await work()

    asyncio.run(bounded())
