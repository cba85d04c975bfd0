"""What Sparkplug edge nodes say, over time: who is alive, what an alias stands for, whether anything was missed.

    NBIRTH, DBIRTH   names, aliases and types; the node, or the device, is alive
    NDATA, DDATA     values, often under their alias alone
    NDEATH, DDEATH   it is not alive; a node's death, which the broker tells, is that of its devices too

A node counts its messages (seq, 0 to 255). Where one is missing, or an alias is unknown, the node is asked for its
birth certificate again. A device is the twin of its name, a node that of its own; a metric is the property of its
name, with _ for what a property's name cannot hold. `alive` of a twin whose type has it follows births and deaths.
"""

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

from ectype.errors import Invalid
from ectype.sources.base import Message
from ectype.sources.sparkplug import PREFIX, Payload, Topic, Value, read_payload, read_topic, rebirth, typed

ALIVE = "alive"
_OWN = re.compile(r"bdSeq|Node Control/.*|Device Control/.*|Node Info/.*")
_ASK_AGAIN_NS = 10_000_000_000
_NODES = 10_000
_DEVICES = 10_000
_ALIASES = 100_000
_LATEST_MS = 9_223_372_036_000
_unfit = re.compile(r"[^A-Za-z0-9_]+")


@final
@dataclass(frozen=True, slots=True)
class Said:
    """One value of a message: `name` of the metric as its birth certificate has it."""

    twin: str
    name: str
    at_ns: int
    value: Value


@final
@dataclass(slots=True)
class Member:
    """A node or a device. types: datatype by metric, as its birth certificate says."""

    alive: bool = False
    since_ns: int = 0
    last_ns: int = 0
    types: dict[str, int] = field(default_factory=dict[str, int])


@final
@dataclass(slots=True)
class Node:
    """An edge node: itself under "" and its devices. gaps: messages that are missing; repeats: that came twice."""

    members: dict[str, Member] = field(default_factory=dict[str, Member])
    aliases: dict[int, tuple[str, str, int]] = field(default_factory=dict[int, tuple[str, str, int]])
    seq: int = -1
    newest: tuple[int, int | None] = (-1, None)
    birth: int | None = None
    gaps: int = 0
    repeats: int = 0
    asked_ns: int = 0


@final
class Sparkplug:
    """Follows edge nodes. ask(topic, payload): publishes a command, if there is a way to."""

    def __init__(self, ask: Callable[[str, bytes], None] | None = None) -> None:
        self.ask = ask
        self.nodes: OrderedDict[tuple[str, str], Node] = OrderedDict()

    def read(self, message: Message) -> list[Said]:
        """The values in one message, those of a birth included. Invalid if it cannot be understood."""
        topic = read_topic(message.topic) if not message.topic.startswith(f"{PREFIX}STATE/") else None
        if topic is None or topic.kind in ("NCMD", "DCMD"):
            return []
        handle = {"NBIRTH": self._birth, "DBIRTH": self._birth, "NDATA": self._data, "DDATA": self._data}
        if topic.kind in ("NDEATH", "DDEATH"):
            return self._death(topic, message)
        if topic.kind not in handle:
            raise Invalid(f"'{topic.kind[:40]}' is no kind of Sparkplug message")
        if topic.kind[0] == "D" and not topic.device:
            raise Invalid(f"{topic.kind} is of a device, and the topic names none")
        return handle[topic.kind](topic, message)

    def _birth(self, topic: Topic, message: Message) -> list[Said]:
        payload = read_payload(message.payload)
        node = self._node(topic)
        if topic.kind == "NBIRTH":
            node.aliases.clear()
            node.seq = payload.seq - 1 & 255
            node.birth = _life(payload)
            for name, member in node.members.items():
                if name:
                    member.alive = False  # until its own birth certificate comes again
        self._count(node, topic, payload.seq, payload.at_ms, message.at_ns)
        if len(node.members) >= _DEVICES and topic.device not in node.members:
            raise Invalid(f"the node '{topic.node}' has {_DEVICES} devices already")
        types: dict[str, int] = {}
        for metric in payload.metrics:
            if not metric.name:
                raise Invalid("a metric of a birth certificate has no name")
            types[metric.name] = metric.datatype
            if metric.alias >= 0:
                if len(node.aliases) >= _ALIASES:
                    raise Invalid(f"the node '{topic.node}' has {_ALIASES} aliases already")
                node.aliases[metric.alias] = topic.device, metric.name, metric.datatype
        at_ns = _ns(payload.at_ms, message.at_ns)
        node.members[topic.device] = Member(True, at_ns, message.at_ns, types)
        said = [Said(_twin(topic), ALIVE, at_ns, True)]
        for metric in payload.metrics:
            at_ms = payload.at_ms if metric.at_ms is None else metric.at_ms
            said.append(Said(_twin(topic), metric.name, _ns(at_ms, message.at_ns), metric.value))
        return said

    def _data(self, topic: Topic, message: Message) -> list[Said]:
        payload = read_payload(message.payload)
        node = self._node(topic)
        if payload.seq >= 0 and (payload.seq, payload.at_ms) == node.newest:
            node.repeats += 1  # QoS 0 and 1 may bring a message twice
            return []
        self._count(node, topic, payload.seq, payload.at_ms, message.at_ns)
        member = node.members.get(topic.device)
        said: list[Said] = []
        unknown = 0
        for metric in payload.metrics:
            name, value = metric.name, metric.value
            if not name:
                device, name, datatype = node.aliases.get(metric.alias, ("", "", 0))
                if not name or device != topic.device:
                    unknown += 1
                    continue
                value = value if metric.datatype else typed(value, datatype)
            at_ms = payload.at_ms if metric.at_ms is None else metric.at_ms
            said.append(Said(_twin(topic), name, _ns(at_ms, message.at_ns), value))
        if unknown:
            self._ask(node, topic, message.at_ns)
            raise Invalid(f"{unknown} of its metrics have an alias that no birth certificate of '{topic.node}' names")
        if member is None or not member.alive:
            self._ask(node, topic, message.at_ns)
        else:
            member.last_ns = message.at_ns
        return said

    def _death(self, topic: Topic, message: Message) -> list[Said]:
        payload = read_payload(message.payload)
        node = self._node(topic)
        at_ns = _ns(payload.at_ms, message.at_ns)
        if topic.kind == "DDEATH":
            self._count(node, topic, payload.seq, payload.at_ms, message.at_ns)
            dead = [topic.device]
        else:
            of = _life(payload)
            if of is not None and node.birth is not None and of != node.birth:
                return []  # the death of an earlier life, told late
            at_ns = message.at_ns  # a will was written when the node connected
            dead = list(node.members) or [""]
        said: list[Said] = []
        for name in dead:
            member = node.members.setdefault(name, Member())
            if member.alive or not member.since_ns:
                member.alive, member.since_ns = False, at_ns
            said.append(Said(name or topic.node, ALIVE, at_ns, False))
        return said

    def _count(self, node: Node, topic: Topic, seq: int, at_ms: int | None, now_ns: int) -> None:
        if seq < 0:
            return
        if node.seq >= 0:
            missing = (seq - node.seq - 1) & 255
            if missing:
                node.gaps += missing
                self._ask(node, topic, now_ns)
        node.seq = seq & 255
        node.newest = seq, at_ms

    def _ask(self, node: Node, topic: Topic, now_ns: int) -> None:
        if self.ask is not None and now_ns - node.asked_ns >= _ASK_AGAIN_NS:
            node.asked_ns = now_ns
            self.ask(f"{PREFIX}{topic.group}/NCMD/{topic.node}", rebirth())

    def _node(self, topic: Topic) -> Node:
        key = topic.group, topic.node
        node = self.nodes.get(key)
        if node is None:
            while len(self.nodes) >= _NODES:
                self.nodes.popitem(last=False)
            node = self.nodes[key] = Node()
        return node


def own(name: str) -> bool:
    """Whether a metric is Sparkplug's own, and no measurement."""
    return _OWN.fullmatch(name) is not None


def property_of(name: str) -> str:
    """A metric's name as that of a property: `Inputs/Temp 1` is Inputs_Temp_1."""
    plain = _unfit.sub("_", name).rstrip("_")
    return plain if plain[:1].isalpha() or plain[:1] == "_" else f"m_{plain}"


def _twin(topic: Topic) -> str:
    return topic.device or topic.node


def _life(payload: Payload) -> int | None:
    """Which life of the node this is: the same number in a birth and in the will that tells its death."""
    return next((m.value for m in payload.metrics if m.name == "bdSeq" and isinstance(m.value, int)), None)


def _ns(at_ms: int | None, arrived_ns: int) -> int:
    if at_ms is None or not at_ms:
        return arrived_ns
    if at_ms >= _LATEST_MS:
        raise Invalid(f"{at_ms} is no time in milliseconds since 1970")
    return at_ms * 1_000_000
