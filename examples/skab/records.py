"""The recorded loop as arrays. Labels are read by `truth` alone, which only the scoring asks.

Skoltech anomaly benchmark v0.9 (Katser and Kozitsin 2020, doi 10.34740/KAGGLE/DSV/1693952), GPL-3.0.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow.parquet as pq

from ectype.errors import Misconfigured
from ectype.values.block import Float64s

FILE = Path(__file__).resolve().parents[2].parent / "shared/data/skab/skab.parquet"
TRAIN = 400
COLUMNS = (
    "Volume Flow RateRMS",
    "Accelerometer1RMS",
    "Accelerometer2RMS",
    "Current",
    "Pressure",
    "Temperature",
    "Thermocouple",
    "Voltage",
)
_KELVIN = 273.15


@final
@dataclass(frozen=True, eq=False)
class Recording:
    """at_s [k]: seconds since 1970; rows [k, 8]: flow l/min, logarithms of both vibrations (RMS in g), current A,
    pressure bar, temperatures of motor and water K, voltage V.
    """

    name: str
    at_s: Float64s
    rows: Float64s

    def __len__(self) -> int:
        return len(self.at_s)

    def part(self, first: int, last: int) -> "Recording":
        """Rows first to last, without the last."""
        return Recording(f"{self.name} from row {first}", self.at_s[first:last], self.rows[first:last])

    def followed_by(self, other: "Recording") -> "Recording":
        """This one and then the other, which is later."""
        return Recording(
            self.name, np.concatenate([self.at_s, other.at_s]), np.concatenate([self.rows, other.rows], axis=0)
        )


@final
@dataclass(frozen=True, eq=False)
class Recordings:
    """labelled: the 34, in the order of the file; in_order: the one without anomalies."""

    labelled: tuple[Recording, ...]
    in_order: Recording


def read(path: Path = FILE) -> Recordings:
    """All recordings, without a label. Raises Misconfigured if the file is not there."""
    table = _table(path, ("file", "datetime", *COLUMNS))
    files = np.array(table["file"].to_pylist())
    at_s = table["datetime"].to_numpy().astype("datetime64[us]").astype(np.int64) * 1e-6
    rows = np.stack([np.asarray(table[c].to_numpy(), float) for c in COLUMNS], axis=1)
    rows[:, 1:3] = np.log(np.maximum(rows[:, 1:3], 1e-4))
    rows[:, 5:7] += _KELVIN
    found = {n: Recording(n, at_s[files == n], rows[files == n]) for n in dict.fromkeys(files.tolist())}
    free = next(n for n in found if "anomaly-free" in n)
    return Recordings(tuple(r for n, r in found.items() if n != free), found[free])


def truth(path: Path = FILE) -> Mapping[str, Any]:
    """Of each labelled recording, [k] bool: whether the row is anomalous."""
    table = _table(path, ("file", "anomaly"))
    files = np.array(table["file"].to_pylist())
    anomalous = np.asarray(table["anomaly"].to_numpy(), float) == 1
    return {n: anomalous[files == n] for n in dict.fromkeys(files.tolist()) if "anomaly-free" not in n}


def _table(path: Path, columns: tuple[str, ...]) -> Any:
    if not path.is_file():
        raise Misconfigured(f"{path}: the records of the test bed are not here; give --data")
    return pq.read_table(path, columns=list(columns))
