"""A block: samples of many series as columns, the unit in which measurements travel."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from ectype.errors import Invalid

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Float64s = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Samples in columns of equal length n, in the order they came.

    names: the distinct series ids (see `ectype.ids`); series: [n] int32, which name each row is of;
    at_ns: [n] int64, when it was so; value: [n] float64 in the property's unit;
    std: [n] float64, its standard deviation in the same unit, NaN where nobody claims one,
    or None when no row does.
    """

    names: tuple[str, ...]
    series: Int32s
    at_ns: Int64s
    value: Float64s
    std: Float64s | None = None

    def __post_init__(self) -> None:
        n = len(self.series)
        if len(self.at_ns) != n or len(self.value) != n or (self.std is not None and len(self.std) != n):
            raise Invalid(f"a block's columns must be equally long, not {n}, {len(self.at_ns)}, {len(self.value)}")
        if n and not 0 <= int(self.series.min()) <= int(self.series.max()) < len(self.names):
            raise Invalid(f"a block with {len(self.names)} series refers to one that it does not name")

    def __len__(self) -> int:
        return len(self.series)

    @classmethod
    def of(cls, rows: Iterable[tuple[str, int, float] | tuple[str, int, float, float]]) -> "Block":
        """A block from (series id, at_ns, value[, std]) rows: handy in tests and for small blocks."""
        index: dict[str, int] = {}
        which: list[int] = []
        at: list[int] = []
        value: list[float] = []
        std: list[float] = []
        for row in rows:
            which.append(index.setdefault(row[0], len(index)))
            at.append(row[1])
            value.append(row[2])
            std.append(row[3] if len(row) == 4 else np.nan)
        stds = np.array(std, np.float64)
        return cls(
            tuple(index),
            np.array(which, np.int32),
            np.array(at, np.int64),
            np.array(value, np.float64),
            None if np.isnan(stds).all() else stds,
        )

    @classmethod
    def concat(cls, blocks: Sequence["Block"]) -> "Block":
        """One block with the rows of all, in order."""
        if len(blocks) == 1:
            return blocks[0]
        if blocks and all(block.names is blocks[0].names and block.std is None for block in blocks):
            return cls(  # no row is numbered anew
                blocks[0].names,
                np.concatenate([block.series for block in blocks]),
                np.concatenate([block.at_ns for block in blocks]),
                np.concatenate([block.value for block in blocks]),
            )
        index: dict[str, int] = {}
        which: list[Int32s] = []
        for block in blocks:
            renumber = np.array([index.setdefault(name, len(index)) for name in block.names], np.int32)
            which.append(renumber[block.series] if len(block) else block.series)
        some_std = any(b.std is not None for b in blocks)
        stds = [b.std if b.std is not None else np.full(len(b), np.nan) for b in blocks] if some_std else None
        if not blocks:
            return cls((), np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0))
        return cls(
            tuple(index),
            np.concatenate(which),
            np.concatenate([b.at_ns for b in blocks]),
            np.concatenate([b.value for b in blocks]),
            None if stds is None else np.concatenate(stds),
        )

    def rows(self) -> list[tuple[str, int, float, float | None]]:
        """Row by row as plain Python values; for small blocks, tests and JSON."""
        stds: list[float | None] = [None] * len(self)
        if self.std is not None:
            stds = [None if s != s else s for s in self.std.tolist()]
        names = self.names
        return [
            (names[i], at, value, std)
            for i, at, value, std in zip(
                self.series.tolist(), self.at_ns.tolist(), self.value.tolist(), stds, strict=True
            )
        ]
