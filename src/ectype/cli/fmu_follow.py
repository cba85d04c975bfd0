"""`ectype fmu follow`: an FMU corrected by what was measured: states and tracked parameters, each with its error."""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
from rich.table import Table

from ectype.cli.options import add_json
from ectype.cli.paper import paper
from ectype.cli.progress import Bar
from ectype.cli.replay import read_columns
from ectype.clock import to_iso
from ectype.errors import Misconfigured
from ectype.estimate.ensemble import Ensemble
from ectype.fidelity.recorded import events_of, import_named
from ectype.fmi.behaviour import FmuBehaviour
from ectype.fmi.world import open_world
from ectype.ids import check_twin_id
from ectype.sources.recording import Recording
from ectype.values.block import Float64s


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("behaviour", metavar="MODULE:NAME", help="an FmuBehaviour, as module:name or file.py:name")
    add("path", type=Path, metavar="FILE", help="a Parquet or CSV recording")
    add("--twin", required=True, metavar="ID", help="whose rows")
    add("--id", required=True, metavar="COLUMN", help="the column that says whose row it is")
    add("--time", required=True, metavar="COLUMN", help="the column that says when")
    add("--columns", metavar="A,B=NAME", help="columns to read, and the FMU's name for them if it is another")
    add("--members", type=int, default=64, metavar="N", help="instances of the FMU (default %(default)s)")
    add("--inflation", type=float, default=1.0, metavar="X", help="widens what is believed (default %(default)s)")
    add("--seed", type=int, default=0, metavar="N", help="of the noise; the same seed, the same numbers")
    add("--tolerance", type=float, default=1e-6, metavar="X", help="of the integration (default %(default)s)")
    add("--out", type=Path, metavar="CSV", help="write every estimate here, with its standard deviation")
    add_json(parser)


def main(args: argparse.Namespace) -> None:
    """Run it."""
    check_twin_id(args.twin)
    behaviour = _load(args.behaviour)
    recording = Recording(args.path, id_column=args.id, time_column=args.time, columns=read_columns(args.columns))
    at_ns, events = events_of(behaviour, recording, args.twin)
    out: list[Float64s] = []
    with (
        open_world(behaviour, members=args.members, tolerance=args.tolerance) as world,
        Bar("following", hidden=args.json) as bar,
    ):
        ensemble = Ensemble(world, args.members, seed=args.seed, inflation=args.inflation)
        belief = ensemble.initial(1)
        for k in range(len(events)):
            belief, told = ensemble.fold(belief, world.constants, events[k : k + 1, :, None], np.ones((1, 1)))
            out.append(told[0, :, 0])
            bar.update(k + 1, len(events))
    told = np.array(out)
    names = behaviour.layout.belief_names
    if args.out is not None:
        with args.out.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["twin", "time", *(c for name in names for c in (name, f"{name}_std"))])
            estimates = told[:, : 2 * len(names)].reshape(len(told), 2, -1).swapaxes(1, 2).reshape(len(told), -1)
            for at, row in zip(at_ns.tolist(), estimates.tolist(), strict=True):
                rows.writerow([args.twin, to_iso(at), *map(repr, row)])
    _tell(args, behaviour, int(at_ns[-1]), told)


def _tell(args: argparse.Namespace, behaviour: FmuBehaviour, at_ns: int, told: Float64s) -> None:
    layout = behaviour.layout
    names = layout.belief_names
    units = [d.unit for d in (*layout.states, *layout.tracked)]
    last = {name: (float(told[-1, i]), float(told[-1, len(names) + i])) for i, name in enumerate(names)}
    seen: dict[str, tuple[float | None, int, int]] = {}
    for i, sensor in enumerate(layout.sensors):
        _, spread, nis, used = told[:, 2 * len(names) + 4 * i :].T[:4]
        came = spread > 0
        seen[sensor.name] = (float(nis[came].mean()) if came.any() else None, int(used.sum()), int(came.sum()))
    if args.json:
        estimates = {name: {"value": v, "std": s} for name, (v, s) in last.items()}
        sensors = {n: {"nis": nis, "assimilated": used, "readings": came} for n, (nis, used, came) in seen.items()}
        print(json.dumps({"twin": args.twin, "at": to_iso(at_ns), "estimates": estimates, "sensors": sensors}))
        return
    console = paper()
    console.print(f"[bold]{args.twin}[/] after {len(told)} events, at {to_iso(at_ns)}")
    table = Table("", "is", "±", "unit", box=None)
    for (name, (value, std)), unit in zip(last.items(), units, strict=True):
        table.add_row(name, f"{value:.6g}", f"{std:.2g}", unit)
    console.print(table)
    for name, (nis, used, came) in seen.items():
        how = "nothing came" if nis is None else f"NIS {nis:.2f} (1 where model and noise are right)"
        console.print(f"{name}: {how}, {used} of {came} readings taken")


def _load(name: str) -> FmuBehaviour:
    where, _, what = name.rpartition(":")
    if not where:
        raise Misconfigured(f"'{name}' names no behaviour; write module:name or file.py:name")
    module = import_named(where)
    found = getattr(module, what, None)
    if not isinstance(found, FmuBehaviour):
        there = [n for n, v in vars(module).items() if isinstance(v, FmuBehaviour)]
        raise Misconfigured(f"{where} has no FmuBehaviour '{what}'; it has: {', '.join(there) or 'none'}")
    return found
