"""Batches of messages into one block of columns, and what cannot be understood set aside with its reason.

It means exactly what `sources.readings` means, message by message (a test holds the two together), and most of it
happens to many messages at once: those of a known shape are lines of one text (`ingest.shapes`), and only the
rest is read one by one. A message is taken whole or set aside whole.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import msgspec
import numpy as np

from ectype.errors import Invalid
from ectype.ingest.bindings import Bindings
from ectype.ingest.clocks import Clocks
from ectype.ingest.shapes import Shape, shape_of
from ectype.ingest.sparkplug import ALIVE, Said, Sparkplug, own, property_of
from ectype.sources.base import Message
from ectype.sources.batch import Packed, parts_of
from ectype.sources.readings import MAX_PAYLOAD, NO_VALUE, address, instant, number, parts, payload_of, series_of
from ectype.sources.sparkplug import PREFIX
from ectype.values.block import Block, Float64s, Int32s, Int64s

KEPT_PAYLOAD = 64 << 10
_REMEMBERED_LENGTH = 512
_TOPICS = 65_536
_FIRST = np.zeros(1, np.int64)
_TOGETHER = 4  # messages of one shape from which on they are read at once

Known = Callable[[str, str], str | None]
"""(twin, property) -> None if a source may measure it, else one sentence that says why not.

With an attribute `epoch` it promises the same answers for as long as that number stays the same.
"""


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
    """Understand `messages`, without remembering anything of them."""
    return Decoder(known).decode([messages])


@final
class Decoder:
    """Understands batch after batch, and remembers what each topic's payloads looked like.

    `known` is asked once per property and batch, or once per epoch if it has one.
    """

    def __init__(self, known: Known, bindings: Bindings | None = None) -> None:
        self._known = known
        self._bindings = Bindings([]) if bindings is None else bindings
        self._bound = self._bindings.version
        self.clocks = Clocks()
        self.sparkplug = Sparkplug()
        self._shapes: dict[str, Shape] = {}
        self._epoch: object = None
        self._names: list[str] = []
        self._ids: dict[str, int] = {}
        self._slots: dict[tuple[str, Shape], Int32s | None] = {}

    def decode(self, batches: Sequence[Sequence[Message]]) -> Decoded:
        """All of these, in order, as one block."""
        epoch = getattr(self._known, "epoch", None)
        if epoch is None or epoch != self._epoch or len(self._names) > _TOPICS or len(self._slots) > _TOPICS:
            self._epoch = epoch
            self._names, self._ids, self._slots = [], {}, {}
        if len(self._shapes) > _TOPICS or self._bound != self._bindings.version:
            self._shapes.clear()
            self._bound = self._bindings.version
        found = _Found()
        for part in parts_of(batches):
            if isinstance(part, Packed):
                self._packed(part, found)
            else:
                self._mixed(part, found)
        return found.decoded(self._names)

    def _packed(self, packed: Packed, found: "_Found") -> None:
        """Messages that lie together: of each shape all at once, what has none one by one and in order."""
        n = len(packed)
        shapes = [self._shapes.get(topic) for topic, _ in packed.origins]
        done = 0
        if shapes == [None] and n >= _TOGETHER:  # the first says what the others look like
            self._one_by_one(packed.chosen(_FIRST).messages(), _FIRST.tolist(), found)
            shapes = [self._shapes.get(packed.origins[0][0])]
            done = 1
        of_shape: dict[Shape | None, list[int]] = {}
        for k, shape in enumerate(shapes):
            of_shape.setdefault(shape, []).append(k)
        for shape, origins in of_shape.items():
            rows = np.arange(done, n) if len(of_shape) == 1 else packed.of(origins)
            part = packed.chosen(rows)
            if shape is None or len(rows) < _TOGETHER or not self._as(shape, part, origins, rows, found):
                self._one_by_one(part.messages(), rows.tolist(), found)
        found.base += n

    def _as(self, shape: Shape, part: Packed, origins: Sequence[int], rows: Int64s, found: "_Found") -> bool:
        """Read `part`, of these origins, by their shape; False if one message is anything else."""
        of_origin = [np.zeros(shape.width, np.int32)] * len(part.origins)
        for k in origins:
            of_topic = self._slots_of(part.origins[k][0], shape)
            if of_topic is None:
                return False
            of_origin[k] = of_topic
        slots = np.concatenate(of_origin).reshape(-1, shape.width)
        if int(part.sizes().max()) > MAX_PAYLOAD:
            return False
        read = shape.read(part.lines(), *part.edges())
        if read is None:
            return False
        values, at = read
        n = len(part)
        if at is not None:
            newest = np.full(len(part.origins), np.iinfo(np.int64).min)
            np.maximum.at(newest, part.which, at)
            count = np.bincount(part.which, minlength=len(part.origins)).tolist()
            for k, measured_ns in enumerate(newest.tolist()):
                if count[k]:
                    self.clocks.heard(part.origins[k][1], part.at_ns, measured_ns, count[k])
        else:
            at = np.full(n, part.at_ns)
        found.add(rows, slots[part.which].ravel(), values, at, shape.width)
        return True

    def _mixed(self, messages: Sequence[Message], found: "_Found") -> None:
        """Some messages of any topics: those of one shape together, the rest one by one."""
        shapes = self._shapes
        together: dict[Shape | None, list[int]] = {}
        for k, message in enumerate(messages):
            together.setdefault(shapes.get(message.topic), []).append(k)
        for shape, members in together.items():
            chosen = messages if len(members) == len(messages) else [messages[k] for k in members]
            if shape is None or len(members) < _TOGETHER or not self._together(shape, chosen, members, found):
                self._one_by_one(chosen, members, found)
        found.base += len(messages)

    def _together(self, shape: Shape, messages: Sequence[Message], places: list[int], found: "_Found") -> bool:
        payloads = [m.payload for m in messages]
        if not all(payloads) or max(map(len, payloads)) > MAX_PAYLOAD:
            return False
        which: list[Int32s] = []
        for message in messages:
            slots = self._slots_of(message.topic, shape)
            if slots is None:
                return False
            which.append(slots)
        read = shape.read(b"\n".join(payloads), bytes([p[0] for p in payloads]), bytes([p[-1] for p in payloads]))
        if read is None:
            return False
        values, at = read
        if at is None:
            at = np.array([m.at_ns for m in messages], np.int64)
        else:
            heard = self.clocks.heard
            for message, measured_ns in zip(messages, at.tolist(), strict=True):
                heard(message.source, message.at_ns, measured_ns)
        found.add(places, np.concatenate(which), values, at, shape.width)
        return True

    def _slots_of(self, topic: str, shape: Shape) -> Int32s | None:
        """The series of a topic's values; None if one may not come in (why is asked message by message)."""
        key = topic, shape
        if key in self._slots:
            return self._slots[key]
        try:
            names = shape.names if shape.whole else ("",)
            slots = np.array([self._slot(topic, name, shape.whole) for name in names], np.int32)
        except Invalid:
            slots = None
        self._slots[key] = slots
        return slots

    def _one_by_one(self, messages: Sequence[Message], places: Sequence[int], found: "_Found") -> None:
        which: list[int] = []
        value: list[float] = []
        at: list[int] = []
        rows: list[int] = []
        for place, message in zip(places, messages, strict=True):
            mark = len(which)
            if message.topic.startswith(PREFIX):
                self._of_sparkplug(message, place, found)
                continue
            try:
                at_ns = self._one(message, which, value)
            except Invalid as error:
                del which[mark:], value[mark:]
                found.aside.append((found.base + place, _aside(message, str(error))))
                continue
            at += [at_ns] * (len(which) - mark)
            rows += [place] * (len(which) - mark)
        if which:
            found.add(rows, np.array(which, np.int32), np.array(value, np.float64), np.array(at, np.int64), 1)

    def _of_sparkplug(self, message: Message, place: int, found: "_Found") -> None:
        """Of a birth certificate the metrics that a type declares are taken; a message with none is set aside."""
        try:
            said = self.sparkplug.read(message)
            if self._bindings.bound(message.topic):
                self._bound_sparkplug(message, said, place, found)
                return
            which: list[int] = []
            value: list[float] = []
            at: list[int] = []
            missing: Invalid | None = None
            for each in said:
                if own(each.name) or each.value is None or isinstance(each.value, str):
                    continue
                name = property_of(each.name)
                try:
                    slot = self._slot(each.twin, name, True)
                except Invalid as error:
                    missing = error if missing is None or each.name != ALIVE else missing
                    continue
                which.append(slot)
                value.append(number(name, each.value))
                at.append(each.at_ns)
                if each.name != ALIVE:
                    self.clocks.heard(message.source, message.at_ns, each.at_ns)
        except Invalid as error:
            found.aside.append((found.base + place, _aside(message, str(error))))
            return
        if which:
            found.add([place] * len(which), np.array(which, np.int32), np.array(value), np.array(at, np.int64), 1)
        elif missing is not None and any(each.name != ALIVE and not own(each.name) for each in said):
            found.aside.append((found.base + place, _aside(message, str(missing))))

    def _bound_sparkplug(self, message: Message, said: Sequence[Said], place: int, found: "_Found") -> None:
        """A rule of the space says what the metrics mean: it sees them as an object, of each instant its own."""
        of_instant: dict[int, dict[str, object]] = {}
        for each in said:
            of_instant.setdefault(each.at_ns, {})[each.name] = each.value
        for at_ns, body in of_instant.items():
            which: list[int] = []
            value: list[float] = []
            try:
                self._one(Message(message.topic, msgspec.json.encode(body), at_ns, message.source), which, value)
            except Invalid as error:
                if len(of_instant) == 1:
                    raise error from None
                continue
            found.add([place] * len(which), np.array(which, np.int32), np.array(value), np.full(len(which), at_ns), 1)

    def _one(self, message: Message, which: list[int], value: list[float]) -> int:
        """Take in one message and return when it was so; if it is Invalid, some of it may be in the lists."""
        bound = self._bindings.bound(message.topic)
        if bound:
            message = self._bindings.rewrite(message)
        values, whole, t = parts(payload_of(message))
        whole = whole or bound
        if bound and "" in values:
            values = {"value": values[""]}
        at_ns = message.at_ns if t is None else instant(t)
        came_ns, topic = message.at_ns, message.topic
        if topic.startswith("ectype/"):
            raise Invalid("topics below ectype/ are the node's own; change a property through its API instead")
        mark = len(which)
        for name, item in values.items():
            if item is not None:
                which.append(self._slot(topic, name, whole))
                value.append(number(name if whole else topic.rpartition("/")[2], item))
        if len(which) == mark:
            raise Invalid(NO_VALUE)
        if len(topic) <= _REMEMBERED_LENGTH and not bound:
            shape = shape_of(values, whole, t is not None)
            if shape is not None:
                self._shapes[topic] = shape
        if t is not None:
            self.clocks.heard(message.source, came_ns, at_ns)
        return at_ns

    def _slot(self, topic: str, name: str, whole: bool) -> int:
        """The number of a series, a new one if this epoch has not met it."""
        remembered = len(topic) + len(name) <= _REMEMBERED_LENGTH
        twin, property_name, series = (_series if remembered else _series.__wrapped__)(topic, name, whole)
        slot = self._ids.get(series)
        if slot is None:
            reason = self._known(twin, property_name)
            if reason is not None:
                raise Invalid(reason)
            slot = self._ids[series] = len(self._names)
            self._names.append(series)
        return slot


@final
class _Found:
    """Pieces of columns with the place of their message in the batch, and what was set aside."""

    def __init__(self) -> None:
        self.base = 0
        self.aside: list[tuple[int, SetAside]] = []
        self._rows: list[Int64s] = []
        self._which: list[Int32s] = []
        self._value: list[Float64s] = []
        self._at: list[Int64s] = []

    def add(self, places: Sequence[int] | Int64s, which: Int32s, value: Float64s, at: Int64s, width: int) -> None:
        """Samples of the messages at `places` after `base`, `width` of each."""
        rows = np.array(places, np.int64) + self.base
        self._rows.append(rows if width == 1 else np.repeat(rows, width))
        self._at.append(at if width == 1 else np.repeat(at, width))
        self._which.append(which)
        self._value.append(value)

    def decoded(self, names: Sequence[str]) -> Decoded:
        """All of it in the order of the messages."""
        self.aside.sort(key=lambda item: item[0])
        aside = tuple(item for _, item in self.aside)
        if not self._rows:
            return Decoded(Block.of([]), aside)
        rows, which = np.concatenate(self._rows), np.concatenate(self._which)
        at, value = np.concatenate(self._at), np.concatenate(self._value)
        if (rows[1:] < rows[:-1]).any():
            order = np.argsort(rows, kind="stable")
            which, at, value = which[order], at[order], value[order]
        there = np.zeros(len(names), bool)
        there[which] = True
        if there.all():
            return Decoded(Block(tuple(names), which, at, value), aside)
        renumber = np.cumsum(there, dtype=np.int32) - 1
        used = tuple(names[k] for k in np.flatnonzero(there).tolist())
        return Decoded(Block(used, renumber[which].astype(np.int32), at, value), aside)


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
