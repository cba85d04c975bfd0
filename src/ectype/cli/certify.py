"""`ectype certify`: can a panel of classifiers tell a twin from its original, on a period it was not fitted on?"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from ectype.cli.options import add_json
from ectype.cli.progress import Bar
from ectype.cli.replay import read_columns, read_time
from ectype.clock import system_clock, to_iso
from ectype.errors import Misconfigured
from ectype.estimate.emit_llvm import LlvmKernel
from ectype.estimate.trace import Graph, trace
from ectype.fidelity.certificate import Certificate, certify
from ectype.fidelity.recorded import events_of, load_behaviour
from ectype.fidelity.trial import Cut, Twin
from ectype.ids import check_twin_id
from ectype.log.entry import seal
from ectype.log.log import Log
from ectype.log.space import open_space
from ectype.sources.recording import Recording
from ectype.values.block import Float64s
from ectype.values.canonical import JSON, canonical


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("behaviour", metavar="MODULE:CLASS", help="the twin's behaviour, as module:Class or file.py:Class")
    add("path", type=Path, metavar="FILE", help="a Parquet or CSV recording of the original")
    add("--twin", required=True, metavar="ID", help="whose rows")
    add("--id", required=True, metavar="COLUMN", help="the column that says whose row it is")
    add("--time", required=True, metavar="COLUMN", help="the column that says when")
    add("--columns", metavar="A,B=NAME", help="columns to read, and the behaviour's name for them if it is another")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="a constant parameter of this twin")
    add("--start", metavar="TIME", help="begin here: after what the twin was fitted on")
    add("--stop", metavar="TIME", help="end before this time")
    add("--horizon", type=int, default=20, help="samples in a window (default %(default)s)")
    add("--tried", type=int, default=20, help="stand-in originals for each control (default %(default)s)")
    add("--seed", type=int, default=0, help="the same seed gives the same certificate (default %(default)s)")
    add("--out", type=Path, metavar="FILE", help="write the certificate here, as canonical JSON")
    add("--append", type=Path, metavar="SPACE", help="append it, signed, to the log of this space (not a running one)")
    add_json(parser)


def main(args: argparse.Namespace) -> None:
    """Run it."""
    check_twin_id(args.twin)
    if args.tried < 1:
        raise Misconfigured(f"--tried {args.tried}: a control needs one stand-in or more; with 10 or more it says much")
    graph = trace(load_behaviour(args.behaviour))
    columns = read_columns(args.columns)
    recording = Recording(args.path, id_column=args.id, time_column=args.time, columns=columns)
    start_ns, stop_ns = read_time(args.start, "--start"), read_time(args.stop, "--stop")
    at_ns, events = events_of(graph, recording, args.twin, start_ns, stop_ns)
    with tempfile.TemporaryDirectory() as cache, Bar("Judging", hidden=args.json) as bar:
        twin = Twin(graph, LlvmKernel(graph, Path(cache)), constants(graph, args.set), graph.initial(1)[:, 0])
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


def constants(graph: Graph, given: list[str]) -> Float64s:
    """[c]: the behaviour's constant parameters, those given replaced. Raises Misconfigured for one it has not."""
    values = {p.name: p.value for p in graph.layout.constants}
    for text in given:
        name, _, value = text.partition("=")
        if name not in values:
            raise Misconfigured(f"--set {text}: the constant parameters are {', '.join(values) or 'none'}")
        try:
            values[name] = float(value)
        except ValueError as error:
            raise Misconfigured(f"--set {text}: write {name}=NUMBER") from error
    return np.array(list(values.values()))


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
    console = Console()
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
