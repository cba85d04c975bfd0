"""The 18 recorded parts, and what is known of each: feed rate, clamping, tool, whether it was finished and passed.

CNC mill tool wear, System-level Manufacturing and Automation Research Testbed (SMART), University of Michigan, 2018,
CC0. As published, 17 of the 18 recordings are not in order of time; `order.py` puts them so, and only what was recorded
while the spindle turned is kept.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow.parquet as pq

from ectype.errors import Misconfigured
from ectype.values.block import Float64s
from examples.cnc_mill.order import Ordered, in_order

FOLDER = Path(__file__).resolve().parents[2].parent / "shared/data/cnc_mill"
STEP_S = 0.1
AXES = ("X1", "Y1", "Z1")
TURNING = 53.0
"""rev/s: the spindle's speed is 53.33 once it is up."""
WORK_MM = 31.0
"""The tool is in the block when it is below that."""


@final
@dataclass(frozen=True, eq=False)
class Part:
    """One part. columns: what was recorded, [rows] each, in order, while the spindle was up to speed."""

    number: int
    feed: float
    clamp_bar: float
    worn: bool
    finished: bool
    passed: bool
    columns: dict[str, Float64s]
    ordered: Ordered

    @property
    def seconds(self) -> float:
        """How long the spindle turned."""
        return STEP_S * len(self.power)

    @property
    def power(self) -> Float64s:
        """[rows] W, of the spindle."""
        return 1000.0 * self.columns["S1_OutputPower"]

    @property
    def spindle_wh(self) -> float:
        """What the spindle took in this time."""
        return float(self.power.sum()) * STEP_S / 3600.0

    @property
    def axes_wh(self) -> float:
        """What X and Y took; Z was not recorded."""
        both = self.columns["X1_OutputPower"] + self.columns["Y1_OutputPower"]
        return 1000.0 * float(both.sum()) * STEP_S / 3600.0

    @property
    def speed(self) -> Float64s:
        """[rows] mm/s, of the tool along its path in the block; 0 above it."""
        along = np.sqrt(sum(self.columns[f"{a}_ActualVelocity"] ** 2 for a in AXES))
        return np.where(self.columns["Z1_ActualPosition"] < WORK_MM, along, 0.0)


def read(folder: Path = FOLDER) -> tuple[Part, ...]:
    """All 18, by number. Raises Misconfigured if the folder does not hold them."""
    if not (folder / "cnc_mill.parquet").is_file():
        raise Misconfigured(f"{folder}: the recordings of the mill are not here; give --data")
    table: Any = pq.read_table(folder / "cnc_mill.parquet")
    names = [str(n) for n in table.column_names if n not in ("experiment", "t_s", "Machining_Process")]
    every = {n: np.asarray(table[n].to_numpy(), np.float64) for n in names}
    of = np.asarray(table["experiment"].to_numpy())
    known: Any = pq.read_table(folder / "experiments.parquet").to_pylist()
    parts: list[Part] = []
    for row in known:
        here = of == row["No"]
        ordered = in_order({n: v[here] for n, v in every.items()})
        up = ordered.columns["S1_ActualVelocity"] > TURNING
        kept = {n: v[up] for n, v in ordered.columns.items()}
        parts.append(
            Part(
                int(row["No"]),
                float(row["feedrate"]),
                float(row["clamp_pressure"]),
                row["tool_condition"] == "worn",
                row["machining_finalized"] == "yes",
                row["passed_visual_inspection"] == "yes",
                kept,
                ordered,
            )
        )
    return tuple(parts)
