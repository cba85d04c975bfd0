"""The sessions of one endpoint: which client has one, how long it waits for its client, how it outlives the node."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import final

from ectype.sources.mqtt import session_file
from ectype.sources.mqtt.connection import TAKEN_OVER, Connection
from ectype.sources.mqtt.filters import Filters
from ectype.sources.mqtt.limits import Limits
from ectype.sources.mqtt.packets import Will
from ectype.sources.mqtt.properties import WILL_DELAY
from ectype.sources.mqtt.session import Session

log = logging.getLogger("ectype.mqtt")

_A_TURN = 100  # sessions that are copied while nothing else happens
_EACH = 256  # bytes that a session without messages and filters is taken for


@final
class Sessions:
    """bequeath: publishes the will of the named client, when its time has come.

    monotonic, now_s: the seconds by which sessions end and messages expire, and those since 1970, by which they do
    in the file.
    """

    def __init__(
        self,
        filters: Filters,
        limits: Limits,
        monotonic: Callable[[], float],
        now_s: Callable[[], float],
        bequeath: Callable[[str, Will], None],
    ) -> None:
        self._filters = filters
        self._limits = limits
        self._monotonic = monotonic
        self._now_s = now_s
        self._bequeath = bequeath
        self._sessions: dict[tuple[str, str], Session] = {}
        self._changes = 0
        self._left_out = 0
        self._closed = False

    def greet(self, key: tuple[str, str], connection: Connection, clean: bool, expiry_s: int) -> bool:
        """Give a client that has come its session, and say whether it was there. An older connection of it ends."""
        old = self._sessions.get(key)
        if old is not None:
            if old.connection is not None:
                old.connection.close(
                    f"a new connection from {connection.peer} has taken over its client id",
                    level=logging.INFO,
                    code=TAKEN_OVER,
                )
            over = not old.expiry_s if old.connection is not None else self._monotonic() >= old.ends_s
            if clean or over:  # a session that does not wait ends with its connection
                self._end(old)
                old = None
        if old is None:
            session = self._sessions[key] = Session.begun(key, connection, expiry_s)
        else:
            session = old
            session.resume(connection, expiry_s)
        session.outbox.session = session
        connection.session = session
        return old is not None

    def free(self, user: str, name: str) -> str:
        """`name`, or one like it, that is the client id of nobody who may come back."""
        found, k = name, 1
        while (user, found) in self._sessions:
            k += 1
            found = f"{name}-{k}"
        return found

    def lost(self, connection: Connection, will: Will | None) -> Will | None:
        """The client has gone; its session may wait for it. Returns the will that is to be published now."""
        session = connection.session
        if session is None or session.connection is not connection:
            return will
        if not session.expiry_s:
            self._end(session)
            return will
        self._leave(session)
        if will is not None and (delay := will.properties.values.get(WILL_DELAY, 0)):
            session.will, session.will_at_s = will, self._monotonic() + int(delay)
            return None
        return will

    def sweep(self, now_s: float) -> None:
        """End the sessions whose time is up, and the oldest while all hold too much."""
        for session in self._sessions.values():
            session.outbox.expire()
        away = [session for session in self._sessions.values() if session.connection is None]
        held = sum(session.outbox.queued_bytes for session in away)
        for k, session in enumerate(away):  # who left first comes first
            if session.will is not None and now_s >= session.will_at_s:
                will, session.will = session.will, None
                session.outbox.changed = True
                self._bequeath(session.key[1], will)
            if now_s >= session.ends_s or held > self._limits.endpoint or len(away) - k > self._limits.away:
                held -= session.outbox.queued_bytes
                self._end(session)

    def close(self) -> None:
        """All clients go, and what they are owed stays as it is: the next `copy` is what the next node begins with."""
        self._closed = True
        for session in tuple(self._sessions.values()):
            if session.connection is not None and session.expiry_s:
                self._leave(session)
        self._changes += any(session.expiry_s for session in self._sessions.values())

    def changes(self) -> int:
        """How often what a copy holds has changed, seen from here."""
        for session in self._sessions.values():
            if session.outbox.changed:
                session.outbox.changed = False
                self._changes += session.outbox.holds
        return self._changes

    async def copy(self) -> Iterator[bytes]:
        """Those that may outlive their connection, for `load`: who left last first, as far as there is room for all.

        Each as it is at one instant; while they are many, the loop turns between them.

        The QoS 2 ids that clients have used are in the last copy alone. In an older one might be an id that its
        client has used anew since; a new message would be taken for a repeat and be lost. So after a crash such a
        message may come twice, but never not at all.
        """
        fitting: list[Session] = []
        room = self._limits.endpoint
        kept = [session for session in self._sessions.values() if session.expiry_s]
        kept.sort(key=lambda session: session.connection is not None)  # those who are here leave last
        for session in reversed(kept):
            room -= session.outbox.queued_bytes + sum(map(len, session.filters)) + _EACH
            if room < 0:
                break
            fitting.append(session)
        left_out = len(kept) - len(fitting)
        if left_out and not self._left_out:
            log.error(
                "%d MQTT sessions will not outlive the node: all together hold more than %d MiB",
                left_out, self._limits.endpoint >> 20,
            )  # fmt: skip
        self._left_out = left_out
        copy = session_file.Copy(self._ahead_s(), self._closed)
        for k, session in enumerate(reversed(fitting), 1):
            if self._sessions.get(session.key) is session:
                copy.add(session)
            if k % _A_TURN == 0:
                await asyncio.sleep(0)
        return copy.pieces()

    def load(self, path: Path) -> bool:
        """Begin with those in the file. Misconfigured if it cannot be read.

        Returns whether the file is to be replaced before any client comes, as it is a last copy: see `copy`.
        """
        found = session_file.read(path, self._ahead_s(), self._monotonic(), self._monotonic)
        for session, filters in found:
            session.outbox.session = session
            self._sessions[session.key] = session
            for pattern, said in filters.items():
                self._filters.add(session, pattern, *said)
        return any(session.exactly_once for session, _ in found)

    def _ahead_s(self) -> float:
        return self._now_s() - self._monotonic()

    def _leave(self, session: Session) -> None:
        session.leave(self._monotonic())
        self._sessions[session.key] = self._sessions.pop(session.key)  # behind those that left before

    def _end(self, session: Session) -> None:
        """The session is over: nobody will ask for what it holds."""
        session.connection = None
        self._filters.forget(session)
        if self._sessions.get(session.key) is session:
            del self._sessions[session.key]
            self._changes += session.outbox.holds
        if session.will is not None:
            will, session.will = session.will, None
            self._bequeath(session.key[1], will)
