"""`ectype fmu run`: an FMU as a simulated source: its outputs over time, as a recording that `ectype replay` sends."""

import argparse
import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ectype.cli.options import add_json
from ectype.cli.replay import read_time
from ectype.errors import Misconfigured
from ectype.fmi.imported import open_fmu


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("path", type=Path, metavar="FILE", help="an FMU of version 2.0 or 3.0; it is native code and is run")
    add("--out", type=Path, required=True, metavar="CSV", help="where the recording goes: twin, time, one column each")
    add("--twin", required=True, metavar="ID", help="whose rows they are")
    add("--kind", choices=("cs", "me"), help="co-simulation or model exchange (default: the first that it offers)")
    add("--every", type=float, default=1.0, metavar="S", help="a row every so many seconds (default %(default)s)")
    add("--stop", type=float, default=100.0, metavar="S", help="until then (default %(default)s)")
    add("--start", default="2026-01-01T00:00:00Z", metavar="TIME", help="the time of the first row")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="start value of a parameter, state or input")
    add("--watch", metavar="A,B", help="what to record (default: its outputs)")
    add_json(parser)


def main(args: argparse.Namespace) -> None:
    """Run it."""
    if not (args.every > 0 and args.stop >= args.every):
        raise Misconfigured("--every and --stop are positive, and --stop is not the smaller one")
    start: dict[str, float] = {}
    for text in args.set:
        name, _, value = text.partition("=")
        try:
            start[name] = float(value)
        except ValueError as error:
            raise Misconfigured(f"--set {text}: write {name}=NUMBER") from error
    began = datetime.fromtimestamp((read_time(args.start, "--start") or 0) * 1e-9, UTC)
    watch = tuple(str(args.watch).split(",")) if args.watch else ()
    rows = 1
    with open_fmu(args.path, kind=args.kind, start=start, watch=watch) as fmu, args.out.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["twin", "time", *fmu.values])
        out.writerow([args.twin, began.isoformat(), *map(repr, fmu.values.values())])
        for k in range(1, int(args.stop / args.every + 1e-9) + 1):
            told = fmu.step({}, k * args.every)
            out.writerow(
                [args.twin, (began + timedelta(seconds=k * args.every)).isoformat(), *map(repr, told.values())]
            )
            rows += 1
    print(json.dumps({"path": str(args.out), "rows": rows}) if args.json else f"{args.out}: {rows} rows")
