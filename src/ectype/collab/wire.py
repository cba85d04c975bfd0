"""The y-protocols framing: bytes of a WebSocket message to what they say, and back.

    message    = varUint type, then
        0 sync       varUint kind (0 step 1: state vector, 1 step 2: update, 2 update), varBytes
        1 awareness  varBytes of: varUint count, count x (varUint client, varUint clock, varString JSON)
        2 auth       varUint 0 (denied), varString reason; only ever sent by a server
        3 query      nothing: asks for everybody's awareness
    varUint    = 7 bits a byte, lowest first, the high bit set on all but the last; at most 2^53 - 1
    varBytes   = varUint length, bytes;  varString = varBytes of UTF-8

https://github.com/yjs/y-protocols/blob/master/PROTOCOL.md
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import msgspec

from ectype.errors import Invalid

_SYNC, _AWARENESS, _AUTH, _QUERY_AWARENESS = range(4)
_STEP_1, _STEP_2, _UPDATE = range(3)
_MOST = 2**53 - 1  # what a JavaScript number holds exactly
_MOST_STATES = 1024


@final
@dataclass(frozen=True, slots=True)
class SyncStep1:
    """ "I have this; what am I missing?"."""

    state_vector: bytes


@final
@dataclass(frozen=True, slots=True)
class Update:
    """Changes to the document. `answer` marks the reply to a step 1 (step 2), which is otherwise the same."""

    data: bytes
    answer: bool = False


@final
@dataclass(frozen=True, slots=True)
class Presence:
    """What one client shows of itself, as JSON text; "null" when it left. The higher clock is the newer."""

    client: int
    clock: int
    state: str


@final
@dataclass(frozen=True, slots=True)
class Awareness:
    """What some clients show of themselves."""

    states: tuple[Presence, ...]


@final
@dataclass(frozen=True, slots=True)
class QueryAwareness:
    """Asks for what everybody shows."""


Message: TypeAlias = SyncStep1 | Update | Awareness | QueryAwareness

GONE = "null"


def parse(message: bytes) -> Message:
    """What a client says. Raises Invalid, with the offset, for anything the protocol does not know."""
    reader = _Reader(message)
    kind = reader.uint()
    if kind == _SYNC:
        step = reader.uint()
        data = reader.bytes()
        reader.end()
        if step == _STEP_1:
            return SyncStep1(data)
        if step in (_STEP_2, _UPDATE):
            return Update(data, answer=step == _STEP_2)
        raise Invalid(f"a sync message is of kind 0, 1 or 2, not {step}")
    if kind == _AWARENESS:
        data = reader.bytes()
        reader.end()
        return Awareness(_parse_states(data))
    if kind == _QUERY_AWARENESS:
        reader.end()
        return QueryAwareness()
    raise Invalid(f"a message is of type 0 (sync), 1 (awareness) or 3 (query awareness), not {kind}")


def step_1(state_vector: bytes) -> bytes:
    """Asks the other side for what this state lacks."""
    return bytes((_SYNC, _STEP_1)) + _bytes(state_vector)


def step_2(update: bytes) -> bytes:
    """Answers a step 1."""
    return bytes((_SYNC, _STEP_2)) + _bytes(update)


def update(data: bytes) -> bytes:
    """Tells of a change."""
    return bytes((_SYNC, _UPDATE)) + _bytes(data)


def awareness(states: Sequence[Presence]) -> bytes:
    """Tells what clients show of themselves."""
    parts = [_uint(len(states))]
    for state in states:
        parts += (_uint(state.client), _uint(state.clock), _bytes(state.state.encode()))
    return bytes((_AWARENESS,)) + _bytes(b"".join(parts))


def denied(reason: str) -> bytes:
    """Tells a client that it may not do what it just tried."""
    return bytes((_AUTH, 0)) + _bytes(reason.encode())


def _parse_states(data: bytes) -> tuple[Presence, ...]:
    reader = _Reader(data)
    count = reader.uint()
    if count > _MOST_STATES:
        raise Invalid(f"an awareness message with {count} clients; at most {_MOST_STATES}")
    states: list[Presence] = []
    for _ in range(count):
        client, clock, raw = reader.uint(), reader.uint(), reader.bytes()
        try:
            msgspec.json.decode(raw)
            states.append(Presence(client, clock, raw.decode()))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Invalid(f"the awareness state of client {client} is not JSON: {error}") from error
    reader.end()
    return tuple(states)


def _uint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(128 | number & 127)
        number >>= 7
    out.append(number)
    return bytes(out)


def _bytes(data: bytes) -> bytes:
    return _uint(len(data)) + data


@final
class _Reader:
    """Reads a message from its front; Invalid at the first byte that cannot be."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def uint(self) -> int:
        number = shift = 0
        while True:
            if self._at >= len(self._data):
                raise Invalid(f"the message ends within a number, at byte {self._at}")
            byte = self._data[self._at]
            self._at += 1
            number |= (byte & 127) << shift
            if number > _MOST or shift > 56:
                raise Invalid(f"a number above 2^53 - 1 before byte {self._at}")
            if byte < 128:
                return number
            shift += 7

    def bytes(self) -> bytes:
        length = self.uint()
        stop = self._at + length
        if stop > len(self._data):
            raise Invalid(
                f"the message promises {length} bytes at byte {self._at} and has {len(self._data) - self._at}"
            )
        data = self._data[self._at : stop]
        self._at = stop
        return data

    def end(self) -> None:
        if self._at != len(self._data):
            raise Invalid(f"{len(self._data) - self._at} bytes too many, from byte {self._at}")
