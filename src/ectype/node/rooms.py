"""The rooms of a space, made when somebody comes in, their documents folded from the log."""

import re
from typing import final

from ectype.clock import Clock
from ectype.collab.documents import KIND, MEDIA_TYPE, Documents, subject_of
from ectype.collab.room import Append, Room
from ectype.errors import Invalid
from ectype.log.entry import seal
from ectype.log.log import Log
from ectype.node.follower import Follower
from ectype.trust.keys import Signer

_NAME = re.compile(r"[A-Za-z0-9_\-:~*()!'.]{1,160}")
_KEEP_EMPTY = 256


@final
class Rooms:
    """Every shared document by name. Whoever writes in one appends through here."""

    def __init__(self, log: Log, documents: Documents, follower: Follower, signer: Signer, clock: Clock) -> None:
        self._log = log
        self._documents = documents
        self._follower = follower
        self._signer = signer
        self._clock = clock
        self._rooms: dict[str, Room] = {}

    def room(self, name: str) -> Room:
        """The room of the document `name`. Raises Invalid when nothing can be called that."""
        if not _NAME.fullmatch(name):
            raise Invalid(f"{name[:170]!r} cannot name a document: use 1 to 160 letters, digits or -_:~*()!'.")
        room = self._rooms.get(name)
        if room is None:
            if len(self._rooms) >= _KEEP_EMPTY:
                self._forget_idle()
            room = self._rooms[name] = Room(name, load=lambda: self._documents.updates(name), append=self._append(name))
        return room

    async def close(self) -> None:
        """Send everybody home, after what they wrote is in the log."""
        for room in tuple(self._rooms.values()):
            await room.close()

    def _append(self, name: str) -> Append:
        async def append(update: bytes, who: str) -> None:
            entry = seal(
                self._signer,
                kind=KIND,
                subject=subject_of(name),
                body=update,
                media=MEDIA_TYPE,
                at_ns=self._clock(),
                by=who,
            )
            indices = await self._log.append([entry])
            await self._follower.reach(indices.stop)

        return append

    def _forget_idle(self) -> None:
        for name in [name for name, room in self._rooms.items() if room.idle]:
            del self._rooms[name]
