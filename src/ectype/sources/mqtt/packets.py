"""The packets of MQTT 3.1.1 and 5 as values: what a reader makes of the bytes of one client."""

from msgspec import Struct

from ectype.sources.base import Message
from ectype.sources.batch import Packed
from ectype.sources.mqtt.properties import NONE, Properties

# CONNACK return codes (table 3.1), and one that only MQTT 5 can say
ACCEPTED, BAD_PROTOCOL, BAD_CLIENT_ID, UNAVAILABLE, BAD_USER, NOT_AUTHORISED, BAD_METHOD = range(7)


class Connect(Struct, frozen=True):
    """A client says hello. With a `level` other than 4 and 5 the rest of the packet was not read."""

    level: int
    client_id: str = ""
    clean: bool = True
    keep_alive_s: int = 0
    username: str | None = None
    password: bytes | None = None
    will: "Will | None" = None
    properties: Properties = NONE


class Will(Struct, frozen=True):
    """What to publish for a client that goes away without saying so."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: Properties = NONE


class Publishes(Struct):
    """A run of PUBLISH packets, in order.

    messages, flags: parallel; a flag byte is the packet's first byte (see `qos_of`, `RETAIN`).
    pubacks: the PUBACK packets of those with QoS 1, in order, ready to be sent once they are durable.
    exactly_once: (position in messages, packet id) of those with QoS 2.
    size: bytes they took on the wire. properties: of MQTT 5, by position, of those that have some.
    """

    messages: list[Message]
    flags: bytearray
    pubacks: bytearray
    exactly_once: list[tuple[int, int]]
    size: int
    properties: dict[int, Properties] | None = None


class Run(Struct):
    """Many PUBLISH packets of one QoS, 0 or 1, none retained, none with properties: see `Packed`.

    qos; pubacks, size: as in `Publishes`. version: of MQTT, in which they came.
    """

    packed: Packed
    qos: int
    pubacks: bytes
    size: int
    version: int = 4


class PubAcks(Struct, frozen=True):
    """A run of PUBACK packets: the client has these of our QoS 1 messages."""

    ids: list[int]


class PubRec(Struct, frozen=True):
    """The client has this QoS 2 message of ours, or (`failed`) does not want it."""

    packet_id: int
    failed: bool = False


class PubComp(Struct, frozen=True):
    """The client has forgotten the packet id of this QoS 2 message of ours."""

    packet_id: int


class PubRel(Struct, frozen=True):
    """The client has forgotten this QoS 2 packet id of its own; so may we."""

    packet_id: int


class Subscribe(Struct, frozen=True):
    """Filters and the highest QoS the client wants for each. At least one."""

    packet_id: int
    filters: tuple[tuple[str, int], ...]
    properties: Properties = NONE


class Unsubscribe(Struct, frozen=True):
    """Filters the client no longer wants. At least one."""

    packet_id: int
    filters: tuple[str, ...]


class PingReq(Struct, frozen=True):
    """The client wants to hear that we are here."""


class Disconnect(Struct, frozen=True):
    """The client says goodbye: its will is not wanted, unless it says so (reason 4 of MQTT 5)."""

    reason: int = 0
    properties: Properties = NONE


class Malformed(Struct, frozen=True):
    """The stream broke the protocol here; nothing after it can be understood. Always the last packet."""

    reason: str


Answer = PubAcks | PubRec | PubComp | PubRel
Packet = Connect | Publishes | Run | Answer | Subscribe | Unsubscribe | PingReq | Disconnect | Malformed

RETAIN = 0x01
DUP = 0x08


def qos_of(flag: int) -> int:
    """The QoS in a PUBLISH packet's first byte."""
    return flag >> 1 & 3
