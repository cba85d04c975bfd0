"""Schemas: the shapes that a value can have."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, final

JSON: TypeAlias = bool | int | float | str | list["JSON"] | dict[str, "JSON"] | None
"""What a JSON text can hold."""

NUMERIC = frozenset(
    {
        *("boolean", "integer", "long", "float", "double", "byte", "short"),
        *("unsignedByte", "unsignedShort", "unsignedInteger", "unsignedLong"),
    }
)
"""Primitive schemas whose values are samples of a series (a boolean counts as 0 or 1)."""

PRIMITIVES = (
    "boolean",
    "date",
    "dateTime",
    "double",
    "duration",
    "float",
    "integer",
    "long",
    "string",
    "time",
    # since v4
    "byte",
    "bytes",
    "decimal",
    "short",
    "unsignedByte",
    "unsignedInteger",
    "unsignedLong",
    "unsignedShort",
    "uuid",
)
GEOSPATIAL = ("point", "lineString", "polygon", "multiPoint", "multiLineString", "multiPolygon")


@final
@dataclass(frozen=True, slots=True)
class Primitive:
    """A schema without parts, by its short name: `double`, `dateTime`, … or one of the GeoJSON shapes."""

    name: str


@final
@dataclass(frozen=True, slots=True)
class Enum:
    """One of the listed values. values: name → what is stored."""

    value_schema: Literal["integer", "string"]
    values: Mapping[str, int | str]


@final
@dataclass(frozen=True, slots=True)
class Field:
    """A named part of an object."""

    name: str
    schema: "Schema"


@final
@dataclass(frozen=True, slots=True)
class Object:
    """Fields by name; each may be absent."""

    fields: tuple[Field, ...]


@final
@dataclass(frozen=True, slots=True)
class Map:
    """Any names, all with values of one schema."""

    key: str
    value: Field


@final
@dataclass(frozen=True, slots=True)
class Array:
    """Any number of elements of one schema."""

    element: "Schema"


@final
@dataclass(frozen=True, slots=True)
class Recursive:
    """The schema of that id, within itself (since v4, inside an array or a map)."""

    id: str
    _cell: list["Schema"] = field(default_factory=list["Schema"], compare=False, repr=False)

    @property
    def schema(self) -> "Schema":
        """The schema itself."""
        return self._cell[0]

    def close(self, schema: "Schema") -> None:
        """Say which schema it is, once that is made."""
        self._cell[:] = [schema]


Schema: TypeAlias = Primitive | Enum | Object | Map | Array | Recursive
