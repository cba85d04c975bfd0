"""`ectype calibrate`: a twin's parameters from a recording, how sure they are, and what the recording cannot tell.

Several twins of one kind borrow from each other: what the data of one do not tell, its siblings' do.
"""

import argparse
import json
from pathlib import Path

from rich.table import Table

from ectype.calibrate.calibration import Calibration, calibrate
from ectype.calibrate.coordinates import WEIGHT
from ectype.calibrate.experiment import Experiment, experiments
from ectype.calibrate.hybrid import hybrid
from ectype.calibrate.identify import Identified, identify
from ectype.calibrate.siblings import calibrate_fleet
from ectype.cli.options import add_json
from ectype.cli.paper import paper
from ectype.cli.progress import Bar
from ectype.cli.record import add_source, events_in, record_of, start_ns_of
from ectype.cli.replay import read_time
from ectype.clock import to_iso
from ectype.errors import Misconfigured
from ectype.estimate.behaviour import Input
from ectype.estimate.trace import trace
from ectype.fidelity.recorded import load_behaviour
from ectype.values.canonical import JSON, canonical


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("behaviour", metavar="MODULE:CLASS", help="the twin's behaviour, as module:Class or file.py:Class")
    add_source(parser, several=True)
    add("--noise", action="append", default=[], metavar="NAME", help="estimate this sensor's or state's noise, too")
    add("--stop", metavar="TIME", help="end before this time, so that a later period can judge")
    add("--window", type=int, metavar="N", help="samples in a window of multiple shooting (default: by the length)")
    add("--learn", action="append", default=[], metavar="STATE=SIZE", help="learn what is missing, as 'h=0.02 cm/s'")
    add("--of", metavar="A,B", help="the states and inputs that what is learned depends on (default: all of them)")
    add("--out", type=Path, metavar="FILE", help="write all of it here, as canonical JSON (a list, for several)")
    add_json(parser)


def main(args: argparse.Namespace) -> None:
    """Run it."""
    if args.window is not None and args.window < 1:
        raise Misconfigured(f"--window {args.window}: a window has one sample or more")
    if len(set(args.twin)) < len(args.twin):
        raise Misconfigured("--twin: each twin once")
    graph = trace(load_behaviour(args.behaviour))
    record = record_of(args)
    start_ns, stop_ns = start_ns_of(args), read_time(args.stop, "--stop")
    read = {twin: events_in(record, graph, twin, start_ns, stop_ns) for twin in args.twin}
    events = {twin: told[1] for twin, told in read.items()}
    learn = dict(text.partition("=")[::2] for text in args.learn)
    if learn and len(events) > 1:
        raise Misconfigured("--learn: one twin at a time")
    taught: dict[str, JSON] = {}
    with Bar("Calibrating", hidden=args.json) as bar:
        if len(events) > 1:
            fleet = calibrate_fleet(graph.behaviour, events, noises=args.noise, window=args.window, told=bar.update)
            found = dict(fleet.twins)
        else:
            one = events[args.twin[0]]
            alone = calibrate(graph.behaviour, one, noises=args.noise, window=args.window, told=bar.update)
            if learn:
                inputs = [u.name for u in graph.layout.inputs if isinstance(u, Input)]
                of = args.of.split(",") if args.of else [*(s.name for s in graph.layout.states), *inputs]
                hybrid_ = hybrid(alone, learn, of, told=bar.update)
                alone, taught["learned"] = hybrid_.calibration, hybrid_.document()
            found = {args.twin[0]: alone}
    documents: list[JSON] = []
    for twin, calibration in found.items():
        at_ns = read[twin][0]
        span = (to_iso(int(at_ns[0])), to_iso(int(at_ns[-1])))
        documents.append(tell(twin, span, calibration, taught, args.json))
    if args.out is not None:
        args.out.write_bytes(canonical(documents if len(documents) > 1 else documents[0]))


def tell(
    twin: str, span: tuple[str, str], found: Calibration, taught: dict[str, JSON], as_json: bool
) -> dict[str, JSON]:
    """Print one twin's calibration, and give it as a document."""
    said = identify(found)
    with Bar("Looking for experiments", hidden=as_json) as bar:
        ways: list[tuple[Experiment, ...]] = []
        for i, untold in enumerate(said.untold):
            bar.update(i, len(said.untold))
            ways.append(() if untold.learned else experiments(found, untold))
    document: dict[str, JSON] = {
        "twin": twin,
        "from": span[0],
        "to": span[1],
        **found.document(),
        **taught,
        "identifiability": dict(said.document()),
        "experiments": [[e.document() for e in way] for way in ways],
    }
    if as_json:
        print(json.dumps(document))
    else:
        show(found, said, ways, document)
    return document


def show(found: Calibration, said: Identified, ways: list[tuple[Experiment, ...]], document: dict[str, JSON]) -> None:
    """For people."""
    console = paper()
    console.print(f"[bold]{document['twin']}[/]: {document['from']} to {document['to']}, {found.readings} readings")
    table = Table("parameter", "value", "95 %", "unit", "prior's 95 %", "width left", box=None)
    estimates = {name: e for name, e in found.estimates.items() if not name.startswith(WEIGHT)}
    for name, e in estimates.items():
        before = f"{e.prior[1]:.4g} to {e.prior[2]:.4g}"
        table.add_row(name, f"{e.value:.5g}", f"{e.low:.5g} to {e.high:.5g}", e.unit, before, f"{e.shrunk:.0%}")
    console.print(table)
    console.print("NIS (1 is as sure as it should be): " + ", ".join(f"{n} {v:.3g}" for n, v in found.nis.items()))
    if found.set_aside:
        console.print(f"{found.set_aside} readings were beyond their sensor's gate and were set aside.")
    if found.at_bound:
        console.print(f"At a bound, so do not trust the interval of: {', '.join(found.at_bound)}.")
    if not found.converged:
        console.print("[bold]It did not converge[/]: these are the best values found, and no posterior.")
    learned = document.get("learned")
    if isinstance(learned, dict):
        console.print(str(learned["sentence"]))
    console.print(said.sentence)
    for untold, way in zip(said.untold, ways, strict=True):
        if way:
            console.print(f"- {untold.sentence}")
        for experiment in way:
            console.print(f"    {experiment.sentence}")
    if learned is not None:
        return
    given = " ".join(f"--set {name}={e.value:.6g}" for name, e in estimates.items() if " " not in name)
    console.print(f"Is it right on a later period?  ectype certify … {given}", soft_wrap=True)
