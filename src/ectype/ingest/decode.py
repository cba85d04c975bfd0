"""Batches of messages into one block of columns, and what cannot be understood set aside with its reason.

It means exactly what `sources.readings` means, message by message (a test holds the two together); this is
the same as one loop that makes no object per sample, because a reading must cost less than a microsecond.
A message is taken whole or set aside whole.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import msgspec
import numpy as np

from ectype.errors import Invalid
from ectype.sources.base import Message
from ectype.sources.readings import NO_VALUE, address, instant, number, parts, payload_of, series_of
from ectype.values.block import Block

KEPT_PAYLOAD = 64 << 10

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
    names: dict[str, int] = {}
    objects: dict[str, dict[str, int]] = {}  # topic -> property -> number of the series
    singles: dict[str, dict[str, int]] = {}  # topic -> "" -> number of the series that the topic names
    which: list[int] = []
    at: list[int] = []
    value: list[float] = []
    aside: list[SetAside] = []
    for message in messages:
        mark = len(which)
        try:
            values, whole, t = parts(payload_of(message))
            at_ns = message.at_ns if t is None else instant(t)
            topic = message.topic
            by_topic = objects if whole else singles
            slots = by_topic.get(topic)
            if slots is None:
                if topic.startswith("ectype/"):
                    raise Invalid("topics below ectype/ are the node's own; change a property through its API instead")
                slots = by_topic[topic] = {}
            for name, item in values.items():
                if item is None:
                    continue
                slot = slots.get(name)
                if slot is None:
                    slot = slots[name] = _slot(topic, name, whole, names, known)
                which.append(slot)
                value.append(item if type(item) is float else number(name if whole else topic.rpartition("/")[2], item))
                at.append(at_ns)
            if len(which) == mark:
                raise Invalid(NO_VALUE)
        except Invalid as error:
            del which[mark:], value[mark:], at[mark:]
            aside.append(_aside(message, str(error)))
    block = Block(tuple(names), np.array(which, np.int32), np.array(at, np.int64), np.array(value, np.float64))
    return Decoded(block, tuple(aside))


def _slot(topic: str, name: str, whole: bool, names: dict[str, int], known: Known) -> int:
    """The number of a series that this batch has not met yet."""
    twin, of_topic = address(topic, whole)
    name = name if whole else of_topic
    series = series_of(twin, name)
    if series not in names:
        reason = known(twin, name)
        if reason is not None:
            raise Invalid(reason)
    return names.setdefault(series, len(names))


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
