"""A room: one shared Yjs document, the people in it, and the log that every change of it goes through.

    client ──receive──► ahead (a draft: checked here, seen by nobody)
                          │ what it changed, merged per author and tick
                          ▼
                        append to the log ──► document ──► every member, the author too
                          └─ fails: the draft is dropped, everybody is told and sent away

The document holds only what is in the log, so nobody is ever shown a change that a crash could take back.
The echo tells an author that the change is kept. A member who is sent away still holds its edits and
brings them again when it comes back: Yjs sync sends whatever the other side lacks.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal, final

from pycrdt import Doc, TransactionEvent, merge_updates

from ectype.collab import wire
from ectype.collab.presence import Presences
from ectype.errors import Damaged, EctypeError, Invalid, Unavailable

Append = Callable[[bytes, str], Awaitable[object]]
Load = Callable[[], Iterable[bytes]]

NOTHING = b"\x00\x00"
_MOST_UPDATE_BYTES = 1 << 20
_MOST_WAITING = 512
_MOST_WAITING_BYTES = 8 << 20
_LEFT, _MALFORMED, _BROKEN, _TRY_LATER = 1000, 1007, 1011, 1013

_logger = logging.getLogger("ectype.collab")


@final
@dataclass(frozen=True, slots=True)
class Goodbye:
    """Why a member's connection ends: a WebSocket close code and a short reason."""

    code: int
    reason: str


@final
class Member:
    """One connection to a room: takes what the client says, holds what it is yet to hear."""

    def __init__(self, room: "Room", who: str, may_write: bool) -> None:
        self.who = who
        self.may_write = may_write
        self.goodbye: Goodbye | None = None
        self._room = room
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()

    def receive(self, message: bytes) -> None:
        """Take in one message. One that is malformed, or hopeless for the document, ends this member alone."""
        if self.goodbye is not None:
            return
        try:
            self._room.hear(self, wire.parse(message))
        except Invalid as error:
            _logger.warning("room %s: %s sent nonsense: %s", self._room.name, self.who, error)
            self.dismiss(_MALFORMED, str(error))

    def waiting(self) -> list[bytes]:
        """What the client is to be told by now, in order, taken off the queue."""
        messages = list(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        return messages

    async def messages(self) -> list[bytes]:
        """The same, but waits until there is something; empty once the membership is over (see `goodbye`)."""
        while not self._waiting and self.goodbye is None:
            self._wake.clear()
            await self._wake.wait()
        return self.waiting()

    def tell(self, message: bytes) -> None:
        """Queue a message. A client too slow to read its queue is sent away; it resumes by Yjs sync."""
        if self.goodbye is not None:
            return
        self._waiting.append(message)
        self._waiting_bytes += len(message)
        self._wake.set()
        if len(self._waiting) > _MOST_WAITING or self._waiting_bytes > _MOST_WAITING_BYTES:
            self.waiting()
            self.dismiss(_TRY_LATER, "too slow for this room; connect again")

    def dismiss(self, code: int, reason: str) -> None:
        """End the membership; what is queued is still delivered."""
        if self.goodbye is None:
            self.goodbye = Goodbye(code, reason)
            self._wake.set()
            self._room.forget(self)

    def leave(self) -> None:
        """The connection is gone."""
        self.waiting()
        self.dismiss(_LEFT, "left")


@final
@dataclass(frozen=True, slots=True)
class Seat:
    """A room as one principal may use it."""

    room: "Room"
    who: str
    may_write: bool

    async def join(self) -> Member:
        """Enter the room; the member's first message asks the client for what the room lacks."""
        return await self.room.join(self.who, self.may_write)


@final
class Room:
    """The document `name`. All calls come from one event loop.

    load: the updates in the log that make the document so far; called once, when the first member joins.
    append: logs one update by an author and returns when it is on disk; EctypeError when it could not.
    """

    def __init__(self, name: str, *, load: Load, append: Append) -> None:
        self.name = name
        self._load = load
        self._append = append
        self._doc: Doc[Any] | None = None
        self._ahead: _Draft | None = None
        self._unlogged: deque[tuple[str, bytes]] = deque()
        self._members: set[Member] = set()
        self._presences = Presences()
        self._logging: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def idle(self) -> bool:
        """Whether nobody is in and nothing is on its way to the log, so that it may be dropped and made again."""
        return not self._members and not self._unlogged

    def seat(self, who: str, *, may_write: bool = True) -> Seat:
        """This room for one principal."""
        return Seat(self, who, may_write)

    async def join(self, who: str, may_write: bool) -> Member:
        """Let a connection in. Damaged when the log's updates make no document; Unavailable once closed."""
        if self._closed:
            raise Unavailable(f"room {self.name} is closing; try again in a moment")
        doc = self._document()
        member = Member(self, who, may_write)
        self._members.add(member)
        member.tell(wire.step_1(doc.get_state()))
        if present := self._presences.all():
            member.tell(wire.awareness(present))
        return member

    def hear(self, member: Member, message: wire.Message) -> None:
        """Act on what a member says. Raises Invalid when it cannot be meant."""
        match message:
            case wire.SyncStep1(state_vector):
                member.tell(wire.step_2(self._missing(state_vector)))
            case wire.Update(data):
                self._draft(member, data)
            case wire.Awareness(states):
                if news := self._presences.hear(member, states):
                    self._tell_all(wire.awareness(news))
            case wire.QueryAwareness():
                member.tell(wire.awareness(self._presences.all()))

    def forget(self, member: Member) -> None:
        """Take a member out, and tell the others that its clients went."""
        self._members.discard(member)
        if gone := self._presences.leave(member):
            self._tell_all(wire.awareness(gone))

    def state(self) -> bytes:
        """The whole document as one Yjs update: what the log holds of it, and nothing more."""
        return self._document().get_update()

    async def close(self) -> None:
        """Send everybody away, after what they wrote is in the log."""
        self._closed = True
        while self._logging is not None:
            await asyncio.wait((self._logging,))
        self._dismiss_all(1012, "the room is closing; connect again")

    def _document(self) -> Doc[Any]:
        if self._doc is None:
            self._doc = _made_of(self._load(), self.name)
            self._ahead = _Draft(self._doc.get_update())
        return self._doc

    def _missing(self, state_vector: bytes) -> bytes:
        try:
            return self._document().get_update(state_vector)
        except BaseException as error:
            raise _refusal(error, "that is no Yjs state vector") from error

    def _draft(self, member: Member, data: bytes) -> None:
        if data == NOTHING:
            return
        if len(data) > _MOST_UPDATE_BYTES:
            raise Invalid(f"an update of {len(data)} bytes; at most {_MOST_UPDATE_BYTES}")
        if not member.may_write:
            if self._brings_news(data):
                member.tell(wire.denied(f"{member.who} may read {self.name}, not write in it"))
            return
        if self._ahead is None:
            self._ahead = self._redrafted()
        try:
            change = self._ahead.take(data)
        except BaseException as error:
            if not isinstance(error, ValueError):  # a panic half way through; undecodable bytes changed nothing
                self._ahead = None
            raise _refusal(error, "that is no Yjs update") from error
        if change is not None:
            self._unlogged.append((member.who, change))
            if self._logging is None:
                self._logging = asyncio.get_running_loop().create_task(self._log(), name=f"room {self.name}")

    def _brings_news(self, data: bytes) -> bool:
        try:
            return _Draft(self._document().get_update()).take(data) is not None
        except BaseException as error:
            raise _refusal(error, "that is no Yjs update") from error

    def _redrafted(self) -> "_Draft":
        draft = _Draft(self._document().get_update())
        for _, change in self._unlogged:
            draft.take(change)
        return draft

    async def _log(self) -> None:
        """Move what is drafted into the log, then into the document and to the members, until none is left."""
        try:
            while self._unlogged:
                runs = [(who, [change for _, change in run]) for who, run in groupby(self._unlogged, key=itemgetter(0))]
                for who, changes in runs:
                    change = changes[0] if len(changes) == 1 else merge_updates(*changes)
                    await self._append(change, who)
                    for _ in changes:
                        self._unlogged.popleft()
                    self._document().apply_update(change)
                    self._tell_all(wire.update(change))
        except EctypeError as error:
            _logger.warning("room %s: a change could not be logged: %s", self.name, error)
            code = _TRY_LATER if isinstance(error, Unavailable) else _BROKEN
            self._give_up(code, f"not saved: {error}")
        except BaseException:
            self._give_up(_BROKEN, "not saved: the node failed; connect again")
            raise
        finally:
            self._logging = None

    def _give_up(self, code: Literal[1011, 1013], reason: str) -> None:
        self._unlogged.clear()
        self._ahead = None
        self._dismiss_all(code, reason)

    def _dismiss_all(self, code: int, reason: str) -> None:
        for member in tuple(self._members):
            member.dismiss(code, reason)

    def _tell_all(self, message: bytes) -> None:
        for member in tuple(self._members):
            member.tell(message)


@final
class _Draft:
    """A document that says what an update changed in it."""

    def __init__(self, state: bytes) -> None:
        self._doc: Doc[Any] = Doc()
        self._doc.apply_update(state)
        self._changes: list[bytes] = []
        self._watch = self._doc.observe(self._changed)

    def take(self, update: bytes) -> bytes | None:
        """What `update` brings that was not there; None for nothing yet (it may wait for an earlier one)."""
        self._changes.clear()
        self._doc.apply_update(update)
        return self._changes[0] if self._changes else None

    def _changed(self, event: TransactionEvent) -> None:
        self._changes.append(event.update)


def _made_of(updates: Iterable[bytes], name: str) -> Doc[Any]:
    doc: Doc[Any] = Doc()
    for number, data in enumerate(updates):
        try:
            doc.apply_update(data)
        except BaseException as error:
            raise Damaged(f"document {name}: update {number} of the log is no Yjs update: {error}") from error
    return doc


def _refusal(error: BaseException, what: str) -> Invalid:
    """Invalid for a ValueError of Yjs or a panic of its Rust (a BaseException by a name of its own)."""
    if isinstance(error, ValueError) or type(error).__name__ == "PanicException":
        return Invalid(f"{what}: {error}")
    raise error
