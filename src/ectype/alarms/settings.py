"""How readily alarms are raised, and where they are told, said in `SPACE/alarms.toml`. Without the file: as below.

    false_every = "30d"                     # a right twin raises a false alarm so often, on average
    off = []                                # detectors to do without: cusum, nis, drift, fidelity
    topic = "ectype/{twin}/alarms/{name}"   # where MQTT subscribers find them

    [[rule]]                                # the first one that fits a twin counts; what it lacks is as above
    twin = "pump-*"                         # with * and ? for some characters and for one
    type = "dtmi:demo:Tank;1"               # twins of this type, and of those that extend it
    false_every = "7d"
    off = ["drift"]

A detector that is off takes no share of the false alarms, so the others notice earlier.
"""

import re
import tomllib
from collections.abc import Collection
from fnmatch import fnmatchcase
from pathlib import Path
from typing import final

import msgspec

from ectype.errors import Invalid, Misconfigured
from ectype.series.retention import length_ns

NAME = "alarms.toml"
FALSE_EVERY_S = 30 * 86400.0
CUSUM, NIS, DRIFT, FIDELITY = DETECTORS = ("cusum", "nis", "drift", "fidelity")
TOPIC = "ectype/{twin}/alarms/{name}"
_KEYS = "false_every, off and topic, and [[rule]] with twin, type, false_every and off"


@final
class Sensitivity(msgspec.Struct, frozen=True):
    """Of one twin: the mean time between its false alarms, and the detectors that it does without."""

    false_every_s: float = FALSE_EVERY_S
    off: tuple[str, ...] = ()


@final
class Rule(msgspec.Struct, frozen=True):
    """Which twins a sensitivity is for."""

    sensitivity: Sensitivity
    twin: str = "*"
    type: str | None = None


@final
class AlarmSettings(msgspec.Struct, frozen=True):
    """All that the file says."""

    default: Sensitivity = Sensitivity()
    rules: tuple[Rule, ...] = ()
    topic: str = TOPIC

    def of(self, twin: str, types: Collection[str]) -> Sensitivity:
        """That of a twin. types: its own and all that this one extends."""
        for rule in self.rules:
            if fnmatchcase(twin, rule.twin) and (rule.type is None or rule.type in types):
                return rule.sensitivity
        return self.default


EVERYWHERE = AlarmSettings()


class _Rule(msgspec.Struct, forbid_unknown_fields=True):
    twin: str = "*"
    type: str | None = None
    false_every: str | None = None
    off: list[str] | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    false_every: str | None = None
    off: list[str] | None = None
    topic: str = TOPIC
    rule: list[_Rule] = []


def read_alarms(space: Path) -> AlarmSettings:
    """What `SPACE/alarms.toml` says. Raises Misconfigured, with the place and what to write, if it is wrong."""
    path = space / NAME
    try:
        told = msgspec.convert(tomllib.loads(path.read_text("utf-8")), _File)
    except FileNotFoundError:
        return EVERYWHERE
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Misconfigured(f"{path}: {error}") from error
    except msgspec.ValidationError as error:
        raise Misconfigured(f"{path}: {error}; it may hold {_KEYS}") from error
    where = str(path)
    try:
        default = _sensitivity(told, Sensitivity())
        topic = _topic(told.topic)
        rules: list[Rule] = []
        for number, rule in enumerate(told.rule, 1):
            where = f"{path}, rule {number}"
            rules.append(Rule(_sensitivity(rule, default), rule.twin, rule.type))
    except Invalid as error:
        raise Misconfigured(f"{where}: {error}") from error
    return AlarmSettings(default, tuple(rules), topic)


def topic_of(template: str, twin: str, name: str) -> str:
    """Where an alarm is told. What a level of a topic cannot hold is a _."""
    return template.replace("{twin}", twin).replace("{name}", re.sub(r"[/+#\0]", "_", name))


def _sensitivity(told: _File | _Rule, default: Sensitivity) -> Sensitivity:
    false_every_s, off = default.false_every_s, default.off
    if told.false_every is not None:
        try:
            length = length_ns(told.false_every)
        except Invalid as error:
            raise Invalid(f"false_every: {error}") from error
        if length is None:
            raise Invalid(f"false_every: write a length like 30d; to have no alarms, off = {list(DETECTORS)}")
        false_every_s = length * 1e-9
    if told.off is not None:
        for name in told.off:
            if name not in DETECTORS:
                raise Invalid(f"off: there is no detector {name[:40]!r}; there are {', '.join(DETECTORS)}")
        off = tuple(told.off)
    return Sensitivity(false_every_s, off)


def _topic(template: str) -> str:
    plain = template.replace("{twin}", "t", 1).replace("{name}", "n", 1)
    first, *rest = plain.split("/")
    if plain == template or template.count("{twin}") != 1 or template.count("{name}") != 1:
        raise Invalid(f"topic: {template[:100]!r} names {{twin}} and {{name}} once each; write one like {TOPIC!r}")
    if re.search(r"[+#{}\0]", plain) or not first or first.startswith("$") or template.startswith("{"):
        raise Invalid(f"topic: {template[:100]!r} begins with a plain level, and has no +, #, {{ or }} beside the two")
    if first == "ectype" and len(rest) < 3:
        raise Invalid(f"topic: {template[:100]!r} is where properties are told; write one like {TOPIC!r}")
    return template
