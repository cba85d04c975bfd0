"""`ectype steer`: the input that reaches a goal at least cost, as surely as asked. It tells; it commands nothing."""

import argparse
import json

from rich.table import Table

from ectype.cli.foresee_options import add_twin, draw_svg, followed_of, quantiles_json, rows_of, shown, start_of
from ectype.cli.paper import paper
from ectype.clock import to_iso
from ectype.errors import Misconfigured
from ectype.foresee.goal import Goal
from ectype.foresee.steer import Steered, steer
from ectype.values.canonical import JSON


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_twin(parser)
    add = parser.add_argument
    add(
        "--by", action="append", required=True, metavar="INPUT=LOW..HIGH", help="what may be moved, and how far; repeat"
    )
    add("--goal", action="append", required=True, metavar="GOAL", help="as 'level >= 12 by 10 min'; repeat")
    add(
        "--cost",
        metavar="NAME",
        help="what to spend least of: an input, state, sensor or health number (default: inputs)",
    )
    add("--sure", type=float, default=0.9, help="probability that all goals are met (default %(default)s)")
    add("--blocks", type=int, default=20, help="how often the input may change (default %(default)s)")


def main(args: argparse.Namespace) -> None:
    """Run it."""
    bounds = dict(map(read_bounds, args.by))
    if not 0 < args.sure < 1 or args.blocks < 1:
        raise Misconfigured("--sure is between 0 and 1, --blocks at least 1")
    goals = tuple(map(Goal.of, args.goal))
    followed = followed_of(args)
    start = start_of(args, followed)
    found = steer(start, bounds, goals, cost=args.cost, sure=args.sure, blocks=args.blocks)
    names = shown(args, found.fan, followed)
    if args.svg is not None:
        draw_svg(args.svg, [*bounds, *names], {"steered": found.fan}, start)
    if not args.json:
        show(args.twin, goals, found, names)
        return
    controls: dict[str, JSON] = {n: v.tolist() for n, v in found.controls.items()}
    document: dict[str, JSON] = {
        "twin": args.twin,
        "issued": to_iso(start.at_ns),
        "at": [to_iso(int(t)) for t in start.times_ns],
        "controls": controls,
        "cost": found.cost,
        "probability": found.probability,
        "quantiles": quantiles_json(found.fan, names, (0.05, 0.5, 0.95)),
    }
    print(json.dumps(document))


def read_bounds(text: str) -> tuple[str, tuple[float, float]]:
    """`pump=0..10`."""
    name, _, span = text.partition("=")
    low, _, high = span.partition("..")
    try:
        return name.strip(), (float(low), float(high))
    except ValueError as error:
        raise Misconfigured(f"--by {text}: write it like pump=0..10") from error


def show(twin: str, goals: tuple[Goal, ...], found: Steered, names: list[str]) -> None:
    """For people."""
    console = paper()
    wanted = " and ".join(map(str, goals))
    console.print(f"[bold]{twin}[/]: {wanted} with {found.probability:.0%}, at a cost of {found.cost:.4g}")
    table = Table("until", *found.controls, *(f"{n} (5 %, median, 95 %)" for n in names), box=None)
    fans = {n: found.fan.quantiles(n) for n in names}
    for k in rows_of(found.fan, 12):
        moved = (f"{v[k]:.4g}" for v in found.controls.values())
        table.add_row(
            to_iso(int(found.fan.at_ns[k])), *moved, *("  ".join(f"{v:.4g}" for v in fans[n][:, k]) for n in names)
        )
    console.print(table)
