"""What clients have subscribed to: filters of their own, and groups of sessions that share one."""

from typing import final

from ectype.sources.mqtt.session import Session
from ectype.sources.mqtt.topics import NAMED, Subscriptions
from ectype.sources.mqtt.writer import identified

LOCAL = 4  # in what a subscriber wants: its own messages too
_QOS, _NO_LOCAL, _AS_PUBLISHED = 3, 4, 8  # in the options of a SUBSCRIBE
_SHARED = "$share/"


def is_shared(pattern: str) -> bool:
    """Whether it is a group's: $share/group/filter."""
    return pattern.startswith(_SHARED)


def is_sound(pattern: str, options: int) -> bool:
    """Whether it may be subscribed to: a shared one names group and filter, and is for everybody's messages."""
    group, _, rest = pattern.removeprefix(_SHARED).partition("/")
    return not is_shared(pattern) or bool(group and rest and not options & _NO_LOCAL)


@final
class Share:
    """A group of sessions that share a subscription: each message goes to one of them in turn."""

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


@final
class Filters:
    """All of one endpoint. `subscriptions` says who wants a topic; `Session.filters` what a client asked for."""

    def __init__(self) -> None:
        self.subscriptions: Subscriptions[Session | Share] = Subscriptions()
        self._shares: dict[str, Share] = {}

    def add(self, session: Session, pattern: str, options: int, identifier: int) -> bool:
        """Subscribe with the options and the identifier of a SUBSCRIBE, to what `is_sound`. Returns whether it is new.

        Again with others replaces the first [MQTT-3.8.4-3].
        """
        new = pattern not in session.filters
        session.filters[pattern] = options, identifier
        session.outbox.changed = True
        qos = options & _QOS
        if is_shared(pattern):
            taken = pattern.split("/", 2)[2]
            share = self._shares.setdefault(pattern, Share(taken))
            share.members[session] = qos, identified(identifier)
            self.subscriptions.add(share, taken, qos | LOCAL)
        else:
            wanted = qos | (0 if options & _NO_LOCAL else LOCAL) | options & _AS_PUBLISHED
            self.subscriptions.add(session, pattern, wanted, identifier)
        return new

    def remove(self, session: Session, pattern: str) -> bool:
        """Whether there was such a filter. There is none any more."""
        if session.filters.pop(pattern, None) is None:
            return False
        session.outbox.changed = True
        share = self._shares.get(pattern)
        if share is None:
            self.subscriptions.remove(session, pattern)
            return True
        del share.members[session]
        if not share.members:
            del self._shares[pattern]
            self.subscriptions.remove(share, share.pattern)
        return True

    def forget(self, session: Session) -> None:
        """The session is over."""
        for pattern in tuple(session.filters):
            self.remove(session, pattern)

    def chosen(self, topic: str, who: Session | Share, wanted: int) -> tuple[Session, int, bytes]:
        """Who gets it, how, and the identifiers of its subscriptions."""
        if isinstance(who, Share):
            session, (qos, named) = who.pick()
            return session, qos | LOCAL, named
        return who, wanted, self.subscriptions.named(topic, who) if wanted & NAMED else b""
