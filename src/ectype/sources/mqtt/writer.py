"""What a server sends, as bytes."""

from collections.abc import Sequence

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


def connack5(code: int, session_present: bool, properties: bytes) -> bytes:
    """CONNACK of MQTT 5; `properties` with their length before them."""
    return b"\x20" + remaining_length(2 + len(properties)) + bytes((session_present, code)) + properties


def disconnect5(code: int, properties: bytes) -> bytes:
    """DISCONNECT, which only MQTT 5 lets a server say."""
    return b"\xe0" + remaining_length(1 + len(properties)) + bytes((code,)) + properties


def acknowledge(kind: int, packet_id: int) -> bytes:
    """PUBACK (4), PUBREC (5), PUBCOMP (7) or UNSUBACK (11)."""
    return bytes((kind << 4, 2, packet_id >> 8, packet_id & 255))


def suback(packet_id: int, granted: Sequence[int], version: int = 4) -> bytes:
    """SUBACK: the QoS given for each filter in order, 0x80 or more where it is refused."""
    return _answers(0x90, packet_id, granted, version)


def unsuback(packet_id: int, reasons: Sequence[int], version: int = 4) -> bytes:
    """UNSUBACK; the reasons are said in MQTT 5 alone."""
    return _answers(0xB0, packet_id, reasons if version == 5 else (), version)


def _answers(head: int, packet_id: int, codes: Sequence[int], version: int) -> bytes:
    body = packet_id.to_bytes(2, "big") + (b"\0" if version == 5 else b"") + bytes(codes)
    return bytes((head,)) + remaining_length(len(body)) + body


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


def identified(identifier: int) -> bytes:
    """The subscription identifier of MQTT 5 as a property; nothing for 0, which is none."""
    return b"\x0b" + remaining_length(identifier) if identifier else b""
