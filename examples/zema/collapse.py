"""The flow collapses: for half of a cycle the pump delivers 1.1 instead of 7.5 l/min, which nobody labelled.

The twin learns each second's usual flow, and how much it varies, from the first 120 cycles, and then goes second by
second: five in a row that are too low by 20 % and by eight robust deviations are an alarm, before the cycle is over.
Which cycles did collapse is told from the whole of each at ten times the rate, by hand: its median at seconds 25 to 45
is below 3 l/min in 240 of them and above 7.2 in the others. Both look at the same flow sensor; there is no second one.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from examples.zema.records import Records

LEARNT = 120  # cycles
IN_A_ROW = 5  # seconds


@final
@dataclass(frozen=True, slots=True)
class Found:
    """collapses: how many there are after the learning; delay_s: from its first low second to its alarm, median."""

    collapses: int
    found: int
    cycles_without: int
    false_alarms: int
    delay_s: float


def collapses(records: Records) -> Found:
    """What the twin alarms in the cycles after those it learnt from."""
    flow = records.seconds["FS1"]
    usual = np.median(flow[:LEARNT], axis=0)
    spread = 1.4826 * np.median(np.abs(flow[:LEARNT] - usual), axis=0)
    low: Any = (flow < 0.8 * usual) & (flow < usual - 8 * spread) & (usual > 1)
    row: Any = np.lib.stride_tricks.sliding_window_view(low, IN_A_ROW, axis=1).all(axis=2)
    alarm = row.any(axis=1)[LEARNT:]
    truth = (np.median(records.tenths["FS1"][:, 250:450], axis=1) < 3)[LEARNT:]
    deep = (flow < 3) & (usual > 6)
    began = np.argmax(deep[:, 19:], axis=1) + 19
    told = np.argmax(row, axis=1) + IN_A_ROW - 1
    delay = (told - began)[LEARNT:][alarm & truth]
    return Found(
        int(truth.sum()),
        int((alarm & truth).sum()),
        int((~truth).sum()),
        int((alarm & ~truth).sum()),
        float(np.median(delay)) if len(delay) else float("nan"),
    )
