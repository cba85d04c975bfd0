"""`ectype certify`: can a panel of classifiers tell a twin from its original, on a period it was not fitted on?"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rich.table import Table

from ectype.cli.options import add_json
from ectype.cli.paper import paper
from ectype.cli.progress import Bar
from ectype.cli.record import add_source, events_in, record_of, replaced, start_ns_of
from ectype.cli.replay import read_time
from ectype.clock import system_clock, to_iso
from ectype.errors import Misconfigured
from ectype.estimate.emit_llvm import LlvmKernel
from ectype.estimate.trace import trace
from ectype.fidelity.certificate import Certificate, certify
from ectype.fidelity.recorded import load_behaviour
from ectype.fidelity.trial import Cut, Twin
from ectype.log.entry import seal
from ectype.log.log import Log
from ectype.log.space import open_space
from ectype.values.canonical import JSON, canonical


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("behaviour", metavar="MODULE:CLASS", help="the twin's behaviour, as module:Class or file.py:Class")
    add_source(parser)
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="a constant parameter of this twin")
    add("--stop", metavar="TIME", help="end before this time")
    add("--horizon", type=int, default=20, help="samples in a window (default %(default)s)")
    add("--tried", type=int, default=20, help="stand-in originals for each control (default %(default)s)")
    add("--seed", type=int, default=0, help="the same seed gives the same certificate (default %(default)s)")
    add("--out", type=Path, metavar="FILE", help="write the certificate here, as canonical JSON")
    add("--append", type=Path, metavar="SPACE", help="append it, signed, to the log of this space (not a running one)")
    add_json(parser)


def main(args: argparse.Namespace) -> None:
    """Run it."""
    if args.tried < 1:
        raise Misconfigured(f"--tried {args.tried}: a control needs one stand-in or more; with 10 or more it says much")
    graph = trace(load_behaviour(args.behaviour))
    record = record_of(args)
    at_ns, events = events_in(record, graph, args.twin, start_ns_of(args), read_time(args.stop, "--stop"))
    fixed = replaced(graph, record.parameters(graph.behaviour, args.twin)[0], args.set)
    with tempfile.TemporaryDirectory() as cache, Bar("Judging", hidden=args.json) as bar:
        twin = Twin(graph, LlvmKernel(graph, Path(cache)), fixed, graph.initial(1)[:, 0])
        cut = Cut(horizon=args.horizon)
        found = certify(twin, events, cut=cut, tried=args.tried, seed=args.seed, told=bar.update)
    document: dict[str, JSON] = {
        "twin": args.twin,
        "behaviour": graph.behaviour.model,
        "from": to_iso(int(at_ns[0])),
        "to": to_iso(int(at_ns[-1])),
        **found.document(),
    }
    if args.out is not None:
        args.out.write_bytes(canonical(document))
    index = None if args.append is None else asyncio.run(append(args.append, args.twin, document))
    if args.json:
        print(json.dumps({**document, "index": index}))
        return
    show(found, document)
    if index is not None:
        print(f"Entry {index} of {args.append}; prove it to anybody: ectype log prove {args.append} {index}")


async def append(path: Path, twin: str, document: Mapping[str, JSON]) -> int:
    """The index of the certificate in the log of that space, once it is on disk."""
    space = open_space(path, create=False)
    try:
        log = await Log.open(space.store, space.signer, origin=space.origin)
        try:
            entry = seal(
                space.signer,
                kind="certificate",
                subject=f"certificate:{twin}",
                body=canonical(dict(document)),
                at_ns=system_clock(),
            )
            return (await log.append([entry]))[0]
        finally:
            await log.close()
    finally:
        space.close()


def show(found: Certificate, document: Mapping[str, JSON]) -> None:
    """For people."""
    console = paper()
    console.print(f"[bold]{document['twin']}[/]: [bold]{found.claim}[/]  ({document['from']} to {document['to']})")
    console.print(found.sentence)
    table = Table("control", "", box=None, title="Was the test awake?", title_justify="left")
    table.add_row("original against itself", f"p = {found.real_vs_real:.3f}")
    table.add_row("the twin itself", f"called different {found.same.caught} of {found.same.tried} times")
    for name, control in found.controls.items():
        table.add_row(name, f"caught {control.caught} of {control.tried} times")
    console.print(table)
    sensors = Table("sensor", "NIS", "95 % band", "PIT p", "skill (samples ahead)", box=None)
    for name, c in found.companions.items():
        skill = ", ".join(f"{value:.0%} ({h})" for h, value in c.skill.items())
        sensors.add_row(name, f"{c.nis:.3f}", f"{c.nis_band[0]:.3f} to {c.nis_band[1]:.3f}", f"{c.pit_p:.3g}", skill)
    console.print(sensors)
    console.print(f"data {found.data[:16]}…  model {found.model[:16]}…  panel {found.panel[:16]}…  seed {found.seed}")
