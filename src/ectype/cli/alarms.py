"""`ectype alarms`: what is wrong with a twin's original, since when, and which one change explains it."""

import argparse
import json

from ectype.alarms.reason import document_of
from ectype.alarms.watch import Alarm, watch
from ectype.cli.foresee_options import add_record, followed_of, read_duration
from ectype.cli.paper import paper
from ectype.clock import to_iso
from ectype.values.canonical import JSON


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_record(parser)
    add = parser.add_argument
    add("--false-every", default="30 day", metavar="TIME", help="mean time between false alarms (default %(default)s)")
    add("--window", type=int, default=50, metavar="N", help="events in a window of NIS (default %(default)s)")
    add("--settle", type=int, default=50, metavar="N", help="events that are not judged at first (default %(default)s)")


def main(args: argparse.Namespace) -> None:
    """Run it."""
    every_s = read_duration(args.false_every, "--false-every")
    followed = followed_of(args)
    found = watch(followed, false_every_s=every_s, window=args.window, settle=args.settle)
    if args.json:
        for alarm in found:
            print(json.dumps(document(args.twin, alarm)))
        return
    console = paper()
    for a in found:
        over = "it lasts" if a.cleared_ns is None else f"over at {to_iso(a.cleared_ns)}"
        by = ", ".join(dict.fromkeys(n.by for n in a.noticed))
        console.print(
            f"[bold]{args.twin}[/] {to_iso(a.raised_ns)} ({by}, {over})\n  {a.reason.sentence}", soft_wrap=True
        )
        if a.reason.isolated is not None:
            console.print(f"  {a.reason.isolated.sentence}", soft_wrap=True)
    if not found:
        console.print(f"{args.twin}: no alarm in {len(followed)} events; a false one is due every {args.false_every}.")


def document(twin: str, alarm: Alarm) -> dict[str, JSON]:
    """For programs."""
    return {
        "twin": twin,
        "since": to_iso(alarm.since_ns),
        "raised": to_iso(alarm.raised_ns),
        "cleared": None if alarm.cleared_ns is None else to_iso(alarm.cleared_ns),
        "sentence": alarm.reason.sentence,
        **document_of(alarm.noticed, alarm.reason),
    }
