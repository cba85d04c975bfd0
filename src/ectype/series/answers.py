"""What the history answers with, beside samples: a curve and where it is from, counts and sums, a forecast."""

from dataclasses import dataclass
from typing import final

from ectype.series.samples import Samples
from ectype.series.tiers import Stretch
from ectype.values.block import Float64s, Int64s


@final
@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """What was last said, at `issued_ns`, about times to come: columns as in `Samples`."""

    issued_ns: int
    at_ns: Int64s
    value: Float64s
    std: Float64s | None = None


@final
@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Samples of a series, and what they were taken from, the oldest first."""

    samples: Samples
    stretches: tuple[Stretch, ...]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """at_ns, count, total [n]: how many samples there are from each instant on, and their sum; and from what."""

    at_ns: Int64s
    count: Float64s
    total: Float64s
    stretches: tuple[Stretch, ...]
