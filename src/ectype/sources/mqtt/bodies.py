"""The packets with more than a packet id inside: CONNECT, SUBSCRIBE and UNSUBSCRIBE."""

from ectype.sources.mqtt.fields import Broken, field, nonzero, utf8
from ectype.sources.mqtt.packets import Connect, Subscribe, Unsubscribe, Will
from ectype.sources.mqtt.properties import CONNECT, NONE, SUBSCRIBE, WILL, read_properties


def read_connect(body: bytes) -> Connect:
    """CONNECT's variable header and payload, section 3.1."""
    name, at = field(body, 0, "the protocol name")
    if name not in (b"MQTT", b"MQIsdp") or at >= len(body):
        raise Broken(f"the protocol {name[:20]!r} is not MQTT")
    level = body[at]
    if level not in (4, 5) or name != b"MQTT":
        return Connect(level=3 if level in (4, 5) else level)
    if len(body) < at + 4:
        raise Broken("CONNECT ends before its keep-alive")
    bits = body[at + 1]
    will_qos = bits >> 3 & 3
    if bits & 1:
        raise Broken("CONNECT has its reserved flag set [MQTT-3.1.2-3]")
    if will_qos == 3 or (not bits & 0x04 and bits & 0x38):
        raise Broken("CONNECT describes a will it does not have, or one with QoS 3 [MQTT-3.1.2-11, -14]")
    if level == 4 and bits & 0x40 and not bits & 0x80:
        raise Broken("CONNECT has a password without a user name [MQTT-3.1.2-22]")
    keep_alive_s = body[at + 2] << 8 | body[at + 3]
    at += 4
    properties = will_properties = NONE
    if level == 5:
        properties, at = read_properties(body, at, CONNECT)
    raw, at = field(body, at, "the client id")
    client_id = utf8(raw, "the client id")
    will = username = password = None
    if bits & 0x04:
        if level == 5:
            will_properties, at = read_properties(body, at, WILL)
        raw, at = field(body, at, "the will topic")
        topic = utf8(raw, "the will topic")
        if not topic or "+" in topic or "#" in topic:
            raise Broken(f"the will topic {topic[:100]!r} is empty or holds + or #")
        payload, at = field(body, at, "the will message")
        will = Will(topic, payload, will_qos, bool(bits & 0x20), will_properties)
    if bits & 0x80:
        raw, at = field(body, at, "the user name")
        username = utf8(raw, "the user name")
    if bits & 0x40:
        password, at = field(body, at, "the password")
    if at != len(body):
        raise Broken(f"CONNECT goes on for {len(body) - at} bytes after its last field")
    return Connect(level, client_id, bool(bits & 0x02), keep_alive_s, username, password, will, properties)


def _filter(body: bytes, at: int) -> tuple[str, int]:
    raw, at = field(body, at, "a topic filter")
    text = utf8(raw, "a topic filter")
    levels = text.split("/")
    if (
        not text
        or any("#" in level and (level != "#" or k != len(levels) - 1) for k, level in enumerate(levels))
        or any("+" in level and level != "+" for level in levels)
    ):
        raise Broken(
            f"{text[:100]!r} is no topic filter: + stands for a whole level, # for the rest at the end [MQTT-4.7.1-2]"
        )
    return text, at


def read_subscribe(body: bytes, version: int = 4) -> Subscribe:
    """SUBSCRIBE's body, section 3.8."""
    packet_id = nonzero(body, 8)
    filters: list[tuple[str, int]] = []
    at = 2
    properties = NONE
    if version == 5:
        properties, at = read_properties(body, at, SUBSCRIBE)
    while at < len(body):
        text, at = _filter(body, at)
        if (
            at >= len(body)
            or body[at] & 3 == 3
            or body[at] & (0xFC if version == 4 else 0xC0)
            or body[at] >> 4 & 3 == 3
        ):
            raise Broken("a SUBSCRIBE asks for a QoS other than 0, 1 or 2 [MQTT-3.8.3-4]")
        filters.append((text, body[at]))
        at += 1
    if not filters:
        raise Broken("a SUBSCRIBE names no topic filter [MQTT-3.8.3-3]")
    return Subscribe(packet_id, tuple(filters), properties)


def read_unsubscribe(body: bytes, version: int = 4) -> Unsubscribe:
    """UNSUBSCRIBE's body, section 3.10."""
    packet_id = nonzero(body, 10)
    filters: list[str] = []
    at = 2
    if version == 5:
        _, at = read_properties(body, at, SUBSCRIBE)
    while at < len(body):
        text, at = _filter(body, at)
        filters.append(text)
    if not filters:
        raise Broken("an UNSUBSCRIBE names no topic filter [MQTT-3.10.3-2]")
    return Unsubscribe(packet_id, tuple(filters))
