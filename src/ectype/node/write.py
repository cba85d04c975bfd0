"""How a person's decision becomes an entry: checked against types and graph, signed, appended, seen.

Decisions about different things do not wait for each other and share one flush of the disk. Two about the
same twin take turns, and each is appended with the twin's last index as its expectation: a check is never
about a twin that has changed since, whoever changed it.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, cast, final
from weakref import WeakValueDictionary

from ectype.clock import Clock
from ectype.errors import Conflict
from ectype.graph.check import check_write
from ectype.graph.fold import Graph
from ectype.log.entry import seal
from ectype.log.log import Log
from ectype.model.schema import JSON
from ectype.node.follower import Follower
from ectype.trust.access import Principal
from ectype.trust.keys import Signer
from ectype.values.canonical import canonical

_TRIES = 100


@final
@dataclass(frozen=True, slots=True)
class Draft:
    """An entry that somebody wants: see docs/graph.md for kinds, subjects and bodies."""

    kind: str
    subject: str
    body: JSON


@final
class Writer:
    """Appends what people decide. The node signs on behalf of a named principal."""

    def __init__(self, log: Log, graph: Graph, follower: Follower, signer: Signer, clock: Clock) -> None:
        self._log = log
        self._graph = graph
        self._follower = follower
        self._signer = signer
        self._clock = clock
        self._structure = asyncio.Lock()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def write(self, who: Principal, draft: Draft, if_match: int | None = None) -> int:
        """Append `draft` and return its index, once every fold has it.

        if_match: the last index that the subject must have; without it, the newest is taken.
        Raises what `check_write` does, and Conflict when `if_match` is not the subject's last index any more.
        """
        async with self._turns.setdefault(draft.subject, asyncio.Lock()):
            if draft.kind == "twin.patch":
                return await self._write(who, draft, if_match)
            async with self._structure:  # puts and deletes look at other twins too: one at a time
                return await self._write(who, draft, if_match)

    async def _write(self, who: Principal, draft: Draft, if_match: int | None) -> int:
        body = canonical(cast(Any, draft.body))
        for _ in range(_TRIES):
            last = self._log.last(draft.subject)
            if if_match is not None and last != if_match:
                raise Conflict(
                    f"{draft.subject} has changed since you read it (entry {if_match}, now {last}); "
                    "look at the new value and decide again",
                    last,
                )
            if last is not None:
                await self._follower.reach(last + 1)
            check_write(self._graph, draft.kind, draft.subject, draft.body)
            entry = seal(
                self._signer, kind=draft.kind, subject=draft.subject, body=body, at_ns=self._clock(), by=who.name
            )
            try:
                indices = await self._log.append([entry], expected={draft.subject: last})
            except Conflict:
                await asyncio.sleep(0)  # somebody was first: look again
                continue
            await self._follower.reach(indices.stop)
            return indices.start
        raise Conflict(f"{draft.subject} changes too fast to be written; try again", self._log.last(draft.subject))
