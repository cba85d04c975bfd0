"""`ectype fmu export`: a behaviour as an FMU that other simulators run."""

import argparse
import json
from pathlib import Path

from ectype.cli.options import add_json
from ectype.fidelity.recorded import load_behaviour
from ectype.fmi.export import compiler, export


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("behaviour", metavar="MODULE:CLASS", help="the behaviour, as module:Class or file.py:Class")
    add("--out", type=Path, required=True, metavar="FILE", help="where the FMU goes")
    add("--fmi", type=int, choices=(2, 3), default=3, help="version of the interface (default %(default)s)")
    add("--step", type=float, metavar="S", help="longest step inside one of the master's (default: the master's own)")
    add("--stop", type=float, default=100.0, metavar="S", help="end of the default experiment (default %(default)s)")
    add("--source-only", action="store_true", help="leave out the binary for this machine")
    add_json(parser)


def main(args: argparse.Namespace) -> None:
    """Run it."""
    behaviour = load_behaviour(args.behaviour)
    binary = not args.source_only and compiler() is not None
    data = export(behaviour, args.fmi, step_s=args.step, stop_s=args.stop, binary=binary)
    args.out.write_bytes(data)
    if args.json:
        print(json.dumps({"path": str(args.out), "fmi": args.fmi, "bytes": len(data), "binary": binary}))
        return
    why = "" if binary or args.source_only else " (no C compiler was found: sources alone)"
    print(f"{args.out}: {behaviour.__name__} for FMI {args.fmi}.0, {len(data):,} bytes{why}")
