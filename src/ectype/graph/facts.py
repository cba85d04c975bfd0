"""What the graph says, as plain values, and the questions a check may ask of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, final

from ectype.model.models import Models
from ectype.model.schema import JSON


@final
@dataclass(frozen=True, slots=True)
class Twin:
    """A twin. properties: by name, components among them; last_index: of its last entry, which is its ETag.

    at_ns: when that entry was written.
    """

    id: str
    model: str
    properties: Mapping[str, JSON]
    last_index: int
    at_ns: int

    def to_dict(self) -> dict[str, JSON]:
        """The twin as JSON, in the form of Azure Digital Twins."""
        return {
            "$dtId": self.id,
            "$etag": f'W/"{self.last_index}"',
            "$metadata": {"$model": self.model},
            **self.properties,
        }


@final
@dataclass(frozen=True, slots=True)
class Relationship:
    """An edge `source` -name-> `target`; its `id` is unique among those of its source."""

    source: str
    id: str
    name: str
    target: str
    properties: Mapping[str, JSON]
    last_index: int
    at_ns: int

    def to_dict(self) -> dict[str, JSON]:
        """The relationship as JSON, in the form of Azure Digital Twins."""
        return {
            "$relationshipId": self.id,
            "$etag": f'W/"{self.last_index}"',
            "$sourceId": self.source,
            "$relationshipName": self.name,
            "$targetId": self.target,
            **self.properties,
        }


@final
@dataclass(frozen=True, slots=True)
class Alarm:
    """One time that something was wrong. id: the index of the entry that raised it; until_ns None: it still is."""

    id: str
    twin: str
    name: str
    severity: str
    text: str
    since_ns: int
    until_ns: int | None
    cost_kwh: float | None


@final
@dataclass(frozen=True, slots=True)
class Rejected:
    """An entry that is in the log but means nothing to the graph, and why."""

    index: int
    kind: str
    subject: str
    reason: str


class Facts(Protocol):
    """What a check needs to know. The graph fold answers; a test may."""

    def models(self) -> Models:
        """All types."""
        ...

    def decommissioned(self, dtmi: str) -> bool:
        """Is that model decommissioned?"""
        ...

    def models_of(self, twin_ids: Collection[str]) -> Mapping[str, str]:
        """The models of those of the twins that there are, by id."""
        ...

    def find_twin(self, twin_id: str) -> Twin | None:
        """That twin, if there is one."""
        ...

    def find_relationship(self, source: str, relationship_id: str) -> Relationship | None:
        """That edge, if there is one."""
        ...

    def relationships(self, twin_id: str) -> Sequence[Relationship]:
        """The edges that start at a twin."""
        ...

    def incoming(self, twin_id: str) -> Sequence[Relationship]:
        """The edges that end at a twin."""
        ...
