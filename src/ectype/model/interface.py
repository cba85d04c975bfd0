"""Interfaces and what they contain, as read from DTDL."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, final

from ectype.model.schema import JSON, Field, Schema

Words: TypeAlias = Mapping[str, str]
"""Text for people by language tag: {"en": "Speed", "fr": "Vitesse"}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """What every named element of an interface has.

    types: its semantic types, such as `Temperature`; owner: the interface that declares it.
    """

    name: str
    owner: str
    id: str | None = None
    types: tuple[str, ...] = ()
    display_name: Words = field(default_factory=dict[str, str])
    description: Words = field(default_factory=dict[str, str])
    comment: str = ""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Property(Element):
    """State that is kept. `writable`: the real thing follows it when somebody sets it."""

    schema: Schema
    unit: str | None = None
    writable: bool = False


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry(Element):
    """Measurements that stream by; they are history, not state."""

    schema: Schema
    unit: str | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Relationship(Element):
    """A kind of edge to other twins; target None: to any."""

    target: str | None = None
    properties: Mapping[str, Property] = field(default_factory=dict[str, Property])
    writable: bool = False
    min_multiplicity: int | None = None
    max_multiplicity: int | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Component(Element):
    """A part that is an interface itself. schema: that interface's id."""

    schema: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Command(Element):
    """Something the thing can be asked to do."""

    request: Field | None = None
    response: Field | None = None


Content: TypeAlias = Property | Telemetry | Relationship | Component | Command


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """A type of twin.

    own: contents declared here; contents: those and all inherited ones; ancestors: itself and all it
    extends, near ones first; language: of DTDL; document: the JSON it was read from.
    """

    id: str
    language: int
    extends: tuple[str, ...]
    own: Mapping[str, Content]
    contents: Mapping[str, Content]
    ancestors: tuple[str, ...]
    schemas: Mapping[str, Schema]
    display_name: Words
    description: Words
    comment: str
    document: Mapping[str, JSON]

    def __repr__(self) -> str:
        return f"Interface({self.id!r}, {len(self.contents)} contents)"
