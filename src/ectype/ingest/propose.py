"""What traffic that nobody described might mean: rules for `bindings.toml`, types in DTDL, and twins of them.

Topics that carry the same shape of payload and differ in some levels are one rule; the levels that differ name the
twin. Every number or truth value in a payload is a property, named by its key; a key called time, ts, t or timestamp
that holds an instant is the time. Sparkplug births say it all themselves. It is a proposal: a person corrects it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast, final

import msgspec

from ectype.clock import from_iso
from ectype.errors import EctypeError, Invalid
from ectype.ids import check_twin_id
from ectype.ingest.bindings import Bindings, Rule
from ectype.ingest.sparkplug import Sparkplug, own, property_of
from ectype.sources.base import Message
from ectype.sources.readings import payload_of
from ectype.sources.sparkplug import BOOLEAN, DOUBLE, FLOAT, PREFIX, STRING, TEXT, UUID

_MOST_LEAVES = 256
_MOST_TOPICS = 20_000
_TIME = re.compile(r"t|ts|time|timestamp|datetime|date|at|observed(at)?", re.IGNORECASE)
_UNITS = ((1e17, "ns"), (1e14, "us"), (1e11, "ms"), (1e8, "s"))
_EMPTY_NAMES = frozenset({"value", "val", "v", ""})
_word = re.compile(r"[^A-Za-z0-9]+")


@final
@dataclass(frozen=True, slots=True)
class Proposal:
    """rules: as `bindings.toml` has them; models: DTDL; twins: id -> type; left: topic -> why nothing is proposed."""

    rules: tuple[Rule, ...]
    models: tuple[dict[str, Any], ...]
    twins: Mapping[str, str]
    left: Mapping[str, str]

    def toml(self) -> str:
        """The rules as the file has them."""
        return "".join(_table(rule) for rule in self.rules)


@final
@dataclass(slots=True)
class _Shape:
    """Topics with one shape of payload. kinds: schema by pointer; time: (pointer, unit)."""

    topics: dict[str, None] = field(default_factory=dict[str, None])
    kinds: dict[str, str] = field(default_factory=dict[str, str])
    time: tuple[str, str] | None = None


def propose(traffic: Iterable[Message]) -> Proposal:
    """What these messages might mean. The same traffic always gives the same proposal."""
    shapes: dict[tuple[int, str, tuple[str, ...]], _Shape] = {}
    left: dict[str, str] = {}
    sparkplug = Sparkplug()
    topics: set[str] = set()
    for message in traffic:
        if message.topic.startswith(PREFIX):
            with suppress(Invalid):
                sparkplug.read(message)
            continue
        topics.add(message.topic)
        if len(topics) > _MOST_TOPICS:
            break
        try:
            found, time = _leaves(payload_of(message))
        except Invalid as error:
            left[message.topic] = str(error)
            continue
        if not found:
            left[message.topic] = "no number or truth value in it"
            continue
        levels = message.topic.split("/")
        plain = levels[-1] if list(found) == [""] else ""  # a bare value: the last level says of what
        shape = shapes.setdefault((len(levels), plain, tuple(sorted(found))), _Shape())
        shape.topics[message.topic] = None
        shape.time = shape.time or time
        for pointer, kind in found.items():
            shape.kinds[pointer] = _wider(shape.kinds.get(pointer), kind)
    made = _Made(left)
    for (_, plain, _), shape in shapes.items():
        made.add(shape, plain)
    made.add_sparkplug(sparkplug)
    return made.proposal()


@final
class _Made:
    def __init__(self, left: dict[str, str]) -> None:
        self._left = left
        self._rules: list[Rule] = []
        self._contents: dict[str, dict[str, str]] = {}
        self._twins: dict[str, str] = {}

    def add(self, shape: _Shape, plain: str) -> None:
        rows = [topic.split("/") for topic in shape.topics]
        differing = [k for k in range(len(rows[0])) if len({row[k] for row in rows}) > 1]
        last = len(rows[0]) - (2 if plain else 1)
        named = [k for k in differing if k <= last] or [max(last, 0)]
        pattern = "/".join(f"{{level{k}}}" if k in named else level for k, level in enumerate(rows[0]))
        twin = "-".join(f"{{level{k}}}" for k in named)
        constant = [level for k, level in enumerate(rows[0]) if k not in named and (not plain or k <= last)]
        model = f"dtmi:proposed:{_camel(constant[-1] if constant else 'thing')};1"
        names = _names(shape.kinds, plain)
        time, unit = shape.time or (None, "s")
        rule = Rule(pattern, twin, {names[p]: p for p in shape.kinds}, time, unit)  # pyright: ignore[reportArgumentType]
        usable = False
        for topic, row in zip(shape.topics, rows, strict=True):
            name = "-".join(row[k] for k in named)
            try:
                check_twin_id(name)
            except Invalid as error:
                self._left[topic] = str(error)
                continue
            usable = True
            self._twins.setdefault(name, model)
            contents = self._contents.setdefault(self._twins[name], {})
            for pointer, kind in shape.kinds.items():
                contents[names[pointer]] = _wider(contents.get(names[pointer]), kind)
        if usable:
            self._rules.append(rule)

    def add_sparkplug(self, sparkplug: Sparkplug) -> None:
        for (group, edge), node in sparkplug.nodes.items():
            for device, member in node.members.items():
                twin = device or edge
                with suppress(Invalid):
                    check_twin_id(twin)
                    model = f"dtmi:proposed:{_camel(group)}:{_camel(twin)};1"
                    self._twins[twin] = model
                    contents = self._contents.setdefault(model, {"alive": "boolean"})
                    for name, datatype in member.types.items():
                        if not own(name) and datatype not in (STRING, TEXT, UUID) and datatype < UUID:
                            kind = {BOOLEAN: "boolean", FLOAT: "double", DOUBLE: "double"}.get(datatype, "long")
                            contents[property_of(name)] = kind

    def proposal(self) -> Proposal:
        models: list[dict[str, Any]] = [
            {
                "@id": model,
                "@type": "Interface",
                "@context": "dtmi:dtdl:context;3",
                "contents": [
                    {"@type": "Property" if name == "alive" else "Telemetry", "name": name, "schema": kind}
                    for name, kind in sorted(contents.items())
                ],
            }
            for model, contents in sorted(self._contents.items())
        ]
        # The rule of more constant levels first, as the first that fits counts.
        rules = sorted(self._rules, key=lambda rule: (rule.topic.count("{"), rule.topic))
        return Proposal(
            tuple(rules), tuple(models), dict(sorted(self._twins.items())), dict(sorted(self._left.items()))
        )


def _leaves(value: object) -> tuple[dict[str, str], tuple[str, str] | None]:
    """(schema by pointer of all numbers, where the time is and in which unit)."""
    found: dict[str, str] = {}
    time: tuple[str, str] | None = None
    for pointer, leaf in _walk(value, ""):
        key = pointer.rpartition("/")[2]
        unit = _unit(leaf) if _TIME.fullmatch(key) else None
        if unit is not None:
            time = time or (pointer, unit)
        elif isinstance(leaf, bool):
            found[pointer] = "boolean"
        elif isinstance(leaf, int | float):
            found[pointer] = "long" if isinstance(leaf, int) else "double"
        if len(found) > _MOST_LEAVES:
            raise Invalid(f"more than {_MOST_LEAVES} values in one payload")
    return found, time


def _walk(value: object, at: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, item in cast("dict[str, object]", value).items():
            yield from _walk(item, f"{at}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for number, item in enumerate(cast("list[object]", value)):
            yield from _walk(item, f"{at}/{number}")
    else:
        yield at, value


def _unit(leaf: object) -> str | None:
    """The unit of an instant, guessed by its size; None if it is none."""
    if isinstance(leaf, str):
        try:
            from_iso(leaf)
        except (EctypeError, OverflowError):
            return None
        return "s"
    if isinstance(leaf, bool) or not isinstance(leaf, int | float):
        return None
    return next((unit for least, unit in _UNITS if leaf >= least), None)


def _names(pointers: Iterable[str], plain: str) -> dict[str, str]:
    """A property's name for each pointer: the shortest end of it that tells them apart."""
    tokens = {p: [t for t in p.split("/") if t.lower() not in _EMPTY_NAMES] or [plain or "value"] for p in pointers}
    for length in range(1, max(map(len, tokens.values())) + 1):
        names = {p: property_of("_".join(t[-length:])) for p, t in tokens.items()}
        if len(set(names.values())) == len(names) and not any(t[-length:][0].isdecimal() for t in tokens.values()):
            return names
    return {p: property_of(p) for p in tokens}


def _wider(before: str | None, kind: str) -> str:
    """The schema that holds both."""
    return kind if before in (None, kind) else "double"


def _camel(text: str) -> str:
    word = "".join(part[:1].upper() + part[1:] for part in _word.split(text))
    return word if word[:1].isalpha() else f"T{word}"


def _table(rule: Rule) -> str:
    quoted = msgspec.json.encode
    lines = [f"topic = {quoted(rule.topic).decode()}", f"twin = {quoted(rule.twin).decode()}"]
    if rule.time is not None:
        lines += [f"time = {quoted(rule.time).decode()}", f'time_unit = "{rule.time_unit}"']
    values = ", ".join(f"{name} = {quoted(pointer).decode()}" for name, pointer in rule.values.items())
    return "\n".join(["[[bind]]", *lines, f"values = {{ {values} }}", "", ""])


def checked(rules: Sequence[Rule]) -> Bindings:
    """The rules as a node would read them. Misconfigured if it would not."""
    return Bindings(list(rules))
