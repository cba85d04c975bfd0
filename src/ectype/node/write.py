"""How a person's decision becomes an entry: checked against types and graph, signed, appended, seen.

Each is checked against the graph as it will be when everything that is on its way is folded (`overlay`), and is
given to the log before anything else can be checked: the order of the checks is the order of the log, nobody
waits for a turn, and any number of decisions, also about one twin, share one flush of the disk.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast, final

import msgspec

from ectype.clock import Clock
from ectype.errors import Conflict, Invalid
from ectype.graph.changes import Change, PutBlock
from ectype.graph.check import check_write
from ectype.graph.fold import Graph
from ectype.log.entry import Entry, seal
from ectype.log.log import Log
from ectype.model.schema import JSON
from ectype.node.follower import Follower
from ectype.node.overlay import Overlay
from ectype.trust.access import Principal
from ectype.trust.keys import Signer

_TRIES = 100
_plain = msgspec.json.Encoder().encode
_sorted = msgspec.json.Encoder(order="deterministic").encode


@final
class PreconditionFailed(Conflict):
    """The twin or relationship is not (any more) what the writer thought."""


@final
@dataclass(frozen=True, slots=True)
class Draft:
    """An entry that somebody wants: see docs/graph.md for kinds, subjects and bodies."""

    kind: str
    subject: str
    body: JSON


@final
@dataclass(frozen=True, slots=True)
class Written:
    """What was appended: its index, and what it does to the graph."""

    index: int
    change: Change | None


@final
class Writer:
    """Appends what people decide. The node signs on behalf of a named principal."""

    def __init__(self, log: Log, graph: Graph, follower: Follower, signer: Signer, clock: Clock) -> None:
        self._log = log
        self._follower = follower
        self._signer = signer
        self._clock = clock
        self._graph = graph
        self._facts = Overlay(graph)
        self._doubtful = False

    async def write(
        self, who: Principal, draft: Draft, if_match: int | str | None = None, *, if_none: bool = False
    ) -> Written:
        """Append `draft`; return once every fold has it.

        if_match: the last index, or the ETag, that the twin or relationship must have; if_none: there must be none yet.
        Raises what `check_write` does, and Conflict when the precondition does not hold (any more).
        """
        return (await self.write_all(who, [draft], if_match, if_none=if_none))[0]

    async def write_all(
        self, who: Principal, drafts: Sequence[Draft], if_match: int | str | None = None, *, if_none: bool = False
    ) -> list[Written]:
        """Append all of `drafts` or none, each checked as if those before it were in force."""
        for _ in range(_TRIES):
            await self._begin()
            if if_match is not None or if_none:
                self._demand(drafts[0].subject, if_match, if_none)
            entries: list[Entry] = []
            written: list[Written] = []
            first = self._log.next
            at_ns = self._clock()
            for index, draft in enumerate(drafts, first):
                try:
                    change = check_write(self._facts, draft.kind, draft.subject, draft.body)
                    body = _text(draft.body)
                    entry = seal(
                        self._signer, kind=draft.kind, subject=draft.subject, body=body, at_ns=at_ns, by=who.name
                    )
                except BaseException:
                    self._facts.rollback()
                    raise
                entries.append(entry)
                written.append(Written(index, change))
                self._facts.add(change, index, draft.subject, at_ns)
            for entry, each in zip(entries, written, strict=True):
                self._graph.foresee(each.index, entry, each.change)
            if await self._append(entries, first):
                return written
        raise Conflict(f"{drafts[0].subject} changes too fast to be written; try again")

    async def write_block(
        self,
        who: Principal,
        job: str,
        rows: tuple[list[JSON], list[JSON]],
        mark: Callable[[PutBlock], JSON],
    ) -> int:
        """Append those twins and relationships (`rows`) that can be as one block; its index, once it is on disk.

        mark: is told what was judged, and says what the entry keeps about how far the job is.
        Does not wait for the folds.
        """
        await self._begin()
        twins, edges = rows
        subject, at_ns, first = f"import:{job}", self._clock(), self._log.next
        change = check_write(self._facts, "graph.put", subject, {"twins": twins, "relationships": edges})
        assert isinstance(change, PutBlock)
        wrong = {(fault.list, fault.row) for fault in change.faults}
        if wrong:
            twins = [row for i, row in enumerate(twins) if ("twins", i) not in wrong]
            edges = [row for i, row in enumerate(edges) if ("relationships", i) not in wrong]
        body: dict[str, JSON] = {"twins": twins, "relationships": edges, "mark": mark(change)}
        entry = seal(self._signer, kind="graph.put", subject=subject, body=_plain(body), at_ns=at_ns, by=who.name)
        self._facts.add(change, first, subject, at_ns)
        self._graph.foresee(first, entry, PutBlock(change.twins, change.relationships))
        if not await self._append([entry], first, reach=False):
            raise Conflict(f"import {job} relied on something that the disk refused; start it again")
        return first

    async def _append(self, entries: list[Entry], first: int, *, reach: bool = True) -> bool:
        """Give `entries` to the log at once; False if what they were checked against is not so any more."""
        expected = {subject: index for subject, index in self._facts.consulted.items() if index < first}
        turn = self._facts.round
        try:
            indices = await self._log.append(entries, expected=cast(Any, expected) or None)
        except Conflict:  # before anything else could happen
            self._facts.rollback()
            self._doubtful = True
            return False
        except BaseException:
            if self._facts.round == turn:  # refused at once: nothing was added since
                self._facts.rollback()
            self._doubtful = True
            raise
        if reach:
            await self._follower.reach(indices.stop)
        return True

    async def _begin(self) -> None:
        """After a refused append, look at nothing but what is durable."""
        while self._doubtful:
            await self._follower.reach(self._log.size)
            await asyncio.sleep(0.001)  # what is on its way is on the disk, or refused, soon
            if self._log.next == self._log.size == self._follower.size:
                self._facts.clear()
                self._graph.forget()
                self._doubtful = False
        self._facts.begin()

    def _demand(self, subject: str, if_match: int | str | None, if_none: bool) -> None:
        actual, etag = self._current(subject)
        if if_none and actual is not None:
            raise PreconditionFailed(f"{subject} is there already (entry {actual})", actual)
        if if_match is not None and if_match not in (actual, etag):
            raise PreconditionFailed(
                f"{subject} has changed since you read it (entry {if_match}, now {actual}); "
                "look at the new value and decide again",
                actual,
            )

    def _current(self, subject: str) -> tuple[int | None, str | None]:
        """The last index of a twin or relationship, and its ETag; for others, of the subject."""
        kind, _, name = subject.partition(":")
        if kind == "twin":
            found = self._facts.find_twin(name)
        elif kind == "relationship":
            source, _, edge = name.partition("/")
            found = self._facts.find_relationship(source, edge)
        else:
            return self._log.last(subject), None
        return (None, None) if found is None else (found.last_index, found.etag)


def _text(body: JSON) -> bytes:
    """A body as JSON with its names in order. Not RFC 8785, which has no whole numbers of 64 bits; DTDL has."""
    try:
        return _sorted(body)
    except (msgspec.MsgspecError, UnicodeError, OverflowError, RecursionError, TypeError) as error:
        raise Invalid(f"this cannot be written as JSON: {error}") from error
