"""A test bed: an endpoint without sockets, clients whose reading the test controls, and a disk that waits."""

import asyncio
from collections.abc import Sequence

from ectype.sources.base import Message
from ectype.sources.mqtt.connection import Connection
from ectype.sources.mqtt.endpoint import MqttEndpoint
from ectype.sources.mqtt.limits import Limits
from tests.sources import mqtt_wire as wire


class Pipe(asyncio.Transport):
    """The client's end: `sent` is what it has read; while `stuck` it reads nothing."""

    def __init__(self, protocol: Connection) -> None:
        super().__init__({"peername": ("192.0.2.1", 4711)})
        self.protocol = protocol
        self.sent = b""
        self.buffer = b""
        self.stuck = False
        self.reading = True
        self.gone = False
        self.high = 1 << 30
        self.full = False

    def write(self, data) -> None:
        assert not self.gone, "written to after it was closed"
        if self.stuck:
            self.buffer += data
            if len(self.buffer) > self.high and not self.full:
                self.full = True
                self.protocol.pause_writing()
        else:
            self.sent += data

    def unstick(self) -> None:
        self.stuck = False
        self.sent += self.buffer
        self.buffer = b""
        if self.full:
            self.full = False
            self.protocol.resume_writing()

    def get_write_buffer_size(self) -> int:
        return len(self.buffer)

    def set_write_buffer_limits(self, high=None, low=None) -> None:
        self.high = high or 0

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.gone

    def close(self) -> None:
        if not self.buffer:
            self.abort()

    def abort(self) -> None:
        if not self.gone:
            self.gone = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)


class Client:
    """What a client sends, and what it has read so far."""

    def __init__(self, endpoint: MqttEndpoint, greeting: bytes | None = b"") -> None:
        self.protocol = endpoint.connection()
        self.pipe = Pipe(self.protocol)
        self.protocol.connection_made(self.pipe)
        if greeting is not None:
            self.send(greeting or wire.connect())

    def send(self, *data: bytes) -> None:
        self.protocol.data_received(b"".join(data))

    def took(self) -> list[tuple[int, bytes]]:
        """All packets since the last call."""
        packets = wire.split(self.pipe.sent)
        self.pipe.sent = b""
        return packets

    def took_messages(self) -> list[tuple[str, bytes, int, bool]]:
        return [wire.published(*p) for p in self.took() if p[0] >> 4 == 3]


class Disk:
    """`deliver` that returns when the test says so; at once by default."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.calls = 0
        self.error: Exception | None = None
        self.stalls: list[asyncio.Future[None]] | None = None

    async def deliver(self, messages: Sequence[Message]) -> None:
        self.calls += 1
        if self.stalls is not None:
            stall = asyncio.get_running_loop().create_future()
            self.stalls.append(stall)
            await stall
        if self.error is not None:
            raise self.error
        self.messages += messages

    def stall(self) -> list[asyncio.Future[None]]:
        self.stalls = []
        return self.stalls

    @property
    def payloads(self) -> list[bytes]:
        return [m.payload for m in self.messages]


class Bed:
    """An endpoint on a disk and a clock that the test moves."""

    def __init__(self, limits: Limits | None = None, **settings) -> None:
        self.disk = Disk()
        self.now_s = 1000.0
        self.at_ns = 42
        self.endpoint = MqttEndpoint(
            self.disk.deliver,
            limits=limits or Limits(),
            clock=lambda: self.at_ns,
            monotonic=lambda: self.now_s,
            **settings,
        )

    def client(self, greeting: bytes | None = b"") -> Client:
        return Client(self.endpoint, greeting)

    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        self.endpoint.sweep()


async def turns(n: int = 8) -> None:
    """Let everything that is ready happen."""
    for _ in range(n):
        await asyncio.sleep(0)
