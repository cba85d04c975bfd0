"""`ectype behaviour add SPACE FILE`: puts a file's behaviours into a space, after looking whether they fit.

Looking runs the file, here; in a running space only the estimator's own process does.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, final

from rich.table import Table

from ectype.cli.options import add_json
from ectype.cli.paper import paper
from ectype.errors import Invalid, Misconfigured
from ectype.estimate.behaviour import Behaviour, Input, Sensor
from ectype.estimate.engine import graph_of
from ectype.graph.fold import Graph
from ectype.log.view import open_view
from ectype.node.behaviours import FOLDER, in_file, misfits, sentence
from ectype.node.fleet import FleetWatch
from ectype.node.pipe import Kind, TwinRecord
from ectype.values.canonical import JSON


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("space", type=Path, metavar="SPACE", help="the folder of the space")
    parser.add_argument("file", type=Path, metavar="FILE", help="a Python file with a behaviour")
    parser.add_argument("--check", action="store_true", help="only look, put nothing anywhere")
    add_json(parser)


def main(args: argparse.Namespace) -> int:
    """Run it; 1 if something keeps a behaviour from being followed, and then nothing is put anywhere."""
    if args.file.suffix != ".py" or not args.file.is_file():
        raise Misconfigured(f"{args.file} is no Python file")
    kinds = Kinds.of(args.space)
    behaviours = load(args.file)
    told = [Fit.of(b, kinds) for b in behaviours]
    for fit in told:
        fit.show(args.json)
    if any(fit.fatal for fit in told):
        return 1
    target = args.space / FOLDER / args.file.name
    if not args.check and args.file.resolve() != target.resolve():
        target.parent.mkdir(exist_ok=True)
        part = target.with_suffix(".part")
        part.write_bytes(args.file.read_bytes())
        part.replace(target)  # a running node must not see half of it
    if not args.json and not args.check:
        print(f"It is in {target}; a running node takes it up at once.")
    return 0


def load(path: Path) -> list[type[Behaviour]]:
    """The behaviours of a file, traced. Raises Invalid with what is wrong in it."""
    try:
        found = in_file(path)
        for behaviour in found:
            graph_of(behaviour)
    except Exception as error:
        raise Invalid(f"{path}: {sentence(error)}") from error
    if not found:
        raise Invalid(f"{path} holds no behaviour: write `class Tank(Behaviour, model=…)` in it")
    return found


@final
@dataclass(frozen=True, slots=True)
class Kinds:
    """The types of a space, its twins, and how they are related: source, name, target."""

    kinds: Mapping[str, Kind]
    twins: Sequence[TwinRecord]
    links: Sequence[tuple[str, str, str]]

    @classmethod
    def of(cls, space: Path) -> "Kinds":
        """As the log of a space says, also while it runs."""
        view, graph = open_view(space), Graph.open()
        try:
            for index, entry in view.read(0):
                graph.apply(index, entry)
            fleet = FleetWatch(graph)
            links = fleet.links()
            return cls(fleet.kinds(), fleet.twins(links), links)
        finally:
            graph.close()


@final
@dataclass(frozen=True, slots=True)
class Fit:
    """How a behaviour fits a space. fatal: what keeps it from being followed; lacking: what it goes on without."""

    behaviour: type[Behaviour]
    units: Mapping[str, str | None]
    fatal: list[str]
    lacking: list[str]
    twins: int

    @classmethod
    def of(cls, behaviour: type[Behaviour], kinds: Kinds) -> "Fit":
        """Look."""
        model = behaviour.model
        if model not in kinds.kinds:
            said = (
                f"the space has no type {model}; put one there, or name the right one in `class …(Behaviour, model=…)`"
            )
            return cls(behaviour, {}, [said], [], 0)
        units = kinds.kinds[model].units
        fatal, lacking = misfits(behaviour, units)
        theirs = {name for name, kind in kinds.kinds.items() if model in kind.ancestors}
        return cls(behaviour, units, fatal, lacking, sum(twin.model in theirs for twin in kinds.twins))

    def show(self, as_json: bool) -> None:
        """For people, or for programs."""
        name, layout = self.behaviour.__name__, self.behaviour.layout
        rows: list[tuple[str, str, str, str, str]] = []
        for d in (*layout.sensors, *layout.inputs, *layout.constants, *layout.tracked, *layout.states):
            there = d.property in self.units
            unit = (self.units[d.property] or "no unit") if there else "–"
            how = f"{d.delay_text} behind" if isinstance(d, Sensor) and d.delay_s else ""
            if d in layout.constants or d in layout.tracked:
                how = "the twin's property" if there else "as declared, or calibrated"
            elif d in layout.states:
                how = f"told as {d.property}@estimated"
            elif isinstance(d, Input) and d.along is not None:
                how = f"along {d.along}"
            rows.append((d.kind, d.name, d.unit, f"{d.property} ({unit})" if there else "–", how))
        if as_json:
            told: list[JSON] = [
                cast(JSON, dict(zip(("kind", "name", "unit", "property", "how"), row, strict=True))) for row in rows
            ]
            print(
                json.dumps(
                    {
                        "behaviour": name,
                        "model": self.behaviour.model,
                        "twins": self.twins,
                        "declared": told,
                        "wrong": self.fatal,
                        "missing": self.lacking,
                    }
                )
            )
            return
        console = paper()
        console.print(f"[bold]{name}[/] of {self.behaviour.model}: {self.twins} twins")
        table = Table("", "name", "unit", "of the type", "", box=None)
        for row in rows:
            table.add_row(*row)
        console.print(table)
        for text in self.fatal:
            console.print(f"[bold red]wrong[/]    {text}.", soft_wrap=True)
        for text in self.lacking:
            console.print(f"[bold]missing[/]  {text}.", soft_wrap=True)
