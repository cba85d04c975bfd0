"""A baseline without physics: is a second unlike the first 400 of its recording? By the benchmark's published protocol.

For each of 34 recordings mean, covariance and the 99 % quantile of Hotelling's T2 come from its first 400 rows, without
labels; the rest of all recordings is scored together. Six forms were tried and all are printed: with and without the
two temperatures (which drift as the room does), of seconds and of causal means. The
sixth remembers: a fault stays until the valve is opened again, so the loop is in order or not, and `lasting` tells
which from the seconds so far; its numbers were set before it was scored, once. Labels are used to score, never to fit.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from ectype.values.block import Float64s
from examples.skab.records import TRAIN
from examples.skab.score import Score, score

LIMIT = 0.99
OUTSIDE = (1 - LIMIT, 0.5)  # chance of an unusual second in order and, knowing no better, out of order
LASTS_S = 300.0  # how long either lasts, as order of magnitude
DRIFTING = ("Temperature", "Thermocouple")
NOT_SENSORS = ("file", "datetime", "anomaly", "changepoint")
FORMS = ((True, 1), (True, 20), (True, 60), (False, 1), (False, 10))


def alarms(rows: Float64s, window: int) -> Any:
    """[k] bool: whether the mean of the last `window` rows [k, sensors] is farther off than 99 % of the first 400."""
    first = rows[:TRAIN]
    spread = first.std(0)
    z = (rows - first.mean(0)) / np.where(spread < 1e-9, 1.0, spread)
    total = np.concatenate([np.zeros((1, z.shape[1])), np.cumsum(z, axis=0)])
    end = np.arange(1, len(z) + 1)
    begin = np.maximum(0, end - window)
    z = (total[end] - total[begin]) / (end - begin)[:, None]
    usual = z[window - 1 : TRAIN]
    precision = np.linalg.inv(np.cov(usual.T) + 1e-3 * np.eye(z.shape[1]))
    t2 = np.einsum("ij,jk,ik->i", z, precision, z)
    return t2 > np.quantile(t2[window - 1 : TRAIN], LIMIT)


def lasting(unusual: Any) -> Any:
    """[k] bool: whether the loop is out of order more likely than not, by a filter of two modes.

    unusual: [k] bool, each second; none after a second is used for it.
    """
    stay, odds = 1 - 1 / LASTS_S, 0.0
    told = np.zeros(len(unusual), bool)
    for second, seen in enumerate(unusual):
        out = odds * stay + (1 - odds) * (1 - stay)
        fault, order = (p if seen else 1 - p for p in reversed(OUTSIDE))
        odds = out * fault / (out * fault + (1 - out) * order)
        told[second] = odds > 0.5
    return told


def benchmark(path: Path, with_temperatures: bool, window: int, remember: bool = False) -> Score:
    """The published protocol on the 34 labelled recordings."""
    table: Any = pq.read_table(path)
    skipped = NOT_SENSORS if with_temperatures else (*NOT_SENSORS, *DRIFTING)
    rows = np.stack([np.asarray(table[c].to_numpy(), float) for c in table.column_names if c not in skipped], axis=1)
    files = np.array(table["file"].to_pylist())
    labels = np.asarray(table["anomaly"].to_numpy(), float) == 1
    told: list[Any] = []
    truth: list[Any] = []
    for name in dict.fromkeys(files.tolist()):
        if "anomaly-free" not in name:
            found = alarms(rows[files == name], window)
            told.append((lasting(found) if remember else found)[TRAIN:])
            truth.append(labels[files == name][TRAIN:])
    return score(np.concatenate(told), np.concatenate(truth))
