"""Messages that wait for a subscriber, as the packets they will be: all but the packet id, and how long they last.

head, length | topic | packet id, still open | properties (MQTT 5) | payload
                       └ id_at                 └ 02, the seconds left: expiry_at
"""

from math import ceil
from typing import cast, final

import numpy as np

from ectype.sources.mqtt.fields import Broken, long_length
from ectype.sources.mqtt.writer import remaining_length
from ectype.values.block import Int64s

EXPIRY = b"\x02"
_OVERHEAD = 128  # what Python adds to one queued message, so that many empty ones are bounded too


@final
class Away:
    """Where a subscriber's socket was: no room for anything."""

    def write(self, data: bytes, /) -> None:
        """Nobody reads it."""

    def get_write_buffer_size(self) -> int:
        """Always full."""
        return 1 << 62


@final
class Waiting:
    """QoS 1 packets that wait, with room for their ids `id_at` bytes into each. starts: None for a single one.

    expires_s: when a single one is worth nothing any more; expiry_at: where it says so, 0 if nowhere.
    """

    __slots__ = ("at", "data", "expires_s", "expiry_at", "id_at", "left", "starts")

    def __init__(
        self,
        data: bytes,
        starts: Int64s | None,
        id_at: Int64s | int,
        expires_s: float | None = None,
        expiry_at: int = 0,
    ) -> None:
        self.expires_s = expires_s
        self.expiry_at = expiry_at
        self.data = data
        self.starts = starts
        self.id_at = id_at
        self.at = 0
        self.left = 1 if starts is None else len(starts) - 1

    @classmethod
    def again(cls, packet: bytes, expires_s: float | None, version: int) -> "Waiting":
        """A single one, of the bytes in which it waited before. Broken if they are no such packet."""
        at = id_at(packet)
        said = expires_s is not None and version == 5
        return cls(packet, None, at, expires_s, long_length(packet, at + 1)[1] + 1 if said else 0)

    @property
    def size(self) -> int:
        """What it holds in memory; a piece of it that was sent is held as long as the rest."""
        return len(self.data) + _OVERHEAD + (0 if self.starts is None else 16 * len(self.starts))

    def still(self, now_s: float) -> bool:
        """Whether it is still worth sending; then it says how long."""
        left_s = 0 if self.expires_s is None else ceil(self.expires_s - now_s)
        if left_s > 0 and self.expiry_at:
            self.data = self.data[: self.expiry_at] + left_s.to_bytes(4, "big") + self.data[self.expiry_at + 4 :]
        return left_s > 0

    def take(self, ids: list[int]) -> bytes:
        """The next packets, one for each id."""
        n = len(ids)
        self.left -= n
        if isinstance(self.id_at, int):
            return self.data[: self.id_at] + ids[0].to_bytes(2, "big") + self.data[self.id_at + 2 :]
        starts = cast(Int64s, self.starts)
        first, last = int(starts[self.at]), int(starts[self.at + n])
        out = np.frombuffer(self.data, np.uint8)[first:last].copy()
        places = starts[self.at : self.at + n] - first + self.id_at[self.at : self.at + n]
        numbers = np.array(ids, np.uint16)
        out[places] = numbers >> 8
        out[places + 1] = numbers & 255
        self.at += n
        return out.tobytes()


def id_at(packet: bytes) -> int:
    """Where the packet id of a PUBLISH stands. Broken if that is no whole PUBLISH of QoS 1 or 2."""
    length, at = long_length(packet, 0)
    if packet[:1] not in _HEADS or at + length != len(packet):
        raise Broken("no whole PUBLISH of QoS 1 or 2")
    at += 2 + int.from_bytes(packet[at : at + 2], "big")
    if at + 2 > len(packet):
        raise Broken("a PUBLISH is shorter than its topic says")
    return at


def translated(packet: bytes, version: int, expires: bool) -> bytes:
    """A PUBLISH of QoS 1 or 2 of the other version in this one: what only 5 can say is lost.

    expires: leave room for how long the message lasts, where the version can say it.
    """
    at = id_at(packet) + 2
    if version == 5:
        said = b"\5" + EXPIRY + bytes(4) if expires else b"\0"
        body = packet[long_length(packet, 0)[1] : at] + said + packet[at:]
    else:
        size, end = long_length(packet, at - 1)
        body = packet[long_length(packet, 0)[1] : at] + packet[end + size :]
    return packet[:1] + remaining_length(len(body)) + body


_HEADS = [bytes((0x30 | dup | qos | retain,)) for dup in (0, 8) for qos in (2, 4) for retain in (0, 1)]
