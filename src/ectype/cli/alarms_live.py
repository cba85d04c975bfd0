"""`ectype alarms live`: the alarms of a running node, newest first."""

import argparse
import json
from typing import Any

from rich.console import Console
from rich.markup import escape

from ectype.cli.node_options import add_node, space_of
from ectype.cli.options import add_json
from ectype.clock import to_iso


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add_node(parser)
    add("--twin", metavar="ID", help="only those of this twin")
    add("--all", action="store_true", help="also those that are over")
    add_json(parser)


def main(args: argparse.Namespace) -> None:
    """Run it."""
    found = space_of(args).alarms(active=not args.all, limit=10_000)
    found = [a for a in found if args.twin in (None, a["twin"])]
    if args.json:
        for alarm in found:
            print(json.dumps(alarm))
        return
    console = Console()
    for alarm in found:
        console.print(_told(alarm), soft_wrap=True)
    if not found:
        console.print("No alarm." if args.all else "No alarm lasts; those that are over: ectype alarms live --all")


def _told(alarm: dict[str, Any]) -> str:
    since = to_iso(alarm["since_ms"] * 10**6)
    over = "it lasts" if alarm["until_ms"] is None else f"over at {to_iso(alarm['until_ms'] * 10**6)}"
    lines = [f"[bold]{escape(alarm['twin'])}[/] {escape(alarm['name'])} since {since} ({over})"]
    lines.append(f"  {escape(alarm['text'])}")
    why: dict[str, Any] = alarm["why"] or {}
    if sensors := why.get("sensors"):
        lines.append(f"  {escape(sensors['sentence'])}")
    return "\n".join(lines)
