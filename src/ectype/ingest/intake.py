"""Outside systems kept open: each connector in a task of its own, opened again whenever it is lost.

    batches() ─► deliver (on disk when it returns) ─► the next batch, which acknowledges the last

A connector waits while the disk does, so memory holds one batch of each. One that is lost is tried again after half
a second, then ever more seldom, at least twice a minute; one whose settings turn out wrong stops and says so.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal, cast, final

from ectype.clock import Clock
from ectype.errors import EctypeError, Unavailable
from ectype.sources.base import Message
from ectype.sources.connector import Connector, Opening, open_connector

_log = logging.getLogger("ectype.intake")
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0

State = Literal["connecting", "live", "waiting", "stopped"]


@final
@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How a source is. state: connecting (nothing has come yet), live, waiting (lost, tried again), stopped (its
    settings are wrong); since_ns: since when; error: why not live; messages: on disk since the start;
    last_ns: when the last of them came; lost: how often the connection was.
    """

    name: str
    url: str
    state: State
    since_ns: int
    error: str | None
    messages: int
    last_ns: int | None
    lost: int


@final
class Intake:
    """Runs connectors into `deliver`, which returns when its messages are on disk. Misconfigured if one cannot work."""

    def __init__(
        self,
        openings: Sequence[Opening],
        deliver: Callable[[Sequence[Message]], Awaitable[None]],
        clock: Clock,
        connect: Callable[[Opening, Clock], Connector] = open_connector,
        first_wait_s: float = _FIRST_WAIT_S,
    ) -> None:
        self._first_wait_s = first_wait_s
        self._followed = [_Followed(opening, connect(opening, clock), deliver, clock) for opening in openings]

    async def run(self) -> None:
        """Follow all of them until cancelled."""
        async with asyncio.TaskGroup() as group:
            for each in self._followed:
                group.create_task(each.run(self._first_wait_s), name=f"source {each.opening.name}")

    def status(self) -> tuple[SourceStatus, ...]:
        """How each is now, in the order they were given."""
        return tuple(each.status() for each in self._followed)


@final
class _Followed:
    """One connector and what is known of it."""

    def __init__(
        self,
        opening: Opening,
        connector: Connector,
        deliver: Callable[[Sequence[Message]], Awaitable[None]],
        clock: Clock,
    ) -> None:
        self.opening = opening
        self._connector = connector
        self._deliver = deliver
        self._clock = clock
        self._state: State = "connecting"
        self._since_ns = clock()
        self._error: str | None = None
        self._messages = 0
        self._last_ns: int | None = None
        self._lost = 0

    def status(self) -> SourceStatus:
        return SourceStatus(
            self.opening.name,
            self.opening.shown,
            self._state,
            self._since_ns,
            self._error,
            self._messages,
            self._last_ns,
            self._lost,
        )

    async def run(self, first_wait_s: float) -> None:
        wait_s = first_wait_s
        while True:
            before = self._messages
            try:
                await self._follow()
                error: Exception = Unavailable("the other side has ended it")
            except (Unavailable, OSError) as lost:
                error = lost
            except EctypeError as wrong:
                self._is("stopped", str(wrong))
                _log.error("source %s has stopped: %s", self.opening.name, wrong)
                return
            except Exception as failure:  # noqa: BLE001 - third-party connectors too: one must not end the others
                error = failure
                _log.exception("source %s failed; it is opened again", self.opening.name)
            wait_s = first_wait_s if self._messages > before else min(2 * wait_s, _LONGEST_WAIT_S)
            self._lost += 1
            if self._state != "waiting":
                _log.warning("source %s (%s): %s", self.opening.name, self.opening.shown, error)
            self._is("waiting", str(error) or type(error).__name__)
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 - so that many do not come back at once

    async def _follow(self) -> None:
        batches: Any = self._connector.batches()
        async with aclosing(batches):
            async for batch in batches:
                await self._deliver(batch)
                self._messages += len(batch)
                if batch:
                    self._last_ns = cast(Message, batch[-1]).at_ns
                self._is("live", None)

    def _is(self, state: State, error: str | None) -> None:
        if state != self._state:
            self._state, self._since_ns = state, self._clock()
        self._error = error
