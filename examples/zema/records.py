"""The recorded rig as arrays: 2205 cycles of a minute, and what was set on purpose in each (the truth).

Condition monitoring of hydraulic systems, UCI #447, CC BY 4.0 (Helwig, Pignanelli, Schuetze, I2MTC 2015).
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

FOLDER = Path(__file__).resolve().parents[2].parent / "shared/data/zema_hydraulic"
CYCLE_S = 60


@final
@dataclass(frozen=True, eq=False)
class Records:
    """seconds: each sensor [cycles, 60]; tenths: the two flows [cycles, 600]; set_to: what was set, [cycles]."""

    seconds: Mapping[str, Float64s]
    tenths: Mapping[str, Float64s]
    set_to: Mapping[str, Float64s]

    def stage(self, cooler_pct: int) -> Any:
        """[cycles] bool: that cooler stage."""
        return self.set_to["cooler_pct"] == cooler_pct


def read(folder: Path = FOLDER) -> Records:
    """All that was recorded. Raises Misconfigured if the folder does not hold it."""
    if not folder.is_dir():
        raise Misconfigured(f"{folder}: the records of the rig are not here; give --data")

    def table(name: str, rows: int) -> dict[str, Float64s]:
        read_in: Any = pq.read_table(folder / name)
        columns = {str(c): np.asarray(read_in[c].to_numpy(), float) for c in read_in.column_names}
        return {c: v.reshape(-1, rows) if rows > 1 else v for c, v in columns.items()}

    return Records(
        table("zema_1hz.parquet", CYCLE_S), table("zema_flow_10hz.parquet", 600), table("zema_profile.parquet", 1)
    )
