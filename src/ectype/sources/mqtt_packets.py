"""MQTT 3.1.1 on the wire: whole TCP reads in, batches of messages out, and back.

One read of a busy connection holds some two thousand packets, so the unit here is the run: all PUBLISH
packets that follow each other become one `Publishes`, with their acknowledgements already encoded. The
rest of the packets are rare and become one small value each. No sockets, no clock: bytes in, values out.

    fixed header      byte 1: type (4 bits) flags (4 bits) | remaining length, 1 to 4 bytes, 7 bits each
    PUBLISH  3 dqqr   topic length (2) topic | packet id (2), if QoS > 0 | payload to the end

OASIS MQTT 3.1.1; the numbers in brackets in the messages are its normative statements.
"""

from collections.abc import Sequence
from typing import final

from msgspec import Struct

from ectype.sources.base import Message

MAX_REMAINING = 268_435_455
_CACHED_TOPIC = 256
_CACHED_TOPICS = 16_384

# CONNACK return codes (table 3.1)
ACCEPTED, BAD_PROTOCOL, BAD_CLIENT_ID, UNAVAILABLE, BAD_USER, NOT_AUTHORISED = range(6)


class Connect(Struct, frozen=True):
    """A client says hello. With a `level` other than 4 the rest of the packet was not read."""

    level: int
    client_id: str = ""
    clean: bool = True
    keep_alive_s: int = 0
    username: str | None = None
    password: bytes | None = None
    will: "Will | None" = None


class Will(Struct, frozen=True):
    """What to publish for a client that goes away without saying so."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


class Publishes(Struct):
    """A run of PUBLISH packets, in order.

    messages, flags: parallel; a flag byte is the packet's first byte (see `qos_of`, `RETAIN`).
    pubacks: the PUBACK packets of those with QoS 1, in order, ready to be sent once they are durable.
    exactly_once: (position in messages, packet id) of those with QoS 2.
    size: bytes they took on the wire.
    """

    messages: list[Message]
    flags: bytearray
    pubacks: bytearray
    exactly_once: list[tuple[int, int]]
    size: int


class PubAcks(Struct, frozen=True):
    """A run of PUBACK packets: the client has these of our QoS 1 messages."""

    ids: list[int]


class PubRel(Struct, frozen=True):
    """The client has forgotten this QoS 2 packet id of its own; so may we."""

    packet_id: int


class Subscribe(Struct, frozen=True):
    """Filters and the highest QoS the client wants for each. At least one."""

    packet_id: int
    filters: tuple[tuple[str, int], ...]


class Unsubscribe(Struct, frozen=True):
    """Filters the client no longer wants. At least one."""

    packet_id: int
    filters: tuple[str, ...]


class PingReq(Struct, frozen=True):
    """The client wants to hear that we are here."""


class Disconnect(Struct, frozen=True):
    """The client says goodbye: its will is not wanted."""


class Malformed(Struct, frozen=True):
    """The stream broke the protocol here; nothing after it can be understood. Always the last packet."""

    reason: str


Packet = Connect | Publishes | PubAcks | PubRel | Subscribe | Unsubscribe | PingReq | Disconnect | Malformed

RETAIN = 0x01
DUP = 0x08


def qos_of(flag: int) -> int:
    """The QoS in a PUBLISH packet's first byte."""
    return flag >> 1 & 3


class _Broken(Exception):
    pass


@final
class Reader:
    """Bytes of one connection, as TCP cuts them, into packets a server may receive.

    source: goes into every message until a CONNECT names the client. topics: a cache that readers may share.
    max_packet: a longer packet is Malformed before it is read, so a reader never holds more than this plus
    one read.
    """

    def __init__(self, source: str = "", max_packet: int = 1 << 20, topics: dict[bytes, str] | None = None) -> None:
        self.source = source
        self._max = min(max_packet, MAX_REMAINING)
        self._topics: dict[bytes, str] = {} if topics is None else topics
        self._rest: list[bytes] = []
        self._held = 0
        self._wanted = 0
        self._over = False

    @property
    def held(self) -> int:
        """Bytes kept until the rest of their packet comes."""
        return self._held

    def feed(self, data: bytes, at_ns: int = 0) -> list[Packet]:
        """All packets that are whole now. After Malformed everything is ignored."""
        if self._over or not data:
            return []
        if self._rest:
            self._rest.append(data)
            self._held += len(data)
            if self._held < self._wanted:  # joined only once whole: a drip of single bytes stays linear
                return []
            data = b"".join(self._rest)
            self._rest.clear()
            self._held = 0
        packets: list[Packet] = []
        try:
            used = self._parse(data, at_ns, packets)
        except _Broken as error:
            self._over = True
            packets.append(Malformed(str(error)))
            return packets
        if used < len(data) and not self._over:
            self._rest.append(data[used:])
            self._held = len(data) - used
        return packets

    def _parse(self, data: bytes, at_ns: int, packets: list[Packet]) -> int:
        """Append what is whole to `packets` and return how many bytes that took.

        The first half of the loop is the hot path: it meets every message, so it touches few names, makes
        one object (the message) and looks each topic up instead of decoding it.
        """
        i = start = 0
        n = len(data)
        topics, source, limit = self._topics, self.source, self._max
        run: Publishes | None = None
        acks: list[int] | None = None
        messages: list[Message] = []
        flags = pubacks = bytearray()
        while i + 2 <= n:
            head = data[i]
            length = data[i + 1]
            j = i + 2
            if length > 127:
                length, j = _long_length(data, i)
                if j == 0:
                    self._wanted = 0
                    break
                if length > limit:
                    raise _Broken(
                        f"a packet of {length} bytes is more than the {limit} this endpoint takes; "
                        f"send smaller messages"
                    )
            end = j + length
            if end > n:
                _check_flags(head)  # now already: what is not MQTT must not be waited for
                self._wanted = end - i
                break
            if head & 0xF0 == 0x30:
                if run is None:
                    start = i
                    messages, flags, pubacks = [], bytearray(), bytearray()
                    run = Publishes(messages, flags, pubacks, [], 0)
                    packets.append(run)
                j += 2
                k = j + (data[j - 2] << 8 | data[j - 1]) if length >= 2 else end + 1
                if k > end:
                    raise _Broken("a PUBLISH is shorter than its topic says [MQTT-3.3.2-1]")
                raw = data[j:k]
                topic = topics.get(raw) or self._topic(raw)
                qos = head & 6
                if qos:
                    j = k
                    k += 2
                    if k > end:
                        raise _Broken("a PUBLISH with QoS 1 or 2 has no packet id [MQTT-2.3.1-1]")
                    packet_id = data[j:k]
                    if packet_id == b"\0\0":
                        raise _Broken("a PUBLISH has packet id 0; use 1 to 65535 [MQTT-2.3.1-1]")
                    if qos == 2:
                        pubacks += b"\x40\x02" + packet_id
                    elif qos == 4:
                        run.exactly_once.append((len(messages), packet_id[0] << 8 | packet_id[1]))
                    else:
                        raise _Broken("a PUBLISH asks for QoS 3; use 0, 1 or 2 [MQTT-3.3.1-4]")
                elif head & DUP:
                    raise _Broken("a PUBLISH with QoS 0 claims to be a repeat [MQTT-3.3.1-2]")
                messages.append(Message(topic, data[k:end], at_ns, source))
                flags.append(head)
                i = end
                run.size = i - start
            elif head == 0x40 and length == 2 and data[j : j + 2] != b"\0\0":
                if acks is None or run is not None:
                    run = None
                    acks = []
                    packets.append(PubAcks(acks))
                acks.append(data[j] << 8 | data[j + 1])
                i = end
            else:
                run = acks = None
                self._rare(head, data[j:end], packets)
                source = self.source
                i = end
                if self._over:
                    break
        else:
            self._wanted = 0
        return i

    def _topic(self, raw: bytes) -> str:
        """The topic in `raw`, checked; remembered when it is short."""
        topic = _utf8(raw, "a topic")
        if not topic or "+" in topic or "#" in topic:
            raise _Broken(
                f"{topic[:100]!r} is no topic to publish to: it must not be empty or hold + or # [MQTT-3.3.2-2]"
            )
        if len(raw) <= _CACHED_TOPIC:
            if len(self._topics) >= _CACHED_TOPICS:
                self._topics.clear()
            self._topics[raw] = topic
        return topic

    def _rare(self, head: int, body: bytes, packets: list[Packet]) -> None:
        kind = head >> 4
        _check_flags(head)
        match kind:
            case 1:
                connect = _connect(body)
                packets.append(connect)
                self._over = connect.level != 4
                self.source = connect.client_id or self.source
            case 4:
                packets.append(PubAcks([_packet_id(body, kind)]))  # a sound one was met on the hot path
            case 6:
                packets.append(PubRel(_packet_id(body, kind)))
            case 8:
                packets.append(_subscribe(body))
            case 10:
                packets.append(_unsubscribe(body))
            case 12 | 14:
                if body:
                    raise _Broken(f"{_NAMES[kind]} carries {len(body)} bytes; it has none")
                packets.append(PingReq() if kind == 12 else Disconnect())
                self._over = kind == 14  # nothing may follow a goodbye [MQTT-3.14.4-2]
            case _:
                raise _Broken(f"a client may not send {_NAMES[kind]} here")


_NAMES = (
    *("packet type 0", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE"),
    *("SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "packet type 15"),
)
_FLAGS = {kind: 2 if kind in (6, 8, 10) else 0 for kind in range(1, 15) if kind != 3}


def _check_flags(head: int) -> None:
    kind = head >> 4
    if head & 0x0F != _FLAGS.get(kind, head & 0x0F):
        raise _Broken(f"{_NAMES[kind]} has the reserved flags {head & 0x0F:04b} [MQTT-2.2.2-2]")


def _long_length(data: bytes, i: int) -> tuple[int, int]:
    """(remaining length, where the body starts) of a packet whose length takes 2 to 4 bytes; (0, 0): not all here."""
    length = 0
    for k in range(4):
        at = i + 1 + k
        if at >= len(data):
            return 0, 0
        length |= (data[at] & 127) << 7 * k
        if data[at] < 128:
            return length, at + 1
    raise _Broken("a remaining length takes more than 4 bytes; at most 268435455 fits [2.2.3]")


def _utf8(raw: bytes, what: str) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise _Broken(f"{what} is not UTF-8 [MQTT-1.5.3-1]") from None
    if "\0" in text:
        raise _Broken(f"{what} holds the character U+0000 [MQTT-1.5.3-2]")
    return text


def _field(body: bytes, at: int, what: str) -> tuple[bytes, int]:
    """The length-prefixed bytes at `at`, and where they end."""
    end = at + 2 + (body[at] << 8 | body[at + 1]) if at + 2 <= len(body) else len(body) + 1
    if end > len(body):
        raise _Broken(f"the packet ends inside {what}")
    return body[at + 2 : end], end


def _packet_id(body: bytes, kind: int) -> int:
    if len(body) != 2:
        raise _Broken(f"{_NAMES[kind]} carries {len(body)} bytes; it has 2, the packet id")
    return _nonzero(body, kind)


def _nonzero(body: bytes, kind: int) -> int:
    if len(body) < 2 or not (body[0] or body[1]):
        raise _Broken(f"{_NAMES[kind]} has packet id 0 or none; use 1 to 65535 [MQTT-2.3.1-1]")
    return body[0] << 8 | body[1]


def _connect(body: bytes) -> Connect:
    """CONNECT's variable header and payload, section 3.1."""
    name, at = _field(body, 0, "the protocol name")
    if name not in (b"MQTT", b"MQIsdp") or at >= len(body):
        raise _Broken(f"the protocol {name[:20]!r} is not MQTT")
    level = body[at]
    if level != 4 or name != b"MQTT":
        return Connect(level=3 if level == 4 else level)
    if len(body) < at + 4:
        raise _Broken("CONNECT ends before its keep-alive")
    bits = body[at + 1]
    will_qos = bits >> 3 & 3
    if bits & 1:
        raise _Broken("CONNECT has its reserved flag set [MQTT-3.1.2-3]")
    if will_qos == 3 or (not bits & 0x04 and bits & 0x38):
        raise _Broken("CONNECT describes a will it does not have, or one with QoS 3 [MQTT-3.1.2-11, -14]")
    if bits & 0x40 and not bits & 0x80:
        raise _Broken("CONNECT has a password without a user name [MQTT-3.1.2-22]")
    keep_alive_s = body[at + 2] << 8 | body[at + 3]
    raw, at = _field(body, at + 4, "the client id")
    client_id = _utf8(raw, "the client id")
    will = username = password = None
    if bits & 0x04:
        raw, at = _field(body, at, "the will topic")
        topic = _utf8(raw, "the will topic")
        if not topic or "+" in topic or "#" in topic:
            raise _Broken(f"the will topic {topic[:100]!r} is empty or holds + or #")
        payload, at = _field(body, at, "the will message")
        will = Will(topic, payload, will_qos, bool(bits & 0x20))
    if bits & 0x80:
        raw, at = _field(body, at, "the user name")
        username = _utf8(raw, "the user name")
    if bits & 0x40:
        password, at = _field(body, at, "the password")
    if at != len(body):
        raise _Broken(f"CONNECT goes on for {len(body) - at} bytes after its last field")
    return Connect(level, client_id, bool(bits & 0x02), keep_alive_s, username, password, will)


def _filter(body: bytes, at: int) -> tuple[str, int]:
    raw, at = _field(body, at, "a topic filter")
    text = _utf8(raw, "a topic filter")
    levels = text.split("/")
    if (
        not text
        or any("#" in level and (level != "#" or k != len(levels) - 1) for k, level in enumerate(levels))
        or any("+" in level and level != "+" for level in levels)
    ):
        raise _Broken(
            f"{text[:100]!r} is no topic filter: + stands for a whole level, # for the rest at the end [MQTT-4.7.1-2]"
        )
    return text, at


def _subscribe(body: bytes) -> Subscribe:
    packet_id = _nonzero(body, 8)
    filters: list[tuple[str, int]] = []
    at = 2
    while at < len(body):
        text, at = _filter(body, at)
        if at >= len(body) or body[at] > 2:
            raise _Broken("a SUBSCRIBE asks for a QoS other than 0, 1 or 2 [MQTT-3.8.3-4]")
        filters.append((text, body[at]))
        at += 1
    if not filters:
        raise _Broken("a SUBSCRIBE names no topic filter [MQTT-3.8.3-3]")
    return Subscribe(packet_id, tuple(filters))


def _unsubscribe(body: bytes) -> Unsubscribe:
    packet_id = _nonzero(body, 10)
    filters: list[str] = []
    at = 2
    while at < len(body):
        text, at = _filter(body, at)
        filters.append(text)
    if not filters:
        raise _Broken("an UNSUBSCRIBE names no topic filter [MQTT-3.10.3-2]")
    return Unsubscribe(packet_id, tuple(filters))


# ---- what a server sends ----

PINGRESP = b"\xd0\x00"


def remaining_length(n: int) -> bytes:
    """`n` as 1 to 4 bytes of seven bits, lowest first."""
    if n < 128:
        return bytes((n,))
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def connack(code: int, session_present: bool = False) -> bytes:
    """CONNACK with one of the return codes above."""
    return bytes((0x20, 2, session_present, code))


def acknowledge(kind: int, packet_id: int) -> bytes:
    """PUBACK (4), PUBREC (5), PUBCOMP (7) or UNSUBACK (11)."""
    return bytes((kind << 4, 2, packet_id >> 8, packet_id & 255))


def suback(packet_id: int, granted: Sequence[int]) -> bytes:
    """SUBACK: the QoS given for each filter in order, 0x80 where it is refused."""
    return b"\x90" + remaining_length(2 + len(granted)) + packet_id.to_bytes(2, "big") + bytes(granted)


def topic_field(topic: str) -> bytes:
    """A topic with its length before it, as it stands in PUBLISH."""
    raw = topic.encode()
    return len(raw).to_bytes(2, "big") + raw


def publish_head(topic: bytes, payload_size: int, qos: int, retain: bool) -> bytes:
    """A PUBLISH up to where the packet id (QoS 1) or the payload (QoS 0) follows; `topic` is a topic_field."""
    size = len(topic) + payload_size + (2 if qos else 0)
    if size < 128:
        return bytes((0x30 | qos << 1 | retain, size)) + topic
    return bytes((0x30 | qos << 1 | retain,)) + remaining_length(size) + topic
