"""Is anything lost when the process is killed? `kill -9` under load, again and again, on one growing log.

    python bench/kill9.py                 200 kills (about five minutes)
    python bench/kill9.py --kills 3

A child appends from 32 tasks (single entries, groups, expectations) and writes the index and leaf hash of each entry
to a pipe after `append` returned. The parent kills it at a random moment, opens the log and checks that

  - each acknowledged entry is there, at its index, with its leaf hash;
  - the root at the acknowledged size is the one recomputed here from the acknowledged leaf hashes, by another way;
  - the log is consistent with the root it had after the kill before, by proof.

At the end the whole space is verified: every CRC, digest, signature and tile. Killing a process keeps the page cache,
so this shows the order of writes and acknowledgements, not what a power cut leaves.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

from ectype.log.entry import seal
from ectype.log.log import Log
from ectype.log.space import open_space
from ectype.log.verify import verify_space
from ectype.trust.merkle import check_consistency, leaf_hash

SEGMENT_BYTES = 1 << 20
HEADER = 8 + 32


async def child(path: Path) -> None:
    """Append for ever, telling each acknowledged entry on standard output."""
    space = open_space(path, create=True, segment_bytes=SEGMENT_BYTES)
    log = await Log.open(space.store, space.signer, origin=space.origin)
    # Made before the load begins: the disk shall be the bottleneck, not the signatures.
    stock = [
        seal(space.signer, kind="twin.patch", subject=f"twin:{i % 50}", body=b"x" * random.randrange(400), at_ns=i)
        for i in range(400)
    ]

    async def writer(number: int) -> None:
        while True:
            size = random.choice((1, 1, 1, 5, 40))
            chosen = random.choices(stock, k=size)
            expected = {f"alone:{number}": log.last(f"alone:{number}")} if number % 4 == 0 else None
            got = await log.append(chosen, expected=expected)
            lines = [i.to_bytes(8) + leaf_hash(e.header) for i, e in zip(got, chosen, strict=True)]
            os.write(1, b"".join(lines))

    await asyncio.gather(*[writer(number) for number in range(32)])


class Acknowledged:
    """The tree over leaf hashes, the plain way: a stack of full subtrees. Shares no code with the package."""

    def __init__(self) -> None:
        self.size = 0
        self._stack: list[tuple[int, bytes]] = []

    def add(self, leaf: bytes) -> None:
        height, node = 0, leaf
        while self._stack and self._stack[-1][0] == height:
            node = sha256(b"\1" + self._stack.pop()[1] + node).digest()
            height += 1
        self._stack.append((height, node))
        self.size += 1

    def root(self) -> bytes:
        if not self._stack:
            return sha256(b"").digest()
        node = self._stack[-1][1]
        for _, left in reversed(self._stack[:-1]):
            node = sha256(b"\1" + left + node).digest()
        return node


def load_and_kill(path: Path, after_s: float) -> dict[int, bytes]:
    """Run a child, kill it `after_s` after its first acknowledgement; what it acknowledged."""
    with subprocess.Popen([sys.executable, __file__, "--child", str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        data = bytearray(os.read(process.stdout.fileno(), 1 << 20))
        until = time.monotonic() + after_s
        os.set_blocking(process.stdout.fileno(), False)
        while time.monotonic() < until:
            try:
                data += os.read(process.stdout.fileno(), 1 << 20)
            except BlockingIOError:
                time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        os.set_blocking(process.stdout.fileno(), True)
        while more := os.read(process.stdout.fileno(), 1 << 20):
            data += more
    whole = len(data) - len(data) % HEADER  # a pipe write of more than 4 KiB may be cut by the kill
    return {int.from_bytes(data[i : i + 8]): bytes(data[i + 8 : i + HEADER]) for i in range(0, whole, HEADER)}


async def check(path: Path, acked: dict[int, bytes], tree: Acknowledged) -> dict[str, int]:
    """Open the log after a kill and compare; extends `tree` to the acknowledged size."""
    began = time.perf_counter()
    space = open_space(path, create=False, segment_bytes=SEGMENT_BYTES)
    log = await Log.open(space.store, space.signer, origin=space.origin)
    opened_ms = round(1000 * (time.perf_counter() - began))
    try:
        size = max(acked, default=-1) + 1
        before = tree.size, tree.root()
        assert size <= log.size, f"acknowledged {size}, there are {log.size}"
        for index, entry in log.read(before[0], max(size, before[0])):
            found = leaf_hash(entry.header)
            # Entries below the highest acknowledged one whose line did not leave the child are taken from the log.
            expected = acked.pop(index, found)
            assert found == expected, f"entry {index} is not the one that was acknowledged"
            tree.add(expected)
        assert not acked, f"acknowledged again: {sorted(acked)[:5]}"
        assert log.root(tree.size) == tree.root(), "the root is not that of the acknowledged prefix"
        proof = log.consistency(before[0], log.size)
        check_consistency(before[0], log.size, proof, before[1], log.root())
        cut = space.recovered.cut_bytes if space.recovered else 0
        return {"size": log.size, "acknowledged": tree.size, "cut_bytes": cut, "opened_ms": opened_ms}
    finally:
        await log.close()
        space.close()


def main(kills: int, seed: int, folder: Path | None, max_s: float) -> None:
    """Kill, check, repeat, verify; prints one JSON object."""
    chance = random.Random(seed)
    tree, torn, opened = Acknowledged(), 0, []
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder) as name:
        path = Path(name) / "space"
        for number in range(kills):
            acked = load_and_kill(path, chance.uniform(0.0, max_s))
            told = len(acked)
            result = asyncio.run(check(path, acked, tree))
            torn += result["cut_bytes"] > 0
            opened.append(result["opened_ms"])
            if sys.stderr.isatty() or (number + 1) % 20 == 0:
                print(f"kill {number + 1}/{kills}: {told} acknowledged, {result}", file=sys.stderr, flush=True)
        report = verify_space(path)
    print(
        json.dumps(
            {
                "kills": kills,
                "entries": report.size,
                "acknowledged": tree.size,
                "lost": 0,
                "torn_ends_cut": torn,
                "segments": report.segments,
                "tiles": report.tiles,
                "open_ms_median": sorted(opened)[len(opened) // 2],
                "seconds": round(time.monotonic() - began),
            }
        )
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3 kills, for CI")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="on which disk (default: the temporary folder)")
    parser.add_argument("--max-s", type=float, default=0.6, help="the longest that a child lives under load")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.kills, options.max_s = 3, 0.15
    if options.child:
        asyncio.run(child(options.child))
    else:
        main(options.kills, options.seed, options.folder, options.max_s)
