"""What is kept for one client, and for longer than its connection if it asked for that.

A session holds the client's subscriptions, what it is owed, and the QoS 2 ids it has used. It ends with the
connection, or so many seconds later; until then it outlives the node, too (`sessions`).
"""

from typing import TYPE_CHECKING, final

from ectype.sources.mqtt.outbox import Outbox
from ectype.sources.mqtt.packets import Will

if TYPE_CHECKING:
    from ectype.sources.mqtt.connection import Connection

LONGEST_S = 24 * 3600


@final
class Session:
    """One client's. `connection` is None while it is away; until `ends_s` it may come back.

    key: (user, client id); filters: (options, identifier) of each, as the client said them.
    """

    __slots__ = (
        *("connection", "ends_s", "exactly_once", "expiry_s", "filters"),
        *("key", "outbox", "will", "will_at_s"),
    )

    def __init__(self, key: tuple[str, str], outbox: Outbox, expiry_s: int) -> None:
        """Of a client that is away; see `resume`."""
        self.key = key
        self.connection: Connection | None = None
        self.outbox = outbox
        self.expiry_s = expiry_s
        self.ends_s = 0.0
        self.filters: dict[str, tuple[int, int]] = {}
        self.exactly_once: set[int] = set()
        self.will: Will | None = None
        self.will_at_s = 0.0

    @classmethod
    def begun(cls, key: tuple[str, str], connection: "Connection", expiry_s: int) -> "Session":
        """A new one, of a client that has just come."""
        session = cls(key, connection.outbox, expiry_s)
        session.connection, session.exactly_once = connection, connection.exactly_once
        if expiry_s:
            session.outbox.hold()
        return session

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
        if expiry_s:
            self.outbox.hold()
        connection.outbox = self.outbox
        connection.exactly_once = self.exactly_once
