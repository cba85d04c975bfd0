"""A Yjs client for tests: pycrdt's document behind the bytes that a stock y-websocket client would send."""

from collections.abc import Awaitable, Callable
from typing import Any

from pycrdt import Decoder, Doc, Text, create_sync_message, create_update_message, handle_sync_message

from ectype.collab.room import Member, Room


class Log:
    """What a room appends, kept in memory; `gate` can hold an append back or make it fail."""

    def __init__(self) -> None:
        self.updates: list[bytes] = []
        self.authors: list[str] = []
        self.gate: Callable[[], Awaitable[None]] | None = None

    async def append(self, update: bytes, who: str) -> None:
        if self.gate is not None:
            await self.gate()
        self.updates.append(update)
        self.authors.append(who)

    def room(self, name: str = "note-R80711") -> Room:
        return Room(name, load=lambda: list(self.updates), append=self.append)

    def text(self) -> str:
        """What a reader of the log alone would see."""
        doc: Doc[Any] = Doc()
        for update in self.updates:
            doc.apply_update(update)
        return str(doc.get("note", type=Text))


class Browser:
    """One page with the note open."""

    def __init__(self, client_id: int | None = None) -> None:
        self.doc: Doc[Any] = Doc(client_id=client_id)
        self.note = self.doc.get("note", type=Text)
        self.heard: list[bytes] = []
        self.member: Member | None = None
        self._watch = self.doc.observe(self._changed)
        self._listening = False

    async def enter(self, room: Room, who: str = "ada", may_write: bool = True) -> "Browser":
        self.member = await room.join(who, may_write)
        self.member.receive(create_sync_message(self.doc))
        self.pump()
        return self

    def pump(self) -> None:
        """Read everything that waits for this page."""
        assert self.member is not None
        while messages := self.member.waiting():
            for message in messages:
                self.take(message)

    def take(self, message: bytes) -> None:
        self.heard.append(message)
        if message[0] == 0:
            self._listening = True
            try:
                reply = handle_sync_message(message[1:], self.doc)
            finally:
                self._listening = False
            if reply is not None and self.member is not None:
                self.member.receive(reply)

    def says(self) -> str:
        return str(self.note)

    def _changed(self, event: Any) -> None:
        if not self._listening and self.member is not None:
            self.member.receive(create_update_message(event.update))


def awareness_states(message: bytes) -> list[tuple[int, int, str]]:
    """(client, clock, JSON) of an awareness message, read with pycrdt's decoder."""
    assert message[0] == 1
    decoder = Decoder(Decoder(message[1:]).read_message() or b"")
    count = decoder.read_var_uint()
    return [(decoder.read_var_uint(), decoder.read_var_uint(), decoder.read_var_string()) for _ in range(count)]
