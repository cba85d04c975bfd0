"""What the tests of connectors share: an opening, a disk, and values out of what came."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing

from ectype.clock import system_clock
from ectype.sources.base import Message, Reading
from ectype.sources.connector import Opening, open_connector
from ectype.sources.readings import readings

PATIENCE_S = 30


def opening(url: str, bind: dict[str, str] | None = None, **options: object) -> Opening:
    """An outside system called "peer"."""
    return Opening("peer", url, bind or {}, options)


async def first(opened: Opening, enough: Callable[[list[Reading]], bool]) -> list[Reading]:
    """What a connector gives until it is `enough`; then it is closed."""
    came: list[Reading] = []
    connector = open_connector(opened, system_clock)
    async with asyncio.timeout(PATIENCE_S), aclosing(connector.batches()) as batches:  # type: ignore[type-var]
        async for batch in batches:
            came += understood(batch)
            if enough(came):
                return came
    raise AssertionError(f"it ended after {came}")


def understood(batch: Sequence[Message]) -> list[Reading]:
    """The readings in a batch, by the convention."""
    return [reading for message in batch for reading in readings(message)]


def values(came: Sequence[Reading]) -> dict[str, list[float]]:
    """Values by series, in order."""
    found: dict[str, list[float]] = {}
    for each in came:
        found.setdefault(f"{each.twin}.{each.name}", []).append(each.value)
    return found


def payload(**fields: object) -> bytes:
    """JSON bytes."""
    return json.dumps(fields).encode()


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def until_open(port: int) -> None:
    """Wait for a server."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                await writer.wait_closed()
                return


def play(work: Callable[[], Awaitable[None]]) -> None:
    """Run a test's coroutine, and not for ever."""

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await work()

    asyncio.run(bounded())
