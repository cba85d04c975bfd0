"""How many samples a second can be pushed as Arrow over HTTP, and be durable, hashed and signed when it is answered?

`ectype serve` runs in a process of its own; one client posts blocks of 10,000 samples of 1,000 series, once a block in
each request and once 25 blocks in each. Every sample is checked against its twin's type. Beside it, in the same run,
the physical limit: SHA-256, write and fdatasync of the very same bytes, one after the other, in groups of 4 MiB.
Then it waits until history has all of it, and counts what is there. Bar: 8 M samples/s.

Run: python bench/push_arrow.py [--quick]
"""

import argparse
import asyncio
import hashlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
import pyarrow as pa

from ectype.node.node import Node, Settings
from ectype.node.write import Draft
from ectype.trust.access import LOCAL_USER

BAR = 8_000_000
BLOCK, TWINS, NAMES = 10_000, 100, [f"s{k}" for k in range(10)]
MODEL = {
    "@id": "dtmi:bench:Machine;1",
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;3",
    "contents": [{"@type": "Telemetry", "name": name, "schema": "double"} for name in NAMES],
}
SERIES = [f"machine-{t}.{name}" for t in range(TWINS) for name in NAMES]
T0_NS = 1_393_675_200_000_000_000


def body(first: int, blocks: int) -> bytes:
    """An Arrow stream of `blocks` record batches, as `pyarrow` writes it; row k comes 1 ms after row k - 1000."""
    schema = pa.schema(
        [("series", pa.dictionary(pa.int32(), pa.utf8())), ("time", pa.timestamp("ns")), ("value", pa.float64())]
    )
    names = pa.array(SERIES)
    rng = np.random.default_rng(first)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for block in range(first, first + blocks):
            k = np.arange(block * BLOCK, (block + 1) * BLOCK)
            at = pa.array(T0_NS + k // len(SERIES) * 1_000_000, pa.timestamp("ns"))
            which = pa.DictionaryArray.from_arrays(pa.array((k % len(SERIES)).astype(np.int32)), names)
            writer.write_batch(
                pa.record_batch([which, at, pa.array(np.round(rng.normal(size=BLOCK), 2))], schema=schema)
            )
    return sink.getvalue().to_pybytes()


async def prepare(path: Path) -> None:
    """A space with 100 twins of ten series each."""
    node = await Node.start(path, Settings(estimate=False))
    try:
        view = node.view(LOCAL_USER)
        await view.write(Draft("model.put", f"model:{MODEL['@id']}", MODEL))
        for t in range(TWINS):
            twin = {"$dtId": f"machine-{t}", "$metadata": {"$model": MODEL["@id"]}}
            await view.write(Draft("twin.put", f"twin:machine-{t}", twin))
    finally:
        await node.close()


def push(port: int, bodies: list[bytes], connections: int) -> tuple[float, list[float]]:
    """Post `bodies` over some connections; (seconds until all are answered, how long each took).

    Plain blocking sockets, as the client shares the cores with the node: it sends what was made before, uncopied.
    """
    took: list[float] = []
    left, turn = iter(bodies), threading.Lock()
    wrong: list[bytes] = []

    def one() -> None:
        with socket.create_connection(("127.0.0.1", port)) as peer, peer.makefile("rb") as answers:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not wrong:
                with turn:
                    data = next(left, None)
                if data is None:
                    return
                began = time.perf_counter()
                head = f"POST /api/push?source=bench HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(data)}\r\n"
                peer.sendall(head.encode() + b"Content-Type: application/vnd.apache.arrow.stream\r\n\r\n")
                peer.sendall(data)
                lines = list(iter(answers.readline, b"\r\n"))
                length = next(line for line in lines if line.lower().startswith(b"content-length:"))
                told = answers.read(int(length.split(b":")[1]))
                if b" 200 " not in lines[0]:
                    wrong.append(lines[0] + told)
                took.append(time.perf_counter() - began)

    began = time.perf_counter()
    threads = [threading.Thread(target=one) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong or len(took) < len(bodies):
        raise SystemExit(f"not every table was taken: {wrong[:1]}")
    return time.perf_counter() - began, took


def limit(folder: Path, bodies: list[bytes]) -> float:
    """Seconds to hash, write and flush the same bytes."""
    began = time.perf_counter()
    with (folder / "limit").open("wb", buffering=0) as file:
        pending = 0
        for data in bodies:
            hashlib.sha256(data).digest()
            file.write(data)
            pending += len(data)
            if pending >= 4 << 20:
                os.fdatasync(file.fileno())
                pending = 0
        os.fdatasync(file.fileno())
    seconds = time.perf_counter() - began
    (folder / "limit").unlink()
    return seconds


def get(port: int, path: str):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
        return json.load(answer)


def one_round(per_request: int, requests: int, connections: int) -> dict[str, float]:
    bodies = [body(k * per_request, per_request) for k in range(requests)]
    samples = requests * per_request * BLOCK
    with tempfile.TemporaryDirectory(dir=Path.cwd() if os.environ.get("BENCH_HERE") else None) as name:
        folder = Path(name)
        bare = min(limit(folder, bodies) for _ in range(2))  # the first also makes the pages
        space = folder / "space"
        asyncio.run(prepare(space))
        words = ["serve", str(space), "--port", "0", "--mqtt-port", "0", "--no-estimate", "--json"]
        node = subprocess.Popen([sys.executable, "-m", "ectype.cli.main", *words], stdout=subprocess.PIPE, text=True)
        try:
            port = int(json.loads(node.stdout.readline() if node.stdout else "")["url"].rsplit(":", 1)[1])
            push(port, [body(0, 1)], 1)  # the libraries that only a push needs are there now
            seconds, took = push(port, bodies, connections)
            last_ms = (T0_NS + (samples - 1) // len(SERIES) * 1_000_000) // 1_000_000
            began = time.perf_counter()
            while True:
                last = get(port, "/api/last")["series"]
                if len(last) == len(SERIES) and all(row[0] == last_ms for row in last.values()):
                    break
                time.sleep(0.05)
            behind = time.perf_counter() - began
        finally:
            node.terminate()
            node.communicate(timeout=60)
    return {
        "samples_per_s": samples / seconds,
        "limit_samples_per_s": samples / bare,
        "ratio_to_limit": bare / seconds,
        "answer_p50_ms": statistics.median(took) * 1e3,
        "folded_after_s": behind,
        "samples_per_s_folded": samples / (seconds + behind),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    rounds, samples = (1, 1_000_000) if args.quick else (args.rounds, 20_000_000)
    result: dict[str, object] = {"bar_samples_per_s": BAR, "cores": os.cpu_count(), "samples": samples}
    for per_request, connections in ((1, 32), (25, 6)):
        found = [one_round(per_request, samples // BLOCK // per_request, connections) for _ in range(rounds)]
        result[f"{per_request} blocks a request"] = {
            key: round(statistics.median(each[key] for each in found), 3) for key in found[0]
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
