"""What is kept for one client, and for longer than its connection if it asked for that; and groups that share.

A session holds the client's subscriptions (through the endpoint), what it is owed, and the QoS 2 ids it has used.
It ends with the connection, or so many seconds later. Sessions are in memory: a restart of the node ends them.
"""

from typing import TYPE_CHECKING, final

from ectype.sources.mqtt.outbox import Outbox
from ectype.sources.mqtt.packets import Will

if TYPE_CHECKING:
    from ectype.sources.mqtt.connection import Connection

LONGEST_S = 24 * 3600


@final
class Session:
    """One client's. `connection` is None while it is away; until `ends_s` it may come back."""

    __slots__ = ("connection", "ends_s", "exactly_once", "expiry_s", "key", "outbox", "will", "will_at_s")

    def __init__(self, key: tuple[str, str], connection: "Connection", expiry_s: int) -> None:
        self.key = key
        self.connection: Connection | None = connection
        self.outbox: Outbox = connection.outbox
        self.expiry_s = expiry_s
        self.ends_s = 0.0
        self.exactly_once: set[int] = connection.exactly_once
        self.will: Will | None = None
        self.will_at_s = 0.0

    def leave(self, now_s: float) -> None:
        """The client has gone; what comes for it waits."""
        self.connection = None
        self.ends_s = now_s + self.expiry_s
        self.outbox.detach()

    def resume(self, connection: "Connection", expiry_s: int) -> None:
        """The client is back, with another connection."""
        self.connection = connection
        self.expiry_s = expiry_s
        self.will = None
        self.outbox.attach(connection.outbox)
        connection.outbox = self.outbox
        connection.exactly_once = self.exactly_once


@final
class Share:
    """A group of sessions that share a subscription ($share/group/filter): each message goes to one of them in turn."""

    __slots__ = ("_next", "members", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.members: dict[Session, tuple[int, bytes]] = {}
        self._next = 0

    def pick(self) -> tuple[Session, tuple[int, bytes]]:
        """Who is next: one that is connected, while there is one.

        With the QoS it wants, and its subscription identifier as a property.
        """
        members = list(self.members.items())
        for k in range(len(members)):
            found = members[(self._next + k) % len(members)]
            if found[0].connection is not None:
                self._next += k + 1
                return found
        self._next += 1
        return members[self._next % len(members)]
