"""What an estimator says: estimates, forecasts, alarms."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

from ectype.values.block import Block

Json = str | int | float | bool | None


@final
@dataclass(frozen=True, slots=True)
class TwinSetup:
    """One twin to follow: its id, model dtmi, property values, and the ids of its neighbours."""

    id: str
    model: str
    properties: Mapping[str, Json]
    neighbours: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Fleet:
    """The twins of a space, in order. Those whose model has no behaviour are passed over."""

    twins: tuple[TwinSetup, ...]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """What one twin will do, as told at issued_at_ns: series `…@predicted` with their quantiles as own properties."""

    twin: str
    issued_at_ns: int
    block: Block


@final
@dataclass(frozen=True, slots=True)
class AlarmEvent:
    """An alarm raised, updated (same alarm, newer text and cost: same since_ns) or cleared (then with until_ns).

    text is a sentence for the operator; cost_kwh is the energy lost since since_ns.
    """

    twin: str
    name: str
    change: Literal["raised", "updated", "cleared"]
    severity: Literal["warning", "critical"]
    text: str
    at_ns: int
    since_ns: int
    until_ns: int | None
    cost_kwh: float


@final
@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """estimated: series `…@estimated` with standard deviations; late: rows whose tick had passed."""

    estimated: Block
    predicted: tuple[Forecast, ...]
    alarms: tuple[AlarmEvent, ...]
    late: int = 0
