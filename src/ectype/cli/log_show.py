"""`ectype log show SPACE`: print the entries of a log, also while it runs."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from ectype.cli.options import add_json
from ectype.cli.paper import paper
from ectype.clock import to_iso
from ectype.errors import EctypeError
from ectype.log.entry import JSON_MEDIA, Entry
from ectype.log.view import LogView, open_view
from ectype.values.arrow import MEDIA_TYPE, from_arrow


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("space", type=Path, metavar="SPACE", help="the folder of the space")
    parser.add_argument("--from", dest="start", type=int, metavar="INDEX", help="first entry (default: the last 20)")
    parser.add_argument("--limit", type=int, default=20, help="how many at most (default %(default)s; 0: all)")
    parser.add_argument("--kind", help="only entries of this kind, like twin.put or alarm.raised")
    parser.add_argument("--subject", help="only entries about this subject, like twin:R80711")
    add_json(parser)


def main(args: argparse.Namespace) -> None:
    """Run it."""
    view = open_view(args.space)
    limit = args.limit if args.limit > 0 else view.size
    rows = select(view, args.start, limit, args.kind, args.subject)
    if args.json:
        for index, entry in rows:
            print(json.dumps(as_json(index, entry)))
        return
    table = Table(title=f"{args.space}: {len(rows)} of {view.size} entries", title_justify="left", box=None)
    for name, style in (("entry", "cyan"), ("at", ""), ("kind", "bold"), ("about", ""), ("by", "")):
        table.add_column(
            name, style=style, no_wrap=True, min_width=max((len(c) for c in _column(rows, name)), default=1)
        )
    table.add_column("says", style="dim", overflow="ellipsis", no_wrap=True)
    for row in zip(*(_column(rows, name) for name in ("entry", "at", "kind", "about", "by", "says")), strict=True):
        table.add_row(*row)
    console = paper()
    console.print(table, highlight=False)


def _column(rows: list[tuple[int, Entry]], name: str) -> list[str]:
    """One column of the table, by its heading."""
    cell: dict[str, Callable[[int, Entry], str]] = {
        "entry": lambda index, _: str(index),
        "at": lambda _, entry: to_iso(entry.at_ns // 10**9 * 10**9),
        "kind": lambda _, entry: entry.kind,
        "about": lambda _, entry: escape(entry.subject[:40]),
        "by": lambda _, entry: escape((entry.on_behalf_of or entry.author[:8])[:20]),
        "says": lambda _, entry: escape(summary(entry)),
    }
    return [cell[name](index, entry) for index, entry in rows]


def select(
    view: LogView, start: int | None, limit: int, kind: str | None, subject: str | None
) -> list[tuple[int, Entry]]:
    """At most `limit` entries that fit, from `start` on; without a start, the last ones."""
    found: list[tuple[int, Entry]] = []
    unfiltered = kind is None and subject is None
    begin = max(0, view.size - limit) if start is None and unfiltered else start or 0
    for index, entry in view.read(begin):
        if kind in (None, entry.kind) and subject in (None, entry.subject):
            found.append((index, entry))
            if len(found) > limit:
                if start is not None:
                    return found[:limit]
                found.pop(0)
    return found


def summary(entry: Entry) -> str:
    """What an entry says, in a line."""
    if entry.body is None:
        return "(erased)"
    if entry.media == MEDIA_TYPE:
        try:
            block = from_arrow(entry.body)
        except EctypeError as error:
            return f"({error})"
        if not len(block):
            return "no samples"
        return f"{len(block)} samples of {len(block.names)} series, newest {to_iso(int(block.at_ns.max()))}"
    if entry.media == JSON_MEDIA:
        return entry.body.decode("utf-8", "replace")[:300]
    return f"{len(entry.body)} bytes of {entry.media}"


def as_json(index: int, entry: Entry) -> dict[str, Any]:
    """An entry as one JSON object; the body of a block as its rows."""
    body: Any = None
    if entry.body is not None and entry.media == JSON_MEDIA:
        body = json.loads(entry.body)
    elif entry.body is not None and entry.media == MEDIA_TYPE:
        body = [
            {"series": s, "at": to_iso(at), "value": v, "std": std} for s, at, v, std in from_arrow(entry.body).rows()
        ]
    return {
        "index": index,
        "at": to_iso(entry.at_ns),
        "kind": entry.kind,
        "subject": entry.subject,
        "author": entry.author,
        "by": entry.on_behalf_of,
        "media": entry.media,
        "body": body,
    }
