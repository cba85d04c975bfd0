"""Does anybody notice when the node is killed? `kill -9` of `ectype serve` under load, with subscribers that resume.

    python bench/kill9_feed.py                 1,000 kills (about an hour)
    python bench/kill9_feed.py --kills 30         Ctrl-C ends it early, and what was done is checked

Senders post tables at 20,000 updates/s, each update with a value that no other has; 20 subscribers follow `/api/feed`
and, after each kill, resume from the last `next` they saw. At the end every subscriber must have each acknowledged
update once, none twice, and each entry of the log in order without a gap; the whole space is verified. `kill9.py` asks
the same of the log alone, and compares every root. A sender never repeats a table, so what was not acknowledged may be
there or not.
"""

import argparse
import asyncio
import http.client
import json
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from ectype.log.verify import verify_space
from push_arrow import prepare  # the same 100 twins of ten series

RATE, ROWS, SENDERS, SUBSCRIBERS = 20_000, 400, 4, 20


class _Block(msgspec.Struct):
    v: list[float]


class _Message(msgspec.Struct):
    first: int
    next: int
    blocks: list[_Block]


_decode = msgspec.json.Decoder(_Message).decode


class Subscriber(threading.Thread):
    """Follows the feed across kills; `wrong` says the first gap or repeat."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port, self.next, self.resumed, self.wrong = port, 0, -1, ""
        self.values: list[np.ndarray] = []

    def run(self) -> None:
        while True:
            with suppress(OSError, WebSocketException, EOFError), self._connected() as peer:
                self.resumed += 1
                for text in peer:
                    self._take(_decode(text))
            time.sleep(0.02)

    def _connected(self):
        url = f"ws://127.0.0.1:{self.port}/api/feed?from={self.next}"
        return connect(url, max_size=None, compression=None, open_timeout=5)

    def _take(self, message: _Message) -> None:
        if message.first != self.next and not self.wrong:
            self.wrong = f"expected entry {self.next}, got {message.first}"
        self.next = message.next
        self.values += [np.array(block.v) for block in message.blocks]


class Senders:
    """Post tables at the rate, while there is a node; remember what was acknowledged."""

    def __init__(self, port: int) -> None:
        self.acknowledged: list[tuple[int, int]] = []
        self.stop = threading.Event()
        self.wrong = ""
        self._port, self._value, self._turn = port, 0, threading.Lock()
        self._threads = [threading.Thread(target=self._send, args=(k,), daemon=True) for k in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self, number: int) -> None:
        every_s = ROWS * SENDERS / RATE
        names = [(f"machine-{number}", f"s{k}") for k in range(10)]
        while not self.stop.is_set():
            with suppress(OSError, http.client.HTTPException):
                peer = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
                due = time.monotonic()
                while not self.stop.is_set():
                    with self._turn:
                        first, self._value = self._value, self._value + ROWS
                    rows = [
                        {"twin": twin, "property": name, "value": float(v), "t": 1_393_675_200 + v / 1000}
                        for v, (twin, name) in zip(range(first, first + ROWS), names * (ROWS // 10), strict=True)
                    ]
                    body = msgspec.json.encode(rows)
                    peer.request("POST", "/api/push", body, {"Content-Type": "application/json"})
                    answer = peer.getresponse()
                    if answer.status != 200:
                        self.wrong = f"{answer.status}: {answer.read()[:300]!r}"
                        return
                    answer.read()
                    with self._turn:
                        self.acknowledged.append((first, first + ROWS))
                    due += every_s
                    time.sleep(max(0.0, due - time.monotonic()))
            time.sleep(0.02)


def start(space: Path, port: int) -> "subprocess.Popen[str]":
    words = ["serve", str(space), "--port", str(port), "--mqtt-port", "0", "--no-estimate", "--json"]
    node = subprocess.Popen(
        [sys.executable, "-m", "ectype.cli.main", *words], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    if not (node.stdout and node.stdout.readline()):
        raise SystemExit("the node did not start again")
    return node


def main(kills: int, seed: int, max_s: float) -> None:
    chance = random.Random(seed)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    began, loaded_s = time.monotonic(), 0.0
    with tempfile.TemporaryDirectory() as name:
        space = Path(name) / "space"
        asyncio.run(prepare(space))
        node = start(space, port)
        subscribers = [Subscriber(port) for _ in range(SUBSCRIBERS)]
        for each in subscribers:
            each.start()
        senders = Senders(port)
        done, enough = 0, threading.Event()
        signal.signal(signal.SIGINT, lambda *_: enough.set())
        while done < kills and not enough.is_set():
            before, since = len(senders.acknowledged), time.monotonic()
            while len(senders.acknowledged) == before:
                if senders.wrong:
                    raise SystemExit(senders.wrong)
                time.sleep(0.005)
            time.sleep(chance.uniform(0.0, max_s))
            node.kill()
            node.wait()
            loaded_s += time.monotonic() - since
            done += 1
            if done % 20 == 0:
                print(f"kill {done}/{kills}", file=sys.stderr, flush=True)
            node = start(space, port)
        time.sleep(1)
        senders.close()
        with_all = time.monotonic() + 120
        peer = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        peer.request("GET", "/api/space")
        size = json.loads(peer.getresponse().read())["size"]
        while any(each.next < size for each in subscribers) and time.monotonic() < with_all:
            time.sleep(0.05)
        node.terminate()
        node.wait(60)
        acknowledged = np.concatenate([np.arange(a, b) for a, b in senders.acknowledged])
        lost, twice = 0, 0
        for each in subscribers:
            times = np.bincount(np.concatenate(each.values).astype(np.int64), minlength=int(acknowledged.max()) + 1)
            lost += int((times[acknowledged] == 0).sum())
            twice += int((times > 1).sum())
        report = verify_space(space)
    gaps = [each.wrong for each in subscribers if each.wrong]
    result = {
        "kills": done,
        "updates_per_s_while_up": round(len(acknowledged) / (loaded_s + 1)),
        "acknowledged_updates": len(acknowledged),
        "lost": lost,
        "twice": twice,
        "gaps": len(gaps),
        "subscribers": len(subscribers),
        "resumed_at_least": min(each.resumed for each in subscribers),
        "behind_at_the_end": sum(each.next < size for each in subscribers),
        "entries_verified": report.size,
        "seconds": round(time.monotonic() - began),
    }
    print(json.dumps(result))
    if lost or twice or gaps or result["behind_at_the_end"]:
        raise SystemExit(f"something was lost or came twice: {gaps[:3]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3 kills, for CI")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max-s", type=float, default=1.0, help="the longest that a node lives under load")
    options = parser.parse_args()
    main(3 if options.quick else options.kills, options.seed, options.max_s)
