"""`ectype retention`: how long a running node keeps what of each series, and what of it is there."""

import argparse
import json

from rich.table import Table

from ectype.cli.node_options import add_node, space_of
from ectype.cli.paper import paper
from ectype.clock import to_iso
from ectype.errors import Misconfigured

_UNITS = (("y", 31_536_000_000), ("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000), ("ms", 1))


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("series", nargs="*", metavar="TWIN.PROPERTY", help="which series (default: all)")
    add_node(parser)
    add("--json", action="store_true", help="an object for each series")


def main(args: argparse.Namespace) -> None:
    """Run it."""
    kept = space_of(args).retention()
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
        paper().print(table)


def length(ms: int | None) -> str:
    """A length of time as it is written in retention.toml."""
    if ms is None:
        return "ever"
    unit, size = next((unit, size) for unit, size in _UNITS if ms % size == 0)
    return f"{ms // size}{unit}"


def _iso(ms: int) -> str:
    return to_iso(ms * 1_000_000)
