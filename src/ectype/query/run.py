"""A query, asked: its rows as JSON, a page of them at a time, within a limit of time."""

import asyncio
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import cast, final

from ectype.errors import Invalid, Unavailable
from ectype.graph.columns import FALSE, TRUE, Column
from ectype.graph.fold import Graph
from ectype.graph.past import size_at
from ectype.graph.reading import EdgeRow, Reading, TwinRow, as_edge, as_twin
from ectype.model.schema import JSON
from ectype.query.errors import TooLong, Unparsable
from ectype.query.page import Key, Mark, read_token
from ectype.query.plan import WIDTH, Output, Statement, missing, plan
from ectype.query.read import read
from ectype.query.syntax import Query

ROWS = 1_000
"""The most rows of a page."""
_STEPS = 10_000  # of SQLite's machine, between two looks at the clock
_GLANCE_S = 0.005


@final
@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a result. next: what to ask the next ones with, None at the end.

    charge: what it cost, about a millisecond of work each; size: of the log that it is true of.
    """

    rows: list[dict[str, JSON]]
    next: str | None
    charge: float
    size: int


def run(
    graph: Graph | Reading,
    text: str | None,
    *,
    at: int | None = None,
    limit: int = 100,
    after: str | None = None,
    deadline_s: float = 10.0,
) -> Page:
    """The rows that the query `text` finds, at most `limit`, as of everything that was applied to `graph`.

    at: ask about the log of that size instead of now; after: a page's `next` (then `text` may be None).
    Properties that are filtered by for the first time are indexed first; of a Reading they are not (see `wanted`).
    Raises Unparsable, which says where; TooLong after `deadline_s`; Invalid for a wrong token.
    """
    mark = _mark(text, at, after)
    query = read(mark.text)
    if isinstance(graph, Reading):
        return _page(query, graph, mark, limit, deadline_s)
    size = _looked_back(graph, query, mark)
    if size is not None:
        with graph.past(size) as past, past.reading() as reading:
            return _page(query, reading, replace(mark, at=size), limit, deadline_s)
    for column in wanted(graph, mark.text):
        graph.make_column(column)
    with graph.reading() as reading:
        return _page(query, reading, mark, limit, deadline_s)


async def ask(
    graph: Graph,
    text: str | None,
    *,
    at: int | None = None,
    limit: int = 100,
    after: str | None = None,
    deadline_s: float = 10.0,
) -> Page:
    """The same as `run`, in another thread: to be called in the graph's own, which goes on meanwhile.

    While an index is made, `graph.busy` is true, and nothing may be applied to the graph.
    """
    mark = _mark(text, at, after)
    query = read(mark.text)
    if _looked_back(graph, query, mark) is not None:
        return await asyncio.to_thread(run, graph, text, at=at, limit=limit, after=after, deadline_s=deadline_s)
    while columns := wanted(graph, mark.text):
        if graph.busy:
            await asyncio.sleep(_GLANCE_S)
            continue
        graph.begin_column()
        await asyncio.to_thread(graph.finish_column, columns[0])
    with graph.reading() as reading:
        return await asyncio.to_thread(run, reading, text, at=at, limit=limit, after=after, deadline_s=deadline_s)


def _looked_back(graph: Graph, query: Query, mark: Mark) -> int | None:
    """The size of the log that is asked about, None for now."""
    if mark.at is not None:
        return mark.at
    if isinstance(query.as_of, str):
        if graph.log is None:
            raise Invalid("this graph has no log to look back in")
        return size_at(graph.log, int(query.as_of.removeprefix("ns:")))
    return query.as_of


def wanted(graph: Graph, text: str) -> Sequence[Column]:
    """The columns that ought to be indexed before that query is run. Raises Unparsable."""
    query = read(text)
    if query.as_of is not None:
        return ()
    with graph.reading() as reading:
        return missing(query, reading)


def _mark(text: str | None, at: int | None, after: str | None) -> Mark:
    if after is not None:
        mark = read_token(after)
        if text is not None and text != mark.text:
            raise Invalid("the continuation token is of another query")
        return mark
    if text is None:
        raise Unparsable("there is no query")
    return Mark(text, at, (), None)


def _page(query: Query, reading: Reading, mark: Mark, limit: int, deadline_s: float) -> Page:
    if limit < 1:
        raise Invalid("a page has at least one row")
    limit = min(limit, ROWS)
    left = query.top if mark.left is None else mark.left
    if left is not None:
        limit = min(limit, left)
    if limit <= 0:
        return Page([], None, 1.0, reading.size)
    clock = _Clock(deadline_s)
    reading.db.set_progress_handler(clock.tick, _STEPS)
    try:
        statement = plan(query, reading, limit, mark.after)
        rows = reading.db.execute(statement.sql, statement.bound).fetchall()
    except sqlite3.Error as error:
        raise _explained(error, clock, deadline_s) from error
    finally:
        reading.db.set_progress_handler(None, 0)
    found = [_row(statement.outputs, row, reading) for row in rows[:limit]]
    following = None
    if statement.paged and len(rows) > limit and (left is None or left > limit):
        keys = cast("tuple[Key, ...]", tuple(rows[limit - 1][statement.keys :]))
        following = Mark(mark.text, mark.at, keys, None if left is None else left - limit).token()
    return Page(found, following, round(1 + clock.ticks * 0.1 + len(found) * 0.01, 2), reading.size)


@final
class _Clock:
    """Says when it is too late."""

    def __init__(self, deadline_s: float) -> None:
        self.end = monotonic() + deadline_s
        self.ticks = 0

    def tick(self) -> int:
        """Called by SQLite now and then; 1 stops it."""
        self.ticks += 1
        return int(monotonic() > self.end)


def _explained(error: sqlite3.Error, clock: _Clock, deadline_s: float) -> Exception:
    if "interrupted" in str(error) or monotonic() > clock.end:
        hint = "begin at one twin ($dtId = …), or ask for fewer hops"
        return TooLong(f"the query was stopped after {deadline_s:g} s; {hint}")
    if "overflow" in str(error):
        return Invalid("the sum is too large for 64 bits; ask for AVG and COUNT instead")
    return Unavailable(f"the graph's file could not be read: {error}")


# ---- rows


def _row(outputs: Iterable[Output], row: tuple[object, ...], reading: Reading) -> dict[str, JSON]:
    whole: dict[int, dict[str, JSON]] = {}
    found: dict[str, JSON] = {}
    for output in outputs:
        if output.plain:
            value = row[output.at]
            if value is not None and output.name is not None:
                found[output.name] = value == TRUE if value in (TRUE, FALSE) else cast(JSON, value)
            continue
        if output.at not in whole:
            whole[output.at] = _thing(output, row, reading)
        thing = whole[output.at]
        if output.name is None:
            return thing
        part = _part(thing, output.path)
        if part is not _ABSENT:
            found[output.name] = cast(JSON, part)
    return found


_ABSENT = object()


def _thing(output: Output, row: tuple[object, ...], reading: Reading) -> dict[str, JSON]:
    columns = row[output.at : output.at + WIDTH]
    if output.place is not None and output.place.twins:
        return as_twin(cast(TwinRow, columns), reading.components).to_dict()
    return as_edge(cast(EdgeRow, columns)).to_dict()


def _part(thing: JSON, path: Sequence[str]) -> object:
    """What is at `path`. System names may be written in any case."""
    for name in path:
        if not isinstance(thing, Mapping):
            return _ABSENT
        if name not in thing and name.startswith("$"):
            name = next((each for each in thing if each.lower() == name.lower()), name)
        if name not in thing:
            return _ABSENT
        thing = thing[name]
    return thing


__all__ = ["Page", "Statement", "ask", "run", "wanted"]
