"""Write `src/ectype/estimate/models/wind_turbine.json`: the type's constants from the two-year records, leaving out
the stretch that the package ships (so the demo and the tests' held-out figures are honest).

    python tools/calibrate_wind_turbine.py ../shared/data/la_haute_borne/scada_10min.parquet
"""

import sys
from pathlib import Path

from ectype.estimate.models.calibrate import calibrate, write

if __name__ == "__main__":
    source = Path(sys.argv[1])
    target = Path(__file__).parent.parent / "src/ectype/estimate/models/wind_turbine.json"
    write(calibrate(source), target)
    sys.stdout.write(f"{target}: {target.stat().st_size} bytes\n")
