"""`ectype behaviour list SPACE`: the behaviours that a space has, how many twins each follows, and what is wrong."""

import argparse
import json
from pathlib import Path

from ectype.cli.behaviour_add import Fit, Kinds
from ectype.cli.options import add_json
from ectype.node.behaviours import FOLDER, find


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("space", type=Path, metavar="SPACE", help="the folder of the space")
    add_json(parser)


def main(args: argparse.Namespace) -> None:
    """Run it."""
    kinds = Kinds.of(args.space)
    found, wrong = find(args.space / FOLDER)
    for each in found:
        Fit.of(each.behaviour, kinds).show(args.json)
    for each in wrong:
        print(json.dumps({"where": each.where, "wrong": each.text}) if args.json else f"{each.where}: {each.text}")
    if not found and not wrong and not args.json:
        print(
            f"{args.space} has no behaviours of its own; put one there with: ectype behaviour add {args.space} FILE.py"
        )
