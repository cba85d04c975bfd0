"""What a write that passed the check does to the graph: plain values, which the fold turns into rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, final

from ectype.model.models import Models
from ectype.model.schema import JSON


@final
@dataclass(frozen=True, slots=True)
class PutModel:
    """The graph gets one more interface."""

    id: str
    document: Mapping[str, JSON]
    models: Models


@final
@dataclass(frozen=True, slots=True)
class DeleteModel:
    """A model is gone; twins of it stay, and nothing can be put into them any more."""

    id: str


@final
@dataclass(frozen=True, slots=True)
class DecommissionModel:
    """No new twins of a model (or new ones again)."""

    id: str
    decommissioned: bool


@final
@dataclass(frozen=True, slots=True)
class PutTwin:
    """A twin is so from now on.

    touched: the properties that were written, None for all of them: those get a new `lastUpdateTime`.
    source_times: what the writer says of when a property was so, by property.
    """

    id: str
    model: str
    properties: Mapping[str, JSON]
    touched: frozenset[str] | None = None
    source_times: Mapping[str, str] = field(default_factory=dict[str, str])


@final
@dataclass(frozen=True, slots=True)
class DeleteTwin:
    """A twin is gone."""

    id: str


@final
@dataclass(frozen=True, slots=True)
class PutRelationship:
    """An edge is so from now on."""

    source: str
    id: str
    name: str
    target: str
    properties: Mapping[str, JSON]


@final
@dataclass(frozen=True, slots=True)
class DeleteRelationship:
    """An edge is gone."""

    source: str
    id: str


@final
@dataclass(frozen=True, slots=True)
class RowFault:
    """A row of a block that cannot be. list: `twins` or `relationships`; row: its number there."""

    list: str
    row: int
    id: str
    reason: str


@final
@dataclass(frozen=True, slots=True)
class PutBlock:
    """Many twins, then many edges. faults: the rows that cannot be; the others are put."""

    twins: tuple[PutTwin, ...]
    relationships: tuple[PutRelationship, ...]
    faults: tuple[RowFault, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Clear:
    """All twins, relationships and models are gone."""


@final
@dataclass(frozen=True, slots=True)
class PutAlarm:
    """An alarm is raised, changed while it lasts, or over (until_ns). why: what noticed and explains it, as JSON."""

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
class PutRecord:
    """Something the graph keeps as it is: an event route (`route`) or a job (`job`), by name."""

    kind: str
    name: str
    body: Mapping[str, JSON]


@final
@dataclass(frozen=True, slots=True)
class DeleteRecord:
    """A record is gone."""

    kind: str
    name: str


Change: TypeAlias = (
    PutModel
    | DeleteModel
    | DecommissionModel
    | PutTwin
    | DeleteTwin
    | PutRelationship
    | DeleteRelationship
    | PutBlock
    | Clear
    | PutAlarm
    | PutRecord
    | DeleteRecord
)
"""What a write that passed does to the graph."""
