"""Ten-minute records of a wind farm as arrays [time, turbine], as calibration and benches read them.

Gaps are NaN. Nothing is repaired except what is said here: pitch is brought to [-180, 180), and two kinds of
broken sensors can be masked with `trusted` (temperature outside -15..45 degC; a vane that repeats to the last bit
three times in a row), the same rules as OpenOA's example for this farm.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ectype.errors import Invalid
from ectype.values.block import Float64s, Int64s

STEP_NS = 600 * 1_000_000_000
COLUMNS = {
    "power": "P_avg",
    "wind_speed": "Ws_avg",
    "pitch": "Ba_avg",
    "vane": "Va_avg",
    "temperature": "Ot_avg",
}


@final
@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """at_ns [t]; the rest [t, turbine]: power kW, wind_speed m/s, pitch deg, vane deg, temperature degC."""

    turbines: tuple[str, ...]
    at_ns: Int64s
    power: Float64s
    wind_speed: Float64s
    pitch: Float64s
    vane: Float64s
    temperature: Float64s

    def span(self, start_ns: int, stop_ns: int) -> "Records":
        """Only start_ns <= at < stop_ns."""
        return self._rows((self.at_ns >= start_ns) & (self.at_ns < stop_ns))

    def outside(self, start_ns: int, stop_ns: int) -> "Records":
        """All but start_ns <= at < stop_ns."""
        return self._rows((self.at_ns < start_ns) | (self.at_ns >= stop_ns))

    def _rows(self, keep: np.ndarray) -> "Records":
        fields = ("at_ns", *COLUMNS)
        return replace(self, **{name: getattr(self, name)[keep] for name in fields})

    def trusted(self) -> "Records":
        """With records of broken sensors masked (NaN), see the module's docstring."""
        same = self.vane[1:] == self.vane[:-1]
        stuck = np.zeros(self.vane.shape, bool)
        run = same[1:] & same[:-1]
        for shift in range(3):
            stuck[shift : len(stuck) - 2 + shift] |= run
        bad = stuck | ~((self.temperature >= -15) & (self.temperature <= 45))
        return replace(self, **{name: np.where(bad, np.nan, getattr(self, name)) for name in COLUMNS})


def read(path: Path, names: Sequence[str] | None = None) -> Records:
    """The records of a Parquet file with columns turbine, t and either our names or the SCADA's own.

    Repeats of (turbine, t) keep the first row. Raises Invalid if a column is missing.
    """
    table = pq.read_table(path)
    ours = {name: name if name in table.column_names else scada for name, scada in COLUMNS.items()}
    ours["wind_speed"] = "windSpeed" if "windSpeed" in table.column_names else ours["wind_speed"]
    missing = [c for c in ("turbine", "t", *ours.values()) if c not in table.column_names]
    if missing:
        raise Invalid(f"{path}: no column {', '.join(missing)}")
    turbine = np.array(table["turbine"].cast(pa.utf8()).to_pylist())
    at = table["t"].cast(pa.timestamp("ns")).cast(pa.int64()).to_numpy()
    turbines = tuple(names or sorted(set(turbine.tolist())))
    start = int(at.min())
    size = (int(at.max()) - start) // STEP_NS + 1
    grid = {name: np.full((size, len(turbines)), np.nan) for name in ours}
    for j, name in enumerate(turbines):
        mine = np.flatnonzero(turbine == name)[::-1]  # backwards, so that the first of repeats is written last
        row = (at[mine] - start) // STEP_NS
        for column, source in ours.items():
            grid[column][row, j] = table[source].to_numpy()[mine]
    grid["pitch"] = (grid["pitch"] + 180.0) % 360.0 - 180.0
    return Records(turbines, start + STEP_NS * np.arange(size, dtype=np.int64), **grid)
