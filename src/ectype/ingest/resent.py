"""Messages that their sender marks as sent again, as MQTT does with DUP: readings that history has are left out.

A client that lost its connection sends again what was not acknowledged, and most of that is in the log already. What
history has is on disk, so it may be acknowledged. It is looked up and not remembered: this costs nothing where nothing
is sent again, and holds across a restart. A reading that history does not have yet goes into the log again, which does
no harm; so does one whose payload has no time of its own, as it is never a repeat.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator
from typing import Protocol, final

import numpy as np

from ectype.errors import Unavailable
from ectype.values.block import Block, Float64s, Int64s

_SPAN_NS = 600 * 10**9  # of one question
_LAST_NS = 2**63 - 1
_QUESTIONS = 256  # of one block; a tenth of a millisecond each, a few where the samples are in a file
_A_TURN = 8  # questions while nothing else happens


class Found(Protocol):
    """Samples of one series, ascending in time. at_ns: [n]; value: [n]."""

    @property
    def at_ns(self) -> Int64s:
        """When it was so."""
        ...

    @property
    def value(self) -> Float64s:
        """How much."""
        ...


History = Callable[[str, int, int], Found]
"""(series, from, to) -> what is durable of it, both included. May raise Unavailable."""


@final
class Resent:
    """Looks up what is sent again. count: readings that were left out."""

    def __init__(self, history: History) -> None:
        self._history = history
        self.count = 0

    async def fresh(self, block: Block, arrived: Collection[int]) -> Block:
        """`block` without what history has: the same series, instant and value. The block itself where it has nothing.

        arrived: when its messages came, so that a time that is only that of arrival is known for what it is.
        Of a block that asks for too much the rest is taken for new.
        """
        repeated = np.zeros(len(block), bool)
        for asked, (series, rows) in enumerate(_questions(block, ~np.isin(block.at_ns, list(arrived)))):
            if asked == _QUESTIONS:
                break
            at_ns = block.at_ns[rows]
            try:
                found = self._history(series, int(at_ns[0]), int(at_ns[-1]))
            except Unavailable:  # whoever looks into history is told; here it is no reason to take nothing in
                break
            if len(found.at_ns):
                place = np.minimum(np.searchsorted(found.at_ns, at_ns), len(found.at_ns) - 1)
                same = found.value[place].view(np.int64) == block.value[rows].view(np.int64)
                repeated[rows] = (found.at_ns[place] == at_ns) & same
            if asked % _A_TURN == _A_TURN - 1:
                await asyncio.sleep(0)
        if not repeated.any():
            return block
        keep = np.flatnonzero(~repeated)
        self.count += len(block) - len(keep)
        std = None if block.std is None else block.std[keep]
        return Block(block.names, block.series[keep], block.at_ns[keep], block.value[keep], std)


def _questions(block: Block, own: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> Iterator[tuple[str, Int64s]]:
    """(series, rows ascending in time) of rows that lie near each other; of those in `own`."""
    rows = np.flatnonzero(own)
    rows = rows[np.lexsort((block.at_ns[rows], block.series[rows]))]
    start = 0
    while start < len(rows):
        series, last = block.series[rows[start]], min(int(block.at_ns[rows[start]]) + _SPAN_NS, _LAST_NS)
        end = start + int(np.searchsorted(block.series[rows[start:]], series, "right"))
        end = start + int(np.searchsorted(block.at_ns[rows[start:end]], last, "right"))
        yield block.names[series], rows[start:end]
        start = end
