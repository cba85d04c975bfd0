"""What `ectype forecast`, `whatif` and `steer` share: whose record, from when, how far, and the picture."""

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ectype.cli.options import add_json
from ectype.cli.record import add_source, record_of, replaced, start_ns_of
from ectype.cli.replay import read_time
from ectype.errors import Invalid, Misconfigured
from ectype.estimate.engine import compiled, graph_of
from ectype.fidelity.recorded import load_behaviour, packed_of
from ectype.foresee.draw import picture
from ectype.foresee.fan import Fan, Start
from ectype.foresee.followed import Followed
from ectype.foresee.posterior import read_posterior
from ectype.units import quantity
from ectype.values.canonical import JSON

_PAST = 3  # how many times the length of the forecast is drawn of the past


def add_record(parser: argparse.ArgumentParser) -> None:
    """Declare whose record it is."""
    add = parser.add_argument
    add("behaviour", metavar="MODULE:CLASS", help="the twin's behaviour, as module:Class or file.py:Class")
    add_source(parser)
    add(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="parameters and how sure they are, from `ectype calibrate --out`",
    )
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="a constant parameter of this twin, as it is")
    add_json(parser)


def add_twin(parser: argparse.ArgumentParser, *, far: bool = True) -> None:
    """Declare whose record, from when, how far, and the picture. far: how far must be said."""
    add_record(parser)
    add = parser.add_argument
    add("--at", metavar="TIME", help="forecast from the last reading up to here (default: the last of all)")
    add("--ahead", required=far, metavar="TIME", help="how far, as '2 h'")
    add("--every", metavar="TIME", help="time between steps (default: as the readings came)")
    add(
        "--inputs",
        choices=("alike", "held", "recorded"),
        default="alike",
        help="how inputs go on: as after moments like this one, as they are now, or as recorded (default %(default)s)",
    )
    add("--draws", type=int, default=1000, help="trajectories (default %(default)s)")
    add("--seed", type=int, default=0, help="the same seed gives the same answer (default %(default)s)")
    add("--show", metavar="A,B", help="names to tell (default: sensors and states)")
    add("--svg", type=Path, metavar="FILE", help="draw it here")


def read_duration(text: str, option: str) -> float:
    """`2 h` in seconds."""
    try:
        seconds = quantity(text, "s", option)
    except Invalid as error:
        raise Misconfigured(str(error)) from error
    if not seconds > 0:
        raise Misconfigured(f"{option} {text}: write a time above zero, like '2 h'")
    return seconds


def followed_of(args: argparse.Namespace) -> Followed:
    """The record of that twin, followed by its filter."""
    if args.calibration is not None and args.set:
        raise Misconfigured("give --calibration or --set, not both")
    graph = graph_of(load_behaviour(args.behaviour))
    record = record_of(args)
    at_ns, packed = packed_of(graph, record.read(graph, args.twin, start_ns_of(args), None))
    if args.calibration is not None:
        fixed, drawn = read_posterior(graph.behaviour, args.calibration, args.twin)
    else:
        fixed, drawn = record.parameters(graph.behaviour, args.twin)
        if args.set:
            fixed, drawn = replaced(graph, fixed, args.set), None
    with tempfile.TemporaryDirectory() as cache:
        events, kernel = packed.events[:, :, 0], compiled(graph, Path(cache))
        return Followed.by(graph, kernel, fixed, at_ns, events, drawn, packed.known())


def grid_of(args: argparse.Namespace, followed: Followed) -> tuple[int, float]:
    """(steps, seconds between them)."""
    every_s = followed.every_s if args.every is None else read_duration(args.every, "--every")
    steps = round(read_duration(args.ahead, "--ahead") / every_s)
    if not 1 <= steps <= 100_000:
        raise Misconfigured(
            f"--ahead {args.ahead} is {steps} steps of {every_s:g} s; give --every to make it 1 to 100,000"
        )
    return steps, every_s


def start_of(args: argparse.Namespace, followed: Followed) -> Start:
    """Where the fan begins."""
    steps, every_s = grid_of(args, followed)
    at_ns = read_time(args.at, "--at")
    return Start.at(
        followed, steps=steps, every_s=every_s, at_ns=at_ns, way=args.inputs, draws=args.draws, seed=args.seed
    )


def shown(args: argparse.Namespace, fan: Fan, followed: Followed) -> list[str]:
    """The names to tell. Raises Invalid for one that is not there."""
    layout = followed.graph.layout
    usual = [*(s.name for s in layout.sensors), *layout.belief_names]
    names = [n.strip() for n in args.show.split(",")] if args.show else usual
    for name in names:
        fan.of(name)
    return names


def rows_of(fan: Fan, count: int = 6) -> list[int]:
    """Which steps are told to people: the first, the last, and some between."""
    return sorted(set(np.linspace(0, len(fan.at_ns) - 1, min(count, len(fan.at_ns))).astype(int).tolist()))


def quantiles_json(fan: Fan, names: list[str], levels: tuple[float, ...]) -> dict[str, JSON]:
    """name -> {level: [value a step]}."""
    return {n: {f"{q:g}": v.tolist() for q, v in zip(levels, fan.quantiles(n, levels), strict=True)} for n in names}


def draw_svg(path: Path, names: list[str], fans: Mapping[str, Fan], start: Start) -> None:
    """Write the picture, with as much past as helps."""
    followed = start.followed
    layout = followed.graph.layout
    index = followed.index(start.at_ns)
    length = len(start.inputs) * start.every_s * 1e9
    rows = np.arange(int(np.searchsorted(followed.at_ns, start.at_ns - _PAST * length)), index + 1)
    columns = {name: followed.beliefs[:, i] for i, name in enumerate(layout.belief_names)}
    columns |= {u.name: followed.inputs()[:, i] for i, u in enumerate(layout.inputs)}
    past = {name: (followed.at_ns[rows], values[rows]) for name, values in columns.items()}
    first = 2 + len(layout.inputs)
    for i, s in enumerate(layout.sensors):
        there = rows[followed.events[rows, first + len(layout.sensors) + i] > 0]
        past[s.name] = followed.at_ns[there], followed.events[there, first + i]
    path.write_text(picture(names, fans, past), "utf-8")
