"""Bindings that a type declares: where the values of its twins come from, in plain DTDL.

In the comment of a property:

    "comment": "mqtt: topic=plant/{twin}/state, pointer=/sensors/0/value, time=/header/ts, time_unit=ms; any other text"

topic and the rest mean what they mean in `bindings.toml`; `twin` is "{twin}" and `pointer` "" (the payload itself) if
left out. Or for a whole interface, by the Mqtt extension of DTDL:

    "@type": ["Interface", "Mqtt"], "payloadFormat": "Json/ecma/404", "telemetryTopic": "plant/{senderId}/telemetry"

where {senderId} is the twin, {modelId} the interface, {telemetryName} (in propertyTopic {propertyName}) what is sent,
and every other token any one level; the payload is an object with a value for each name.

What cannot be read is told in the node's log and binds nothing: a type that is there already must not stop readings.
"""

import logging
import re
from collections.abc import Iterator

import msgspec

from ectype.errors import Misconfigured
from ectype.ingest.bindings import Rule
from ectype.model.interface import Interface, Property, Telemetry

_said = re.compile(r"\bmqtt:\s*([^;]*)")
_token = re.compile(r"\{([^{}]*)\}")
_KEYS = ("topic", "twin", "pointer", "time", "time_unit")
_Place = tuple[str, str, str | None, str]  # topic, twin, time, time_unit
_log = logging.getLogger("ectype.ingest")


def rules_of(interface: Interface) -> list[Rule]:
    """What an interface declares, with what it inherits: those of comments first, then those of the extension.

    Properties that say the same topic, twin and time are one rule.
    """
    values: dict[_Place, dict[str, str]] = {}
    for name, pointer, place in (*_comments(interface), *_extension(interface)):
        values.setdefault(place, {}).setdefault(name, pointer)
    rules: list[Rule] = []
    seen: dict[tuple[str, str], Rule] = {}
    for (topic, twin, time, unit), of_place in values.items():
        try:
            rule = msgspec.convert(
                {"topic": topic, "twin": twin, "values": of_place, "time": time, "time_unit": unit}, Rule
            )
            rule.pattern()
        except (Misconfigured, msgspec.ValidationError) as error:
            _tell(interface, f"{', '.join(of_place)}: {error}")
            continue
        other = seen.setdefault((topic, twin), rule)
        if other is not rule:
            both = f"{next(iter(other.values))} and {next(iter(of_place))}"
            _tell(interface, f"{both} are said to come with '{topic}', with two times; {', '.join(of_place)} will not")
            continue
        rules.append(rule)
    return rules


def _comments(interface: Interface) -> Iterator[tuple[str, str, _Place]]:
    for name, content in interface.contents.items():
        if "mqtt:" not in content.comment or not isinstance(content, Telemetry | Property):
            continue
        found = _said.search(content.comment)
        if found is None:
            continue
        parts = [part.partition("=") for part in found[1].split(",") if part.strip()]
        told = {key.strip(): value.strip() for key, _, value in parts}
        unknown = [key for key in told if key not in _KEYS]
        if unknown or "topic" not in told or not all(equals for _, equals, _ in parts):
            wrong = f"there is no '{unknown[0]}'" if unknown else "it says no topic"
            _tell(interface, f"{name}: {wrong}; write mqtt: topic=plant/{{twin}}/state, pointer=/value")
            continue
        place = told["topic"], told.get("twin", "{twin}"), told.get("time"), told.get("time_unit", "s")
        yield name, told.get("pointer", ""), place


def _extension(interface: Interface) -> Iterator[tuple[str, str, _Place]]:
    document = interface.document
    types = document.get("@type")
    if not any(str(each).rpartition(":")[2] == "Mqtt" for each in (types if isinstance(types, list) else [types])):
        return
    if "json" not in str(document.get("payloadFormat", "")).lower():
        _tell(interface, f"payloads of the format {document.get('payloadFormat')!r} cannot be read here; JSON can")
        return
    for key, token, kind in (
        ("telemetryTopic", "telemetryName", Telemetry),
        ("propertyTopic", "propertyName", Property),
    ):
        topic = document.get(key)
        if not isinstance(topic, str):
            continue
        if "{senderId}" not in topic:
            _tell(interface, f"its {key} '{topic}' does not say which twin: it has no {{senderId}}")
            continue
        for name, content in interface.contents.items():
            if isinstance(content, kind):
                own = {"senderId": "{twin}", "modelId": interface.id, token: name}
                levels = _token.sub(lambda m, own=own: own.get(m[1], "+"), topic)
                yield name, f"/{name}", (levels, "{twin}", None, "s")


def _tell(interface: Interface, what: str) -> None:
    _log.warning("%s declares no binding where it means to: %s", interface.id, what)
