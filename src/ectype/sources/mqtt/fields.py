"""The fields that MQTT packets are made of, read with a sentence for what is wrong with them."""

MAX_REMAINING = 268_435_455


class Broken(Exception):
    """The bytes break the protocol; the text says how."""


NAMES = (
    *("packet type 0", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE"),
    *("SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "packet type 15"),
)
_FLAGS = {kind: 2 if kind in (6, 8, 10) else 0 for kind in range(1, 15) if kind != 3}


def check_flags(head: int) -> None:
    """Broken if a packet that may have no flags of its own has some."""
    kind = head >> 4
    if head & 0x0F != _FLAGS.get(kind, head & 0x0F):
        raise Broken(f"{NAMES[kind]} has the reserved flags {head & 0x0F:04b} [MQTT-2.2.2-2]")


def long_length(data: bytes, i: int) -> tuple[int, int]:
    """(remaining length, where the body starts) of a packet whose length takes 2 to 4 bytes; (0, 0): not all here."""
    length = 0
    for k in range(4):
        at = i + 1 + k
        if at >= len(data):
            return 0, 0
        length |= (data[at] & 127) << 7 * k
        if data[at] < 128:
            return length, at + 1
    raise Broken("a remaining length takes more than 4 bytes; at most 268435455 fits [2.2.3]")


def utf8(raw: bytes, what: str) -> str:
    """The text in `raw`, which MQTT wants without U+0000."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise Broken(f"{what} is not UTF-8 [MQTT-1.5.3-1]") from None
    if "\0" in text:
        raise Broken(f"{what} holds the character U+0000 [MQTT-1.5.3-2]")
    return text


def field(body: bytes, at: int, what: str) -> tuple[bytes, int]:
    """The length-prefixed bytes at `at`, and where they end."""
    end = at + 2 + (body[at] << 8 | body[at + 1]) if at + 2 <= len(body) else len(body) + 1
    if end > len(body):
        raise Broken(f"the packet ends inside {what}")
    return body[at + 2 : end], end


def packet_id(body: bytes, kind: int) -> int:
    """The packet id that is all of `body`."""
    if len(body) != 2:
        raise Broken(f"{NAMES[kind]} carries {len(body)} bytes; it has 2, the packet id")
    return nonzero(body, kind)


def nonzero(body: bytes, kind: int) -> int:
    """The packet id that `body` begins with."""
    if len(body) < 2 or not (body[0] or body[1]):
        raise Broken(f"{NAMES[kind]} has packet id 0 or none; use 1 to 65535 [MQTT-2.3.1-1]")
    return body[0] << 8 | body[1]
