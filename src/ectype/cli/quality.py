"""`ectype quality`: which series have readings that are suspect or bad, since when, and why."""

import argparse
import json
from pathlib import Path
from typing import Any, final

import numpy as np
from rich.markup import escape
from rich.table import Table

from ectype.cli.node_options import add_credentials, space_of
from ectype.cli.options import add_json
from ectype.cli.paper import paper
from ectype.clock import to_iso
from ectype.errors import Invalid
from ectype.log.fold import catch_up
from ectype.log.view import LogView, open_view
from ectype.series.judged import SeriesQuality, quality_of
from ectype.series.marks import Marks
from ectype.series.samples import Samples, merge
from ectype.values.arrow import from_arrow

_STYLE = {"bad": "bold red", "suspect": "yellow", "good": "dim"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("where", nargs="?", default="http://127.0.0.1:8787", metavar="URL|SPACE", help="a node, or a space's folder")
    add("--series", nargs="+", default=[], metavar="TWIN.PROPERTY", help="only these")
    add("--now", action="store_true", help="only series whose newest reading is not good")
    add_credentials(parser)
    add_json(parser)


def main(args: argparse.Namespace) -> None:
    """Run it."""
    rows = _asked(args) if args.where.startswith(("http://", "https://")) else looked_up(Path(args.where), args.series)
    if args.now:
        rows = [row for row in rows if row["now"] != "good"]
    if args.json:
        for row in rows:
            print(json.dumps(row))
        return
    console = paper()
    if not rows:
        console.print("No reading is marked as suspect or bad" + (" now." if args.now else "."))
        return
    table = Table(box=None)
    for name in ("series", "now", "since", "bad", "suspect", "newest mark", "why"):
        table.add_column(name, justify="right" if name in ("bad", "suspect") else "left", no_wrap=name != "why")
    for row in rows:
        last = row["last"]
        now = f"[{_STYLE[row['now']]}]{row['now']}[/]"
        since = "" if row["since_ms"] is None else _iso(row["since_ms"])
        why = escape("; ".join(last["why"]))
        table.add_row(row["series"], now, since, str(row["bad"]), str(row["suspect"]), _iso(last["t"]), why)
    console.print(table, highlight=False)


def _asked(args: argparse.Namespace) -> list[dict[str, Any]]:
    return space_of(args, args.where).quality(args.series, now=args.now)


def looked_up(space: Path, only: list[str]) -> list[dict[str, Any]]:
    """The same from a space's folder, also while a node runs on it: its log is read once for the marks, once more for
    the readings of the series that have some.
    """
    log = open_view(space)
    marks = Marks.open()
    catch_up(marks, log)
    past = _Past(log, set(marks.series()) & set(only) if only else set(marks.series()))
    rows = [row for name in only or marks.series() if (row := quality_of(marks, past, name)) is not None]
    order = ("bad", "suspect", "good")
    rows.sort(key=lambda row: (order.index(row.now), row.since_ns or 0, -row.bad, -row.suspect, row.series))
    return [_document(row) for row in rows]


@final
class _Past:
    """The readings of some series in a log."""

    def __init__(self, log: LogView, series: set[str]) -> None:
        pieces: dict[str, list[Samples]] = {name: [] for name in series}
        for _, entry in log.read(0) if series else ():
            if entry.kind != "measured" or entry.body is None:
                continue
            try:
                block = from_arrow(entry.body)
            except Invalid:
                continue  # as history does
            for number, name in enumerate(block.names):
                if name in pieces:
                    rows = np.flatnonzero(block.series == number)
                    pieces[name].append(Samples(block.at_ns[rows], block.value[rows]))
        self._of = {name: merge([piece for piece in some if len(piece)]) for name, some in pieces.items()}

    def last(self, series: str) -> tuple[int, float, float | None] | None:
        samples = self._of.get(series)
        if samples is None or not len(samples):
            return None
        return int(samples.at_ns[-1]), float(samples.value[-1]), None

    def range(self, series: str, from_ns: int, to_ns: int) -> Samples:
        samples = self._of.get(series, Samples.empty())
        first, stop = np.searchsorted(samples.at_ns, from_ns, "left"), np.searchsorted(samples.at_ns, to_ns, "right")
        return samples.take(slice(int(first), int(stop)))


def _document(row: SeriesQuality) -> dict[str, Any]:
    last = {"t": row.at_ns // 10**6, "v": row.value, "quality": row.quality, "why": list(row.reasons)}
    since_ms = None if row.since_ns is None else row.since_ns // 10**6
    counts = {"suspect": row.suspect, "bad": row.bad}
    return {"series": row.series, "now": row.now, "since_ms": since_ms, **counts, "last": last}


def _iso(ms: int) -> str:
    return to_iso(ms * 10**6)
