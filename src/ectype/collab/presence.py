"""Who is in a room and what they look at: the awareness states of Yjs clients, kept for latecomers only.

Nothing here reaches the log. A state belongs to the connection it last came through and goes with it.

Clients repeat what they hear of each other, so an echo of somebody who left may still be on its way: it must
not bring him back. But a client that connects again announces itself with the clock it left with, which the
others would ignore (y-protocols) until it renews itself, 15 s later. The two are told apart by the connection:
the first client that a connection speaks of is its own. It is passed on with a clock that the others accept.
"""

from collections.abc import Hashable, Sequence
from typing import final

from ectype.collab.wire import GONE, Presence
from ectype.errors import Invalid

_MOST_CLIENTS_EACH = 64
_MOST_STATE_CHARS = 16_384
_MOST_DEPARTED = 1024


@final
class Presences:
    """The newest state of every client in a room."""

    def __init__(self) -> None:
        self._states: dict[int, Presence] = {}
        self._through: dict[int, Hashable] = {}
        self._departed: dict[int, int] = {}  # client -> its clock then, the longest gone first

    def hear(self, through: Hashable, states: Sequence[Presence]) -> tuple[Presence, ...]:
        """Take in what came through a connection; what of it is news, to be passed on.

        News has a higher clock than what is known, or is a leave at the same clock (y-protocols, awareness.js).
        Most of what comes is no news. Raises Invalid beyond the bounds.
        """
        news: list[Presence] = []
        for state in states:
            if len(state.state) > _MOST_STATE_CHARS:
                raise Invalid(f"an awareness state of {len(state.state)} characters; at most {_MOST_STATE_CHARS}")
            current = self._current(through, state)
            if current is None:
                continue
            if current.state == GONE:
                self._forget(current)
            else:
                self._states[current.client] = current
                self._through[current.client] = through
                self._departed.pop(current.client, None)
            news.append(current)
        if sum(owner == through for owner in self._through.values()) > _MOST_CLIENTS_EACH:
            raise Invalid(f"more than {_MOST_CLIENTS_EACH} clients through one connection")
        return tuple(news)

    def leave(self, through: Hashable) -> tuple[Presence, ...]:
        """Forget whoever came through a connection; the states that tell the others so."""
        clients = [client for client, owner in self._through.items() if owner == through]
        gone = tuple(Presence(client, self._states[client].clock, GONE) for client in clients)
        for state in gone:
            self._forget(state)
        return gone

    def all(self) -> tuple[Presence, ...]:
        """Everybody's state."""
        return tuple(self._states.values())

    def _current(self, through: Hashable, state: Presence) -> Presence | None:
        """The state as it is to be passed on; None when it is old."""
        known = self._states.get(state.client)
        if known is not None:
            newer = state.clock > known.clock or (state.clock == known.clock and state.state == GONE)
            return state if newer else None
        if state.state == GONE:
            return None
        left_at = self._departed.get(state.client, -1)
        if state.clock > left_at:
            return state
        comes_back = through not in self._through.values()
        return Presence(state.client, left_at + 1, state.state) if comes_back else None

    def _forget(self, gone: Presence) -> None:
        del self._states[gone.client]
        del self._through[gone.client]
        self._departed[gone.client] = gone.clock
        if len(self._departed) > _MOST_DEPARTED:
            del self._departed[next(iter(self._departed))]
