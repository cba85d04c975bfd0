"""How many point reads and durable patches a second does the Azure Digital Twins API answer, over HTTP, to 16 clients?

`ectype serve` in a process of its own; 16 connections, each with one request on its way, speak plain HTTP/1.1 from
this process. Reads and patches go to twins spread over all; then all 16 patch ONE twin. A patch is answered when it is
checked, signed, on disk and folded. Beside it in the same run, as the physical limit: a bare Starlette app on the same
server that reads from, and commits to, SQLite, with no model, no check, no log and no ETag. And as a peer, where it is
installed (npm install --prefix FOLDER node-red, then --node-red FOLDER): Node-RED with the same two routes over values
in its memory, which keeps nothing.
Bars: 4,000 reads/s, 2,500 patches/s, 500 patches/s on one twin.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adt_import import SENSOR_TYPE, serve, write_campus
from http_write import start_node_red

CLIENTS = 16
API = "api-version=2023-10-31"
BARS = {"read_per_s": 4000, "patch_per_s": 2500, "patch_one_per_s": 500}
BARE = textwrap.dedent(
    """
    import asyncio, json, sqlite3, sys
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route
    import uvicorn

    db = sqlite3.connect(sys.argv[1], isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE t(id TEXT PRIMARY KEY, body TEXT)")
    db.executemany("INSERT INTO t VALUES(?, ?)", ((f"twin-{n}", '{"value":1}') for n in range(int(sys.argv[2]))))

    async def get(request: Request) -> Response:
        row = db.execute("SELECT body FROM t WHERE id = ?", (request.path_params["id"],)).fetchone()
        return Response(row[0], media_type="application/json")

    async def patch(request: Request) -> Response:
        [operation] = json.loads(await request.body())
        body = json.dumps({"value": operation["value"]})
        db.execute("UPDATE t SET body = ? WHERE id = ?", (body, request.path_params["id"]))
        return Response(status_code=204)

    routes = [Route("/digitaltwins/{id}", get, methods=["GET"]), Route("/digitaltwins/{id}", patch, methods=["PATCH"])]
    config = uvicorn.Config(Starlette(routes=routes), port=0, http="httptools", loop="uvloop", log_level="critical")
    server = uvicorn.Server(config)

    async def main():
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        print(server.servers[0].sockets[0].getsockname()[1], flush=True)
        await task

    asyncio.run(main())
    """
)

KEPT = "global.get('twins') || {}"
GET = f"const twins = {KEPT}; msg.payload = twins[msg.req.params.id] || {{value: 0}}; return msg;"
PATCH = f"const twins = {KEPT}; const first = (msg.payload || [])[0] || {{}}; "
PATCH += "twins[msg.req.params.id] = {value: first.value}; "
PATCH += "global.set('twins', twins); msg.payload = ''; return msg;"
FLOW = [
    {"id": "tab", "type": "tab", "label": "bench"},
    {"id": "in1", "type": "http in", "z": "tab", "url": "/digitaltwins/:id", "method": "get", "wires": [["f1"]]},
    {"id": "f1", "type": "function", "z": "tab", "func": GET, "outputs": 1, "wires": [["ok1"]]},
    {"id": "ok1", "type": "http response", "z": "tab", "statusCode": "200", "wires": []},
    {"id": "in2", "type": "http in", "z": "tab", "url": "/digitaltwins/:id", "method": "patch", "wires": [["f2"]]},
    {"id": "f2", "type": "function", "z": "tab", "func": PATCH, "outputs": 1, "wires": [["ok2"]]},
    {"id": "ok2", "type": "http response", "z": "tab", "statusCode": "204", "wires": []},
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--twins", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--node-red", type=Path, help="a folder where npm installed node-red")
    args = parser.parse_args()
    count = args.twins or (1_000 if args.quick else 10_000)
    seconds = args.seconds or (0.5 if args.quick else 5)
    with tempfile.TemporaryDirectory() as folder:
        bare = asyncio.run(rates(*start_bare(Path(folder) / "bare.sqlite", count), count, seconds))
        space = Path(folder) / "campus.space"
        (space / "files").mkdir(parents=True)
        write_campus(space / "files" / "campus.ndjson", count)
        process, url, _ = serve(space)
        load(url)
        ours = asyncio.run(rates(process, int(url.rpartition(":")[2]), count, seconds))
        started = start_node_red(args.node_red, Path(folder) / "red", FLOW, "/digitaltwins/none")
        red = started if isinstance(started, str) else asyncio.run(rates(*started, count, seconds))
    result: dict[str, Any] = {"twins": count, "clients": CLIENTS}
    for name, rate in ours.items():
        result |= {name: round(rate), f"bar_{name}": BARS[name], f"bare_{name}": round(bare[name])}
        result[f"ratio_{name}"] = round(rate / bare[name], 2)
    result["node_red"] = red if isinstance(red, str) else {name: round(rate) for name, rate in red.items()}
    print(json.dumps(result, indent=2))


def load(url: str) -> None:
    """Import the campus."""
    import httpx

    with httpx.Client(base_url=url, params={"api-version": "2023-10-31"}, timeout=60) as http:
        body = {"inputBlobUri": "campus.ndjson", "outputBlobUri": "told.ndjson"}
        http.put("/jobs/imports/campus", json=body).raise_for_status()
        while http.get("/jobs/imports/campus").json()["status"] in ("notstarted", "running"):
            time.sleep(0.1)
        assert http.get("/digitaltwins/twin-1").json()["$metadata"]["$model"] == SENSOR_TYPE


def start_bare(path: Path, count: int) -> tuple[subprocess.Popen[str], int]:
    words = [sys.executable, "-c", BARE, str(path), str(count)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    return process, int(process.stdout.readline() if process.stdout else "")


async def rates(process: subprocess.Popen[str], port: int, count: int, seconds: float) -> dict[str, float]:
    try:
        return {
            "read_per_s": await rate(port, seconds, lambda n: get(f"twin-{n * 7919 % count}")),
            "patch_per_s": await rate(port, seconds, lambda n: patch(f"twin-{(n * 7919 % count) // 4 * 4 + 1}", n)),
            "patch_one_per_s": await rate(port, seconds, lambda n: patch("twin-1", n)),
        }
    finally:
        process.terminate()
        process.communicate(timeout=60)


def get(twin: str) -> bytes:
    return f"GET /digitaltwins/{twin}?{API} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def patch(twin: str, number: int) -> bytes:
    body = b'[{"op":"add","path":"/value","value":%d.5}]' % (number % 400)
    head = f"PATCH /digitaltwins/{twin}?{API} HTTP/1.1\r\nHost: 127.0.0.1\r\ncontent-type: application/json-patch+json"
    return f"{head}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


class Client(asyncio.Protocol):
    """One connection: the next request goes out when the answer to the last is whole."""

    def __init__(self, request: Callable[[int], bytes], numbers: Any, over: asyncio.Event) -> None:
        self.request, self.numbers, self.over = request, numbers, over
        self.done = 0
        self.buffer = b""
        self.failed: bytes | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self.request(next(self.numbers)))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head = self.buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        status = self.buffer[9:12]
        length = 0
        if status != b"204":
            told = self.buffer[: head + 2].lower()
            at = told.find(b"content-length: ") + 16
            length = int(told[at : told.find(b"\r\n", at)])
        if len(self.buffer) < head + 4 + length:
            return
        if status not in (b"200", b"204"):
            self.failed = self.buffer
            self.over.set()
        self.buffer = b""
        self.done += 1
        if self.over.is_set():
            self.transport.close()
        else:
            self.transport.write(self.request(next(self.numbers)))


async def rate(port: int, seconds: float, request: Callable[[int], bytes]) -> float:
    """Answers a second."""
    over, numbers, loop = asyncio.Event(), iter(range(10**9)), asyncio.get_running_loop()
    clients = []
    began = time.perf_counter()
    for _ in range(CLIENTS):
        _, client = await loop.create_connection(lambda: Client(request, numbers, over), "127.0.0.1", port)
        clients.append(client)
    await asyncio.wait({asyncio.create_task(over.wait())}, timeout=seconds)
    over.set()
    took = time.perf_counter() - began
    done = sum(client.done for client in clients)
    await asyncio.sleep(0.2)
    for client in clients:
        assert client.failed is None, client.failed
        client.transport.close()
    return done / took


if __name__ == "__main__":
    main()
