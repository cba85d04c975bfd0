"""Cut the stretch of the La Haute Borne records that ships inside the package.

    python tools/make_demo_data.py ../shared/data/la_haute_borne/scada_10min.parquet

Twelve weeks as recorded: times in UTC, our column names, float32. Nothing is repaired; rows in which every value is
missing in the source are missing here too.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ectype.clock import from_iso
from ectype.estimate.models.calibrate import SHIPPED

NAMES = {
    "power": "P_avg",
    "windSpeed": "Ws_avg",
    "pitch": "Ba_avg",
    "vane": "Va_avg",
    "nacelle": "Ya_avg",
    "windDirection": "Wa_avg",
    "temperature": "Ot_avg",
}

if __name__ == "__main__":
    table = pq.read_table(sys.argv[1])
    t = table["t"].cast(pa.timestamp("ms", tz="UTC"))
    start, stop = (pa.scalar(from_iso(text) // 1_000_000).cast(pa.timestamp("ms", tz="UTC")) for text in SHIPPED)
    columns = {"turbine": table["turbine"].cast(pa.utf8()), "t": t}
    columns |= {ours: table[theirs].cast(pa.float32()) for ours, theirs in NAMES.items()}
    piece = pa.table(columns)
    piece = piece.filter(pc.and_(pc.greater_equal(t, start), pc.less(t, stop)))
    piece = piece.filter(pc.is_valid(piece["power"])).sort_by([("t", "ascending"), ("turbine", "ascending")])
    piece = piece.replace_schema_metadata(
        {"source": "ENGIE, La Haute Borne", "licence": "Licence Ouverte / Open License 2.0"}
    )
    target = Path(__file__).parent.parent / "src/ectype/demo/data/la_haute_borne.parquet"
    pq.write_table(
        piece,
        target,
        compression="zstd",
        compression_level=19,
        use_dictionary=True,
        row_group_size=1 << 20,
    )
    sys.stdout.write(f"{target}: {piece.num_rows} rows, {target.stat().st_size} bytes\n")
