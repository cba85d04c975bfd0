"""`ectype retention`: how long a running node keeps what of each series, and what of it is there."""

import argparse
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ectype.client.space import Space
from ectype.clock import to_iso
from ectype.errors import Misconfigured

_UNITS = (("y", 31_536_000_000), ("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000), ("ms", 1))


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("series", nargs="*", metavar="TWIN.PROPERTY", help="which series (default: all)")
    add("--url", default="http://127.0.0.1:8787", help="where the node is (default %(default)s)")
    add("--token-file", type=Path, metavar="FILE", help="file with the token that the node wants")
    add("--ca", metavar="FILE", help="the certificate of the node's own authority")
    add("--json", action="store_true", help="an object for each series")


def main(args: argparse.Namespace) -> None:
    """Run it."""
    token = None
    if args.token_file is not None:
        try:
            token = args.token_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Misconfigured(f"--token-file {args.token_file}: {error}") from error
    kept = Space(args.url, token=token, ca=args.ca).retention()
    for name in args.series:
        if name not in kept:
            raise Misconfigured(f"{name}: the node has no such series; it has {len(kept)}")
    table = Table("series", "samples for", "tiers", "there", box=None, pad_edge=False)
    for name in args.series or sorted(kept):
        each = kept[name]
        if args.json:
            print(json.dumps({"series": name, **each}))
            continue
        tiers = ", ".join(f"{length(t['every_ms'])} for {length(t['keep_ms'])}" for t in each["tiers"])
        there = [f"{'samples' if every is None else length(every)} from {_iso(low)}" for low, _, every in each["there"]]
        table.add_row(name, length(each["raw_ms"]), tiers or "none", "\n".join(there))
    if not args.json:
        Console().print(table)


def length(ms: int | None) -> str:
    """A length of time as it is written in retention.toml."""
    if ms is None:
        return "ever"
    unit, size = next((unit, size) for unit, size in _UNITS if ms % size == 0)
    return f"{ms // size}{unit}"


def _iso(ms: int) -> str:
    return to_iso(ms * 1_000_000)
