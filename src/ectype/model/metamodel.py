"""The metamodel of DTDL v2, v3 and v4 as tables: which classes there are, what they have, how much of it.

https://azure.github.io/opendigitaltwins-dtdl/DTDL/v2/DTDL.v2.html (and v3, v4).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Prop:
    """A property of a class.

    kind: string, words, boolean, integer, value, word (one of `allowed`), id, element; of extensions also
    duration, numeric, unit, iri. unique: the property by which the values differ. distinct: a value that siblings do
    not share. older: may its elements be in an older version of DTDL?
    """

    kind: str
    least: int = 0
    most: int = 1
    longest: int = 1 << 30
    classes: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    unique: str = ""
    implied: str = ""
    standard: bool = False
    pattern: str = ""
    lowest: int | None = None
    highest: int | None = None
    distinct: bool = False
    older: bool = True


@final
@dataclass(frozen=True, slots=True)
class Version:
    """One version of the language."""

    number: int
    classes: Mapping[str, Mapping[str, Prop]]
    primitives: frozenset[str]
    schema_depth: int
    extends_depth: int
    extends_count: int
    array_in_property: bool
    recursive: bool
    terms: frozenset[str]


_CONTENTS = ("Command", "Component", "Property", "Relationship", "Telemetry")
_COMPLEX = ("Array", "Enum", "Map", "Object")
_OLD = ["boolean", "date", "dateTime", "double", "duration", "float", "integer", "long", "string", "time"]
_NEW = ["byte", "bytes", "decimal", "short", "unsignedByte", "unsignedInteger", "unsignedLong", "unsignedShort", "uuid"]
GEOSPATIAL = frozenset(["point", "lineString", "polygon", "multiPoint", "multiLineString", "multiPolygon"])
ABSTRACT = frozenset(
    [
        *("Entity", "NamedEntity", "Content", "CommandPayload", "CommandType", "LatentType", "NamedLatentType"),
        *("Schema", "ComplexSchema", "PrimitiveSchema", "NumericSchema", "TemporalSchema", "Unit", "UnitAttribute"),
        *("Boolean", "Date", "DateTime", "Double", "Duration", "Float", "Integer", "Long", "String", "Time"),
    ]
)
"""Classes that have a name but no element of which is written in a model."""
_OTHER_TERMS = "languageMajorVersion synchronous asynchronous"
_UNITS_OF_2 = "baseUnit bottomUnit topUnit prefix exponent symbol unit"
_UNITLESS = 1 << 30


def _version(number: int) -> Version:
    name = Prop("string", 1, longest=64 if number == 2 else 512)
    words = Prop("words", longest=512)
    base = {
        "comment": Prop("string", longest=512),
        "description": words,
        "displayName": Prop("words", longest=64 if number == 2 else 512),
    }
    schema = Prop("element", 1, classes=_COMPLEX, standard=True)
    named = {**base, "name": name, "schema": schema}
    flag = Prop("boolean")
    payload = named if number == 2 else {**named, "nullable": flag}
    request, response = ("CommandPayload",) * 2 if number == 2 else ("CommandRequest", "CommandResponse")
    many = 300 if number == 2 else 100_000
    classes = {
        "Interface": {
            **base,
            "contents": Prop("element", 0, many, classes=_CONTENTS, unique="name"),
            "extends": Prop("element", 0, 2 if number == 2 else 1024, classes=("Interface",)),
            "schemas": Prop("element", 0, many, classes=_COMPLEX, older=False),
        },
        "Command": {
            **base,
            "name": name,
            "commandType": Prop("word", allowed=("synchronous", "asynchronous")),
            "request": Prop("element", classes=(request,), implied=request, older=False),
            "response": Prop("element", classes=(response,), implied=response, older=False),
        },
        "Component": {**base, "name": name, "schema": Prop("element", 1, classes=("Interface",))},
        "Property": {**named, "writable": flag},
        "Relationship": {
            **base,
            "name": name,
            "minMultiplicity": Prop("integer"),
            "maxMultiplicity": Prop("integer", lowest=1, highest=500 if number == 2 else None),
            "properties": Prop("element", 0, many, classes=("Property",), unique="name"),
            "target": Prop("id"),
            "writable": flag,
        },
        "Telemetry": named,
        "Array": {**base, "elementSchema": schema},
        "Enum": {
            **base,
            "valueSchema": Prop("word", 1, allowed=("integer", "string")),
            "enumValues": Prop(
                "element",
                0 if number > 2 else 1,
                100 if number == 2 else _UNITLESS,
                classes=("EnumValue",),
                unique="name",
                implied="EnumValue",
                older=False,
            ),
        },
        "EnumValue": {**base, "name": name, "enumValue": Prop("value", 1)},
        "Map": {
            **base,
            "mapKey": Prop("element", 1, classes=("MapKey",), implied="MapKey", older=False),
            "mapValue": Prop("element", 1, classes=("MapValue",), implied="MapValue", older=False),
        },
        "MapKey": {**base, "name": name, "schema": Prop("word", 1, allowed=("string",))},
        "MapValue": named,
        "Object": {
            **base,
            "fields": Prop(
                "element",
                0 if number > 2 else 1,
                30 if number == 2 else _UNITLESS,
                classes=("Field",),
                unique="name",
                implied="Field",
                older=False,
            ),
        },
        "Field": named,
        request: payload,
        response: payload,
    }
    primitives = frozenset(_OLD if number < 4 else _OLD + _NEW)
    terms = {key for table in classes.values() for key in table} | primitives | GEOSPATIAL | ABSTRACT | set(classes)
    return Version(
        number,
        classes,
        primitives,
        8 if number == 4 else 5,
        12 if number == 4 else 10,
        1 << 30 if number == 2 else 1024,
        number > 2,
        number > 3,
        frozenset(terms | set(_OTHER_TERMS.split()) | set(_UNITS_OF_2.split() if number == 2 else [])),
    )


VERSIONS: Mapping[int, Version] = {number: _version(number) for number in (2, 3, 4)}
