"""`ectype whatif`: the fan as things are, and as they would be with something changed."""

import argparse
import json

from rich.table import Table

from ectype.cli.foresee_options import add_twin, draw_svg, followed_of, quantiles_json, rows_of, shown, start_of
from ectype.cli.paper import paper
from ectype.clock import to_iso
from ectype.foresee.goal import Goal, met
from ectype.foresee.scenario import Scenario, scenarios
from ectype.values.canonical import JSON

_LEVELS = (0.05, 0.5, 0.95)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_twin(parser)
    add = parser.add_argument
    add(
        "--if",
        dest="what",
        action="append",
        required=True,
        metavar="CHANGES",
        help="as 'pump = 8, outlet *= 1.1'; repeat",
    )
    add(
        "--goal",
        action="append",
        default=[],
        metavar="GOAL",
        help="tell how probable it is, as 'level >= 12 by 10 min'",
    )


def main(args: argparse.Namespace) -> None:
    """Run it."""
    goals = tuple(map(Goal.of, args.goal))
    followed = followed_of(args)
    start = start_of(args, followed)
    without, found = scenarios(start, args.what)
    names = shown(args, without, followed)
    chances = {"as it is": met(without, goals, start.every_s)} | {
        s.text: met(s.fan, goals, start.every_s) for s in found
    }
    if args.svg is not None:
        draw_svg(args.svg, names, {"as it is": without} | {s.text: s.fan for s in found}, start)
    if not args.json:
        show(args.twin, start.at_ns, found, names, chances if goals else {})
        return
    told: list[JSON] = [
        {
            "if": s.text,
            "quantiles": quantiles_json(s.fan, names, _LEVELS),
            "effect": {n: {f"{q:g}": v.tolist() for q, v in zip(_LEVELS, s.effect(n), strict=True)} for n in names},
            "probability": chances[s.text] if goals else None,
        }
        for s in found
    ]
    document: dict[str, JSON] = {
        "twin": args.twin,
        "issued": to_iso(start.at_ns),
        "at": [to_iso(int(t)) for t in start.times_ns],
        "asItIs": {
            "quantiles": quantiles_json(without, names, _LEVELS),
            "probability": chances["as it is"] if goals else None,
        },
        "scenarios": told,
    }
    print(json.dumps(document))


def show(twin: str, at_ns: int, found: tuple[Scenario, ...], names: list[str], chances: dict[str, float]) -> None:
    """For people."""
    console = paper()
    console.print(f"[bold]{twin}[/]: from {to_iso(at_ns)}; 5 %, median, 95 %")
    for s in found:
        table = Table(
            "at", *(f"{n} {what}" for n in names for what in ("", "changes by")), box=None, title=f"if {s.text}"
        )
        fans, effects = {n: s.fan.quantiles(n, _LEVELS) for n in names}, {n: s.effect(n) for n in names}
        for k in rows_of(s.fan):
            cells = (" ".join(f"{v:.4g}" for v in told[n][:, k]) for n in names for told in (fans, effects))
            table.add_row(to_iso(int(s.fan.at_ns[k])), *cells)
        console.print(table)
    for text, chance in chances.items():
        console.print(f"the goal is met with {chance:.0%}: {text}")
