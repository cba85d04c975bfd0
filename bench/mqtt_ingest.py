"""How many QoS 1 messages a second does our endpoint take, against mosquitto in the same run?

Ours decodes each message, checks its properties, hashes and signs the block, and has it on disk and in the Merkle
tree before the PUBACK and before the one subscriber sees it. mosquitto keeps nothing on disk and forwards. Where
the first prototype lies beside the project it is measured too: it writes to disk, but understands nothing.

    burst   4 connections, each with up to 5,000 unacknowledged messages
    fleet   200 connections, each message a segment of its own, each with up to 16 unacknowledged
    single  200 connections, each message a segment of its own, the next one when the last is acknowledged

Sender, server and subscriber share the machine; the sender and the subscriber are the same bytes for all.
The rounds are interleaved, and medians are compared. Run: python bench/mqtt_ingest.py [--quick]
"""

import argparse
import asyncio
import ctypes
import os
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import uvloop

from ectype.ingest.ingest import Ingest
from ectype.log.log import Log
from ectype.log.space import open_space
from ectype.sources.mqtt.endpoint import MqttEndpoint

PROTOTYPE = Path(__file__).resolve().parents[2] / "shared" / "prototypes" / "durable_mqtt.py"
ME = [sys.executable, str(Path(__file__).resolve())]
KNOWN = {"power", "windSpeed", "pitch", "nacelle"}
DIFFERENT = 1000  # messages before the same bytes come again
TOPIC = "farm/R{:03d}"
SENDMMSG = ctypes.CDLL(None, use_errno=True).sendmmsg
SENDMMSG.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)


def packet(twin: int, k: int) -> bytearray:
    """A PUBLISH of about 110 bytes; all are equally long, with the packet id still to be filled in."""
    topic = TOPIC.format(twin).encode()
    body = (
        f'{{"t":"2014-03-01T{k // 3600 % 24:02d}:{k // 60 % 60:02d}:{k % 60:02d}Z","power":{1000 + k % 1000}.5,'
        f'"windSpeed":7.{k % 90 + 10},"pitch":-0.9,"nacelle":{k % 90 + 100}.25}}'
    ).encode()
    rest = len(topic).to_bytes(2, "big") + topic + b"\0\0" + body
    assert len(rest) < 128
    return bytearray(bytes((0x32, len(rest))) + rest)


SIZE = len(packet(0, 0))
ID_AT = 2 + 2 + len(TOPIC.format(0))


def connect(name: str) -> bytes:
    raw = b"\0\4MQTT\4\2\0\0" + len(name).to_bytes(2, "big") + name.encode()
    return bytes((0x10, len(raw))) + raw


class Known:
    """Like a node's: what it says holds until the graph changes."""

    epoch = 0

    def __call__(self, twin: str, name: str) -> str | None:
        return None if name in KNOWN and twin.startswith("R") else f"'{twin}' has no property '{name}'"


async def serve(folder: str, port: int) -> None:
    """Our side: an endpoint over a log in files."""
    space = open_space(Path(folder))
    log = await Log.open(space.store, space.signer, origin=space.origin)

    ingest = Ingest(log, space.signer, Known())
    endpoint = await MqttEndpoint.start("127.0.0.1", port, ingest.deliver)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await endpoint.close()
    await ingest.close()
    stats = ingest.stats()
    assert stats.set_aside == 0
    assert stats.samples == 4 * stats.messages
    print(stats.messages, stats.entries)
    await log.close()
    space.close()


class Sender(asyncio.Protocol):
    """Keeps `window` messages unacknowledged until it has sent `count`."""

    def __init__(self, twin: int, count: int, window: int, done: "asyncio.Future[None]") -> None:
        self.left = self.owed = count
        self.window = window
        self.done = done
        self.sent = 0
        self.waiting_connack = True
        stock = np.frombuffer(b"".join(packet(twin, k) for k in range(DIFFERENT)), np.uint8)
        self.stock = stock.reshape(DIFFERENT, SIZE)

    def connection_made(self, transport) -> None:
        self.transport = transport
        transport.write(connect(f"sender-{id(self)}"))

    def go(self) -> None:
        self.more(self.window)

    def more(self, n: int) -> None:
        n = min(n, self.left)
        if n:
            at = (self.sent + np.arange(n)) % 65_535
            packets = self.stock[at % DIFFERENT]
            packets[:, ID_AT] = (at + 1) >> 8
            packets[:, ID_AT + 1] = (at + 1) & 255
            self.sent += n
            self.left -= n
            self.transport.write(packets.tobytes())

    def data_received(self, data: bytes) -> None:
        if self.waiting_connack:
            self.waiting_connack = False
            data = data[4:]
            if not data:
                return
        self.partial = getattr(self, "partial", 0) + len(data)
        n, self.partial = divmod(self.partial, 4)
        self.owed -= n
        self.more(n)
        if self.owed == 0 and not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, error) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError("the server closed the connection"))


class Letters:
    """Messages of one connection, which the kernel takes one by one in a single call: `sendmmsg`.

    Each is a send of its own, so a TCP segment of its own, like a device's; but the sender spends its time
    in TCP and not in Python, and leaves more of the two cores to the server, whichever that is.
    """

    def __init__(self, sock: socket.socket, twin: int, count: int) -> None:
        self.sock = sock
        self.sent = self.acked = 0
        packets = np.frombuffer(b"".join(packet(twin, k) for k in range(count)), np.uint8).reshape(count, SIZE).copy()
        at = np.arange(count) % 65_535 + 1
        packets[:, ID_AT], packets[:, ID_AT + 1] = at >> 8, at & 255
        where = packets.ctypes.data + SIZE * np.arange(count)
        pieces = np.stack([where, np.full(count, SIZE)], axis=1)  # struct iovec
        heads = np.zeros((count, 8), np.int64)  # struct mmsghdr, of which two fields matter
        heads[:, 2], heads[:, 3] = pieces.ctypes.data + 16 * np.arange(count), 1
        self._kept = packets, pieces, heads
        self._heads = heads.ctypes.data

    def send(self, until: int) -> None:
        while self.sent < until:
            n = SENDMMSG(self.sock.fileno(), self._heads + 64 * self.sent, until - self.sent, 0)
            if n < 0:
                raise SystemExit(f"sending failed: {os.strerror(ctypes.get_errno())}")
            self.sent += n


def send_singly(port: int, connections: int, each: int, window: int) -> None:
    """Like `send`, with one segment for each message."""
    poll = select.epoll()
    letters: dict[int, Letters] = {}
    for twin in range(connections):
        s = socket.create_connection(("127.0.0.1", port))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.sendall(connect(f"device-{twin}"))
        assert len(s.recv(4, socket.MSG_WAITALL)) == 4
        letters[s.fileno()] = Letters(s, twin, each)
        poll.register(s.fileno(), select.EPOLLIN)
    began = time.monotonic()
    for one in letters.values():
        one.send(min(window, each))
    owed = connections * each * 4
    while owed:
        for fd, _ in poll.poll():
            one = letters[fd]
            n = len(one.sock.recv(65_536))
            if not n:
                raise SystemExit("the server closed a connection")
            owed -= n
            one.acked += n
            one.send(min(each, one.acked // 4 + window))
    print(began, time.monotonic())


async def send(port: int, connections: int, each: int, window: int) -> None:
    """The sender process: prints when it began and when everything was acknowledged."""
    loop = asyncio.get_running_loop()
    senders = []
    for twin in range(connections):
        _, sender = await loop.create_connection(
            lambda t=twin: Sender(t, each, window, loop.create_future()), "127.0.0.1", port
        )
        sender.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        senders.append(sender)
    began = time.monotonic()
    for sender in senders:
        sender.go()
    await asyncio.gather(*(s.done for s in senders))
    print(began, time.monotonic())


def watch(port: int, count: int) -> None:
    """The subscriber process: reads, acknowledges, and does nothing; prints when it had everything."""
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(connect("watcher") + b"\x82\x06\x00\x01\x00\x01#\x01")
        rest = b""
        while len(rest) < 9:
            rest += s.recv(9 - len(rest))
        print("ready", flush=True)
        rest = b""
        while count:
            data = rest + s.recv(1 << 20)
            n = len(data) // SIZE
            rest = data[n * SIZE :]
            packets = np.frombuffer(data, np.uint8, n * SIZE).reshape(n, SIZE)
            acks = np.empty((n, 4), np.uint8)
            acks[:, 0], acks[:, 1], acks[:, 2:] = 0x40, 2, packets[:, ID_AT : ID_AT + 2]
            s.sendall(acks.tobytes())
            count -= n
        print(time.monotonic())


@dataclass
class Round:
    acknowledged: float  # messages a second
    seen: float  # by the subscriber
    cpu_us: float  # of the server, per message


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port: int, server: subprocess.Popen) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server did not start")


def one_round(kind: str, folder: Path, connections: int, each: int, window: int) -> Round:
    port = free_port()
    if kind == "ectype":
        words = [
            *ME,
            "--serve",
            str(folder / f"space-{port}"),
            "--port",
            str(port),
        ]
    elif kind == "prototype":
        (folder / "scratch" / "d").mkdir(parents=True, exist_ok=True)
        words = [sys.executable, str(PROTOTYPE), str(port), "uv"]
    else:
        config = folder / "mosquitto.conf"
        config.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
            "max_queued_messages 0\nmax_inflight_messages 0\nset_tcp_nodelay true\nlog_type none\n"
        )
        words = [mosquitto() or "mosquitto", "-c", str(config)]
    server = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder
    )
    total = connections * each
    me = [*ME, "--port", str(port)]
    try:
        wait_for(port, server)
        watcher = subprocess.Popen([*me, "--watch", str(total)], stdout=subprocess.PIPE, text=True)
        assert watcher.stdout is not None
        assert watcher.stdout.readline() == "ready\n"
        cpu = cpu_s(server.pid)
        how = "--send" if connections < 100 else "--send-singly"
        words = [*me, how, str(connections), str(each), str(window)]
        sender = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
        began, acknowledged = map(float, sender.stdout.split())
        seen = float(watcher.stdout.read())
        cpu = cpu_s(server.pid) - cpu
        watcher.wait()
        if kind == "ectype":
            out, _ = server.communicate()
            assert out.split()[0] == str(total), "not every acknowledged message is in the log"
        return Round(total / (acknowledged - began), total / (seen - began), cpu / total * 1e6)
    finally:
        server.kill()
        server.wait()


def mosquitto() -> str | None:
    return shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, for CI")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--watch", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--send", type=int, nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--send-singly", type=int, nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        uvloop.run(serve(given.serve, given.port))
    elif given.watch:
        watch(given.port, given.watch)
    elif given.send_singly:
        send_singly(given.port, *given.send_singly)
    elif given.send:
        uvloop.run(send(given.port, *given.send))
    else:
        compare(1 if given.quick else given.rounds, 0.1 if given.quick else 1.0)


def compare(rounds: int, scale: float) -> None:
    cases = {
        "burst": (4, int(200_000 * scale), 5000),
        "fleet": (200, int(2000 * scale), 16),
        "single": (200, int(500 * scale), 1),
    }
    kinds = ["ectype", *["mosquitto"] * bool(mosquitto()), *["prototype"] * PROTOTYPE.exists()]
    if "mosquitto" not in kinds:
        print("mosquitto is not installed: no baseline")
    print(f"{os.cpu_count()} cores, {SIZE}-byte packets with 4 values each, QoS 1 in and out, medians of {rounds}")
    for name, shape in cases.items():
        found: dict[str, list[Round]] = {kind: [] for kind in kinds}
        for _ in range(rounds):
            for kind in kinds:
                with tempfile.TemporaryDirectory() as folder:
                    found[kind].append(one_round(kind, Path(folder), *shape))
        for kind in kinds:
            median = [statistics.median(getattr(r, f) for r in found[kind]) for f in ("acknowledged", "seen", "cpu_us")]
            print(
                f"{name:6} {kind:10} {median[0]:9,.0f} msg/s acknowledged {median[1]:9,.0f} msg/s seen "
                f"{median[2]:6.1f} us of server CPU per message"
            )
        for other in kinds[1:]:
            pairs = zip(found["ectype"], found[other], strict=True)
            ratios = sorted(a.seen / b.seen for a, b in pairs)
            span = f"(from {ratios[0]:.2f} to {ratios[-1]:.2f})"
            print(f"{name:6} ectype : {other:10} {statistics.median(ratios):6.2f} x  {span}")


if __name__ == "__main__":
    main()
