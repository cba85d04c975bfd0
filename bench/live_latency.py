"""How long from an MQTT publish at QoS 1 to the WebSocket of a browser, through the disk?

1,000 messages a second from one client, each decoded, checked, on disk, acknowledged, and then seen by a
feed client. Baseline in the same run: a bare write + fdatasync of the same size, the least that durable can
cost here. Bars: p50 5 ms, p99 30 ms.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import paho.mqtt.client as mqtt
import websockets

from ectype.demo.farm import drafts
from ectype.node.node import Node, Settings
from ectype.trust.access import LOCAL_USER

BAR_P50_MS, BAR_P99_MS = 5.0, 30.0
TOPIC = "bench/R80711/power"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rate", type=float, default=1000.0, help="messages a second")
    parser.add_argument("--seconds", type=float)
    args = parser.parse_args()
    count = int(args.rate * (args.seconds or (3 if args.quick else 30)))
    with tempfile.TemporaryDirectory() as folder:
        bare = bare_ms(Path(folder) / "bare", 300)
        latencies = measure(Path(folder) / "space", count, args.rate)
    p50, p99 = (percentile(latencies, q) for q in (0.5, 0.99))
    result = {
        "messages": len(latencies),
        "rate_per_s": args.rate,
        "p50_ms": p50,
        "bar_p50_ms": BAR_P50_MS,
        "p99_ms": p99,
        "bar_p99_ms": BAR_P99_MS,
        "worst_ms": max(latencies),
        "bare_fdatasync_p50_ms": bare,
        "ratio_p50": p50 / bare,
    }
    print(json.dumps({k: round(v, 3) for k, v in result.items()}, indent=2))


def prepare(path: Path) -> int:
    """Write the farm into a space; how many entries that took."""

    async def write() -> int:
        node = await Node.start(path, Settings(estimate=False))
        try:
            for draft in drafts(0, 1):
                await node.view(LOCAL_USER).write(draft)
            return node.log.size
        finally:
            await node.close()

    return asyncio.run(write())


def measure(path: Path, count: int, rate: float) -> list[float]:
    """Milliseconds from publish to WebSocket of each message; its value is its number.

    The node is `ectype serve` in a process of its own; device and browser share this one.
    """
    size = prepare(path)
    words = ["serve", str(path), "--port", "0", "--mqtt-port", "0", "--no-estimate", "--json"]
    node = subprocess.Popen([sys.executable, "-m", "ectype.cli.main", *words], stdout=subprocess.PIPE, text=True)
    try:
        told = json.loads(node.stdout.readline() if node.stdout else "")
        url = told["url"].replace("http", "ws") + f"/api/feed?from={size}"
        return asyncio.run(watch(url, told["mqtt_port"], count, rate))
    finally:
        node.terminate()
        node.communicate(timeout=20)


async def watch(url: str, port: int, count: int, rate: float) -> list[float]:
    """Publish from a thread, listen here."""
    sent = [0.0] * count
    seen = [0.0] * count
    async with websockets.connect(url, max_size=None, compression=None) as socket:
        sender = threading.Thread(target=publish, args=(port, count, rate, sent))
        sender.start()
        left = count
        while left:
            async with asyncio.timeout(30):
                message = json.loads(await socket.recv())
            now = time.perf_counter()
            for block in message["blocks"]:
                for value in block["v"]:
                    seen[int(value)] = now
                    left -= 1
        sender.join()
    return [(b - a) * 1e3 for a, b in zip(sent, seen, strict=True)]


def publish(port: int, count: int, rate: float, sent: list[float]) -> None:
    """Send `count` messages evenly at `rate` from a thread of its own."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="bench")
    client.max_inflight_messages_set(5000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    began = time.perf_counter()
    for number in range(count):
        wait = began + number / rate - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        sent[number] = time.perf_counter()
        last = client.publish(TOPIC, str(number), qos=1)
    last.wait_for_publish(30)  # acknowledged, and so all before it sent: a disconnect drops what is still queued
    client.disconnect()
    client.loop_stop()


def bare_ms(path: Path, rounds: int) -> float:
    """Median of appending 1 KB and fdatasync."""
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    times: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        os.write(fd, b"x" * 1024)
        os.fdatasync(fd)
        times.append((time.perf_counter() - began) * 1e3)
    os.close(fd)
    return statistics.median(times)


def percentile(values: list[float], q: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


if __name__ == "__main__":
    main()
