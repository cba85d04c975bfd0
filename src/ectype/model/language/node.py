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
    """An element. links: (property, id) of the elements in it; partition: the interface it is written in."""

    id: str
    kind: str
    raw: Mapping[str, JSON]
    scope: Scope
    at: str
    pointer: str
    source: int
    partition: str
    types: list[Supplement] = field(default_factory=list[Supplement])
    links: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    @property
    def name(self) -> str:
        """Its name, or nothing."""
        raw = self.raw.get("name")
        return raw if isinstance(raw, str) else ""

    def has(self, type_: str) -> bool:
        """Is it of this supplemental type?"""
        return any(each.name == type_ for each in self.types)


class Wanted(NamedTuple):
    """A reference that must lead to an element of one of `classes`."""

    node: Node
    key: str
    id: str
    prop: Prop
