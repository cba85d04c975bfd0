"""All clients together: who may come in, who wants what, and what is retained.

It knows nothing of the disk: whoever calls `fan_out` says that a message is durable.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import cast, final

from ectype.clock import Clock
from ectype.sources.mqtt.connection import Connection, Greeting
from ectype.sources.mqtt.filters import LOCAL, Filters, Share, is_shared, is_sound
from ectype.sources.mqtt.limits import Limits
from ectype.sources.mqtt.outbox import Outbox
from ectype.sources.mqtt.packets import (
    ACCEPTED,
    BAD_CLIENT_ID,
    BAD_METHOD,
    BAD_PROTOCOL,
    NOT_AUTHORISED,
    RETAIN,
    UNAVAILABLE,
    Connect,
    Publishes,
    Run,
    Subscribe,
    Unsubscribe,
    Will,
)
from ectype.sources.mqtt.properties import (
    ALIAS_MAXIMUM,
    ASSIGNED_ID,
    AUTH_METHOD,
    NONE,
    PACKET_MAXIMUM,
    SESSION_EXPIRY,
    SUBSCRIPTION_ID,
)
from ectype.sources.mqtt.reader import TOPIC_ALIASES
from ectype.sources.mqtt.retained import Retained
from ectype.sources.mqtt.session import LONGEST_S, Session
from ectype.sources.mqtt.sessions import Sessions
from ectype.sources.mqtt.topics import NAMED
from ectype.sources.mqtt.writer import identified, suback, topic_field, unsuback

log = logging.getLogger("ectype.mqtt")

Authenticate = Callable[[str, str], bool]

_SUBSCRIPTIONS = 1000
_REFUSED, _NO_SUBSCRIPTION, _BAD_FILTER, _QUOTA = 0x80, 0x11, 0x8F, 0x97


@final
class Clients:
    """Sessions, subscriptions and retained messages of one endpoint.

    bequeath: publishes the will of the named client, when its time has come.
    """

    def __init__(
        self,
        authenticate: Authenticate | None,
        limits: Limits,
        reserved: tuple[str, ...],
        monotonic: Callable[[], float],
        bequeath: Callable[[str, Will], None],
        clock: Clock,
    ) -> None:
        self._authenticate = authenticate
        self._limits = limits
        self._reserved = reserved
        self._monotonic = monotonic
        self._filters = Filters()
        self.subscriptions = self._filters.subscriptions
        self.retained = Retained(lambda: clock() / 1e9, reserved)
        self.sessions = Sessions(self._filters, limits, monotonic, lambda: clock() / 1e9, bequeath)
        self.sent = 0
        self.known: Callable[[str], Iterable[tuple[str, bytes]]] | None = None  # what a filter finds beside retained

    def greet(self, connection: Connection, connect: Connect) -> Greeting:
        """Who may come in. A client id that is connected already is taken over by the newcomer [MQTT-3.1.4-2]."""
        if connect.level not in (4, 5):
            return Greeting(BAD_PROTOCOL)
        name = connect.client_id
        if len(name) > 256 or (name and not name.isprintable()):
            return Greeting(BAD_CLIENT_ID)
        if not name and not connect.clean and connect.level == 4:
            return Greeting(BAD_CLIENT_ID)
        if AUTH_METHOD in connect.properties.values:
            return Greeting(BAD_METHOD)
        code = self._admit(connection, connect)
        if code != ACCEPTED:
            return Greeting(code)
        asked = (
            connect.properties.values.get(SESSION_EXPIRY, 0) if connect.level == 5 else LONGEST_S * (not connect.clean)
        )
        expiry_s = min(int(asked), LONGEST_S)
        user = connection.certified or connect.username or ""  # per user, or one user could throw out another
        if not name:
            connection.name = self.sessions.free(user, connection.name)
        present = self.sessions.greet((user, connection.name), connection, connect.clean, expiry_s)
        properties: list[tuple[int, int | str]] = [
            (ALIAS_MAXIMUM, TOPIC_ALIASES),
            (PACKET_MAXIMUM, self._limits.packet),
        ]
        if expiry_s != asked:
            properties.append((SESSION_EXPIRY, expiry_s))
        if not name:
            properties.append((ASSIGNED_ID, connection.name))
        return Greeting(ACCEPTED, present, tuple(properties))

    def _admit(self, connection: Connection, connect: Connect) -> int:
        if self._authenticate is None or connection.certified:
            return ACCEPTED
        try:
            if self._authenticate(connect.username or "", (connect.password or b"").decode()):
                return ACCEPTED
        except UnicodeDecodeError:
            pass
        except Exception:
            log.exception("checking the user of MQTT client '%s' failed; it was refused", connection.name)
            return UNAVAILABLE
        return NOT_AUTHORISED

    def subscribe(self, connection: Connection, packet: Subscribe) -> None:
        """Give what is asked for; beyond the limit of filters the rest is refused."""
        session = connection.session
        if session is None:
            return
        identifier = cast(int, packet.properties.values.get(SUBSCRIPTION_ID, 0))
        granted: list[int] = []
        greeted: list[tuple[str, int]] = []
        for pattern, options in packet.filters:
            qos, handling = options & 3, options >> 4 & 3
            if pattern not in session.filters and len(session.filters) >= _SUBSCRIPTIONS:
                granted.append(_REFUSED if connection.version == 4 else _QUOTA)
            elif not is_sound(pattern, options):
                granted.append(_REFUSED if connection.version == 4 else _BAD_FILTER)
            else:
                new = self._filters.add(session, pattern, options, identifier)
                granted.append(qos)
                if not is_shared(pattern) and (handling == 0 or (handling == 1 and new)):
                    greeted.append((pattern, qos))
        connection.send(suback(packet.packet_id, granted, connection.version))
        named = identified(identifier)
        for pattern, qos in greeted:
            for kept, left_s in self.retained.find(pattern):
                expires_s = None if left_s is None else self._monotonic() + left_s
                field = topic_field(kept.topic)
                properties = named + kept.properties
                connection.outbox.add(field, kept.payload, min(qos, kept.qos), True, properties, expires_s)
                self.sent += 1
            for topic, payload in self.known(pattern) if self.known is not None else ():
                connection.outbox.add(topic_field(topic), payload, min(qos, 1), True, named)
                self.sent += 1
        connection.flush()

    def unsubscribe(self, connection: Connection, packet: Unsubscribe) -> None:
        """Answered even if there was nothing to end [MQTT-3.10.4-5]."""
        session = connection.session
        if session is None:
            return
        reasons = [0 if self._filters.remove(session, pattern) else _NO_SUBSCRIPTION for pattern in packet.filters]
        connection.send(unsuback(packet.packet_id, reasons, connection.version))

    def publish(self, topic: str, payload: bytes, retain: bool) -> None:
        """Tell subscribers something of the node's own, at QoS 1."""
        if retain:
            self.retained.keep(topic, payload, 1)
        field, subscribers = self.subscriptions.find(topic)
        touched: set[Outbox] = set()
        for who, wanted in subscribers:
            session, given, named = self._filters.chosen(topic, who, wanted)
            session.outbox.add(field, payload, min(given & 3, 1), False, named)
            touched.add(session.outbox)
        self.sent += len(subscribers)
        self.flush(touched)

    def flush(self, touched: set[Outbox]) -> None:
        """Send what these are owed."""
        for outbox in touched:
            session = outbox.session
            if isinstance(session, Session) and session.connection is not None:
                session.connection.flush()

    def fan_out_packed(self, senders: Sequence[Connection], run: Run, touched: set[Outbox]) -> None:
        """Owe a run to its subscribers; `touched` gets their outboxes, for `flush`. senders: of each origin."""
        packed = run.packed
        same: dict[tuple[tuple[Session | Share, int], ...], list[int]] = {}  # origins by who wants them
        for k, (topic, _) in enumerate(packed.origins):
            subscribers = self.subscriptions.find(topic)[1]
            if subscribers and not topic.startswith(self._reserved):
                same.setdefault(subscribers, []).append(k)
        wanted_by: dict[tuple[Session, int], list[int]] = {}
        for subscribers, origins in same.items():
            sessions = {senders[k].session for k in origins}
            if any(isinstance(who, Share) or not (at & LOCAL or who not in sessions) for who, at in subscribers):
                for k in origins:
                    part = packed.chosen(packed.of([k]))
                    heads = bytearray((0x30 | run.qos << 1,)) * len(part)
                    self.fan_out(senders[k], Publishes(part.messages(), heads, bytearray(), [], run.size), touched)
            else:
                for one in cast("tuple[tuple[Session, int], ...]", subscribers):
                    wanted_by.setdefault(one, []).extend(origins)
        parts = {tuple(range(len(packed.origins))): packed}
        for (who, wanted), origins in wanted_by.items():
            chosen = tuple(sorted(origins))
            part = parts.get(chosen)
            if part is None:
                part = parts[chosen] = packed.chosen(packed.of(chosen))
            qos = min(run.qos, wanted & 3)
            if wanted & NAMED:
                for message in part.messages():
                    named = self.subscriptions.named(message.topic, who)
                    who.outbox.add(topic_field(message.topic), message.payload, qos, False, named)
            else:
                who.outbox.add_packed(part, qos, run.qos, run.version)
            touched.add(who.outbox)
            self.sent += len(part)

    def fan_out(self, connection: Connection, run: Publishes, touched: set[Outbox]) -> None:
        """The same for messages that differ; what is to be retained is."""
        find = self.subscriptions.find
        properties, expiry_s, expires_s = b"", None, None
        for k, (message, flag) in enumerate(zip(run.messages, run.flags, strict=True)):
            field, subscribers = find(message.topic)
            if not subscribers and not flag & RETAIN:
                continue
            if message.topic.startswith(self._reserved):
                continue
            if run.properties is not None:
                said = run.properties.get(k, NONE)
                properties, expiry_s = said.forwarded, said.expiry_s
                expires_s = None if expiry_s is None else self._monotonic() + expiry_s
            qos = flag >> 1 & 3
            retain = flag & RETAIN
            if retain:
                self.retained.keep(message.topic, message.payload, qos, properties, expiry_s)
            for who, wanted in subscribers:
                named = b""
                if wanted & NAMED or isinstance(who, Share):
                    who, wanted, named = self._filters.chosen(message.topic, who, wanted)
                if wanted & LOCAL or who is not connection.session:
                    as_retained = bool(retain and wanted & 8)
                    given = wanted & 3
                    who.outbox.add(field, message.payload, min(qos, given), as_retained, named + properties, expires_s)
                    touched.add(who.outbox)
                    self.sent += 1
