"""Which property a foreign topic and payload mean, said in a file instead of a program: `SPACE/bindings.toml`.

    [[bind]]
    topic = "plant/{line}/{machine}/state"      # {name} is one level, kept under that name; a last # is any rest
    twin = "{line}-{machine}"
    time = "/header/ts"                         # where the payload says when it was; left out: the arrival
    time_unit = "ms"                            # of a number: s (as left out), ms, us or ns; a text is ISO 8601
    values = { temperature = "/sensors/0/value", speed = "/rpm" }

A place in a payload is a JSON pointer (RFC 6901); "" is the payload itself. A value that is not there is no value now,
as null is. The first rule whose topic fits counts; topics that fit none keep the usual convention.
Types declare such rules too (`declared.py`). They count after the file's, and for twins of that type alone.
"""

import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, cast, final

import msgspec

from ectype.errors import Invalid, Misconfigured
from ectype.sources.base import Message
from ectype.sources.readings import payload_of

NAME = "bindings.toml"
_UNITS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1000, "ns": 1}
_REMEMBERED = 65_536
_name = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


@final
class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[bind]]` of the file."""

    topic: str
    twin: str
    values: dict[str, str]
    time: str | None = None
    time_unit: Literal["s", "ms", "us", "ns"] = "s"

    def pattern(self) -> re.Pattern[str]:
        """What topics fit, with a group for each {name}. Misconfigured if the rule cannot be meant so."""
        if not self.values:
            raise Misconfigured(f"the binding of '{self.topic}' gives no value; write values = {{ power = '/power' }}")
        for pointer in (*self.values.values(), *([] if self.time is None else [self.time])):
            if pointer and not pointer.startswith("/"):
                raise Misconfigured(f"'{pointer}' is no JSON pointer; write '/{pointer}', or '' for the payload itself")
        levels: list[str] = []
        parts = self.topic.split("/")
        for k, level in enumerate(parts):
            if level == "#" and k == len(parts) - 1:
                levels.append(".*")
            elif level == "+":
                levels.append("[^/]+")
            else:
                pieces = _name.split(level)
                levels.append("".join(f"(?P<{p}>[^/]+)" if n % 2 else re.escape(p) for n, p in enumerate(pieces)))
        try:
            pattern = re.compile("/".join(levels))
        except re.error as error:
            raise Misconfigured(f"the topic '{self.topic}' of a binding: {error}") from error
        unknown = set(_name.findall(self.twin)) - set(pattern.groupindex)
        if unknown:
            raise Misconfigured(f"the twin '{self.twin}' names {{{unknown.pop()}}}, which the topic does not")
        return pattern


@final
class Bindings:
    """Rules in their order. Rewrites what fits one into the usual convention.

    version: another number whenever a topic may have come to mean something else.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = [(rule.pattern(), rule) for rule in rules]
        self._declared: list[tuple[re.Pattern[str], Rule, str]] = []
        self._model_of: Callable[[str], str | None] | None = None
        self._found: dict[str, tuple[Rule, str] | None] = {}
        self.version = 0

    def declare(self, rules: Sequence[tuple[str, Rule]], model_of: Callable[[str], str | None]) -> None:
        """What types say now, each rule with its type, in place of what they said. model_of: a twin's type, or None."""
        self._declared = [(rule.pattern(), rule, model) for model, rule in rules]
        self._model_of = model_of
        self._found.clear()
        self.version += 1

    def forget(self) -> None:
        """Twins have changed, and so may have what the rules of types mean."""
        if self._declared:
            self._found.clear()
            self.version += 1

    def bound(self, topic: str) -> bool:
        """Whether a rule takes this topic."""
        return bool(self._rules or self._declared) and self._find(topic) is not None

    def rewrite(self, message: Message) -> Message:
        """The message as the convention would have it; the same one if no rule takes it. Invalid if it does not fit."""
        found = self._find(message.topic)
        if found is None:
            return message
        rule, twin = found
        payload = payload_of(message)
        body: dict[str, object] = {}
        for name, pointer in rule.values.items():
            value = point(payload, pointer)
            if value is not None:
                body[name] = value
        if not body:
            places = ", ".join(repr(pointer) for pointer in rule.values.values())
            raise Invalid(f"it has nothing at {places}, where the binding of '{rule.topic}' looks for values")
        at_ns = message.at_ns
        if rule.time is not None:
            t = point(payload, rule.time)
            if isinstance(t, str):
                body["t"] = t
            elif isinstance(t, int | float) and not isinstance(t, bool):
                at_ns = _instant(t, _UNITS[rule.time_unit])
            else:
                raise Invalid(f"it has no time at '{rule.time}', where the binding of '{rule.topic}' looks for it")
        return Message(twin, msgspec.json.encode(body), at_ns, message.source)

    def _find(self, topic: str) -> tuple[Rule, str] | None:
        if topic in self._found:
            return self._found[topic]
        if len(self._found) >= _REMEMBERED:
            self._found.clear()
        self._found[topic] = found = self._look(topic)
        return found

    def _look(self, topic: str) -> tuple[Rule, str] | None:
        for pattern, rule in self._rules:
            twin = _twin_of(pattern, rule, topic)
            if twin is not None:
                return rule, twin
        for pattern, rule, model in self._declared:
            twin = _twin_of(pattern, rule, topic)
            if twin is not None and self._model_of is not None and self._model_of(twin) == model:
                return rule, twin
        return None


def _twin_of(pattern: re.Pattern[str], rule: Rule, topic: str) -> str | None:
    """Which twin `topic` is about by this rule; None if it does not fit."""
    match = pattern.fullmatch(topic)
    return None if match is None else _name.sub(lambda m: match[m[1]], rule.twin)


def point(value: object, pointer: str) -> object:
    """What `pointer` points to in `value`; None if there is nothing."""
    if not pointer:
        return value
    for token in pointer[1:].split("/"):
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = cast("dict[str, object]", value).get(key)
        elif isinstance(value, list) and key.isascii() and key.isdecimal():
            items = cast("list[object]", value)
            value = items[int(key)] if len(key) < 10 and int(key) < len(items) else None
        else:
            return None
    return value


def _instant(t: float, unit_ns: int) -> int:
    at_ns = t * unit_ns if isinstance(t, int) else round(t * unit_ns) if abs(t) < 1e19 else 1 << 63
    if abs(at_ns) >= 1 << 63:
        raise Invalid(f"its time {t} lies outside 1677 to 2262; is the binding's time_unit right?")
    return at_ns


def read_bindings(space: Path) -> Bindings:
    """What the space's file says; no rules if there is none. Misconfigured, with the place, if it is no good."""
    path = space / NAME
    try:
        told: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        unknown = told.keys() - {"bind"}
        if unknown:
            raise Misconfigured(f"{path}: there is no '{unknown.pop()}'; a binding begins with [[bind]]")
        return Bindings(msgspec.convert(told.get("bind", []), list[Rule]))
    except FileNotFoundError:
        return Bindings([])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Misconfigured(f"{path}: {error}") from error
