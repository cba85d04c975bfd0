"""`ectype fmu show`: what is in an FMU, without running it."""

import argparse
import json
from pathlib import Path

import msgspec
from rich.table import Table

from ectype.cli.options import add_json
from ectype.cli.paper import paper
from ectype.fmi.imported import describe_fmu


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("path", type=Path, metavar="FILE", help="an FMU of version 2.0 or 3.0")
    add_json(parser)


def main(args: argparse.Namespace) -> None:
    """Run it."""
    told = describe_fmu(args.path)
    if args.json:
        print(json.dumps(msgspec.to_builtins(told)))
        return
    console = paper()
    kinds = " and ".join({"cs": "co-simulation", "me": "model exchange"}[kind] for kind in told.kinds)
    console.print(f"[bold]{told.name}[/]  FMI {told.fmi}, {kinds}, made by {told.tool or 'nobody who says so'}")
    console.print(f"runs on: {', '.join(told.platforms) or 'nothing'}")
    table = Table("variable", "", "type", "unit", "start", "", box=None)
    for v in told.variables:
        table.add_row(v.name, v.causality, v.type, v.unit, v.start, v.description)
    console.print(table)
    for problem in told.problems:
        console.print(f"[red]wrong:[/] {problem}", highlight=False)
