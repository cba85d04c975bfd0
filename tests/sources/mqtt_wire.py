"""What an MQTT 3.1.1 client sends and reads, written from the standard and not from our encoder."""

import socket
import struct


def length(n: int) -> bytes:
    out = b""
    while True:
        n, digit = divmod(n, 128)
        out += bytes([digit | (128 if n else 0)])
        if not n:
            return out


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(raw)) + raw


def packet(head: int, body: bytes) -> bytes:
    return bytes([head]) + length(len(body)) + body


def connect(client="c", *, clean=True, keep_alive=60, user=None, password=None, will=None, level=4, name="MQTT"):
    flags = 2 if clean else 0
    tail = text(client)
    if will is not None:
        topic, payload, qos, retain = will
        flags |= 4 | qos << 3 | retain << 5
        tail += text(topic) + text(payload)
    if user is not None:
        flags |= 0x80
        tail += text(user)
    if password is not None:
        flags |= 0x40
        tail += text(password)
    return packet(0x10, text(name) + bytes([level, flags]) + struct.pack(">H", keep_alive) + tail)


def publish(topic, payload=b"", qos=0, packet_id=1, retain=False, dup=False) -> bytes:
    ident = struct.pack(">H", packet_id) if qos else b""
    return packet(0x30 | dup << 3 | qos << 1 | retain, text(topic) + ident + payload)


def subscribe(packet_id, *filters) -> bytes:
    return packet(0x82, struct.pack(">H", packet_id) + b"".join(text(f) + bytes([q]) for f, q in filters))


def unsubscribe(packet_id, *filters) -> bytes:
    return packet(0xA2, struct.pack(">H", packet_id) + b"".join(text(f) for f in filters))


def ident(kind: int, packet_id: int) -> bytes:
    return bytes([kind, 2]) + struct.pack(">H", packet_id)


PING, PONG, BYE = b"\xc0\x00", b"\xd0\x00", b"\xe0\x00"


def split(data: bytes) -> list[tuple[int, bytes]]:
    """(first byte, body) of each packet in what a server sent."""
    out = []
    at = 0
    while at < len(data):
        head, at = data[at], at + 1
        size = shift = 0
        while True:
            digit, at = data[at], at + 1
            size |= (digit & 127) << shift
            shift += 7
            if digit < 128:
                break
        assert at + size <= len(data), "the server's last packet is not whole"
        out.append((head, data[at : at + size]))
        at += size
    return out


def published(head: int, body: bytes) -> tuple[str, bytes, int, bool]:
    """(topic, payload, packet id or 0, retained) of a PUBLISH."""
    (size,) = struct.unpack(">H", body[:2])
    topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
    if head & 6:
        return topic, rest[2:], struct.unpack(">H", rest[:2])[0], bool(head & 1)
    return topic, rest, 0, bool(head & 1)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
