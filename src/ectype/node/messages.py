"""What a view hands out: plain, frozen values that say at which size of the log they are true.

They carry numbers as numpy columns and instants as nanoseconds; how that looks as JSON is the server's business.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

from ectype.series.clock import How as How
from ectype.series.judged import ONLY as ONLY
from ectype.series.judged import Only as Only
from ectype.series.judged import Quality as Quality
from ectype.series.judged import SeriesQuality as SeriesQuality
from ectype.series.marks import Item
from ectype.series.retention import Rule as Rule
from ectype.series.tiers import Stretch as Stretch
from ectype.values.block import Block, Float64s, Int64s

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

Thin = Literal["minmax", "m4"]
THIN: tuple[Thin, ...] = ("minmax", "m4")
HOWS: tuple[How, ...] = ("last", "mean", "min", "max", "count")


@final
@dataclass(frozen=True, slots=True)
class BehavioursInfo:
    """followed: ids of twins; late: rows too old to be assimilated since the node started; wrong: (where, sentence);
    plants: the twins of each plant that is followed as one, who feeds before who is fed.
    """

    followed: tuple[str, ...]
    late: int
    wrong: tuple[tuple[str, str], ...]
    plants: tuple[tuple[str, ...], ...] = ()


@final
@dataclass(frozen=True, slots=True)
class SpaceInfo:
    """The space as a whole. `root` is the Merkle root of its `size` entries; `who` is the one who asks.

    `speed` is set while a recording is replayed: how many times faster than it was.
    """

    name: str
    size: int
    root: bytes
    started_ns: int
    version: str
    who: str
    speed: float | None = None


@final
@dataclass(frozen=True, slots=True)
class TwinRow:
    """One twin: its type, its properties as JSON values, and the index of its last entry (its ETag)."""

    id: str
    model: str
    last_index: int
    properties: Mapping[str, Json]


@final
@dataclass(frozen=True, slots=True)
class Twins:
    """All twins the asker may see, at `size`."""

    size: int
    twins: tuple[TwinRow, ...]


@final
@dataclass(frozen=True, slots=True)
class RelationshipRow:
    """`source` -name-> `target`, with the properties of the relationship itself."""

    source: str
    id: str
    name: str
    target: str
    properties: Mapping[str, Json]


@final
@dataclass(frozen=True, slots=True)
class Relationships:
    """All relationships between twins the asker may see, at `size`."""

    size: int
    relationships: tuple[RelationshipRow, ...]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Last:
    """The newest sample of every series, one row each, at `size`."""

    size: int
    samples: Block


@final
@dataclass(frozen=True, slots=True, eq=False)
class HistoryColumns:
    """A series over time, ascending: at_ns, value and std are [n]; std is None when no sample has one.

    stretches: what it was taken from. quality, why: [n] what is thought of each sample, and the reasons if it is not
    good; None if nobody asked.
    """

    series: str
    at_ns: Int64s
    value: Float64s
    std: Float64s | None = None
    stretches: tuple[Stretch, ...] = ()
    quality: tuple[Quality, ...] | None = None
    why: tuple[tuple[str, ...], ...] | None = None


@final
@dataclass(frozen=True, slots=True, eq=False)
class Clocked:
    """What a series was at each tick of a clock: value [ticks]; and what it was taken from."""

    value: Float64s
    stretches: tuple[Stretch, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Retained:
    """What is kept of a series, and of it now: the rule, and the stretches of time, the oldest first."""

    series: str
    rule: Rule
    stretches: tuple[Stretch, ...]


@final
@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The series asked for, in the order asked, at `size`."""

    size: int
    columns: tuple[HistoryColumns, ...]


@final
@dataclass(frozen=True, slots=True, eq=False)
class ForecastColumns:
    """The newest forecast of a series: at_ns and value are [n], made at `issued_ns`."""

    series: str
    issued_ns: int
    at_ns: Int64s
    value: Float64s


@final
@dataclass(frozen=True, slots=True)
class AlarmRow:
    """An alarm; `until_ns` is None while it lasts, `cost_kwh` None where nothing was lost or nobody knows; `why`: what
    noticed and explains it, where that is known.
    """

    id: str
    twin: str
    name: str
    severity: Literal["warning", "critical"]
    text: str
    since_ns: int
    until_ns: int | None = None
    cost_kwh: float | None = None
    why: Mapping[str, Json] | None = None


@final
@dataclass(frozen=True, slots=True, eq=False)
class FeedBlock:
    """Samples that entry `index` brought."""

    kind: Literal["measured", "estimated"]
    index: int
    samples: Block


@final
@dataclass(frozen=True, slots=True)
class FeedMarks:
    """Readings of which entry `index` says that they are not good, and why."""

    index: int
    items: tuple[Item, ...]


@final
@dataclass(frozen=True, slots=True)
class QualityRows:
    """Series of which readings were marked; suspect, bad: how many readings of all series the asker may see."""

    size: int
    suspect: int
    bad: int
    rows: tuple[SeriesQuality, ...]


@final
@dataclass(frozen=True, slots=True)
class FeedEntry:
    """Any other entry. `body` is JSON as it stands in the log; None if it is erased or not JSON."""

    index: int
    kind: str
    subject: str
    author: str
    at_ns: int
    by: str | None = None
    body: bytes | None = None


@final
@dataclass(frozen=True, slots=True, eq=False)
class FeedMessage:
    """What entries [first, next) brought; `size` is how long the log was then. Who saw it resumes at `next`.

    Entries the asker may not see are counted and left out.
    """

    first: int
    next: int
    size: int
    blocks: tuple[FeedBlock, ...] = ()
    entries: tuple[FeedEntry, ...] = ()
    marks: tuple[FeedMarks, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry as it is stored. Anyone can check it: the header is the leaf, and names digest and signature.

    salt and body are None when the body is erased or the asker may not see it.
    """

    index: int
    header: bytes
    salt: bytes | None
    body: bytes | None


@final
@dataclass(frozen=True, slots=True)
class Entries:
    """Consecutive entries of a log that is `size` long."""

    size: int
    entries: tuple[EntryRow, ...]


@final
@dataclass(frozen=True, slots=True)
class InclusionProof:
    """`leaf_hash` is entry `index` of the log whose first `size` entries have `root` (RFC 9162 2.1.3)."""

    index: int
    size: int
    leaf_hash: bytes
    path: tuple[bytes, ...]
    root: bytes


@final
@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """The first `first_size` of the first `second_size` entries did not change (RFC 9162 2.1.4)."""

    first_size: int
    second_size: int
    path: tuple[bytes, ...]
    first_root: bytes
    second_root: bytes
