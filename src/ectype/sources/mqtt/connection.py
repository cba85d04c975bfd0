"""One MQTT client's connection: what its packets ask for, in order, and when it must end.

    opened ── CONNECT accepted ──► greeted ── DISCONNECT, an error, silence, a takeover ──► closing ──► lost
       └───── anything else, or 10 s without it ─────────────────────────────────────────────┘

It moves bytes and keeps the client's own state (will, keep-alive, QoS 2 ids, what it is owed). Everything
that concerns more than one client is the hub's, which is the endpoint.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol, cast, final

from msgspec import Struct

from ectype.sources.mqtt.outbox import Outbox
from ectype.sources.mqtt.packets import (
    ACCEPTED,
    Connect,
    Disconnect,
    Malformed,
    Packet,
    PingReq,
    PubAcks,
    PubComp,
    Publishes,
    PubRec,
    PubRel,
    Run,
    Subscribe,
    Unsubscribe,
    Will,
)
from ectype.sources.mqtt.properties import PACKET_MAXIMUM, REASON, RECEIVE_MAXIMUM, SESSION_EXPIRY, write_properties
from ectype.sources.mqtt.reader import Reader
from ectype.sources.mqtt.session import LONGEST_S, Session
from ectype.sources.mqtt.turn import HEADS, SHORT, Turn
from ectype.sources.mqtt.writer import PINGRESP, acknowledge, connack, connack5, disconnect5

log = logging.getLogger("ectype.mqtt")

GREETING_S = 10.0
LINGER_S = 5.0
STALLED_S = 60.0

# Reason codes of MQTT 5's DISCONNECT
UNSPECIFIED, PROTOCOL_ERROR, TAKEN_OVER, SHUTTING_DOWN, WITH_WILL = 0x80, 0x82, 0x8E, 0x8B, 4


@final
class Greeting(Struct, frozen=True):
    """CONNACK: a return code of 3.1.1, whether the session was there, and what MQTT 5 adds."""

    code: int
    present: bool = False
    properties: tuple[tuple[int, int | str], ...] = ()


class Hub(Protocol):
    """What a connection needs of the endpoint it belongs to."""

    clock: Callable[[], int]
    monotonic: Callable[[], float]
    turn: "Turn[Connection]"  # bytes of usual messages, to be read with those of others

    def opened(self, connection: "Connection") -> None:
        """The connection exists."""

    def greet(self, connection: "Connection", connect: Connect) -> Greeting:
        """What to say to this client; after ACCEPTED it is one of ours."""
        ...

    def read_turn(self) -> None:
        """Read what `turn` holds now."""

    def arrived(self, connection: "Connection", run: Publishes | Run) -> None:
        """Messages came; `connection.acknowledge(run.pubacks)` once they are durable."""

    def subscribe(self, connection: "Connection", packet: Subscribe) -> None:
        """Answer with SUBACK and what is retained."""

    def unsubscribe(self, connection: "Connection", packet: Unsubscribe) -> None:
        """Answer with UNSUBACK."""

    def lost(self, connection: "Connection", will: Will | None) -> None:
        """The connection is gone; publish its will, if there is one."""


@final
class Connection(asyncio.Protocol):
    """asyncio's half of one client."""

    def __init__(self, hub: Hub, name: str, max_packet: int, topics: dict[bytes, str]) -> None:
        self._hub = hub
        self._turn = hub.turn
        self._reader = Reader(name, max_packet, topics)
        self._transport: asyncio.Transport | None = None
        self.exactly_once: set[int] = set()
        self.version = 4
        self.certified = ""
        self.session: Session | None = None
        self.left_politely = False
        self._will: Will | None = None
        self._keep_alive_s = 0
        self._since_s = 0.0
        self._heard_s = 0.0
        self._blocked_s: float | None = None
        self._closing_s: float | None = None
        self.greeted = False
        self.usual = True  # what it publishes may be read with what others do
        self.paused = False
        self.in_flight = 0
        self.name = name
        self.peer = "?"
        self.key: tuple[str, str] | None = None
        self.outbox: Outbox

    # ---- asyncio calls these ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client is here; it has GREETING_S to say CONNECT."""
        self._transport = cast(asyncio.Transport, transport)
        self.outbox = Outbox(self._transport, monotonic=self._hub.monotonic)
        self._transport.set_write_buffer_limits(high=self.outbox.socket_limit)
        self.peer = _peer(transport.get_extra_info("peername"))
        self.certified = _name_in(transport.get_extra_info("peercert"))
        self._since_s = self._heard_s = self._hub.monotonic()
        self._hub.opened(self)

    def data_received(self, data: bytes) -> None:
        """Some packets, or part of one."""
        self._heard_s = self._hub.monotonic()
        if self.usual and len(data) <= SHORT and data[0] in HEADS and self.greeted and not self._reader.held:
            if self._turn.add(self, self.name, data, self.version):
                return
            self._hub.read_turn()
        elif self in self._turn:
            self._hub.read_turn()
        self.read(data)

    def read(self, data: bytes) -> None:
        """Do what the packets in `data` ask for."""
        for packet in self._reader.feed(data, self._hub.clock()):
            if self._closing_s is not None:
                return
            if self.greeted or isinstance(packet, Connect | Malformed):
                self._take(packet)
            else:
                self.close("its first packet is not CONNECT [MQTT-3.1.0-1]")

    def pause_writing(self) -> None:
        """The client reads slower than it is sent to."""
        self._blocked_s = self._hub.monotonic()

    def resume_writing(self) -> None:
        """There is room again."""
        self._blocked_s = None
        self.outbox.refill()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, by whoever's wish."""
        if self in self._turn:
            self._hub.read_turn()
        self._closing_s = self._hub.monotonic() if self._closing_s is None else self._closing_s
        self._transport = None
        will, self._will = self._will, None
        self._hub.lost(self, will)

    # ---- the hub calls these ----

    def acknowledge(self, acks: bytes | bytearray) -> None:
        """These messages are durable."""
        if acks and self._transport is not None and self._closing_s is None:
            self._transport.write(acks)

    def send(self, data: bytes) -> None:
        """Send a control packet."""
        if self._transport is not None and self._closing_s is None:
            self._transport.write(data)

    def flush(self) -> None:
        """Send what the outbox owes; end the connection if it owes too much."""
        if self._transport is None or self._closing_s is not None:
            return
        if self.outbox.too_far_behind:
            self.close(
                f"it reads too slowly: {self.outbox.queued_bytes >> 20} MiB of QoS 1 messages wait for it; "
                f"subscribe to less or read faster",
                now=True,
            )
        else:
            self.outbox.flush()

    def pause(self) -> None:
        """Read nothing more: enough is on its way to the disk."""
        if not self.paused and self._transport is not None and self._closing_s is None:
            self._transport.pause_reading()
            self.paused = True

    def resume(self) -> None:
        """Read on."""
        if self.paused and self._transport is not None and self._closing_s is None:
            self.paused = False
            self._heard_s = self._hub.monotonic()  # the silence was ours
            self._transport.resume_reading()

    def close(
        self, reason: str | None, *, now: bool = False, level: int = logging.WARNING, code: int = UNSPECIFIED
    ) -> None:
        """End the connection; `reason` finishes the sentence "closed …: ". `now` drops what is still unsent.

        code: what a client of MQTT 5 is told.
        """
        if self._closing_s is None:
            if self in self._turn:
                self._hub.read_turn()
            self._closing_s = self._hub.monotonic()
            if reason is not None:
                log.log(level, "closed the MQTT connection of '%s' (%s): %s", self.name, self.peer, reason)
            if (
                self.version == 5
                and self.greeted
                and not now
                and not self.left_politely
                and self._transport is not None
            ):
                said = () if reason is None else ((REASON, reason),)
                self._transport.write(disconnect5(code, write_properties(said)))
        if self._transport is not None:
            if now:
                self._transport.abort()
            else:
                self._transport.close()

    def forget_will(self) -> None:
        """The endpoint itself goes: nobody is left to hear the will."""
        self._will = None

    def sweep(self, now_s: float) -> None:
        """End the connection if its time is up. The hub calls this about once a second."""
        if self._closing_s is not None:
            if now_s - self._closing_s > LINGER_S:
                self.close(None, now=True)
        elif not self.greeted:
            if now_s - self._since_s > GREETING_S:
                self.close(f"it sent no CONNECT within {GREETING_S:.0f} s", now=True)
        elif self._blocked_s is not None and now_s - self._blocked_s > STALLED_S:
            self.close(f"it has not read anything for {STALLED_S:.0f} s", now=True)
        elif self._keep_alive_s and not self.paused and now_s - self._heard_s > 1.5 * self._keep_alive_s:
            self.close(f"it was silent for more than 1.5 times its keep-alive of {self._keep_alive_s} s", now=True)

    # ---- packets ----

    def _take(self, packet: Packet) -> None:
        match packet:
            case Publishes():
                if packet.exactly_once:
                    self._first_time_only(packet)
                self._hub.arrived(self, packet)
            case Run():
                self._hub.arrived(self, packet)
            case PubAcks():
                self.outbox.acknowledged(packet.ids)
            case PingReq():
                self.send(PINGRESP)
            case PubRec() if packet.failed:
                self.outbox.acknowledged([packet.packet_id])
            case PubRec():
                self.outbox.received(packet.packet_id)
            case PubComp():
                self.outbox.acknowledged([packet.packet_id])
            case PubRel():
                self.exactly_once.discard(packet.packet_id)
                self.send(acknowledge(7, packet.packet_id))
            case Subscribe():
                self._hub.subscribe(self, packet)
            case Unsubscribe():
                self._hub.unsubscribe(self, packet)
            case Disconnect():
                if packet.reason != WITH_WILL:
                    self._will = None
                expiry = packet.properties.values.get(SESSION_EXPIRY)
                if isinstance(expiry, int) and self.session is not None and self.session.expiry_s:
                    self.session.expiry_s = min(expiry, LONGEST_S)
                self.left_politely = True
                self.close(None)
            case Connect():
                self._connect(packet)
            case Malformed():
                self.close(packet.reason, code=PROTOCOL_ERROR)

    def _connect(self, connect: Connect) -> None:
        if self.greeted:
            self.close("it sent CONNECT twice [MQTT-3.1.0-2]")
            return
        if connect.client_id:
            self.name = connect.client_id
        self.version = self.outbox.version = 5 if connect.level == 5 else 4
        properties = connect.properties.values
        self.outbox.window = min(self.outbox.window, cast(int, properties.get(RECEIVE_MAXIMUM, 65_535)))
        self.outbox.max_packet = cast(int, properties.get(PACKET_MAXIMUM, 0))
        greeting = self._hub.greet(self, connect)
        if self.version == 5:
            code = _CODES[greeting.code]
            self.send(connack5(code, greeting.present, write_properties(greeting.properties)))
        else:
            self.send(connack(greeting.code, greeting.present))
        if greeting.code != ACCEPTED:
            self.close(_WHY_NOT[greeting.code].format(connect=connect))
            return
        self.greeted = True
        self._reader.source = self.name
        if greeting.present:
            self.outbox.refill()
        self._will = connect.will
        self._keep_alive_s = connect.keep_alive_s

    def _first_time_only(self, run: Publishes) -> None:
        """QoS 2: take each packet id once until PUBREL frees it; every copy is answered with PUBREC.

        `run.exactly_once` keeps those that were taken here: until the run is durable, they may have to be taken again.
        """
        repeats: set[int] = set()
        for position, packet_id in run.exactly_once:
            run.pubacks += acknowledge(5, packet_id)
            if packet_id in self.exactly_once:
                repeats.add(position)
            self.exactly_once.add(packet_id)
        if repeats:
            kept = {k: new for new, k in enumerate(k for k in range(len(run.messages)) if k not in repeats)}
            run.messages[:] = [run.messages[k] for k in kept]
            run.flags[:] = bytes(run.flags[k] for k in kept)
            run.exactly_once[:] = [(kept[k], packet_id) for k, packet_id in run.exactly_once if k in kept]
            if run.properties:
                run.properties = {new: run.properties[k] for k, new in kept.items() if k in run.properties}


_WHY_NOT = {
    1: "it speaks protocol level {connect.level}; this endpoint speaks MQTT 3.1.1 and 5, levels 4 and 5",
    2: "its client id is not usable; send 1 to 256 printable characters, or none together with clean session",
    3: "its user could not be checked just now",
    6: "it asks for an authentication method; use a user name and password, or a certificate",
    5: "its user name or password is wrong, or it sent none",
}


_CODES = {0: 0, 1: 0x84, 2: 0x85, 3: 0x88, 5: 0x87, 6: 0x8C}


def _name_in(certificate: object) -> str:
    """The common name in a client's certificate, which TLS has checked; "" without one."""
    subject = cast("dict[str, tuple[tuple[tuple[str, str], ...], ...]]", certificate or {}).get("subject", ())
    return next((value for parts in subject for key, value in parts if key == "commonName"), "")


def _peer(name: object) -> str:
    match cast("tuple[object, ...] | str | None", name):
        case (host, port, *_):
            return f"{host}:{port}"
        case other:
            return str(other or "?")
