"""The extensions of DTDL as tables: which types they add, to what, with which properties and companions.

https://azure.github.io/opendigitaltwins-dtdl/DTDL/v4/DTDL.Extensions.html and the pages it names.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import final

from ectype.model.metamodel import Prop
from ectype.model.units import ALIASES, LATER, UNITS

LAYERING = "dtmi:dtdl:extension:layering;1"
_DESCRIBED = ("Property", "Telemetry")
_MEASURED = (*_DESCRIBED, "Field", "MapValue", "CommandRequest", "CommandResponse")
_LABEL = r"(?:[!$-*,-.0-z|~]+|\{(?:[A-Za-z]+:)?[A-Za-z]+\})"
_TOPIC = rf"(?!\$){_LABEL}(?:/{_LABEL})*"
_GROUP = r"[!$-*,-.0-z|~]+"
_NAMED = r"[A-Za-z](?:[A-Za-z0-9_]*[A-Za-z0-9])?"
NUMERIC = frozenset(
    [
        "byte",
        "short",
        "integer",
        "long",
        "unsignedByte",
        "unsignedShort",
        "unsignedInteger",
        "unsignedLong",
        "float",
        "double",
        "decimal",
    ]
)


@final
@dataclass(frozen=True, slots=True)
class Limit:
    """Numbers that a limit extension raises; 0 leaves the number of the version."""

    schema_depth: int = 0
    description: int = 0


LIMITS: Mapping[str, Limit] = {
    "": Limit(),
    "dtmi:dtdl:limits:onvif;1": Limit(24, 4096),
    "dtmi:dtdl:limits:aio;1": Limit(12, 0),
}


@final
@dataclass(frozen=True, slots=True)
class Supplement:
    """A supplemental type. classes: what it may be added to; schemas: what kind of schema the element then has.

    units: those of the quantity it is. companions: types without which it cannot be. parent: types of which the
    element's parent has one. alone: no sibling has it too. members: types of which each field has one.
    """

    name: str
    classes: tuple[str, ...]
    versions: tuple[int, ...] = (3, 4)
    properties: Mapping[str, Prop] = field(default_factory=dict[str, Prop])
    companions: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    parent: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    alone: bool = False
    schemas: frozenset[str] = frozenset()
    schema_types: tuple[str, ...] = ()
    units: frozenset[str] = frozenset()
    unit_class: str = ""
    abstract: bool = False


def _quantities(names: Mapping[str, frozenset[str]], number: int) -> Iterator[Supplement]:
    classes = _DESCRIBED if number == 2 else _MEASURED
    unit = {"unit": Prop("unit", 1)}
    for name, units in names.items():
        yield Supplement(
            name, classes, (number,), unit, schemas=NUMERIC, units=units, unit_class=ALIASES.get(name, f"{name}Unit")
        )
    yield Supplement("QuantitativeType", classes, (number,), abstract=True)
    if number == 2:
        yield Supplement("SemanticType", classes, (2,), abstract=True)


def _central() -> Iterator[Supplement]:
    places = frozenset(["point", "multiPoint", "lineString", "multiLineString", "polygon", "multiPolygon", "geopoint"])
    for name, schemas, unit in (
        ("AccelerationVector", frozenset(["vector"]), "Acceleration"),
        ("VelocityVector", frozenset(["vector"]), "Velocity"),
        ("Event", frozenset(["double", "float", "integer", "long", "string"]), ""),
        ("Location", places, ""),
        ("State", frozenset(["Enum"]), ""),
    ):
        properties = {"unit": Prop("unit")} if unit else {}
        units = UNITS[unit] if unit else frozenset[str]()
        yield Supplement(
            name, _DESCRIBED, (2,), properties, schemas=schemas, units=units, unit_class=f"{unit}Unit" if unit else ""
        )


def _annotation(versions: tuple[int, ...]) -> Iterator[Supplement]:
    yield Supplement("ValueAnnotation", _DESCRIBED, versions, {"annotates": Prop("string", 1)})


def _overriding(versions: tuple[int, ...]) -> Iterator[Supplement]:
    yield Supplement(
        "Override",
        ("Property",),
        versions,
        {"overrides": Prop("iri", 1)},
        companions=("ValueAnnotation",),
        excludes=("Initialized",),
    )


def _mqtt(number: int) -> Iterator[Supplement]:
    versions = (3,) if number == 1 else (3, 4)
    topics = {"commandTopic": Prop("string", pattern=_TOPIC), "telemetryTopic": Prop("string", pattern=_TOPIC)}
    groups = {1: (), 2: ("serviceGroupId",)}.get(number, ("cmdServiceGroupId", "telemServiceGroupId"))
    if number == 4:
        topics["propertyTopic"] = Prop("string", pattern=_TOPIC)
        groups = (*groups, "propServiceGroupId")
    texts = {"payloadFormat": Prop("string", 1), **topics, **{each: Prop("string", pattern=_GROUP) for each in groups}}
    yield Supplement("Mqtt", ("Interface",), versions, texts)
    yield Supplement("Idempotent", ("Command",), versions)
    yield Supplement("Cacheable", ("Command",), versions, {"ttl": Prop("duration", 1)}, companions=("Idempotent",))
    index = Prop("integer", 1, lowest=1, distinct=True)
    yield Supplement("Indexed", ("EnumValue", "Field", "Telemetry"), versions, {"index": index})
    if number > 1:
        payloads = ("CommandRequest", "CommandResponse")
        yield Supplement("Transparent", payloads, versions, schemas=frozenset(["Object"]))
    if number > 2:
        yield from _results(number, versions)


def _results(number: int, versions: tuple[int, ...]) -> Iterator[Supplement]:
    """The types of results and errors of MQTT 3 and 4; version 4 knows codes, and results of properties."""
    later = number > 3
    members = ("NormalResult", "ErrorResult", *(("ErrorCode", "ErrorInfo") if later else ()))
    error = ("Error",) if later else ()
    object_ = frozenset(["Object"] if later else [])
    yield Supplement("Result", ("Object",), versions, members=members)
    yield Supplement("Error", ("Object",), versions)
    yield Supplement("NormalResult", ("Field",), versions, parent=("Result",), alone=True)
    yield Supplement(
        "ErrorResult", ("Field",), versions, parent=("Result",), alone=True, schemas=object_, schema_types=error
    )
    text = frozenset(["string"])
    yield Supplement("ErrorMessage", ("Field",), versions, parent=("Error",), alone=True, schemas=text)
    if not later:
        return
    yield Supplement(
        "ErrorCode", ("Field",), versions, parent=("Error", "Result"), alone=True, schemas=frozenset(["Enum"])
    )
    yield Supplement("ErrorInfo", ("Field",), versions, parent=("Error", "Result"), alone=True, schemas=object_)
    yield Supplement("PropertyResult", ("Object",), versions, members=("PropertyValue", "ReadError", "WriteError"))
    yield Supplement("PropertyValue", ("Field",), versions, parent=("PropertyResult",), alone=True)
    for name in ("ReadError", "WriteError"):
        yield Supplement(
            name, ("Field",), versions, parent=("PropertyResult",), alone=True, schemas=object_, schema_types=error
        )


def _operations() -> Iterator[Supplement]:
    name = Prop("string", 1, longest=128, pattern=_NAMED)
    number = Prop("numeric")
    yield Supplement("HasCapability", ("Relationship",), (4,), excludes=("HasComponent",))
    yield Supplement("HasComponent", ("Relationship",), (4,), excludes=("HasCapability",))
    yield Supplement("GroupMember", ("Command", *_DESCRIBED), (4,), {"group": name})
    yield Supplement("Composite", ("Interface",), (4,), {"ontology": Prop("string", 1, longest=128)})
    yield Supplement("Event", ("Telemetry",), (4,))
    yield Supplement("Detail", ("Object",), (4,))
    yield Supplement("Subject", ("Field",), (4,), parent=("Detail",), alone=True)
    places = ("Interface", "Object", "Enum", "Array", "Map", "Command", "Relationship", *_MEASURED)
    yield Supplement("Congruence", places, (4,), {"typeRef": Prop("string", 1, longest=128)})
    named = ("Interface", "Command", "Relationship", "Component", "Field", *_DESCRIBED)
    yield Supplement("Qualified", named, (4,), {"namespace": Prop("string", 1, longest=128)})
    yield Supplement("Limited", _MEASURED, (4,), {"minimum": number, "maximum": number}, schemas=NUMERIC)
    yield Supplement("Precise", _MEASURED, (4,), {"decimalPlaces": Prop("integer", 1)}, schemas=NUMERIC)
    yield Supplement("ScaledStatically", _MEASURED, (4,), {"scaleFactor": Prop("numeric", 1)}, schemas=NUMERIC)


def _named(stem: str, supplements: Iterator[Supplement]) -> dict[str, Supplement]:
    """By term, and by DTMI: `stem` with the name in the place of {}."""
    found = list(supplements)
    return {each.name: each for each in found} | {stem.format(each.name): each for each in found}


_X = "dtmi:dtdl:extension:"
EXTENSIONS: Mapping[str, Mapping[str, Supplement]] = {
    "dtmi:dtdl:context;2": _named("dtmi:standard:class:{};2", _quantities(UNITS, 2)),
    "dtmi:iotcentral:context;2": _named("dtmi:iotcentral:class:{};2", _central()),
    "dtmi:iotoperations:context;4": _named("dtmi:iotoperations:class:{};4", _operations()),
    f"{_X}quantitativeTypes;1": _named(_X + "quantitativeTypes:v1:class:{}", _quantities(LATER, 3)),
    **{
        f"{_X}quantitativeTypes;{n}": _named(_X + f"quantitativeTypes:v{n}:class:{{}}", _quantities(LATER, 4))
        for n in (2, 3)
    },
    f"{_X}annotation;1": _named(_X + "annotation:v1:{}", _annotation((3,))),
    f"{_X}annotation;2": _named(_X + "annotation:v2:{}", _annotation((3, 4))),
    f"{_X}overriding;1": _named(_X + "overriding:v1:{}", _overriding((3,))),
    f"{_X}overriding;2": _named(_X + "overriding:v2:{}", _overriding((3, 4))),
    f"{_X}historization;1": _named(_X + "historization:v1:{}", iter([Supplement("Historized", _DESCRIBED, (3,))])),
    f"{_X}historization;2": _named(_X + "historization:v2:{}", iter([Supplement("Historized", _DESCRIBED)])),
    f"{_X}requirement;1": _named(_X + "requirement:v1:{}", iter([Supplement("Required", ("Field",))])),
    **{f"{_X}mqtt;{n}": _named(_X + f"mqtt:v{n}:{{}}", _mqtt(n)) for n in (1, 2, 3, 4)},
}


LATER_UNITS: Mapping[str, frozenset[str]] = {
    name: each.units
    for each in EXTENSIONS[f"{_X}quantitativeTypes;2"].values()
    for name in (each.unit_class, f"{each.name}Unit")
    if each.unit_class
}
"""The classes of units by name, and by the names of the quantities told in them."""


@cache
def terms_of(context: str) -> frozenset[str]:
    """The terms and DTMIs that a context gives a meaning to."""
    table = EXTENSIONS.get(context, {})
    made = set(table)
    for name, each in table.items():
        stem = name.rpartition(":")[0]
        made.update(each.properties)
        made.update(each.units)
        made.update([each.unit_class] if each.unit_class else [])
        made.update(f"{stem}:{each.name}:{key}" for key in each.properties if stem)
    return frozenset(made)


def contexts_of(stem: str) -> list[str]:
    """The known versions of an extension."""
    return [each for each in EXTENSIONS if each.partition(";")[0] == stem and not each.startswith("dtmi:dtdl:context")]


def unit_of(name: str, number: int) -> str:
    """The term of a unit, given as a term or as a DTMI of this version of DTDL."""
    old = re.fullmatch(r"dtmi:standard:unit:(\w+);2", name)
    new = re.fullmatch(rf"{_X}quantitativeTypes:v\d:unit:(\w+)", name)
    found = old if number == 2 else new
    return found[1] if found else name
