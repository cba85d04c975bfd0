"""A view with a little made-up wind farm behind it, and ways to speak to the application over it."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from starlette.types import ASGIApp

from ectype.collab.room import Seat
from ectype.errors import Conflict, Invalid, NotFound
from ectype.node.messages import (
    AlarmRow,
    ConsistencyProof,
    Entries,
    EntryRow,
    FeedBlock,
    FeedEntry,
    FeedMessage,
    ForecastColumns,
    History,
    HistoryColumns,
    InclusionProof,
    Last,
    RelationshipRow,
    Relationships,
    SpaceInfo,
    TwinRow,
    Twins,
)
from ectype.server.app import create_app
from ectype.server.auth import Views, one_token
from ectype.values.block import Block
from tests.collab.browser import Log

T0_NS = 1_393_675_200_000_000_000  # 2014-03-01T12:00:00Z
HEADER = b'{"kind":"twin.put","v":1}'


class FakeView:
    """What `ectype.node.view.View` promises, from memory. `raises` makes every method fail."""

    def __init__(self) -> None:
        self.size = 17
        self.raises: Exception | None = None
        self.asked: list[tuple[Any, ...]] = []
        self.live: asyncio.Queue[FeedMessage | Exception] = asyncio.Queue()
        self.notes = Log()
        self.rooms: dict[str, Any] = {}
        self.may_write = True
        self.feeds_open = 0

    def _ask(self, *what: Any) -> None:
        self.asked.append(what)
        if self.raises is not None:
            raise self.raises

    def space(self) -> SpaceInfo:
        self._ask("space")
        return SpaceInfo("farm", self.size, b"\x00" * 32, T0_NS, "0.1.0", "local user", 60.0)

    def span(self) -> tuple[int, int] | None:
        return T0_NS, T0_NS + 10**9

    def models(self) -> Any:
        self._ask("models")
        return [{"@id": "dtmi:ectype:WindTurbine;1"}]

    def twins(self) -> Twins:
        self._ask("twins")
        return Twins(17, (self.row("R80711"), self.row("R80721")))

    def twin(self, twin_id: str) -> TwinRow:
        self._ask("twin", twin_id)
        if twin_id != "R80711":
            raise NotFound(f"there is no twin '{twin_id}'")
        return self.row(twin_id)

    def row(self, twin_id: str) -> TwinRow:
        return TwinRow(twin_id, "dtmi:ectype:WindTurbine;1", 16, {"name": "Ré 1", "ratedPower": 2050})

    def relationships(self) -> Relationships:
        return Relationships(17, (RelationshipRow("R80711", "n1", "neighbours", "R80721", {"distance": 3.5}),))

    async def patch_twin(self, twin_id: str, patch: Sequence[Any], if_match: int | None = None) -> int:
        self._ask("patch", twin_id, list(patch), if_match)
        if if_match not in (None, 16):
            raise Conflict(f"{twin_id} was changed by entry 16", 16)
        return 17

    def alarms(self, active: bool, limit: int) -> tuple[AlarmRow, ...]:
        self._ask("alarms", active, limit)
        return (
            AlarmRow("a1", "R80711", "standstill", "critical", "stands still", T0_NS, None, 12.5, {"by": "neighbours"}),
        )

    def last(self) -> Last:
        self._ask("last")
        return Last(17, Block.of([("R80711.power", T0_NS, 812.5), ("R80711.p@estimated", T0_NS, 0.9, 0.1)]))

    def history(
        self,
        series: Sequence[str],
        from_ns: int,
        to_ns: int,
        points: int | None,
        thin: str = "minmax",
        quality: bool = False,
        only: str | None = None,
    ) -> History:
        self._ask("history", list(series), from_ns, to_ns, points)
        at = T0_NS + np.arange(3) * 600 * 10**9
        std = np.array([0.1, np.nan, 0.3])
        columns = (
            HistoryColumns(name, at, np.array([1.5, np.nan, 3.0]), std if "@" in name else None) for name in series
        )
        return History(17, tuple(columns))

    def forecast(self, series: Sequence[str]) -> tuple[ForecastColumns, ...]:
        self._ask("forecast", list(series))
        return tuple(ForecastColumns(name, T0_NS, np.array([T0_NS + 10**9]), np.array([7.0])) for name in series)

    async def feed(self, start: int | None = None) -> AsyncIterator[FeedMessage]:
        self._ask("feed", start)
        self.feeds_open += 1
        try:
            while True:
                message = await self.live.get()
                if isinstance(message, Exception):
                    raise message
                yield message
        finally:
            self.feeds_open -= 1

    def entries(self, start: int, stop: int) -> Entries:
        self._ask("entries", start, stop)
        return Entries(17, (EntryRow(start, HEADER, b"s" * 16, b"{}"), EntryRow(start + 1, HEADER, None, None)))

    def checkpoint(self) -> str:
        self._ask("checkpoint")
        return "ectype/farm\n17\nAAAA\n\n— ectype/farm sig\n"

    def verifier_key(self) -> str:
        return "ectype/farm+0+key"

    def proof(self, index: int, size: int | None = None) -> InclusionProof:
        self._ask("proof", index, size)
        if index >= 17:
            raise Invalid(f"the log has 17 entries; there is no proof of entry {index}")
        return InclusionProof(index, size or 17, b"l" * 32, (b"p" * 32,), b"r" * 32)

    def consistency(self, first: int, second: int) -> ConsistencyProof:
        self._ask("consistency", first, second)
        return ConsistencyProof(first, second, (), b"a" * 32, b"b" * 32)

    def room(self, name: str) -> Seat:
        self._ask("room", name)
        room = self.rooms.setdefault(name, self.notes.room(name))
        return room.seat("ada", may_write=self.may_write)


def frame(first: int, rows: int = 1, kind: Any = "measured") -> FeedMessage:
    """A frame of one block of samples, then one decision."""
    block = Block.of([("R80711.power", T0_NS + i * 10**9, 1.0 * i) for i in range(rows)])
    entry = FeedEntry(first + 1, "twin.patch", "twin:R80711", "key", T0_NS, "ada", b'[{"op":"add"}]')
    return FeedMessage(first, first + 2, first + 2, (FeedBlock(kind, first, block),), (entry,))


def views_of(view: FakeView, token: str | None = None) -> Views:
    return one_token(view, token)  # type: ignore[arg-type]


def app_of(view: FakeView, token: str | None = None, static: Path | None = None) -> ASGIApp:
    return create_app(views_of(view, token), allowed_hosts=["127.0.0.1", "localhost", "[::1]"], static=static)


def ask(
    app: ASGIApp,
    path: str,
    method: str = "GET",
    base: str = "http://127.0.0.1:8787",
    **options: Any,
) -> httpx.Response:
    """One request to the application, without a socket."""

    return asyncio.run(asked_of(app, path, method, base, **options))


async def asked_of(
    app: ASGIApp,
    path: str,
    method: str = "GET",
    base: str = "http://127.0.0.1:8787",
    **options: Any,
) -> httpx.Response:
    """The same from within a loop."""
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 50_000))
    async with httpx.AsyncClient(transport=transport, base_url=base) as client:
        return await client.request(method, path, **options)


def message_of(response: httpx.Response) -> str:
    """The words of an error answer, which must have the one shape."""
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    return str(body["error"]["message"])


class Closed(Exception):
    """The server closed the socket, or refused it with an HTTP status."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Socket:
    """A WebSocket to the application, without a network. With `stuck`, the client stops reading."""

    def __init__(self, app: ASGIApp, path: str, headers: Mapping[str, str] | None = None) -> None:
        route, _, query = path.partition("?")
        named = {"host": "127.0.0.1:8787", **(headers or {})}
        self._scope = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "scheme": "ws",
            "path": route,
            "raw_path": route.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in named.items()],
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 8787),
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}},
        }
        self._app = app
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._reads = asyncio.Event()
        self._reads.set()

    async def __aenter__(self) -> "Socket":
        self._to_app.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(self._app(self._scope, self._to_app.get, self._send))
        answer = await self._from_app.get()
        if answer["type"] != "websocket.accept":
            await self.task
            raise Closed(answer.get("status", 0))
        return self

    async def __aexit__(self, *error: object) -> None:
        self.leave()
        self._reads.set()
        await asyncio.wait_for(self.task, 5)

    async def _send(self, message: Any) -> None:
        await self._reads.wait()
        self._from_app.put_nowait(message)

    def stop_reading(self) -> None:
        self._reads.clear()

    def read_on(self) -> None:
        self._reads.set()

    def leave(self) -> None:
        self._to_app.put_nowait({"type": "websocket.disconnect", "code": 1001})

    def say(self, message: str | bytes) -> None:
        key = "text" if isinstance(message, str) else "bytes"
        self._to_app.put_nowait({"type": "websocket.receive", key: message})

    async def hear(self) -> Any:
        """The next message; Closed when there is no more."""
        message = await asyncio.wait_for(self._from_app.get(), 5)
        if message["type"] == "websocket.close":
            raise Closed(message["code"], message.get("reason") or "")
        return message.get("text") if message.get("text") is not None else message["bytes"]

    async def hear_json(self) -> Any:
        return json.loads(await self.hear())


def closing(app: ASGIApp, path: str, headers: Mapping[str, str] | None = None) -> Closed:
    """How a socket ends that is not meant to hear anything."""

    async def play() -> Closed:
        try:
            async with Socket(app, path, headers) as socket:
                await socket.hear()
        except Closed as closed:
            return closed
        raise AssertionError("it stayed open")

    return asyncio.run(play())
