"""`ectype forecast`: what a twin will read and be, with quantiles, and what such forecasts have been worth."""

import argparse
import json
from dataclasses import asdict

from rich.table import Table

from ectype.cli.foresee_options import (
    add_twin,
    draw_svg,
    followed_of,
    grid_of,
    quantiles_json,
    rows_of,
    shown,
    start_of,
)
from ectype.cli.paper import paper
from ectype.cli.progress import Bar
from ectype.clock import to_iso
from ectype.errors import Misconfigured
from ectype.foresee.fan import Fan, draw
from ectype.foresee.skill import Skill, skill
from ectype.values.canonical import JSON


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_twin(parser)
    parser.add_argument("--quantiles", default="0.05,0.5,0.95", metavar="Q,Q", help="which (default %(default)s)")
    parser.add_argument("--judge", type=int, metavar="N", help="also forecast from N past instants, and score that")


def main(args: argparse.Namespace) -> None:
    """Run it."""
    try:
        levels = tuple(sorted(float(q) for q in args.quantiles.split(",")))
    except ValueError as error:
        raise Misconfigured(f"--quantiles {args.quantiles}: write numbers between 0 and 1, apart by commas") from error
    if not all(0 < q < 1 for q in levels):
        raise Misconfigured(f"--quantiles {args.quantiles}: each lies between 0 and 1")
    if args.judge is not None and args.judge < 10:
        raise Misconfigured(f"--judge {args.judge}: ten instants or more say something")
    followed = followed_of(args)
    start = start_of(args, followed)
    fan = draw(start)
    names = shown(args, fan, followed)
    judged: dict[str, tuple[Skill, ...]] = {}
    if args.judge is not None:
        steps, every_s = grid_of(args, followed)
        with Bar("Judging", hidden=args.json) as bar:
            judged = skill(
                followed,
                steps=steps,
                every_s=every_s,
                way=args.inputs,
                origins=args.judge,
                seed=args.seed,
                told=bar.update,
            )
    if args.svg is not None:
        draw_svg(args.svg, names, {"forecast": fan}, start)
    if not args.json:
        show(args.twin, start.at_ns, fan, names, levels, judged, start.every_s)
        return
    scores: dict[str, JSON] = {n: [asdict(s) for s in found] for n, found in judged.items()}
    told: dict[str, JSON] = {
        "twin": args.twin,
        "issued": to_iso(start.at_ns),
        "inputs": args.inputs,
        "draws": args.draws,
        "at": [to_iso(int(t)) for t in fan.at_ns],
        "quantiles": quantiles_json(fan, names, levels),
        "skill": scores if args.judge is not None else None,
    }
    print(json.dumps(told))


def show(
    twin: str,
    at_ns: int,
    fan: Fan,
    names: list[str],
    levels: tuple[float, ...],
    judged: dict[str, tuple[Skill, ...]],
    every_s: float,
) -> None:
    """For people."""
    console = paper()
    console.print(f"[bold]{twin}[/]: from {to_iso(at_ns)}; quantiles {', '.join(f'{q:g}' for q in levels)}")
    table = Table("at", *names, box=None)
    found = {name: fan.quantiles(name, levels) for name in names}
    for k in rows_of(fan):
        cells = ("  ".join(f"{v:.4g}" for v in found[name][:, k]) for name in names)
        table.add_row(to_iso(int(fan.at_ns[k])), *cells)
    console.print(table)
    if not judged:
        return
    scores = Table("sensor", "ahead", "rms", "persistence", "skill", "in the 90 %", "from", box=None)
    for name, rows in judged.items():
        for s in rows:
            numbers = (f"{s.rms:.4g}", f"{s.rms_persistence:.4g}", f"{s.skill:.0%}", f"{s.covered:.0%}", str(s.origins))
            scores.add_row(name, f"{s.steps * every_s:g} s", *numbers)
    console.print(scores)
