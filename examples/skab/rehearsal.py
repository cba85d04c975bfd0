"""What the twin is tried on before it meets a label: the loop in order, and faults that are put into it.

    pieces     the recording without anomalies in seven pieces of 1150 rows, each learning from its own first 400
    stretches  the first 400 rows of three successive recordings at one speed: learnt from the first, the loop in order
               20 and 40 minutes later. Temperatures are joined; where there is a gap the drift goes on, as it would

Faults: a valve partly shut, imbalance, both, gas (both, and noise), friction (current up, motor warming); 3 to 25 %,
one and a half to seven minutes, at once or within two minutes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from examples.skab.learn import speeds
from examples.skab.records import TRAIN, Recording, Recordings

PIECE = 1150
EVERY = 1180
KINDS = ("valve", "imbalance", "valve and vibration", "gas in the water", "friction")


@final
@dataclass(frozen=True, eq=False)
class Faulty:
    """A recording with a fault put in: where ([k] bool), what, and how large."""

    recording: Recording
    where: Any
    kind: str
    size: float


def pieces(recordings: Recordings) -> list[Recording]:
    """Of the recording without anomalies."""
    whole = recordings.in_order
    return [whole.part(i, i + PIECE) for i in range(0, len(whole) - PIECE + 1, EVERY)]


def stretches(recordings: Recordings) -> list[Recording]:
    """Of three successive recordings each; those whose first rows are out of order are left out."""
    first = [r.part(0, TRAIN) for r in recordings.labelled]
    joined: list[Recording] = []
    for group in speeds(first):
        steady = [first[i] for i in group if np.ptp(first[i].rows[:, 0]) < 0.5 * np.median(first[i].rows[:, 0])]
        for a, b, c in zip(steady, steady[1:], steady[2:], strict=False):
            if c.at_s[0] - a.at_s[0] < 7200:
                joined.append(_joined(_joined(a, b), c))
    return joined


def pooled(recordings: Recordings) -> list[Recording]:
    """The recording without anomalies in pieces that do not overlap: what the twins to be scored learn from beside
    first rows.
    """
    whole, long = recordings.in_order, 3 * TRAIN
    return [whole.part(i, i + long) for i in range(0, len(whole) - long + 1, long)]


def _joined(one: Recording, other: Recording) -> Recording:
    rows = other.rows.copy()
    rows[:, 5:7] += np.median(one.rows[-5:, 5:7], axis=0) - np.median(rows[:5, 5:7], axis=0)
    return one.followed_by(Recording(other.name, other.at_s, rows))


def faults(recordings: Sequence[Recording], times: int, rng: np.random.Generator) -> list[Faulty]:
    """One in each recording, `times` over."""
    return [_fault(r, rng) for _ in range(times) for r in recordings]


def _fault(recording: Recording, rng: np.random.Generator) -> Faulty:
    rows, k = recording.rows.copy(), len(recording)
    lasts = int(math.exp(rng.uniform(math.log(90), math.log(420))))
    first = int(rng.integers(TRAIN + 30, k - lasts - 20))
    within = min(int(math.exp(rng.uniform(0, math.log(120)))), lasts // 2)
    size = math.exp(rng.uniform(math.log(0.03), math.log(0.25)))
    kind = str(rng.choice(KINDS))
    row = np.arange(k)
    there: Any = np.clip(np.minimum((row - first + 1) / within, (first + lasts - row) / within), 0.0, 1.0)
    steps: Any = np.diff(recording.rows[:TRAIN], axis=0).std(0)

    def some() -> Any:
        return size * math.exp(rng.uniform(-0.7, 0.7)) * there

    def sign() -> float:
        return 1.0 if rng.random() < 0.5 else -1.0

    if kind in KINDS[:1] + KINDS[2:4]:
        rows[:, 0] *= 1 - np.minimum(some(), 0.5)
        rows[:, 0] += np.where(there > 0, np.round(rows[:, 0]) - rows[:, 0], 0.0)
    if kind == KINDS[0]:
        rows[:, 4] += sign() * 0.05 * there
    if kind in KINDS[1:4]:
        for column in (1, 2):
            rows[:, column] += sign() * some()
    if kind == KINDS[3]:
        for column in (0, 1, 2):
            rows[:, column] += 1.2 * steps[column] * rng.standard_normal(k) * there
    if kind == KINDS[4]:
        rows[:, 3] *= 1 + 2 * some()
        rows[:, 5] += 0.1 * np.cumsum(some())
    return Faulty(Recording(recording.name, recording.at_s, rows), there > 0, kind, size)
