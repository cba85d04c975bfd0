"""Batches of messages into one block of columns, and what cannot be understood set aside with its reason.

It means exactly what `sources.readings` means, message by message (a test holds the two together); this is
the same as one loop that makes no object per sample, because a reading must cost less than a microsecond.
A message is taken whole or set aside whole.
"""

from base64 import b64encode
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast, final

import msgspec
import numpy as np

from ectype.errors import Invalid
from ectype.sources.base import Message
from ectype.sources.readings import NO_VALUE, address, instant, number, parts, payload_of, series_of
from ectype.values.block import Block

KEPT_PAYLOAD = 64 << 10
_REMEMBERED_LENGTH = 512
_FLOAT = {float}
_NUMBERS = {float, int, bool}

Known = Callable[[str, str], str | None]
"""(twin, property) -> None if a source may measure it, else one sentence that says why not."""


@final
@dataclass(frozen=True, slots=True)
class SetAside:
    """A message that was not understood, kept so that nothing acknowledged is lost.

    payload: at most its first KEPT_PAYLOAD bytes; the reason says so when it was longer.
    """

    topic: str
    payload: bytes
    reason: str
    at_ns: int
    source: str


@final
@dataclass(frozen=True, slots=True)
class Decoded:
    """block: every sample of the messages that were understood, in order; set_aside: the others, in order."""

    block: Block
    set_aside: tuple[SetAside, ...]


def decode(messages: Sequence[Message], known: Known) -> Decoded:
    """Understand `messages`. `known` is asked once per property and batch, so it may change between batches."""
    batch = _Batch(known)
    aside: list[SetAside] = []
    for message in messages:
        mark = len(batch.which)
        try:
            batch.add(message)
        except Invalid as error:
            batch.cut(mark)
            aside.append(_aside(message, str(error)))
    return Decoded(batch.block(), tuple(aside))


@final
class _Batch:
    """Columns that grow message by message.

    A source sends the same properties again and again, so what a topic and the names in its payload come to is
    remembered as a shape: the numbers of their series. A message of a known shape with plain numbers is three
    list extensions; everything else goes value by value.
    """

    def __init__(self, known: Known) -> None:
        self._known = known
        self._names: dict[str, int] = {}
        self._shapes: dict[tuple[str, ...], list[int]] = {}
        self.which: list[int] = []
        self.value: list[float] = []
        self.at: list[int] = []

    def add(self, message: Message) -> None:
        """Take in one message; if it is Invalid, some of it may be in the columns until `cut`."""
        values, whole, t = parts(payload_of(message))
        at_ns = message.at_ns if t is None else instant(t)
        shape = (message.topic, *values) if whole else (message.topic, "", "")  # no object names a thing twice
        slots = self._shapes.get(shape)
        if slots is not None:
            numbers = _plain_numbers(values.values())
            if numbers is not None:
                self.which += slots
                self.value += numbers
                self.at += [at_ns] * len(slots)
                return
        self._add_one_by_one(message.topic, values, whole, at_ns, shape)

    def cut(self, mark: int) -> None:
        """Forget the samples from `mark` on."""
        del self.which[mark:], self.value[mark:], self.at[mark:]

    def block(self) -> Block:
        """What was taken in."""
        which, at = np.array(self.which, np.int32), np.array(self.at, np.int64)
        return Block(tuple(self._names), which, at, np.array(self.value, np.float64))

    def _add_one_by_one(
        self, topic: str, values: dict[str, object], whole: bool, at_ns: int, shape: tuple[str, ...]
    ) -> None:
        if topic.startswith("ectype/"):
            raise Invalid("topics below ectype/ are the node's own; change a property through its API instead")
        slots: list[int] = []
        for name, item in values.items():
            if item is not None:
                slots.append(self._slot(topic, name, whole))
                self.value.append(number(name if whole else topic.rpartition("/")[2], item))
        if not slots:
            raise Invalid(NO_VALUE)
        self.which += slots
        self.at += [at_ns] * len(slots)
        if len(slots) == len(values):
            self._shapes[shape] = slots

    def _slot(self, topic: str, name: str, whole: bool) -> int:
        """The number of a series, a new one if this batch has not met it."""
        remembered = len(topic) + len(name) <= _REMEMBERED_LENGTH
        twin, property_name, series = (_series if remembered else _series.__wrapped__)(topic, name, whole)
        slot = self._names.get(series)
        if slot is None:
            reason = self._known(twin, property_name)
            if reason is not None:
                raise Invalid(reason)
            slot = self._names[series] = len(self._names)
        return slot


def _plain_numbers(values: Collection[object]) -> Collection[float] | None:
    """`values` if all are numbers that a double can hold, else None."""
    kinds = {*map(type, values)}
    if kinds == _FLOAT:
        return cast(Collection[float], values)
    if kinds <= _NUMBERS:
        try:
            return [*map(float, cast(Collection[float], values))]
        except OverflowError:
            return None
    return None


@lru_cache(maxsize=65_536)
def _series(topic: str, name: str, whole: bool) -> tuple[str, str, str]:
    """(twin, property, series) of a value; `name` is what the payload calls it, if it is a `whole` object."""
    twin, of_topic = address(topic, whole)
    name = name if whole else of_topic
    return twin, name, series_of(twin, name)


def _aside(message: Message, reason: str) -> SetAside:
    size = len(message.payload)
    if size > KEPT_PAYLOAD:
        reason = f"{reason} (kept the first {KEPT_PAYLOAD} of {size} bytes)"
    return SetAside(message.topic, message.payload[:KEPT_PAYLOAD], reason, message.at_ns, message.source)


def set_aside_bodies(items: Sequence[SetAside], limit: int = 1 << 20) -> list[bytes]:
    """Bodies of `set-aside` entries that hold `items` in order, each of about `limit` bytes at most."""
    bodies: list[bytes] = []
    chunk: list[dict[str, object]] = []
    size = 0
    for item in items:
        text = b64encode(item.payload).decode()
        row: dict[str, object] = {
            "at_ns": str(item.at_ns), "payload_b64": text, "reason": item.reason, "source": item.source,
            "topic": item.topic,
        }  # fmt: skip
        chunk.append(row)
        size += len(text) + len(item.reason) + len(item.topic) + 120
        if size >= limit:
            bodies.append(msgspec.json.encode({"items": chunk}))
            chunk, size = [], 0
    if chunk:
        bodies.append(msgspec.json.encode({"items": chunk}))
    return bodies
