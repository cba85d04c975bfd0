"""The measurements of a frame that may be believed: without the readings that were marked as bad.

What the checks say of a block is in the block's own frame (`ingest/ingest.py`, `ingest/push.py`), and frames are as
they are in the log for ever; so what is left out depends on the log alone, also after a restart. Suspect readings stay:
they may well be true, and a filter has its own gate for what it cannot believe.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ectype.errors import Invalid
from ectype.log.frame import Frame
from ectype.series.marks import KIND, items_of, same_values
from ectype.values.arrow import from_arrow_with_metadata, to_arrow
from ectype.values.block import Block, Float64s, Int64s

_Bad = dict[str, tuple[Int64s, Float64s]]  # per series: when, and the value (NaN: one that JSON cannot hold)


def trusted(frame: Frame) -> Iterator[bytes]:
    """The bodies of the frame's measurements, without bad readings; as they are where nothing is bad."""
    bad = _bad(frame)
    for entry in frame.entries:
        if entry.kind != "measured" or entry.body is None:
            continue
        body = _without(entry.body, bad) if bad else entry.body
        if body is not None:
            yield body


def _bad(frame: Frame) -> _Bad:
    found: dict[str, list[tuple[int, float]]] = {}
    for entry in frame.entries:
        if entry.kind != KIND:
            continue
        for item in items_of(entry):
            at_ns = item.instant
            if item.quality == "bad" and at_ns is not None:
                found.setdefault(item.series, []).append((at_ns, np.nan if item.value is None else item.value))
    return {
        name: (np.array([at for at, _ in rows], np.int64), np.array([value for _, value in rows]))
        for name, rows in found.items()
    }


def _without(body: bytes, bad: _Bad) -> bytes | None:
    """`body` without bad rows; None if no row is left."""
    try:
        block, metadata = from_arrow_with_metadata(body)
    except Invalid:
        return body  # whoever takes it in says so
    drop = np.zeros(len(block), np.bool_)
    for number, name in enumerate(block.names):
        if name in bad:
            rows = np.flatnonzero(block.series == number)
            drop[rows] = _marked(block.at_ns[rows], block.value[rows], *bad[name])
    if not drop.any():
        return body
    if drop.all():
        return None
    keep = np.flatnonzero(~drop)
    std = None if block.std is None else block.std[keep]
    return to_arrow(Block(block.names, block.series[keep], block.at_ns[keep], block.value[keep], std), metadata)


def _marked(at_ns: Int64s, value: Float64s, bad_at_ns: Int64s, bad_value: Float64s) -> NDArray[np.bool_]:
    """[n] whether a mark is of this reading. Several marks may share an instant: then one must have its value."""
    order = np.lexsort((bad_value, bad_at_ns))
    bad_at_ns, bad_value = bad_at_ns[order], bad_value[order]
    marked = np.zeros(len(at_ns), np.bool_)
    first, stop = np.searchsorted(bad_at_ns, at_ns, "left"), np.searchsorted(bad_at_ns, at_ns, "right")
    for row in np.flatnonzero(stop > first).tolist():
        some = bad_value[first[row] : stop[row]]
        marked[row] = bool(same_values(some, np.full(len(some), value[row])).any())
    return marked
