"""What a snapshot of the history says: the files that hold rows, and everything that is in none of them."""

from collections.abc import Callable
from typing import TypeAlias

import msgspec
import numpy as np

from ectype.series.part import Part, PartInfo
from ectype.series.run import Run
from ectype.series.samples import Samples
from ectype.series.tiers import Tiers
from ectype.values.block import Float64s, Int64s

Column: TypeAlias = bytes
"""Numbers of 8 bytes, little-endian."""


class KeptForecast(msgspec.Struct, frozen=True):
    """The newest forecast of one series."""

    issued_ns: int
    at_ns: Column
    value: Column
    std: Column | None


class KeptRejected(msgspec.Struct, frozen=True):
    """An entry that meant nothing to the history, and why."""

    index: int
    kind: str
    subject: str
    reason: str


class KeptTiers(msgspec.Struct, frozen=True):
    """rules: by which they were made; live, past: files by length; gone: by series; and the rows that came late."""

    rules: bytes
    live: dict[int, list[PartInfo]]
    past: dict[int, list[PartInfo]]
    gone: Column
    series: Column
    at_ns: Column
    value: Column
    std: Column | None


class Kept(msgspec.Struct, frozen=True):
    """The whole state. names: series by id; ids, starts, at_ns, value, std: the rows that are in no file."""

    names: list[str]
    parts: list[PartInfo]
    runs: list[PartInfo]
    files: int
    ids: Column
    starts: Column
    at_ns: Column
    value: Column
    std: Column | None
    seen: bytes
    newest_at_ns: Column
    newest_value: Column
    newest_std: Column
    span: tuple[int, int] | None
    forecasts: dict[str, KeptForecast]
    rejected_count: int
    rejected: list[KeptRejected]
    appended_ns: int | None
    tiers: KeptTiers


def column(values: Int64s | Float64s) -> Column:
    """The numbers as bytes."""
    return values.astype(values.dtype.newbyteorder("<")).tobytes()


def int64s(kept: Column) -> Int64s:
    """Whole numbers from bytes."""
    return np.frombuffer(kept, "<i8").astype(np.int64)


def float64s(kept: Column) -> Float64s:
    """Numbers from bytes."""
    return np.frombuffer(kept, "<f8").astype(np.float64)


def run_of(kept: Kept) -> Run | None:
    """The rows that are in no file."""
    if not kept.at_ns:
        return None
    std = None if kept.std is None else float64s(kept.std)
    ids = int64s(kept.ids).astype(np.int32)
    return Run(ids, int64s(kept.starts), int64s(kept.at_ns), float64s(kept.value), std)


def samples_of(kept: KeptForecast) -> Samples:
    """The samples of a forecast."""
    return Samples(int64s(kept.at_ns), float64s(kept.value), None if kept.std is None else float64s(kept.std))


def kept_tiers(tiers: Tiers) -> KeptTiers:
    """What a snapshot says of tiers."""
    series, at_ns, value, std = tiers.late.columns()
    return KeptTiers(
        rules=tiers.retention.digest(),
        live={every_ns: [part.info for part in parts] for every_ns, parts in tiers.live.items()},
        past={every_ns: [part.info for part in parts] for every_ns, parts in tiers.past.items()},
        gone=column(tiers.gone),
        series=column(series.astype(np.int64)),
        at_ns=column(at_ns),
        value=column(value),
        std=None if std is None else column(std),
    )


def restore_tiers(tiers: Tiers, kept: KeptTiers, open_tier: Callable[[PartInfo], Part]) -> None:
    """Make `tiers`, of the same rules, what they were."""
    for every_ns in tiers.live:
        tiers.live[every_ns] = [open_tier(info) for info in kept.live.get(every_ns, [])]
        tiers.past[every_ns] = [open_tier(info) for info in kept.past.get(every_ns, [])]
    tiers.gone = int64s(kept.gone)
    series, std = int64s(kept.series).astype(np.int32), None if kept.std is None else float64s(kept.std)
    tiers.late.append(series, int64s(kept.at_ns), float64s(kept.value), std)
