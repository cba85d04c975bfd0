"""Makes sure that a space holds the farm: written once, found again at the next start."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from importlib import resources
from pathlib import Path
from typing import final

import pyarrow.parquet as pq

from ectype.demo import farm
from ectype.node.view import View


@final
class Recording:
    """The packaged stretch of data: four turbines, every ten minutes."""

    def __init__(self) -> None:
        self.path = Path(str(resources.files("ectype.demo") / "data" / "la_haute_borne.parquet"))
        statistics = [self._statistics(group) for group in range(pq.ParquetFile(self.path).num_row_groups)]
        self.from_ns = min(first for first, _ in statistics)
        self.to_ns = max(last for _, last in statistics)

    def _statistics(self, group: int) -> tuple[int, int]:
        file = pq.ParquetFile(self.path)
        column = file.schema_arrow.get_field_index("t")
        statistics = file.metadata.row_group(group).column(column).statistics
        first, last = (int(instant.timestamp()) * 10**9 for instant in (statistics.min, statistics.max))
        return first, last


async def settle(view: View, recording: Recording) -> bool:
    """Write the farm if it is not there; whether it had to be."""
    there = {twin.id for twin in view.twins().twins}
    if farm.REPLAY in there:
        return False
    for draft in farm.drafts(recording.from_ns, recording.to_ns):
        await view.write(draft)
    return True
