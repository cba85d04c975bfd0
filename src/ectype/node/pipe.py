"""What a node and its estimating child say to each other: length-prefixed MessagePack over pipes."""

import struct
from collections.abc import Callable
from typing import final

import msgspec

from ectype.alarms.settings import AlarmSettings

_LENGTH = struct.Struct("<I")


@final
class TwinRecord(msgspec.Struct, frozen=True):
    """A twin as the estimator needs it: its type, its property values, and who stands beside it."""

    id: str
    model: str
    properties: dict[str, object]
    neighbours: list[str]


@final
class Kind(msgspec.Struct, frozen=True):
    """A type of twins: itself and all that it extends, near ones first; what can be measured of it, with its unit."""

    ancestors: list[str]
    units: dict[str, str | None]


@final
class Begin(msgspec.Struct, frozen=True, tag=True):
    """Start with these twins, and the belief as of a snapshot, if there is one, of the first `position` entries.

    behaviours: the folder with people's behaviours; kinds: the types by id; calibrations: the last one of each twin;
    links: the relationships, as source, name, target.
    running: the file for signs of life, one each beat_s; skip: behaviours to do without, and why.
    """

    twins: list[TwinRecord]
    snapshot: bytes | None
    cache: str
    position: int = 0
    behaviours: str | None = None
    kinds: dict[str, Kind] = {}
    calibrations: dict[str, dict[str, object]] = {}
    running: str | None = None
    skip: dict[str, str] = {}
    beat_s: float = 1.0
    alarms: AlarmSettings = AlarmSettings()
    links: list[tuple[str, str, str]] = []


@final
class Trouble(msgspec.Struct, frozen=True):
    """Why a behaviour does not follow its twins, or not all of them: a sentence."""

    where: str
    text: str


@final
class Ready(msgspec.Struct, frozen=True, tag=True):
    """The child follows these twins; with none it has nothing to do and ends.

    fresh: something begins with no belief and needs the log from the start, as no snapshot was of its fleet.
    groups: what drafts may belong to. parameters: properties that are read once, so it begins again if one changes.
    plants: the twins of each plant that is followed as one.
    """

    twins: list[str]
    fresh: bool
    groups: list[str] = []
    troubles: list[Trouble] = []
    parameters: list[str] = []
    plants: list[list[str]] = []


@final
class Advance(msgspec.Struct, frozen=True, tag=True):
    """Measurements, as Arrow streams in log order, up to and excluding log index `through`."""

    blocks: list[bytes]
    through: int
    want_snapshot: bool = False


@final
class Draft(msgspec.Struct, frozen=True):
    """The body of an entry that the estimator wants appended.

    group: the subject of the estimates that it belongs to; how far those are says whether it has been appended.
    """

    kind: str
    subject: str
    media: str
    body: bytes
    group: str = "block:estimator"


@final
class Advanced(msgspec.Struct, frozen=True, tag=True):
    """What followed from an Advance, in order, and the belief after it if that was asked for.

    late: rows that were too old to be assimilated; troubles: what went wrong since the last answer.
    """

    drafts: list[Draft]
    through: int
    snapshot: bytes | None = None
    late: int = 0
    troubles: list[Trouble] = []


@final
class Failed(msgspec.Struct, frozen=True, tag=True):
    """The child could not go on; `text` says why."""

    text: str


ToChild = Begin | Advance
ToNode = Ready | Advanced | Failed

_requests: msgspec.msgpack.Decoder[ToChild] = msgspec.msgpack.Decoder(ToChild)
_answers: msgspec.msgpack.Decoder[ToNode] = msgspec.msgpack.Decoder(ToNode)


def pack(message: ToChild | ToNode) -> bytes:
    """A message with its length in front."""
    body = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(body)) + body


def read_request(read: Callable[[int], bytes]) -> ToChild | None:
    """The next request from a blocking reader, or None at its end."""
    head = read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    body = read(length_of(head))
    return _requests.decode(body) if len(body) == length_of(head) else None


def parse_answer(body: bytes) -> ToNode:
    """What the child said."""
    return _answers.decode(body)


def length_of(head: bytes) -> int:
    """The length that a message's first four bytes announce."""
    (length,) = _LENGTH.unpack(head)
    return int(length)
