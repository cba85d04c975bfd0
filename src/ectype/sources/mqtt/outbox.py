"""What one subscriber is still owed, and how much of it is kept when the subscriber does not read.

          room in the socket's buffer        no room
    QoS 0 written at once                    dropped and counted
    QoS 1 written, waits for its PUBACK      kept in order, up to a limit; beyond it the connection ends

At most `WINDOW` QoS 1 messages wait for their PUBACK; more are kept as if there were no room. Packet ids are
each subscriber's own, counted up and used again once acknowledged.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil
from typing import Protocol, final

import numpy as np

from ectype.sources.batch import Packed
from ectype.sources.mqtt.waiting import EXPIRY, Away, Waiting, id_at, translated
from ectype.sources.mqtt.writer import publish_head, remaining_length, topic_field

WINDOW = 8192
SOCKET_LIMIT = 4 << 20
QUEUE_LIMIT = 16 << 20
AWAY_LIMIT = 1 << 20
_PUBREL = b"\x62\x02"
_IDS_AHEAD = 32_768

_HEADS = [bytes((0x32, size)) for size in range(128)]
_IDS = np.arange(65_536, dtype=">u2").tobytes()


class Pipe(Protocol):
    """The part of asyncio's write transport that an outbox needs."""

    def write(self, data: bytes, /) -> None:
        """Send, or keep in the buffer."""

    def get_write_buffer_size(self) -> int:
        """Bytes not yet given to the kernel."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Owed:
    """What a subscriber that may come back is owed.

    version: of MQTT, in which the packets are; last_id: the packet id that was used last;
    sent: what it has not acknowledged, as it was sent; released: QoS 2 ids for which it is owed a PUBREL;
    queue: what was never sent, all single.
    """

    version: int
    last_id: int
    sent: tuple[bytes, ...]
    released: tuple[int, ...]
    queue: tuple[Waiting, ...]


@final
class Outbox:
    """Messages on their way to one subscriber. `add` them, then `flush` once: one write for all."""

    __slots__ = (
        *("_ahead", "_expiring", "_held", "_id", "_now", "_pipe", "_queue", "_queued", "_ready", "_released"),
        *("changed", "dropped", "limit", "max_packet", "session", "socket_limit", "version", "waiting", "window"),
    )

    def __init__(
        self,
        pipe: Pipe,
        *,
        window: int = WINDOW,
        socket_limit: int = SOCKET_LIMIT,
        limit: int = QUEUE_LIMIT,
        monotonic: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """monotonic: seconds, for messages that expire."""
        self._pipe = pipe
        self._now = monotonic
        self._expiring = 0  # messages in the queue that may
        self._ready: list[bytes] = []
        self._ahead = 0  # bytes in _ready and in the socket's buffer
        self._queue: deque[Waiting] = deque()
        self._queued = 0
        self._id = 0
        self.waiting: set[int] = set()
        self._held: dict[int, bytes] | None = None  # what waits for its PUBACK, if it is to be sent again
        self._released: dict[int, None] = {}  # QoS 2 ids whose PUBREC came, in that order
        self.changed = True  # what `owed` tells, since somebody set this to False
        self.version = 4
        self.max_packet = 0
        self.session: object = None
        self.dropped = 0
        self.window = window
        self.socket_limit = socket_limit
        self.limit = limit

    @property
    def queued_bytes(self) -> int:
        """What the QoS 1 messages in the queue hold."""
        return self._queued

    @property
    def held_bytes(self) -> int:
        """All that waits for the subscriber: in the queue and in the socket's buffer."""
        return self._queued + self._pipe.get_write_buffer_size()

    @property
    def too_far_behind(self) -> bool:
        """More is kept than the limit allows: the connection must end."""
        return self._queued > self.limit

    @property
    def idle(self) -> bool:
        """Nothing is owed and nothing waits to be read."""
        return not (self._queue or self.waiting or self._ready or self._pipe.get_write_buffer_size())

    def add(
        self,
        topic: bytes,
        payload: bytes,
        qos: int,
        retain: bool = False,
        properties: bytes = b"",
        expires_s: float | None = None,
    ) -> None:
        """Owe this message; `topic` is a topic_field, `properties` are those of MQTT 5, encoded.

        expires_s: when it is worth nothing any more; what is left of that goes out with it [MQTT-3.3.2-5, -6].
        """
        expiry_at = 0
        if expires_s is not None:
            left_s = ceil(expires_s - self._now())
            if left_s < 0:
                return
            if self.version == 5:
                properties = EXPIRY + left_s.to_bytes(4, "big") + properties
                expiry_at = len(remaining_length(len(properties))) + 1
        if self.version == 5:
            payload = (remaining_length(len(properties)) + properties if properties else b"\0") + payload
        if self.max_packet and len(topic) + len(payload) + 7 > self.max_packet:
            self.dropped += 1
            return
        if not self._ready:
            self._ahead = self._pipe.get_write_buffer_size()
        size = len(topic) + len(payload) + 2
        if (
            qos == 1
            and size < 128
            and self._held is None
            and not (retain or self._queue)
            and self._ahead <= self.socket_limit
            and len(self.waiting) < self.window
        ):  # the usual one, without a call
            packet_id = self._id % 65_535 + 1
            if packet_id not in self.waiting:
                self._id = packet_id
                self.waiting.add(packet_id)
                self._ready += (_HEADS[size], topic, _IDS[2 * packet_id : 2 * packet_id + 2], payload)
                self._ahead += size + 2
                return
        head = publish_head(topic, len(payload), qos, retain)
        if qos == 0:
            if self._ahead > self.socket_limit:
                self.dropped += 1
                return
            self._ready += (head, payload)
            self._ahead += len(head) + len(payload)
        elif self._queue or self._ahead > self.socket_limit or len(self.waiting) >= self.window:
            if self._queued <= self.limit:  # beyond, the connection is about to end: keep nothing more
                self._expiring += expires_s is not None
                at = len(head) + 2 + expiry_at if expiry_at else 0
                self._keep(Waiting(head + b"\0\0" + payload, None, len(head), expires_s, at))
            else:
                self.dropped += 1
        else:
            self._send(head, payload)

    def add_packed(self, packed: Packed, qos: int, sent_qos: int, version: int = 4) -> None:
        """Owe these, which came at QoS `sent_qos`, at `qos`, which is not higher: packets go out as they came in."""
        if not self._ready:
            self._ahead = self._pipe.get_write_buffer_size()
        if qos != sent_qos or version != self.version or self._held is not None or self.max_packet:
            fields = [topic_field(topic) for topic, _ in packed.origins]
            which: list[int] = packed.which.tolist()
            for payload, k in zip(packed.payloads(), which, strict=True):
                self.add(fields[k], payload, qos)
        elif qos == 0:
            if self._ahead > self.socket_limit:
                self.dropped += len(packed)
            else:
                self._ready.append(packed.data)
                self._ahead += len(packed.data)
        elif self._queued <= self.limit:
            self._keep(Waiting(packed.data, packed.starts, packed.bodies - (2 + (version == 5))))
            self._take()

    def _keep(self, kept: Waiting) -> None:
        self.changed = True
        self._queue.append(kept)
        self._queued += kept.size

    def flush(self) -> None:
        """Write what is ready, as one buffer."""
        if self._ready:
            data = b"".join(self._ready)
            self._ready.clear()
            self._pipe.write(data)

    def acknowledged(self, ids: Iterable[int]) -> None:
        """The subscriber has these; ids it was never given are ignored, as a resent PUBACK may be one."""
        if self._held is not None:
            self.changed = True
            ids = list(ids)
            for packet_id in ids:
                self._queued -= len(self._held.pop(packet_id, b""))
                self._released.pop(packet_id, None)
        self.waiting.difference_update(ids)
        self.refill()

    def received(self, packet_id: int) -> None:
        """PUBREC: the subscriber has this QoS 2 message, and is told that it may forget the id."""
        if self._held is not None and packet_id in self.waiting:
            self._queued -= len(self._held.pop(packet_id, b""))
            self._released[packet_id] = None
            self.changed = True
        self._pipe.write(_PUBREL + packet_id.to_bytes(2, "big"))

    def hold(self) -> None:
        """From now on keep what is not acknowledged: the subscriber may come back for it."""
        if self._held is None:
            self._held = {}

    @property
    def holds(self) -> bool:
        """Whether it keeps what is not acknowledged."""
        return self._held is not None

    def owed(self) -> Owed:
        """All that is owed. What waits is not copied: it stays as it is, but for the seconds that it says are left."""
        sent = () if self._held is None else tuple(self._held.values())
        return Owed(self.version, self._id, sent, tuple(self._released), tuple(self._queue))

    @classmethod
    def owing(cls, owed: Owed, monotonic: Callable[[], float]) -> "Outbox":
        """One whose subscriber is away. Broken if `sent` holds what no subscriber is sent.

        The next packet id is far from the last: the subscriber may remember ids that it was given later than
        `owed` knows of, and would take another QoS 2 message with such an id for a repeat.
        """
        outbox = cls(Away(), limit=AWAY_LIMIT, monotonic=monotonic)
        outbox.hold()
        outbox.version = owed.version
        outbox._id = (owed.last_id + _IDS_AHEAD) % 65_535
        outbox._held = {int.from_bytes(packet[(at := id_at(packet)) : at + 2], "big"): packet for packet in owed.sent}
        outbox._released = dict.fromkeys(owed.released)
        outbox.waiting = {*outbox._held, *owed.released}
        outbox._queue = deque(owed.queue)
        outbox._expiring = sum(kept.expires_s is not None for kept in owed.queue)
        outbox._queued = sum(map(len, owed.sent)) + sum(kept.size for kept in owed.queue)
        return outbox

    def detach(self) -> None:
        """The subscriber has gone; what comes at QoS 1 and 2 waits for it, within a smaller limit."""
        self._pipe = Away()
        self._ready.clear()
        self.changed = True
        self.limit = min(self.limit, AWAY_LIMIT)

    def attach(self, new: "Outbox") -> None:
        """The subscriber is back, on the pipe of `new`: all it has not acknowledged is sent again, then the rest."""
        self._translate(new.version)
        self._pipe, self.max_packet = new._pipe, new.max_packet
        self.window, self.limit = new.window, new.limit
        self.changed = True
        self._ready += [_PUBREL + packet_id.to_bytes(2, "big") for packet_id in self._released]
        if self._held is not None:
            self._ready += [bytes((packet[0] | 8,)) + packet[1:] for packet in self._held.values()]
        self._ahead = sum(map(len, self._ready))

    def _translate(self, version: int) -> None:
        """The subscriber speaks this version of MQTT now."""
        before, self.version = self.version, version
        if version == before or self._held is None:
            return
        self._held = {number: translated(packet, version, False) for number, packet in self._held.items()}
        self._queue = deque(
            Waiting.again(translated(kept.data, version, kept.expires_s is not None), kept.expires_s, version)
            for kept in self._queue
        )
        self._queued = sum(map(len, self._held.values())) + sum(kept.size for kept in self._queue)

    def refill(self) -> None:
        """Send what was kept, as far as there is room now."""
        if not self._ready:
            self._ahead = self._pipe.get_write_buffer_size()
        self._take()
        self.flush()

    def _take(self) -> None:
        """Make what was kept ready, as far as there is room."""
        while self._queue and self._ahead <= self.socket_limit and len(self.waiting) < self.window:
            kept = self._queue[0]
            if kept.expires_s is not None:
                self._expiring -= 1
                if not kept.still(self._now()):
                    self._queue.popleft()
                    self._queued -= kept.size
                    continue
            n = min(kept.left, self.window - len(self.waiting))
            n = n if self._held is None else 1
            if kept.starts is not None and n > 1:  # as many as the socket should hold, and one more
                room = int(kept.starts[kept.at]) + self.socket_limit - self._ahead
                n = min(n, int(np.searchsorted(kept.starts, room, "right")) - kept.at + 1)
            self._queued -= kept.size
            ids = self._ids(n)
            data = kept.take(ids)
            if self._held is not None:
                self.changed = True
                self._held[ids[0]] = data
                self._queued += len(data)
            if kept.left:
                self._queued += kept.size
            else:
                self._queue.popleft()
            self._ready.append(data)
            self._ahead += len(data)

    def expire(self) -> None:
        """Forget what waits and is worth nothing any more."""
        if self._expiring:
            now_s = self._now()
            gone = [kept for kept in self._queue if kept.expires_s is not None and kept.expires_s <= now_s]
            if gone:
                self._queue = deque(kept for kept in self._queue if kept.expires_s is None or kept.expires_s > now_s)
                self._expiring -= len(gone)
                self._queued -= sum(kept.size for kept in gone)

    def _ids(self, n: int) -> list[int]:
        """`n` packet ids that are free, now taken."""
        first = self._id + 1
        if first + n <= 65_536 and self.waiting.isdisjoint(ids := range(first, first + n)):
            self._id = first + n - 1
            self.waiting.update(ids)
            return list(ids)
        return [self._next_id() for _ in range(n)]

    def _send(self, head: bytes, payload: bytes) -> None:
        packet_id = self._next_id()
        packet = (head, packet_id.to_bytes(2, "big"), payload)
        if self._held is not None:
            self.changed = True
            self._held[packet_id] = b"".join(packet)
            self._queued += len(self._held[packet_id])
        self._ready += packet
        self._ahead += len(head) + len(payload) + 2

    def _next_id(self) -> int:
        packet_id = self._id
        while True:  # ends: the window is smaller than the 65535 ids
            packet_id = packet_id % 65_535 + 1
            if packet_id not in self.waiting:
                break
        self._id = packet_id
        self.waiting.add(packet_id)
        return packet_id
