"""What a snapshot of the history says: the files that hold rows, and everything that is in none of them."""

from typing import TypeAlias

import msgspec
import numpy as np

from ectype.series.part import PartInfo
from ectype.series.run import Run
from ectype.series.samples import Samples
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
