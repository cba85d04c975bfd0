"""The properties of MQTT 5: what a packet may say beside its fixed fields, section 2.2.2.

    length of all (1 to 4 bytes) | id, value | id, value | …

A property is known by its number; its type and the packets that may hold it are in `_KINDS`.
"""

from collections.abc import Iterable

from msgspec import Struct

from ectype.sources.mqtt.fields import Broken, field, utf8
from ectype.sources.mqtt.writer import remaining_length

Value = int | str | bytes

MESSAGE_EXPIRY, CORRELATION, RESPONSE_TOPIC, ALIAS, USER = 2, 9, 8, 35, 38
SESSION_EXPIRY, ASSIGNED_ID, AUTH_METHOD, WILL_DELAY = 17, 18, 21, 24
REASON, RECEIVE_MAXIMUM, ALIAS_MAXIMUM, PACKET_MAXIMUM, SUBSCRIPTION_ID = 31, 33, 34, 39, 11

CONNECT, WILL, PUBLISH, SUBSCRIBE, OTHER, DISCONNECT = 1, 2, 4, 8, 16, 32

_KINDS: dict[int, tuple[str, int]] = {
    1: ("byte", WILL | PUBLISH),
    MESSAGE_EXPIRY: ("four", WILL | PUBLISH),
    3: ("text", WILL | PUBLISH),
    RESPONSE_TOPIC: ("text", WILL | PUBLISH),
    CORRELATION: ("bytes", WILL | PUBLISH),
    SUBSCRIPTION_ID: ("varied", SUBSCRIBE),
    SESSION_EXPIRY: ("four", CONNECT | DISCONNECT),
    AUTH_METHOD: ("text", CONNECT),
    22: ("bytes", CONNECT),
    23: ("byte", CONNECT),
    WILL_DELAY: ("four", WILL),
    25: ("byte", CONNECT),
    REASON: ("text", OTHER | DISCONNECT),
    RECEIVE_MAXIMUM: ("two", CONNECT),
    ALIAS_MAXIMUM: ("two", CONNECT),
    ALIAS: ("two", PUBLISH),
    USER: ("pair", CONNECT | WILL | PUBLISH | SUBSCRIBE | OTHER | DISCONNECT),
    PACKET_MAXIMUM: ("four", CONNECT),
    28: ("text", DISCONNECT),
}
_SIZES = {"byte": 1, "two": 2, "four": 4}
_NEVER_ZERO = (RECEIVE_MAXIMUM, PACKET_MAXIMUM, SUBSCRIPTION_ID, ALIAS)
_FLAGS = (1, 23, 25)
_FORWARDED = (1, 3, RESPONSE_TOPIC, CORRELATION, USER)


class Properties(Struct, frozen=True):
    """values: by id; forwarded: those that go on to a message's subscribers as they came, encoded, without a length
    before; the message's expiry goes on too, but as what is left of it.
    """

    values: dict[int, Value]
    forwarded: bytes = b""

    @property
    def expiry_s(self) -> int | None:
        """How long the message is worth sending on; None for ever."""
        found = self.values.get(MESSAGE_EXPIRY)
        return found if isinstance(found, int) else None

    @property
    def matter(self) -> bool:
        """Whether the message's subscribers have something of them."""
        return bool(self.forwarded) or MESSAGE_EXPIRY in self.values


NONE = Properties({})


def read_properties(body: bytes, at: int, where: int) -> tuple[Properties, int]:
    """The properties at `at` of a packet that is `where`, and where they end."""
    if at < len(body) and body[at] == 0:
        return NONE, at + 1
    size, at = _varied(body, at)
    end = at + size
    if end > len(body):
        raise Broken("the packet ends inside its properties")
    values: dict[int, Value] = {}
    forwarded: list[bytes] = []
    while at < end:
        start, number = at, body[at]
        kind, places = _KINDS.get(number, ("", 0))
        if not places & where:
            raise Broken(f"property {number} does not belong here [2.2.2.2]")
        if number in values and number != USER:
            raise Broken(f"property {number} comes twice [2.2.2.2]")
        value, at = _value(body[:end], at + 1, kind)
        if (value == 0 and number in _NEVER_ZERO) or (number in _FLAGS and value not in (0, 1)):
            raise Broken(f"property {number} has a value it must not have: {value!r} [2.2.2.2]")
        values[number] = value
        if number in _FORWARDED:
            forwarded.append(body[start:at])
    return Properties(values, b"".join(forwarded)), end


def _value(body: bytes, at: int, kind: str) -> tuple[Value, int]:
    if kind in _SIZES:
        end = at + _SIZES[kind]
        if end > len(body):
            raise Broken("the packet ends inside a property")
        return int.from_bytes(body[at:end], "big"), end
    if kind == "varied":
        return _varied(body, at)
    raw, at = field(body, at, "a property")
    if kind == "bytes":
        return raw, at
    text = utf8(raw, "a property")
    if kind == "pair":
        raw, at = field(body, at, "a property")
        utf8(raw, "a property")
    return text, at


def _varied(body: bytes, at: int) -> tuple[int, int]:
    value = 0
    for k in range(4):
        if at + k >= len(body):
            raise Broken("the packet ends where its properties begin")
        value |= (body[at + k] & 127) << 7 * k
        if body[at + k] < 128:
            return value, at + k + 1
    raise Broken("the length of the properties takes more than 4 bytes [1.5.5]")


def write_properties(values: Iterable[tuple[int, int | str]]) -> bytes:
    """Properties with their length before them: numbers by their id's type, texts as such."""
    out: list[bytes] = []
    for number, value in values:
        if isinstance(value, str):
            raw = value.encode()[:65_535]
            out.append(bytes((number,)) + len(raw).to_bytes(2, "big") + raw)
        else:
            kind = _KINDS.get(number, ("byte", 0))[0]
            out.append(bytes((number,)) + value.to_bytes(_SIZES[kind], "big"))
    joined = b"".join(out)
    return remaining_length(len(joined)) + joined
