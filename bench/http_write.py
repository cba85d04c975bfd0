"""How long from an HTTP write of a property to a WebSocket subscriber, through the disk? And how many a second?

One client writes and waits, one subscriber listens: latency. Then 16 clients, each with a twin of its own: writes a
second. Each write is checked against its type, signed, on disk and folded before it is answered. Beside it in the
same run: Node-RED on the same path (HTTP in, WebSocket out; nothing is checked or kept), and a bare fdatasync.
Bars: p50 2 ms, 3,000 writes/s.

Node-RED is measured where it is installed: npm install --prefix FOLDER node-red, then --node-red FOLDER.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import websockets

from ectype.node.node import Node, Settings
from ectype.node.write import Draft
from ectype.trust.access import LOCAL_USER
from live_latency import bare_ms, percentile
from startup import free_port

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
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--node-red", type=Path, help="a folder where npm installed node-red")
    args = parser.parse_args()
    count, seconds = (100, 1.0) if args.quick else (2000, 10.0)
    with tempfile.TemporaryDirectory() as folder:
        bare = bare_ms(Path(folder) / "bare", 300)
        ours = ectype(Path(folder) / "space", count, seconds, args.clients)
        theirs = node_red(args.node_red, Path(folder) / "red", count, seconds, args.clients)
    result = {
        **{k: round(v, 3) for k, v in ours.items()},
        "bar_p50_ms": BAR_P50_MS,
        "bar_writes_per_s": BAR_WRITES,
        "bare_fdatasync_p50_ms": round(bare, 3),
        "ratio_to_fdatasync": round(ours["seen_p50_ms"] / bare, 2),
        "node_red": theirs if isinstance(theirs, str) else {k: round(v, 3) for k, v in theirs.items()},
    }
    print(json.dumps(result, indent=2))


def ectype(path: Path, count: int, seconds: float, clients: int) -> dict[str, float]:
    """Measure `ectype serve` in a process of its own."""
    size = asyncio.run(prepare(path, clients))
    words = ["serve", str(path), "--port", "0", "--mqtt-port", "0", "--no-estimate", "--json"]
    node = subprocess.Popen([sys.executable, "-m", "ectype.cli.main", *words], stdout=subprocess.PIPE, text=True)
    try:
        port = int(json.loads(node.stdout.readline() if node.stdout else "")["url"].rsplit(":", 1)[1])
        paths = [f"/api/twins/dial-{i}" for i in range(clients)]
        return asyncio.run(measure(port, f"/api/feed?from={size}", paths, patch, count, seconds))
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


def node_red(folder: Path | None, user: Path, count: int, seconds: float, clients: int) -> dict[str, float] | str:
    """Measure Node-RED on the same path, or say why not."""
    started = start_node_red(folder, user, FLOW, "/level")
    if isinstance(started, str):
        return started
    server, port = started
    try:
        return asyncio.run(measure(port, "/seen", ["/level"] * clients, plain, count, seconds))
    finally:
        server.terminate()
        server.wait(20)


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


async def measure(port: int, feed: str, paths: list[str], body, count: int, seconds: float) -> dict[str, float]:
    """Latencies of `count` writes one after the other, then the rate of one writer a path for `seconds`."""
    seen: asyncio.Queue[float] = asyncio.Queue()
    async with websockets.connect(f"ws://127.0.0.1:{port}{feed}", max_size=None, compression=None) as socket:

        async def listen() -> None:
            async for text in socket:
                if "level" in text:
                    seen.put_nowait(time.perf_counter())

        listening = asyncio.create_task(listen())
        writer = await Writer.connect(port, paths[0])
        answered, arrived = [], []
        for number in range(1, count + 1):
            began = time.perf_counter()
            await writer.write(body(number))
            answered.append((time.perf_counter() - began) * 1e3)
            arrived.append((await seen.get() - began) * 1e3)
        writer.close()
        listening.cancel()
    writers = [await Writer.connect(port, path) for path in paths]
    stop_at = time.perf_counter() + seconds

    async def write_on(writer: Writer) -> int:
        done = 0
        while time.perf_counter() < stop_at:
            done += 1
            await writer.write(body(count + done))
        return done

    total = sum(await asyncio.gather(*map(write_on, writers)))
    for writer in writers:
        writer.close()
    return {
        "answered_p50_ms": statistics.median(answered),
        "seen_p50_ms": statistics.median(arrived),
        "seen_p99_ms": percentile(arrived, 0.99),
        "writes_per_s": total / seconds,
    }


class Writer:
    """One keep-alive connection that writes to one path."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
        self._reader, self._writer, self._path = reader, writer, path

    @classmethod
    async def connect(cls, port: int, path: str) -> "Writer":
        return cls(*await asyncio.open_connection("127.0.0.1", port), path)

    async def write(self, body: bytes) -> None:
        """One PATCH; it must be answered with 204 and no body."""
        head = f"PATCH {self._path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        if b" 204 " not in answer[:20]:
            raise SystemExit(f"{self._path}: {answer[:300]!r}")
        if b"transfer-encoding: chunked" in answer.lower():
            await self._reader.readuntil(b"0\r\n\r\n")

    def close(self) -> None:
        self._writer.close()


if __name__ == "__main__":
    main()
