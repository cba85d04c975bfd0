"""Connectors of the web against real servers: HTTP that is polled, a WebSocket that is listened to."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import websockets

from ectype.errors import Unavailable
from tests.sources.outside.bed import first, free_port, opening, payload, play, values

BIND = {"#/t/c": "room-1.temperature"}


class Station(http.server.BaseHTTPRequestHandler):
    """A weather station whose reading changes at every second question."""

    asked: list[str | None]

    def do_GET(self) -> None:
        self.asked.append(self.headers["If-None-Match"])
        tag = f'"{len(self.asked) // 2}"'
        if self.headers["If-None-Match"] == tag:
            self.send_response(304)
            self.end_headers()
            return
        body = payload(t={"c": 20 + len(self.asked) // 2}, at=1_393_675_200 + len(self.asked))
        self.send_response(200)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def station() -> Iterator[tuple[int, list[str | None]]]:
    asked: list[str | None] = []
    handler = type("Asked", (Station,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()
            thread.join()


def test_a_resource_is_asked_again_and_gives_what_has_changed() -> None:
    async def work() -> None:
        with station() as (port, asked):
            told = opening(f"http://127.0.0.1:{port}/now", BIND, every_s=0.01, time="/at")
            came = await first(told, lambda c: len(c) == 3)
        assert values(came) == {"room-1.temperature": [20, 21, 22]}
        assert len({each.at_ns for each in came}) == 3
        assert {None, '"1"'} <= set(asked)

    play(work)


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/", "ws://127.0.0.1:{port}/"])
def test_a_server_that_is_not_there_is_unavailable(url: str) -> None:
    async def work() -> None:
        with pytest.raises(Unavailable):
            await first(opening(url.format(port=free_port()), BIND), bool)

    play(work)


def test_a_websocket_is_greeted_and_heard() -> None:
    async def talk(socket: websockets.ServerConnection) -> None:
        assert await socket.recv() == "subscribe"
        for number in range(100):
            await socket.send(payload(t={"c": number}).decode())
        await socket.wait_closed()

    async def work() -> None:
        async with websockets.serve(talk, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            came = await first(opening(f"ws://127.0.0.1:{port}", BIND, hello="subscribe"), lambda c: len(c) == 100)
        assert values(came) == {"room-1.temperature": [float(n) for n in range(100)]}

    play(work)


def test_a_websocket_that_closes_is_unavailable() -> None:
    async def leave(socket: websockets.ServerConnection) -> None:
        await socket.close()

    async def work() -> None:
        async with websockets.serve(leave, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            with pytest.raises(Unavailable, match="lost"):
                await first(opening(f"ws://127.0.0.1:{port}", BIND), bool)

    play(work)
