"""How long does a big log take to open, against reading all of it?

    python bench/open_log.py                  1,000,000 entries (about two minutes to make)
    python bench/open_log.py --entries 20000

The entries carry 1000 different sealed headers over and over: what opening does with them does not depend on that.
`open` is what a start after a clean close takes; `after a kill` the same with the log's last segment not covered by a
snapshot; `without snapshot` reads every entry, which is the baseline.
"""

import argparse
import asyncio
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

from ectype.log.entry import seal
from ectype.log.log import Log
from ectype.log.space import open_space
from ectype.log.state import SNAPSHOT


async def opened(path: Path) -> tuple[float, int]:
    began = time.perf_counter()
    space = open_space(path)
    log = await Log.open(space.store, space.signer, origin=space.origin)
    took = time.perf_counter() - began
    size = log.size
    await log.close()
    space.close()
    return took, size


async def make(path: Path, killed: Path, count: int) -> None:
    space = open_space(path)
    log = await Log.open(space.store, space.signer, origin=space.origin)
    stock = [seal(space.signer, kind="measured", subject=f"twin:{i}", body=b"x" * 100, at_ns=i) for i in range(1000)]
    while log.size < count:
        await log.append(stock[:200])
    await log.keep()
    shutil.copytree(path, killed)
    await log.close()
    space.close()


def main(count: int, folder: Path | None) -> dict[str, object]:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        path, killed = Path(name) / "space", Path(name) / "killed"
        asyncio.run(make(path, killed, count))
        size_mb = sum(file.stat().st_size for file in (path / "log").iterdir()) / 1e6
        tree_mb = sum(file.stat().st_size for file in (path / "tile").rglob("*") if file.is_file()) / 1e6
        clean = min(asyncio.run(opened(path))[0] for _ in range(3))
        after_kill, size = asyncio.run(opened(killed))
        (path / SNAPSHOT).unlink()
        whole = asyncio.run(opened(path))[0]
    return {
        "entries": size,
        "log MB": round(size_mb),
        "tiles MB": round(tree_mb),
        "open ms": round(1000 * clean),
        "after a kill ms": round(1000 * after_kill),
        "without snapshot ms": round(1000 * whole),
        "without snapshot / open": round(whole / clean, 1),
        "cpus": os.cpu_count(),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20,000 entries, for CI")
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="on which disk (default: the temporary folder)")
    options = parser.parse_args()
    if options.quick:
        options.entries = 20_000
    print(json.dumps(main(options.entries, options.folder), indent=1))
