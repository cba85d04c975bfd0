"""A recording whose seconds were written in the wrong order, put in the order in which they happened.

The collector wrote packets of about ten rows, the first of each with line number 2, and in all recordings but the first
the packets are not in order: the tool leaps 80 mm within a tenth of a second, G-code lines go backwards. Three things
tell the order: positions must go on where velocities lead, the G-code's line never goes back, and the spindle's own
position is a clock: it counts turns, 53.3 a second, and wraps every 4300 (81 s).

    cut into pieces where positions do not go on  ─►  pieces by their line, unwrapping the clock along the way
    ─►  pieces by the clock  ─►  a piece too short to say its line goes to the turn where the tool was nearest

In parts of three recordings spindle and Z are a row early within their packets; it is tried both ways, and kept is what
goes on more smoothly. Rows in which the spindle stands are left out.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from ectype.values.block import Float64s

ROW_S = 0.1
TURNS = 4300.0  # the clock wraps
_LEAP_MM = 2.6  # beyond what velocities say, from row to row
_LEAP_TURNS = 16.0  # the clock is written with three digits: 10 turns coarse
_SHORT = 5  # rows
_FIRST_LINE = 2  # the line number with which packets begin
_AXES = ("X1", "Y1", "Z1")

Columns = Mapping[str, Float64s]


@final
@dataclass(frozen=True, eq=False)
class Ordered:
    """columns [rows] with the spindle turning, in order. before, after: from how many rows to the next the tool leaps
    by 2 mm or more beyond what its velocity says, as published and as ordered.
    """

    columns: dict[str, Float64s]
    before: int
    after: int


def in_order(columns: Columns) -> Ordered:
    """One recording, [rows] each."""
    ways = [_ordered(c) for c in (columns, _a_row_later(columns))]
    best = min(ways, key=lambda way: _leaps(way[0]))
    ordered, rows = best
    turning = {n: v[np.sort(rows)] for n, v in columns.items()}
    return Ordered(ordered, _leaps(turning), _leaps(ordered))


def wrapped(turns: Any) -> Any:
    """The nearest to 0 of all that the clock does not tell apart."""
    return (turns + TURNS / 2) % TURNS - TURNS / 2


def _ordered(columns: Columns) -> tuple[dict[str, Float64s], Any]:
    clock, speed = columns["S1_ActualPosition"], columns["S1_ActualVelocity"]
    line = columns["M1_sequence_number"].astype(int)
    at = np.stack([columns[f"{a}_ActualPosition"] for a in _AXES], axis=1)
    on = (speed > 1) | (columns["S1_CommandVelocity"] > 0)
    broken = np.zeros(len(clock), bool)
    broken[1:] = (on[1:] != on[:-1]) | _breaks(clock, speed) | (_beyond(columns) > _LEAP_MM).any(axis=1)
    pieces: list[Any] = [p for p in np.split(np.arange(len(clock)), np.flatnonzero(broken)) if len(p) and on[p[0]]]
    begins = [_begin(clock[p], speed[p]) for p in pieces]
    lines = [_line(line[p]) for p in pieces]
    long = [i for i, p in enumerate(pieces) if len(p) >= _SHORT and lines[i] > _FIRST_LINE]
    turned: dict[int, float] = {}
    for i in sorted(long, key=lambda i: lines[i]):
        near = float(np.median(list(turned.values())[-5:])) if turned else begins[i]
        turned[i] = near + wrapped(begins[i] - near)
    known = sorted(long, key=lambda i: turned[i])
    when = np.concatenate([turned[i] + _since(speed[pieces[i]]) for i in known])
    where = np.concatenate([at[pieces[i]] for i in known])
    for i in set(range(len(pieces))) - set(long):
        could = begins[i] + TURNS * np.arange(-1, 4)
        could = could[(could > when[0] - 300) & (could < when[-1] + 300)]
        far = [sum(abs(np.interp(c, when, where[:, a]) - at[pieces[i][0], a]) for a in range(3)) for c in could]
        turned[i] = float(could[int(np.argmin(far))]) if len(could) else float(when[-1])
    rows = np.concatenate([pieces[i] for i in sorted(turned, key=lambda i: (turned[i], i))])
    return {n: v[rows] for n, v in columns.items()}, rows


def _a_row_later(columns: Columns) -> dict[str, Float64s]:
    """Spindle and Z one row later in those packets in which they break a row before the packet begins."""
    line = columns["M1_sequence_number"].astype(int)
    first = np.unique(np.r_[0, np.flatnonzero(line == _FIRST_LINE)])
    out = dict(columns)
    z, v = columns["Z1_ActualPosition"], columns["Z1_ActualVelocity"]
    found = {
        "S1": _breaks(columns["S1_ActualPosition"], columns["S1_ActualVelocity"]),
        "Z1": np.abs(np.diff(z) - _moved(v)) > _LEAP_MM,
    }
    for group, breaks in found.items():
        at = np.r_[False, breaks, False]
        for begin, end in zip(first, np.r_[first[1:], len(line)], strict=True):
            early = (at[begin - 1] and not at[begin]) or (end < len(line) and at[end - 1] and not at[end])
            if begin > 0 and early and end - begin > _SHORT:
                for name in (n for n in columns if n.startswith(group)):
                    out[name] = out[name].copy() if out[name] is columns[name] else out[name]
                    out[name][begin:end] = columns[name][begin - 1 : end - 1]
    return out


def _moved(speed: Float64s) -> Float64s:
    return ROW_S * 0.5 * (speed[1:] + speed[:-1])


def _breaks(clock: Float64s, speed: Float64s) -> Any:
    return np.abs(wrapped(np.diff(clock) - _moved(speed))) > _LEAP_TURNS


def _beyond(columns: Columns) -> Float64s:
    """[rows - 1, 3] mm that each axis moved beyond what its velocity says."""
    each = [np.diff(columns[f"{a}_ActualPosition"]) - _moved(columns[f"{a}_ActualVelocity"]) for a in _AXES]
    return np.abs(np.stack(each, axis=1))


def _leaps(columns: Columns) -> int:
    return int((_beyond(columns) > 2.0).any(axis=1).sum())


def _since(speed: Float64s) -> Float64s:
    return np.r_[0.0, np.cumsum(_moved(speed))]


def _begin(clock: Float64s, speed: Float64s) -> float:
    """The clock where a piece begins, from all its rows, finer than it is written."""
    return float(clock[0] + np.mean(wrapped(clock - _since(speed) - clock[0])))


def _line(lines: Any) -> int:
    """The line that most of a piece's rows tell; 0 if none does."""
    told = lines[lines > _FIRST_LINE]
    return int(np.bincount(told).argmax()) if len(told) else 0
