"""What the twin of the rig achieves on the records.

python -m examples.zema [--data FOLDER]
"""

import argparse
import tempfile
from pathlib import Path

from ectype.errors import Misconfigured
from examples.zema import steel
from examples.zema.ahead import FIRST_HOUR
from examples.zema.collapse import LEARNT, collapses
from examples.zema.heat import forecast
from examples.zema.leak import STAGES, unseen
from examples.zema.records import FOLDER, read


def main() -> None:
    """Run it and say what came out."""
    parser = argparse.ArgumentParser(description="ZeMA's hydraulic rig: heat, pump leak, flow collapses.")
    parser.add_argument("--data", type=Path, default=FOLDER)
    try:
        records = read(parser.parse_args().data)
    except Misconfigured as error:
        parser.error(str(error))
    with tempfile.TemporaryDirectory() as cache:
        heat = forecast(records, Path(cache))
        beside = steel.forecast(records, Path(cache))
    ours, naive = heat.after_changes()
    print(f"oil 10 min ahead, first hour after both cooler changes: rms {ours:.3f} K, persistence {naive:.3f} K")
    print(
        f"  capacity {heat.capacity:.0f} kJ/K and loss {1000 * heat.loss:.0f} W/K "
        f"are what the first {FIRST_HOUR} cycles told; the rest is tracked"
    )
    print(
        f"  with steel beside the oil, a form chosen with these hours in sight: rms {beside.after_changes()[0]:.3f} K"
    )
    for stage in STAGES:
        stable, every = unseen(records, stage)
        print(f"pump leak, cooler stage {stage} %, fitted on the other two: stable {stable:.1%}, all {every:.1%}")
    found = collapses(records)
    print(
        f"flow collapses after {LEARNT} cycles of learning: {found.found} of {found.collapses} found, "
        f"{found.false_alarms} false alarms in {found.cycles_without} cycles, median {found.delay_s:.0f} s late"
    )


if __name__ == "__main__":
    main()
