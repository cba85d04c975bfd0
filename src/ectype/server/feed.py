"""The live feed: the log's tail as JSON texts over a WebSocket, resumed from where a client stopped.

    view.feed ──► backlog (bounded) ──► merged, encoded ──► client
       ▲ reads no further while the backlog is full: the log keeps what is not yet read

A client that is a little behind gets several frames in one message; one that takes nothing for a while
is closed with 1013 and resumes from the last `next` it saw.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any, final

import msgspec
from starlette.routing import BaseRoute
from starlette.websockets import WebSocket

from ectype.errors import Invalid
from ectype.node.messages import FeedBlock, FeedEntry, FeedMarks, FeedMessage
from ectype.node.view import View
from ectype.server.gate import Gate
from ectype.server.history import deviations, milliseconds
from ectype.server.query import NS_PER_MS, Query
from ectype.server.sockets import PATIENCE_S, first_of, send, until_gone

_MOST_FRAMES = 256
_MOST_ROWS = 20_000

_encode = msgspec.json.Encoder().encode


def routes(gate: Gate, patience_s: float = PATIENCE_S) -> list[BaseRoute]:
    """`/api/feed`."""

    async def feed(socket: WebSocket, view: View) -> None:
        size = view.space().size
        start = Query(socket.query_params, "from").optional_integer("from", 0, 2**62)
        start = size if start is None else start
        if start > size:
            raise Invalid(f"the log has {size} entries; a feed cannot resume at {start}: read everything again")
        messages = view.feed(start)
        try:
            await send(socket, encode([FeedMessage(start, start, size)]), patience_s)
            backlog = Backlog()
            await first_of(backlog.fill(messages), _deliver(socket, backlog, patience_s), until_gone(socket))
        finally:
            await _finish(messages)

    return [gate.socket("/api/feed", feed)]


def encode(messages: Sequence[FeedMessage]) -> str:
    """Consecutive messages as one JSON text."""
    return _encode(
        {
            "first": messages[0].first,
            "next": messages[-1].next,
            "size": messages[-1].size,
            "blocks": [_block_json(block) for message in messages for block in message.blocks],
            "entries": [_entry_json(entry) for message in messages for entry in message.entries],
            "marks": [_marks_json(marks) for message in messages for marks in message.marks],
        }
    ).decode()


@final
class Backlog:
    """Messages on their way to one client, bounded in number and in samples."""

    def __init__(self) -> None:
        self._messages: deque[FeedMessage] = deque()
        self._rows = 0
        self._more = asyncio.Event()
        self._room = asyncio.Event()

    async def fill(self, messages: AsyncIterator[FeedMessage]) -> None:
        """Take from `messages` for ever, pausing while the bound is reached."""
        async for message in messages:
            self._messages.append(message)
            self._rows += _rows(message)
            self._more.set()
            while len(self._messages) >= _MOST_FRAMES or self._rows >= _MOST_ROWS:
                self._room.clear()
                await self._room.wait()

    async def take(self) -> list[FeedMessage]:
        """All that is here, at least one, in order."""
        while not self._messages:
            self._more.clear()
            await self._more.wait()
        taken = list(self._messages)
        self._messages.clear()
        self._rows = 0
        self._room.set()
        return taken


async def _deliver(socket: WebSocket, backlog: Backlog, patience_s: float) -> None:
    while True:
        await send(socket, encode(await backlog.take()), patience_s)


async def _finish(messages: AsyncIterator[FeedMessage]) -> None:
    closing: Any = getattr(messages, "aclose", None)
    if closing is not None:
        await closing()


def _rows(message: FeedMessage) -> int:
    samples = sum(len(block.samples) for block in message.blocks)
    return samples + sum(len(marks.items) for marks in message.marks) + len(message.entries)


def _block_json(block: FeedBlock) -> dict[str, object]:
    samples = block.samples
    return {
        "kind": block.kind,
        "index": block.index,
        "series": samples.names,
        "which": samples.series.tolist(),
        "t": milliseconds(samples.at_ns),
        "v": samples.value.tolist(),
        "std": deviations(samples.std),
    }


def _marks_json(marks: FeedMarks) -> dict[str, object]:
    items = [
        {"series": item.series, "t": at_ns // NS_PER_MS, "v": item.value, "quality": item.quality, "why": item.reasons}
        for item in marks.items
        if (at_ns := item.instant) is not None
    ]
    return {"index": marks.index, "items": items}


def _entry_json(entry: FeedEntry) -> dict[str, object]:
    told: dict[str, object] = {
        "index": entry.index,
        "kind": entry.kind,
        "subject": entry.subject,
        "by": entry.by,
        "author": entry.author,
        "at_ms": entry.at_ns // NS_PER_MS,
    }
    if entry.body is not None:
        told["body"] = msgspec.Raw(entry.body)
    return told
