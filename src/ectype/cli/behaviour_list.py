"""`ectype behaviour list SPACE`: the behaviours that a space has, how many twins each follows, which twins are followed
as one plant, and what is wrong.
"""

import argparse
import json
from pathlib import Path

from ectype.cli.behaviour_add import Fit, Kinds
from ectype.cli.options import add_json
from ectype.estimate.plant import Kind
from ectype.estimate.wiring import some
from ectype.node.assigned import assigned, fitting
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
    follows = fitting(found, kinds.twins, kinds.kinds, [])  # what does not fit is shown with each behaviour
    for kind in assigned(found, follows, kinds.links, wrong):
        _show(kind, args.json)
    for each in wrong:
        print(json.dumps({"where": each.where, "wrong": each.text}) if args.json else f"{each.where}: {each.text}")
    if not found and not wrong and not args.json:
        print(
            f"{args.space} has no behaviours of its own; put one there with: ectype behaviour add {args.space} FILE.py"
        )


def _show(kind: Kind, as_json: bool) -> None:
    if len(kind.parts) < 2:
        return
    names = [member.__name__ for member in kind.members]
    if as_json:
        for plant in kind.plants:
            print(json.dumps({"plant": plant, "behaviours": names}))
        return
    how_many = "1 plant" if len(kind.plants) == 1 else f"{len(kind.plants)} plants"
    told = some([" + ".join(plant) for plant in kind.plants])
    print(f"{how_many} of {' + '.join(names)}, each followed as one: {told}")
