"""`ectype life live`: how long the twins of a running node still have, the shortest first."""

import argparse
import json
import math
from typing import Any

from rich.markup import escape

from ectype.cli.node_options import add_node, space_of
from ectype.cli.options import add_json
from ectype.cli.paper import paper


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_node(parser)
    parser.add_argument("--twin", metavar="ID", help="only this twin")
    add_json(parser)


def main(args: argparse.Namespace) -> None:
    """Run it."""
    found = [each for each in space_of(args).lives() if args.twin in (None, each["twin"])]
    found.sort(key=_left)
    if args.json:
        for each in found:
            print(json.dumps(each))
        return
    console = paper()
    for each in found:
        console.print(f"[bold]{escape(each['twin'])}[/] {escape(each['text'])}, as of {each['issued']}", soft_wrap=True)
    if not found:
        console.print(
            "Nothing is told of any twin's life. A behaviour says what ends it: end_of_life='wear >= 0.8 within 90 day'"
        )


def _left(each: dict[str, Any]) -> tuple[float, str]:
    median = each["life_s"]["0.5"]
    return (math.inf if median is None else median), each["twin"]
