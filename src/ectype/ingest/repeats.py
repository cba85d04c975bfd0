"""Readings that came before: the same series, instant and value as what was last said of that instant.

A queue or a broker delivers again what was not acknowledged before a loss. History holds one sample for an instant
anyway; the log need not hold it twice. What is remembered is on disk already, so that nobody is told that a reading is
safe which is not. A reading whose payload has no time of its own is never a repeat.

A table of fixed size, one place for each hash of series and instant: the last quarter of a million readings, more or
less. A place that was taken by another reading forgets; then a repeat goes into the log again, which does no harm. A
quarter of a microsecond a reading: for systems that deliver again, not for every device that publishes here.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from ectype.sources.base import Message
from ectype.sources.batch import parts_of
from ectype.values.block import Block, Int64s

_BITS = 18
_ODD = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))  # large and odd: nearby instants spread apart


@final
class Repeats:
    """Which readings came before. count: how many did. About 8 MB."""

    def __init__(self, bits: int = _BITS) -> None:
        self._shift = np.uint64(64 - bits)
        self._series: Int64s = np.zeros(1 << bits, np.int64)
        self._at: Int64s = np.zeros(1 << bits, np.int64)
        self._value: Int64s = np.zeros(1 << bits, np.int64)  # the bits of the number
        self._taken = np.zeros(1 << bits, np.bool_)
        self._row = np.zeros(1 << bits, np.int32)
        self.count = 0

    def fresh(self, block: Block, arrived: Collection[int]) -> Block:
        """`block` without what came before, the block itself where nothing did. Remembers nothing of it.

        arrived: when its messages came, so that a time that is only that of arrival is known for what it is.
        """
        own = block.at_ns != next(iter(arrived)) if len(arrived) == 1 else ~np.isin(block.at_ns, list(arrived))
        if not own.any():
            return block
        series, slot = self._places(block)
        value = block.value.view(np.int64)
        repeated = self._taken[slot] & (self._at[slot] == block.at_ns) & (self._value[slot] == value)
        repeated &= self._series[slot] == series
        rows = np.arange(len(block), dtype=np.int32)
        self._row[slot] = rows
        shared = self._row[slot] != rows
        if shared.any():  # some of its own rows may be of one reading
            some = np.flatnonzero(self._among(slot, slot[shared]))
            order = some[np.lexsort((series[some], block.at_ns[some]))]
            after, before = order[1:], order[:-1]
            again = (series[after] == series[before]) & (block.at_ns[after] == block.at_ns[before])
            repeated[after[again]] = value[after[again]] == value[before[again]]
        repeated &= own
        if not repeated.any():
            return block
        keep = np.flatnonzero(~repeated)
        self.count += len(block) - len(keep)
        std = None if block.std is None else block.std[keep]
        return Block(block.names, block.series[keep], block.at_ns[keep], block.value[keep], std)

    def remember(self, block: Block, arrived: Collection[int]) -> None:
        """These are on disk now. Of one instant the last counts."""
        if not len(block) or (len(arrived) == 1 and int(block.at_ns.min()) == next(iter(arrived))):
            return  # nothing, or nothing with a time of its own: that is before its arrival
        series, slot = self._places(block)
        rows = np.arange(len(block), dtype=np.int32)
        self._row[slot] = rows
        last = self._row[slot] == rows  # one row for each place
        slot = slot[last]
        self._series[slot], self._at[slot] = series[last], block.at_ns[last]
        self._value[slot], self._taken[slot] = block.value[last].view(np.int64), True

    def _places(self, block: Block) -> tuple[Int64s, NDArray[np.intp]]:
        """[n] a number for the series of each row, and the place where series and instant are remembered."""
        names = np.fromiter(map(hash, block.names), np.int64, len(block.names))
        series = names[block.series]
        mixed = series.view(np.uint64) * _ODD[1] + block.at_ns.view(np.uint64) * _ODD[0]
        return series, (mixed >> self._shift).astype(np.intp)

    def _among(self, slot: NDArray[np.intp], some: NDArray[np.intp]) -> NDArray[np.bool_]:
        """[n] whether a place is one of `some`."""
        self._row[slot] = 0
        self._row[some] = 1
        return self._row[slot] == 1


def arrivals(batches: Iterable[Sequence[Message]]) -> set[int]:
    """When the messages of these came."""
    found = set[int]()
    for part in parts_of(batches):
        if isinstance(part, list):
            found.update([message.at_ns for message in part])
        else:
            found.add(part.at_ns)
    return found
