"""What we and the process that runs an FMU say to each other: length-prefixed MessagePack over pipes."""

import struct
from collections.abc import Callable
from typing import final

import msgspec

_LENGTH = struct.Struct("<I")


@final
class Named(msgspec.Struct, frozen=True):
    """A variable as modelDescription.xml tells it."""

    name: str
    causality: str
    type: str
    unit: str
    start: str
    description: str


@final
class Describe(msgspec.Struct, frozen=True, tag=True):
    """What is in that file?"""

    path: str


@final
class Described(msgspec.Struct, frozen=True, tag=True):
    """It is this. kinds: cs, me; platforms: of its binaries, `source` among them; problems: what FMPy finds wrong."""

    name: str
    fmi: str
    tool: str
    kinds: list[str]
    platforms: list[str]
    variables: list[Named]
    problems: list[str]


@final
class Open(msgspec.Struct, frozen=True, tag=True):
    """Begin at `at_s` with those start values. folder: where it is unpacked; watch: what every answer tells."""

    path: str
    folder: str
    kind: str
    at_s: float
    start: dict[str, float]
    watch: list[str]
    tolerance: float


@final
class Step(msgspec.Struct, frozen=True, tag=True):
    """Set the inputs, then go on until that time."""

    inputs: dict[str, float]
    until_s: float


@final
class Gather(msgspec.Struct, frozen=True, tag=True):
    """Begin with so many instances at once, in model exchange, all alike. states: continuous states, tracked: inputs
    and tunable parameters, which every Drive gives; watch: what every answer tells.
    """

    path: str
    folder: str
    members: int
    states: list[str]
    tracked: list[str]
    start: dict[str, float]
    watch: list[str]
    tolerance: float


@final
class Drive(msgspec.Struct, frozen=True, tag=True):
    """Put every instance at these values (float64 [members, states and tracked]) with these inputs, then go on until
    that time; where it stands already, nothing moves.
    """

    values: bytes
    inputs: dict[str, float]
    until_s: float


@final
class Driven(msgspec.Struct, frozen=True, tag=True):
    """float64 [members, states then watched] at that time."""

    at_s: float
    values: bytes


@final
class Now(msgspec.Struct, frozen=True, tag=True):
    """It stands at that time, and this is what is watched."""

    at_s: float
    values: dict[str, float]


@final
class Failed(msgspec.Struct, frozen=True, tag=True):
    """It did not work; wrong: what was asked for cannot be."""

    message: str
    wrong: bool = False


Question = Describe | Open | Step | Gather | Drive
Answer = Described | Now | Driven | Failed
_question, _answer = msgspec.msgpack.Decoder(Question), msgspec.msgpack.Decoder(Answer)


def pack(message: Question | Answer) -> bytes:
    """The message with its length before it."""
    body = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(body)) + body


def _body(read: Callable[[int], bytes]) -> bytes | None:
    head = read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(head)
    body = read(size)
    return body if len(body) == size else None


def read_question(read: Callable[[int], bytes]) -> Question | None:
    """The next one; None when nobody asks any more."""
    body = _body(read)
    return None if body is None else _question.decode(body)


def read_answer(read: Callable[[int], bytes]) -> Answer | None:
    """The next one; None when the process has ended."""
    body = _body(read)
    return None if body is None else _answer.decode(body)
