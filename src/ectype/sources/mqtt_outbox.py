"""What one subscriber is still owed, and how much of it is kept when the subscriber does not read.

          room in the socket's buffer        no room
    QoS 0 written at once                    dropped and counted
    QoS 1 written, waits for its PUBACK      kept in order, up to a limit; beyond it the connection ends

At most `WINDOW` QoS 1 messages wait for their PUBACK; more are kept as if there were no room. Packet ids are
each subscriber's own, counted up and used again once acknowledged.
"""

from collections import deque
from collections.abc import Iterable
from typing import Protocol, final

from ectype.sources.mqtt_packets import publish_head

WINDOW = 8192
SOCKET_LIMIT = 4 << 20
QUEUE_LIMIT = 16 << 20
_OVERHEAD = 128  # what Python adds to one queued message, so that many empty ones are bounded too


class Pipe(Protocol):
    """The part of asyncio's write transport that an outbox needs."""

    def write(self, data: bytes, /) -> None:
        """Send, or keep in the buffer."""

    def get_write_buffer_size(self) -> int:
        """Bytes not yet given to the kernel."""
        ...


@final
class Outbox:
    """Messages on their way to one subscriber. `add` them, then `flush` once: one write for all."""

    __slots__ = (
        *("_ahead", "_id", "_pipe", "_queue", "_queued", "_ready"),
        *("dropped", "limit", "socket_limit", "waiting", "window"),
    )

    def __init__(
        self, pipe: Pipe, *, window: int = WINDOW, socket_limit: int = SOCKET_LIMIT, limit: int = QUEUE_LIMIT
    ) -> None:
        self._pipe = pipe
        self._ready: list[bytes] = []
        self._ahead = 0  # bytes in _ready and in the socket's buffer
        self._queue: deque[tuple[bytes, bytes]] = deque()
        self._queued = 0
        self._id = 0
        self.waiting: set[int] = set()
        self.dropped = 0
        self.window = window
        self.socket_limit = socket_limit
        self.limit = limit

    @property
    def queued_bytes(self) -> int:
        """What the QoS 1 messages in the queue hold."""
        return self._queued

    @property
    def too_far_behind(self) -> bool:
        """More is kept than the limit allows: the connection must end."""
        return self._queued > self.limit

    @property
    def idle(self) -> bool:
        """Nothing is owed and nothing waits to be read."""
        return not (self._queue or self.waiting or self._ready or self._pipe.get_write_buffer_size())

    def add(self, topic: bytes, payload: bytes, qos: int, retain: bool = False) -> None:
        """Owe this message; `topic` is a topic_field."""
        if not self._ready:
            self._ahead = self._pipe.get_write_buffer_size()
        head = publish_head(topic, len(payload), qos, retain)
        if qos == 0:
            if self._ahead > self.socket_limit:
                self.dropped += 1
                return
            self._ready += (head, payload)
            self._ahead += len(head) + len(payload)
        elif self._queue or self._ahead > self.socket_limit or len(self.waiting) >= self.window:
            if self._queued <= self.limit:  # beyond, the connection is about to end: keep nothing more
                self._queue.append((head, payload))
                self._queued += len(head) + len(payload) + _OVERHEAD
        else:
            self._send(head, payload)

    def flush(self) -> None:
        """Write what is ready, as one buffer."""
        if self._ready:
            data = b"".join(self._ready)
            self._ready.clear()
            self._pipe.write(data)

    def acknowledged(self, ids: Iterable[int]) -> None:
        """The subscriber has these; ids it was never given are ignored, as a resent PUBACK may be one."""
        self.waiting.difference_update(ids)
        self.refill()

    def refill(self) -> None:
        """Send what was kept, as far as there is room now."""
        if not self._ready:
            self._ahead = self._pipe.get_write_buffer_size()
        while self._queue and self._ahead <= self.socket_limit and len(self.waiting) < self.window:
            head, payload = self._queue.popleft()
            self._queued -= len(head) + len(payload) + _OVERHEAD
            self._send(head, payload)
        self.flush()

    def _send(self, head: bytes, payload: bytes) -> None:
        packet_id = self._id
        while True:  # ends: the window is smaller than the 65535 ids
            packet_id = packet_id % 65_535 + 1
            if packet_id not in self.waiting:
                break
        self._id = packet_id
        self.waiting.add(packet_id)
        self._ready += (head, packet_id.to_bytes(2, "big"), payload)
        self._ahead += len(head) + len(payload) + 2
