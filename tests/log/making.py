"""What the log's tests are made of: a fixed key, entries by number, spaces on disk."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from ectype.log.entry import Entry, seal
from ectype.log.log import Log
from ectype.log.space import open_space
from ectype.log.stores.base import Store
from ectype.trust.keys import Signer

SIGNER = Signer.from_seed(bytes(range(32)))
ORIGIN = "example.com/log"
Result = TypeVar("Result")


def entry(number: int, subject: str | None = None, size: int = 20, signer: Signer = SIGNER) -> Entry:
    """Entry `number`: the same bytes each time."""
    return seal(
        signer,
        kind="twin.put",
        subject=f"twin:{number % 7}" if subject is None else subject,
        body=(b'{"n":%d}' % number).ljust(size),
        at_ns=1_400_000_000_000_000_000 + number,
        salt=number.to_bytes(16),
    )


_made = [entry(number) for number in range(600)]


def entries(start: int, stop: int) -> list[Entry]:
    """Entries start … stop-1. Made once: signing is what tests would wait for."""
    while len(_made) < stop:
        _made.append(entry(len(_made)))
    return _made[start:stop]


def on_log(store: Store, do: Callable[[Log], Awaitable[Result]]) -> Result:
    """Open the log in `store`, do something with it, close it."""

    async def run() -> Result:
        log = await Log.open(store, SIGNER, origin=ORIGIN)
        try:
            return await do(log)
        finally:
            await log.close()

    return asyncio.run(run())


def on_space(path: Path, do: Callable[[Log], Awaitable[Result]], segment_bytes: int = 1 << 16) -> Result:
    """The same for the space at `path`."""
    space = open_space(path, segment_bytes=segment_bytes)
    try:

        async def run() -> Result:
            log = await Log.open(space.store, space.signer, origin=space.origin)
            try:
                return await do(log)
            finally:
                await log.close()

        return asyncio.run(run())
    finally:
        space.close()


async def all_of(log: Log) -> list[Entry]:
    """Everything in the log."""
    return [found for _, found in log.read(0)]
