"""`ectype life`: how long until a state of a twin passes its threshold, and how sure that is."""

import argparse
import json

from ectype.alarms.life import life
from ectype.cli.foresee_options import add_twin, draw_svg, followed_of, start_of
from ectype.cli.paper import paper
from ectype.clock import to_iso
from ectype.errors import Misconfigured
from ectype.foresee.fan import draw
from ectype.foresee.goal import Goal
from ectype.values.canonical import JSON

_LEVELS = (0.05, 0.5, 0.95)
_STEPS = 200  # to look ahead as the behaviour declares


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_twin(parser, far=False)
    parser.add_argument(
        "--until", metavar="THRESHOLD", help="as 'wear >= 0.8' (default: as the behaviour's `end_of_life` declares)"
    )


def main(args: argparse.Namespace) -> None:
    """Run it."""
    followed = followed_of(args)
    declared = followed.graph.behaviour.end_of_life
    if declared is None and (args.until is None or args.ahead is None):
        raise Misconfigured(
            f"{followed.graph.behaviour.__name__} declares no end; give --until and --ahead, "
            "or write class …(Behaviour, …, end_of_life='wear >= 0.8 within 90 day')"
        )
    if declared is not None and args.ahead is None:
        args.ahead = f"{declared.ahead_s} s"
        args.every = args.every or f"{declared.ahead_s / _STEPS} s"
    end = Goal.of(args.until if declared is None or args.until else declared.threshold)
    start = start_of(args, followed)
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
