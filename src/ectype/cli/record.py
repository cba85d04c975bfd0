"""Whose record a command reads: the rows of a file, or what a running node has of a twin."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, TypeAlias, final

import numpy as np
import pyarrow as pa

from ectype.cli.node_options import add_credentials, space_of
from ectype.cli.replay import read_columns, read_time
from ectype.client.space import Space
from ectype.clock import to_iso
from ectype.errors import Invalid, Misconfigured
from ectype.estimate.behaviour import Behaviour
from ectype.estimate.events import Shape
from ectype.fidelity.recorded import packed_of, readings_of
from ectype.foresee.posterior import of_twin
from ectype.ids import check_twin_id
from ectype.sources.recording import Recording
from ectype.values.block import Float64s, Int64s

Readings: TypeAlias = dict[str, tuple[Int64s, Float64s]]
_USUAL_NS = 7 * 86_400 * 10**9  # how far back a node is asked


def add_source(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Declare whose record, of which time. several: of more twins than one."""
    add = parser.add_argument
    add("path", metavar="FILE|URL", help="a Parquet or CSV recording, or a running node, as http://127.0.0.1:8787")
    if several:
        add("--twin", required=True, action="append", metavar="ID", help="whose rows; several are siblings")
    else:
        add("--twin", required=True, metavar="ID", help="whose rows")
    add("--id", metavar="COLUMN", help="of a file: the column that says whose row it is")
    add("--time", metavar="COLUMN", help="of a file: the column that says when")
    add(
        "--columns",
        metavar="A,B=NAME",
        help="of a file: columns to read, and the behaviour's name for them if it is another",
    )
    add("--start", metavar="TIME", help="begin here (default: all of a file, the last seven days of a node)")
    add_credentials(parser)


def events_in(
    record: "Record", graph: Shape, twin: str, start_ns: int | None, stop_ns: int | None
) -> tuple[Int64s, Float64s]:
    """at_ns [k] and events [k, event_size], as `events_of` gives them."""
    at_ns, packed = packed_of(graph, record.read(graph, twin, start_ns, stop_ns))
    return at_ns, packed.events[:, :, 0]


class Record(Protocol):
    """What is known of twins from measurements."""

    def read(self, graph: Shape, twin: str, start_ns: int | None, stop_ns: int | None) -> Readings:
        """What was read, by declared name, as `readings_of` gives it."""
        ...

    def parameters(self, behaviour: type[Behaviour], twin: str) -> tuple[Float64s, Float64s | None]:
        """(constants [c], draws of them [c, any] or None where they are taken as they are)."""
        ...


def record_of(args: argparse.Namespace) -> Record:
    """What `path` names. Raises Misconfigured, also where options do not fit what it is."""
    for twin in [args.twin] if isinstance(args.twin, str) else args.twin:
        check_twin_id(twin)
    if args.path.startswith(("http://", "https://")):
        given = [option for option in ("id", "time", "columns") if getattr(args, option) is not None]
        if given:
            raise Misconfigured(f"--{given[0]} is for files; a node knows whose reading it is, and when and what")
        return OfNode(space_of(args, args.path), args.path)
    if args.id is None or args.time is None:
        raise Misconfigured(f"{args.path} is a file: say with --id and --time which columns tell whose row and when")
    return OfFile(
        Recording(Path(args.path), id_column=args.id, time_column=args.time, columns=read_columns(args.columns))
    )


def start_ns_of(args: argparse.Namespace) -> int | None:
    """What --start says."""
    return read_time(args.start, "--start")


def replaced(graph: Shape, constants: Float64s, given: list[str]) -> Float64s:
    """[c]: constant parameters, those given with --set replaced. Raises Misconfigured for one that is not there."""
    names = [p.name for p in graph.layout.constants]
    values = constants.copy()
    for text in given:
        name, _, value = text.partition("=")
        if name not in names:
            raise Misconfigured(f"--set {text}: the constant parameters are {', '.join(names) or 'none'}")
        try:
            values[names.index(name)] = float(value)
        except ValueError as error:
            raise Misconfigured(f"--set {text}: write {name}=NUMBER") from error
    return values


@final
class OfFile:
    """A recording; parameters are those that the behaviour declares."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def read(self, graph: Shape, twin: str, start_ns: int | None, stop_ns: int | None) -> Readings:
        """See `Record`."""
        return readings_of(graph, self._recording, twin, start_ns, stop_ns)

    def parameters(self, behaviour: type[Behaviour], twin: str) -> tuple[Float64s, None]:
        """See `Record`."""
        return np.array([p.value for p in behaviour.layout.constants], np.float64), None


@final
class OfNode:
    """What a node has: its history without bad readings; parameters are those that it follows the twin with."""

    def __init__(self, space: Space, url: str) -> None:
        self._space = space
        self._url = url

    def read(self, graph: Shape, twin: str, start_ns: int | None, stop_ns: int | None) -> Readings:
        """See `Record`. Begins seven days before the newest reading where no start is given."""
        declared = (*graph.layout.inputs, *graph.layout.sensors)
        newest = self._space.last()
        there = [d for d in declared if f"{twin}.{d.property}" in newest]
        if not there:
            raise self._nothing(graph, twin, newest)
        if start_ns is None:
            last_ns = max(newest[f"{twin}.{d.property}"][0] for d in there) * 10**6
            start_ns = (last_ns if stop_ns is None else min(last_ns, stop_ns)) - _USUAL_NS
        table: pa.Table = self._space.history(
            sorted({f"{twin}.{d.property}" for d in there}),
            start=to_iso(start_ns),
            stop=None if stop_ns is None else to_iso(stop_ns - 1),
            only="usable",
            frame="arrow",
        )
        readings = _by_series(table)
        empty = np.empty(0, np.int64), np.empty(0)
        columns = {d.name: readings.get(f"{twin}.{d.property}", empty) for d in declared}
        if not any(len(at) for at, _ in columns.values()):
            raise self._nothing(graph, twin, newest)
        return columns

    def parameters(self, behaviour: type[Behaviour], twin: str) -> tuple[Float64s, Float64s | None]:
        """See `Record`."""
        return of_twin(behaviour, self._space.twin(twin), self._space.calibration(twin), f"the calibration of {twin}")

    def _nothing(self, graph: Shape, twin: str, there: Iterable[str]) -> Invalid:
        names = [d.property for d in (*graph.layout.inputs, *graph.layout.sensors)]
        others = sorted({s.rpartition(".")[0] for s in there if s.rpartition(".")[2] in names})
        return Invalid(
            f"{self._url} has no reading of {', '.join(names)} of '{twin}' in that time; "
            f"it has some of: {', '.join(others[:10]) or 'nobody'}"
        )


def _by_series(table: pa.Table) -> dict[str, tuple[Int64s, Float64s]]:
    """at_ns and value of each series, without what is no number."""
    named = table.column("series").combine_chunks().dictionary_encode()
    which = named.indices.to_numpy()
    at_ns = table.column("at").cast(pa.int64()).to_numpy()
    value = table.column("value").cast(pa.float64()).to_numpy()
    found: dict[str, tuple[Int64s, Float64s]] = {}
    for k, name in enumerate(named.dictionary.to_pylist()):
        rows = (which == k) & np.isfinite(value)
        found[name] = at_ns[rows], value[rows]
    return found
