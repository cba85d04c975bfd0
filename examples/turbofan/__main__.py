"""What is foretold of the engines of the test set.

python -m examples.turbofan [--data FOLDER]
"""

import argparse
from pathlib import Path

from ectype.errors import Misconfigured
from examples.turbofan.engines import CAP, FOLDER, read
from examples.turbofan.life import LEVEL, foretell


def main() -> None:
    """Run it and say what came out."""
    parser = argparse.ArgumentParser(description="Turbofans: flights left.")
    parser.add_argument("--data", type=Path, default=FOLDER)
    folder = parser.parse_args().data
    for subset in ("FD001", "FD003"):
        try:
            found = foretell(read(subset, folder))
        except Misconfigured as error:
            parser.error(str(error))
        print(
            f"{subset}: {len(found.told)} engines, rms {found.rms:.2f} flights (truth capped at {CAP:.0f}), "
            f"{found.rms_whole:.2f} (truth as it is); score {found.score:.0f}; "
            f"held-out training engines {found.cv_rms:.2f}; {found.covered:.0%} inside the {LEVEL:.0%} intervals, "
            f"which are {float((found.high - found.low).mean()):.0f} flights wide"
        )


if __name__ == "__main__":
    main()
