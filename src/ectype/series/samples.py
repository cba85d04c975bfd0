"""What a question about a series is answered with: its samples as columns, in order of time."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from ectype.values.block import Float64s, Int64s

Indices = NDArray[np.intp]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples of one series, ascending in time, each instant once.

    at_ns: [n] int64; value: [n] float64, NaN where the author says there is a gap;
    std: [n] float64, NaN where nobody claims one, or None when no sample has one.
    """

    at_ns: Int64s
    value: Float64s
    std: Float64s | None = None

    def __len__(self) -> int:
        return len(self.at_ns)

    def take(self, rows: Indices | slice) -> "Samples":
        """Some of them."""
        return Samples(self.at_ns[rows], self.value[rows], None if self.std is None else self.std[rows])

    @classmethod
    def empty(cls) -> "Samples":
        """None at all."""
        return cls(np.empty(0, np.int64), np.empty(0, np.float64))


def merge(pieces: list[Samples]) -> Samples:
    """All pieces as one, in order of time. Of samples at the same instant the one in the latest piece stays.

    Each piece is in order of time already, and so are most of them among themselves: then nothing is sorted.
    """
    if len(pieces) == 1:
        return pieces[0]
    if not pieces:
        return Samples.empty()
    at_ns = np.concatenate([piece.at_ns for piece in pieces])
    value = np.concatenate([piece.value for piece in pieces])
    std = None
    if any(piece.std is not None for piece in pieces):
        std = np.concatenate([np.full(len(p), np.nan) if p.std is None else p.std for p in pieces])
    whole = Samples(at_ns, value, std)
    if len(at_ns) < 2 or bool((at_ns[1:] > at_ns[:-1]).all()):
        return whole
    order = np.argsort(at_ns, kind="stable")
    at_ns = at_ns[order]
    last = np.append(at_ns[1:] != at_ns[:-1], True)
    return whole.take(order[last])
