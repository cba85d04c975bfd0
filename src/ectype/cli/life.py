"""`ectype life`: how long until a state of a twin passes its threshold, and how sure that is."""

import argparse
import json

from ectype.alarms.life import life
from ectype.cli.foresee_options import add_twin, draw_svg, followed_of, start_of
from ectype.cli.paper import paper
from ectype.clock import to_iso
from ectype.foresee.fan import draw
from ectype.foresee.goal import Goal
from ectype.values.canonical import JSON

_LEVELS = (0.05, 0.5, 0.95)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_twin(parser)
    parser.add_argument("--until", required=True, metavar="THRESHOLD", help="as 'wear >= 0.8'")


def main(args: argparse.Namespace) -> None:
    """Run it."""
    end = Goal.of(args.until)
    start = start_of(args, followed_of(args))
    fan = draw(start)
    found = life(fan, end, start.every_s)
    if args.svg is not None:
        draw_svg(args.svg, [end.name], {"forecast": fan}, start)
    quantiles = {f"{q:g}": found.quantile(q) for q in _LEVELS}
    if args.json:
        told: dict[str, JSON] = {f"{q}": v for q, v in quantiles.items()}
        issued = to_iso(start.at_ns)
        print(
            json.dumps({"twin": args.twin, "issued": issued, "until": str(end), "life_s": told, "beyond": found.beyond})
        )
        return
    words = [f"beyond {found.horizon_s:g} s" if v is None else f"{v:g} s" for v in quantiles.values()]
    console = paper()
    console.print(f"[bold]{args.twin}[/]: until {end}: {words[1]} (90 %: {words[0]} to {words[2]})")
    if found.beyond:
        console.print(
            f"{found.beyond:.0%} of the trajectories stay within until the end; look further --ahead for more."
        )
