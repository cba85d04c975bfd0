"""SKAB's water loop: is a second unlike the first 400 of its recording? Scored by the benchmark's published protocol.

    python -m examples.skab [--data FILE]

For each of 34 recordings mean, covariance and the 99 % quantile of Hotelling's T2 come from its first 400 rows, without
labels; the rest of all recordings is scored together. Five forms were tried and all are printed: with and without the
two temperatures (which drift as the room does), of seconds and of causal means. Labels are used to score, never to fit.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow.parquet as pq

from ectype.values.block import Float64s

FILE = Path(__file__).resolve().parents[1].parent / "shared/data/skab/skab.parquet"
TRAIN = 400
LIMIT = 0.99
DRIFTING = ("Temperature", "Thermocouple")
NOT_SENSORS = ("file", "datetime", "anomaly", "changepoint")
FORMS = ((True, 1), (True, 20), (True, 60), (False, 1), (False, 10))


@final
@dataclass(frozen=True, slots=True)
class Score:
    """Of anomalous seconds: F1; false and missed alarms as shares."""

    f1: float
    false: float
    missed: float


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


def score(told: Any, truth: Any) -> Score:
    """Over all seconds given, both bool."""
    hit, wrong, missed = int((told & truth).sum()), int((told & ~truth).sum()), int((~told & truth).sum())
    return Score(2 * hit / (2 * hit + wrong + missed), wrong / int((~truth).sum()), missed / int(truth.sum()))


def benchmark(path: Path, with_temperatures: bool, window: int) -> Score:
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
            told.append(alarms(rows[files == name], window)[TRAIN:])
            truth.append(labels[files == name][TRAIN:])
    return score(np.concatenate(told), np.concatenate(truth))


def main() -> None:
    """Run it and say what came out."""
    parser = argparse.ArgumentParser(description="SKAB: outliers by Hotelling's T2, published protocol.")
    parser.add_argument("--data", type=Path, default=FILE)
    path = parser.parse_args().data
    for temperatures, window in FORMS:
        s = benchmark(path, temperatures, window)
        kind = "with" if temperatures else "without"
        print(f"{kind} temperatures, means of {window} s: F1 {s.f1:.3f}, FAR {s.false:.1%}, MAR {s.missed:.1%}")


if __name__ == "__main__":
    main()
