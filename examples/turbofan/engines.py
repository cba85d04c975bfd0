"""NASA's simulated turbofans (C-MAPSS): sensors of engines, a row a flight, until they fail or the record is cut.

Saxena, Goebel, Simon, Eklund, PHM 2008. Subsets FD001 and FD003: one flight condition; one fault, or two.
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

FOLDER = Path(__file__).resolve().parents[2].parent / "shared/data/cmapss"
SENSORS = (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21)
"""Those that change at all at one flight condition."""
CAP = 125.0
"""An engine with more flights than that left shows nothing yet: its life counts as that many, as is customary."""


@final
@dataclass(frozen=True, eq=False)
class Engines:
    """Readings [flights, sensors] of each engine. train: until failure; test: cut, with the flights left after it."""

    train: Mapping[int, Float64s]
    test: Mapping[int, Float64s]
    left: Mapping[int, float]


def read(subset: str, folder: Path = FOLDER) -> Engines:
    """One subset, `FD001` or `FD003`. Raises Misconfigured if the folder does not hold it."""
    if not folder.is_dir():
        raise Misconfigured(f"{folder}: the records of the engines are not here; give --data")
    answers: Any = pq.read_table(folder / "test_rul.parquet").to_pylist()
    left = {int(row["unit"]): float(row["rul"]) for row in answers if row["subset"] == subset}
    return Engines(_units(folder / "train.parquet", subset), _units(folder / "test.parquet", subset), left)


def _units(path: Path, subset: str) -> dict[int, Float64s]:
    table: Any = pq.read_table(path, filters=[("subset", "=", subset)])
    unit, cycle = (table[name].to_numpy() for name in ("unit", "cycle"))
    values = np.stack([table[f"s{number}"].to_numpy() for number in SENSORS], axis=1).astype(np.float64)
    order = np.lexsort((cycle, unit))
    unit, values = unit[order], values[order]
    return {int(name): values[unit == name] for name in np.unique(unit)}
