"""How long from an HTTP write of a property to a WebSocket subscriber, through the disk? And how many a second?

One client writes and waits, one subscriber listens: latency. Then 1, 16 and 64 clients, each with a twin of its own,
each waiting for its answer before it writes again: writes a second, and the server's processor time for one. Each
write is checked against its type, signed, on disk and folded before it is answered; each answer is looked at, and the
subscriber must have seen every write. Clients and subscriber share one process and take their share of the machine,
which is told. Beside it in the same run: Node-RED on the same path (HTTP in, WebSocket out; nothing is checked or
kept), and a bare fdatasync.
Bars: p50 2 ms; 3,000 writes/s from 16 clients.

Node-RED is measured where it is installed: npm install --prefix FOLDER node-red, then --node-red FOLDER.
"""

import argparse
import asyncio
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
import websockets

from ectype.node.node import Node, Settings
from ectype.node.write import Draft
from ectype.trust.access import LOCAL_USER
from live_latency import bare_ms, percentile
from startup import free_port

_PATIENCE_S = 10.0
BAR_P50_MS, BAR_WRITES = 2.0, 3000
MODEL = {
    "@id": "dtmi:bench:Dial;1",
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;3",
    "contents": [{"@type": "Property", "name": "level", "schema": "double", "writable": True}],
}
FLOW = [
    {"id": "tab", "type": "tab", "label": "bench"},
    {"id": "out", "type": "websocket-listener", "path": "/seen", "wholemsg": "false"},
    {"id": "in", "type": "http in", "z": "tab", "url": "/level", "method": "patch", "wires": [["ws", "ok"]]},
    {"id": "ws", "type": "websocket out", "z": "tab", "server": "out", "client": "", "wires": []},
    {"id": "ok", "type": "http response", "z": "tab", "statusCode": "204", "wires": []},
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--node-red", type=Path, help="a folder where npm installed node-red")
    args = parser.parse_args()
    count, seconds = (100, 1.0) if args.quick else (2000, 10.0)
    with tempfile.TemporaryDirectory() as folder:
        bare = bare_ms(Path(folder) / "bare", 300)
        ours = ectype(Path(folder) / "space", count, seconds, args.clients)
        theirs = node_red(args.node_red, Path(folder) / "red", count, seconds, args.clients)
    result = {
        **ours,
        "bar_p50_ms": BAR_P50_MS,
        "bar_writes_per_s": BAR_WRITES,
        "bare_fdatasync_p50_ms": round(bare, 3),
        "ratio_to_fdatasync": round(ours["seen_p50_ms"] / bare, 2),
        "node_red": theirs,
    }
    print(json.dumps(result, indent=2))


def ectype(path: Path, count: int, seconds: float, clients: list[int]) -> dict[str, Any]:
    """Measure `ectype serve` in a process of its own."""
    size = asyncio.run(prepare(path, max(clients)))
    words = ["serve", str(path), "--port", "0", "--mqtt-port", "0", "--no-estimate", "--json"]
    node = subprocess.Popen([sys.executable, "-m", "ectype.cli.main", *words], stdout=subprocess.PIPE, text=True)
    try:
        port = int(json.loads(node.stdout.readline() if node.stdout else "")["url"].rsplit(":", 1)[1])
        paths = [f"/api/twins/dial-{i}" for i in range(max(clients))]
        server = Server(node.pid, port, f"/api/feed?from={size}", paths, patch)
        return uvloop.run(measure(server, count, seconds, clients))
    finally:
        node.terminate()
        node.communicate(timeout=20)


async def prepare(path: Path, clients: int) -> int:
    """A space with one twin a client; how many entries that took."""
    node = await Node.start(path, Settings(estimate=False))
    try:
        view = node.view(LOCAL_USER)
        await view.write(Draft("model.put", f"model:{MODEL['@id']}", MODEL))
        for i in range(clients):
            body = {"$dtId": f"dial-{i}", "$metadata": {"$model": MODEL["@id"]}, "level": 0.0}
            await view.write(Draft("twin.put", f"twin:dial-{i}", body))
        return node.log.size
    finally:
        await node.close()


def node_red(folder: Path | None, user: Path, count: int, seconds: float, clients: list[int]) -> dict[str, Any] | str:
    """Measure Node-RED on the same path, or say why not."""
    started = start_node_red(folder, user, FLOW, "/level")
    if isinstance(started, str):
        return started
    process, port = started
    try:
        server = Server(process.pid, port, "/seen", ["/level"] * max(clients), plain)
        return uvloop.run(measure(server, count, seconds, clients))
    finally:
        process.terminate()
        process.wait(20)


def start_node_red(
    folder: Path | None, user: Path, flow: list[dict[str, object]], path: str
) -> tuple[subprocess.Popen[str], int] | str:
    """Node-RED with that flow and its port, once `path` answers to a patch; or why not."""
    if folder is None:
        return "not measured: --node-red names no folder"
    program = folder / "node_modules" / "node-red" / "red.js"
    node = shutil.which("node", path=str(Path(sys.executable).parent)) or shutil.which("node")
    if not program.exists() or node is None:
        return f"not measured: there is no {program}, or no node"
    user.mkdir()
    (user / "flows.json").write_text(json.dumps(flow))
    (user / "settings.js").write_text(
        'module.exports = {uiHost: "127.0.0.1", httpAdminRoot: false, telemetry: {enabled: false}}'
    )
    port = free_port()
    words = [node, str(program), "--userDir", str(user), "--port", str(port), "flows.json"]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, text=True)
    until_answered(f"http://127.0.0.1:{port}{path}")
    return server, port


def until_answered(url: str) -> None:
    """Wait for a server; that it refuses the question is an answer."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(urllib.request.Request(url, b"{}", method="PATCH"), timeout=5).close()
            return
        except urllib.error.HTTPError:
            pass  # its routes are not there yet
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


def patch(value: int) -> bytes:
    return b'[{"op":"replace","path":"/level","value":%d.5}]' % value


def plain(value: int) -> bytes:
    return b'{"level":%d.5}' % value


@dataclass
class Server:
    """Where to write, where to listen, and how a write of a number looks; it is told as a text with one "level"."""

    pid: int
    port: int
    feed: str
    paths: list[str]
    body: Callable[[int], bytes]


async def measure(server: Server, count: int, seconds: float, clients: list[int]) -> dict[str, Any]:
    """Latencies of `count` writes one after the other, then the rate of so many clients for `seconds`."""
    feed = f"ws://127.0.0.1:{server.port}{server.feed}"
    async with websockets.connect(feed, max_size=None, compression=None) as socket:
        seen = Subscriber(socket)
        answered, arrived = await one_by_one(server, seen, count)
        told: dict[str, Any] = {
            "answered_p50_ms": round(statistics.median(answered), 3),
            "seen_p50_ms": round(statistics.median(arrived), 3),
            "seen_p99_ms": round(percentile(arrived, 0.99), 3),
        }
        for number in clients:
            told[f"{number}_clients"] = await rate(server, seen, number, seconds)
        seen.stop()
    return told


class Subscriber:
    """Counts the writes that it is told of."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.count = 0
        self._more = asyncio.Event()
        self._task = asyncio.create_task(self._listen(socket))

    async def _listen(self, socket: websockets.ClientConnection) -> None:
        async for text in socket:
            self.count += text.count("level")
            self._more.set()

    async def until(self, count: int) -> None:
        """Return once so many were seen; at most 5 s later, or the run is over."""
        try:
            async with asyncio.timeout(5):
                while self.count < count:
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise SystemExit(f"the subscriber saw {self.count} of {count} writes") from None

    def stop(self) -> None:
        self._task.cancel()


async def one_by_one(server: Server, seen: Subscriber, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds from each write to its answer, and to the subscriber."""
    client = await connect(server, 0, 0)
    answered, arrived = [], []
    for number in range(1, count + 1):
        before, began = seen.count, time.perf_counter()
        await client.write(number)
        answered.append((time.perf_counter() - began) * 1e3)
        await seen.until(before + 1)
        arrived.append((time.perf_counter() - began) * 1e3)
    client.transport.close()
    return answered, arrived


async def rate(server: Server, seen: Subscriber, number: int, seconds: float) -> dict[str, float]:
    """Writes a second of `number` clients, and what one took of the server's processor and of ours."""
    before, began = seen.count, time.perf_counter()
    server_s, own_s = processor_s(server.pid), time.process_time()
    clients = [await connect(server, k, began + seconds) for k in range(number)]
    done = sum(await asyncio.gather(*(client.write_on() for client in clients)))
    wall_s = time.perf_counter() - began
    server_s, own_s = processor_s(server.pid) - server_s, time.process_time() - own_s
    await seen.until(before + done)
    return {
        "writes_per_s": round(done / wall_s),
        "server_us_per_write": round(server_s / done * 1e6, 1),
        "generator_us_per_write": round(own_s / done * 1e6, 1),
    }


def processor_s(pid: int) -> float:
    """Seconds of processor that a process and its children have taken; nan where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return math.nan
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") + sum(
        processor_s(int(each)) for each in children
    )


async def connect(server: Server, k: int, stop_at: float) -> "Client":
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(
        lambda: Client(server.paths[k], server.body, stop_at), "127.0.0.1", server.port
    )
    return client


class Client(asyncio.Protocol):
    """One keep-alive connection that patches one path: the next write goes out when the last is answered."""

    def __init__(self, path: str, body: Callable[[int], bytes], stop_at: float) -> None:
        self._head = f"PATCH {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n".encode()
        self._path, self._body, self._stop_at = path, body, stop_at
        self._buffer = b""
        self._on = False
        self._done = 0
        self._over: asyncio.Future[int]

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    async def write(self, number: int) -> None:
        """One write; it must be answered with 204 and no body."""
        self._over = asyncio.get_running_loop().create_future()
        self._send(number)
        try:
            await asyncio.wait_for(self._over, _PATIENCE_S)
        except TimeoutError:
            raise SystemExit(f"{self._path}: no answer within {_PATIENCE_S:.0f} s") from None

    async def write_on(self) -> int:
        """Write until the time is over; how many were answered."""
        self._over = asyncio.get_running_loop().create_future()
        self._on = True
        self._send(0)
        try:
            patience_s = self._stop_at - time.perf_counter() + _PATIENCE_S
            return await asyncio.wait_for(self._over, patience_s)
        except TimeoutError:
            raise SystemExit(f"{self._path}: no answer within {_PATIENCE_S:.0f} s") from None

    def _send(self, number: int) -> None:
        body = self._body(number)
        self.transport.write(b"%sContent-Length: %d\r\n\r\n%s" % (self._head, len(body), body))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end or (b"chunked" in head.lower() and not rest.endswith(b"0\r\n\r\n")):
            return
        if not head.startswith(b"HTTP/1.1 204 "):
            self._over.set_exception(SystemExit(f"{self._path}: {self._buffer[:300]!r}"))
            return
        self._buffer = b""
        self._done += 1
        if self._on and time.perf_counter() < self._stop_at:
            self._send(self._done)
        else:
            self._over.set_result(self._done)
            if self._on:
                self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._over.done():
            self._over.set_exception(SystemExit(f"{self._path}: the connection is lost: {exc}"))


if __name__ == "__main__":
    main()
