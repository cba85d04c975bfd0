"""What the graph says, as plain values, and the questions a check may ask of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol, TypeAlias, final

from ectype.model.models import Models
from ectype.model.schema import JSON

Time: TypeAlias = int | tuple[int, str]
"""When a property was last written, in nanoseconds; and the time that the writer gave for its value, if one did."""


@final
@dataclass(frozen=True, slots=True)
class Twin:
    """A twin. properties: by name, components among them; last_index: of its last entry; at_ns: when that was written.

    part: which row of that entry it is, if the entry put many at once; put_ns: when the whole twin was last put;
    times: the properties written since, or with a time of their own; components: those of its names that are parts.
    """

    id: str
    model: str
    properties: Mapping[str, JSON]
    last_index: int
    at_ns: int
    part: int | None = None
    put_ns: int = 0
    times: Mapping[str, Time] = field(default_factory=dict[str, Time])
    components: frozenset[str] = frozenset()

    @property
    def etag(self) -> str:
        """Changes whenever the twin does."""
        return etag(self.last_index, self.part)

    def metadata(self) -> dict[str, JSON]:
        """`$metadata`: the model, and when each property was last written."""
        found: dict[str, JSON] = {"$model": self.model, "$lastUpdateTime": instant(self.at_ns)}
        for name in self.properties:
            if name not in self.components:
                found[name] = self._written(name)
        return found

    def to_dict(self) -> dict[str, JSON]:
        """The twin as JSON, in the form of Azure Digital Twins."""
        found: dict[str, JSON] = {"$dtId": self.id, "$etag": self.etag, "$metadata": self.metadata()}
        for name, value in self.properties.items():
            if name in self.components and isinstance(value, dict):
                found[name] = {"$metadata": {part: self._written(name) for part in value}, **value}
            else:
                found[name] = value
        return found

    def _written(self, name: str) -> dict[str, JSON]:
        at = self.times.get(name, self.put_ns)
        if isinstance(at, int):
            return {"lastUpdateTime": instant(at)}
        return {"lastUpdateTime": instant(at[0]), "sourceTime": at[1]}


@final
@dataclass(frozen=True, slots=True)
class Relationship:
    """An edge `source` -name-> `target`; its `id` is unique among those of its source. Else as Twin."""

    source: str
    id: str
    name: str
    target: str
    properties: Mapping[str, JSON]
    last_index: int
    at_ns: int
    part: int | None = None

    @property
    def etag(self) -> str:
        """Changes whenever the relationship does."""
        return etag(self.last_index, self.part)

    def to_dict(self) -> dict[str, JSON]:
        """The relationship as JSON, in the form of Azure Digital Twins."""
        return {
            "$relationshipId": self.id,
            "$etag": self.etag,
            "$sourceId": self.source,
            "$relationshipName": self.name,
            "$targetId": self.target,
            **self.properties,
        }


def etag(last_index: int, part: int | None) -> str:
    """The weak ETag of what entry `last_index` (or its row `part`) left."""
    return f'W/"{last_index}"' if part is None else f'W/"{last_index}.{part}"'


@lru_cache(4096)
def instant(at_ns: int) -> str:
    """An instant as Azure Digital Twins writes it: `2024-05-01T12:00:00.0000000Z`."""
    seconds, rest = divmod(at_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 100:07d}Z"


@final
@dataclass(frozen=True, slots=True)
class Model:
    """A type as it was put. at_ns: when; decommissioned: no new twins can be of it."""

    id: str
    document: Mapping[str, JSON]
    at_ns: int
    decommissioned: bool


@final
@dataclass(frozen=True, slots=True)
class Alarm:
    """One time that something was wrong. id: the index of the entry that raised it; until_ns None: it still is.

    why: what noticed and explains it, as JSON.
    """

    id: str
    twin: str
    name: str
    severity: str
    text: str
    since_ns: int
    until_ns: int | None
    cost_kwh: float | None
    why: str | None = None


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
