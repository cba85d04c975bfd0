"""What reading an element leaves for the rules between elements."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, final

from ectype.model.extensions import Supplement
from ectype.model.language.scope import Scope
from ectype.model.metamodel import Prop
from ectype.model.schema import JSON


class Place(NamedTuple):
    """Where an element stands: the property it is a value of, the names and the pointer that lead there."""

    prop: Prop
    key: str
    at: str
    pointer: str
    source: int
    depth: int
    partition: str


@final
@dataclass(frozen=True, slots=True)
class Node:
    """An element.

    given: its properties by term, also those written as DTMIs; types: its supplemental types, strange: those nobody
    knows; links: (property, id) of the elements in it; partition: the interface it is written in.
    """

    id: str
    kind: str
    raw: Mapping[str, JSON]
    scope: Scope
    at: str
    pointer: str
    source: int
    partition: str
    top: bool
    types: list[Supplement] = field(default_factory=list[Supplement])
    strange: list[str] = field(default_factory=list[str])
    given: dict[str, JSON] = field(default_factory=dict[str, JSON])
    links: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    @property
    def name(self) -> str:
        """Its name, or nothing."""
        found = plain(self.given.get("name"))
        return found if isinstance(found, str) else ""

    def has(self, type_: str) -> bool:
        """Is it of this supplemental type?"""
        return any(each.name == type_ for each in self.types)


def plain(raw: JSON) -> JSON:
    """A value without what JSON-LD lets it be wrapped in: an array of one, a value object."""
    raw = raw[0] if isinstance(raw, list) and len(raw) == 1 else raw
    return raw["@value"] if isinstance(raw, dict) and "@value" in raw else raw


class Wanted(NamedTuple):
    """A reference that must lead to an element of one of `classes`."""

    node: Node
    key: str
    id: str
    prop: Prop
