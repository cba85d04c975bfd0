"""Who is in a room and what they look at: the awareness states of Yjs clients, kept for latecomers only.

Nothing here reaches the log. A state belongs to the connection it last came through and goes with it.
"""

from collections.abc import Hashable, Sequence
from typing import final

from ectype.collab.wire import GONE, Presence
from ectype.errors import Invalid

_MOST_CLIENTS_EACH = 64
_MOST_STATE_CHARS = 16_384


@final
class Presences:
    """The newest state of every client in a room."""

    def __init__(self) -> None:
        self._states: dict[int, Presence] = {}
        self._through: dict[int, Hashable] = {}

    def hear(self, through: Hashable, states: Sequence[Presence]) -> tuple[Presence, ...]:
        """Take in what came through a connection; what of it is news, to be passed on.

        News has a higher clock than what is known, or is a leave at the same clock (y-protocols, awareness.js).
        Clients repeat each other's states, so most of what comes is no news. Raises Invalid beyond the bounds.
        """
        news: list[Presence] = []
        for state in states:
            if len(state.state) > _MOST_STATE_CHARS:
                raise Invalid(f"an awareness state of {len(state.state)} characters; at most {_MOST_STATE_CHARS}")
            known = self._states.get(state.client)
            gone = state.state == GONE
            if known is None and gone:
                continue
            if known is not None and (state.clock < known.clock or (state.clock == known.clock and not gone)):
                continue
            if gone:
                self._forget(state.client)
            else:
                self._states[state.client] = state
                self._through[state.client] = through
            news.append(state)
        if sum(owner == through for owner in self._through.values()) > _MOST_CLIENTS_EACH:
            raise Invalid(f"more than {_MOST_CLIENTS_EACH} clients through one connection")
        return tuple(news)

    def leave(self, through: Hashable) -> tuple[Presence, ...]:
        """Forget whoever came through a connection; the states that tell the others so."""
        clients = [client for client, owner in self._through.items() if owner == through]
        gone = tuple(Presence(client, self._states[client].clock, GONE) for client in clients)
        for client in clients:
            self._forget(client)
        return gone

    def all(self) -> tuple[Presence, ...]:
        """Everybody's state."""
        return tuple(self._states.values())

    def _forget(self, client: int) -> None:
        del self._states[client]
        del self._through[client]
