"""Ectype as an MQTT endpoint: devices publish to it with no broker between, and are answered from the disk.

    sockets ─► runs of messages ─► one group per turn of the loop ─► deliver() ─► PUBACK, then subscribers
                                                                     (durable)

A group is everything all clients sent while the loop turned once. Several groups may be on their way to the
disk at a time; they are settled strictly in order, so each client's PUBACKs come in the order it published
and no subscriber sees what could still be lost. If `deliver` raises, nothing of that group is acknowledged
and its clients' connections end: they will send it again.

Reading stops while too much is on its way to the disk. See docs/mqtt.md for what is spoken and the limits.
"""

import asyncio
import errno
import logging
import ssl as tls
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import final

from ectype.clock import Clock, system_clock
from ectype.errors import EctypeError, Invalid, Misconfigured
from ectype.sources.base import Message
from ectype.sources.batch import Batch
from ectype.sources.mqtt.clients import Authenticate, Clients
from ectype.sources.mqtt.connection import SHUTTING_DOWN, Connection, Greeting
from ectype.sources.mqtt.limits import USUAL, Limits
from ectype.sources.mqtt.outbox import SOCKET_LIMIT, Outbox
from ectype.sources.mqtt.packets import DUP, RETAIN, Connect, Publishes, Run, Subscribe, Unsubscribe, Will
from ectype.sources.mqtt.shelf import Shelf
from ectype.sources.mqtt.turn import Turn
from ectype.sources.mqtt.websocket import Door

log = logging.getLogger("ectype.mqtt")

Deliver = Callable[[Sequence[Message]], Awaitable[None]]

_OVERHEAD = 256  # what Python adds to one message in flight
_COLUMNS = 64  # and what it adds where messages look alike
_PLAIN_HEADS = bytes(head for head in range(256) if not head & (RETAIN | DUP))
_NOT_RETAINED = bytes(head for head in range(256) if not head & RETAIN)
_SWEEP_S = 1.0
_UNREAD = SOCKET_LIMIT // 2
_CLOSING_S = 10.0


@final
@dataclass(frozen=True, slots=True)
class EndpointStats:
    """What an endpoint has done since it started.

    received: messages read; durable: delivered to the log; failed: not acknowledged because delivery failed;
    sent: messages to subscribers; dropped: QoS 0 messages for subscribers that did not read;
    in_flight: bytes on their way to the disk; paused: clients not read from just now, because of that;
    retained, retained_refused: topics kept, and messages not kept for want of room.
    """

    connections: int
    received: int
    durable: int
    failed: int
    sent: int
    dropped: int
    in_flight: int
    paused: int
    retained: int
    retained_refused: int


_Share = tuple[Connection, int, bytes | bytearray]  # whose, the room it takes, and the PUBACKs it gets


@final
class _Group:
    """All that came in one turn of the loop."""

    __slots__ = ("cost", "error", "messages", "runs", "settled")

    def __init__(self) -> None:
        # What came, who sent what is of each of its origins, and each one's share.
        self.runs: list[tuple[Publishes | Run, Sequence[Connection], Sequence[_Share]]] = []
        self.messages = Batch()
        self.cost = 0
        self.settled = False
        self.error: str | None = None


@final
class MqttEndpoint:
    """An MQTT 3.1.1 and 5 server on one port; everything happens on the event loop that started it.

    deliver: gets messages in batches and returns when they are durable, or raises when they are not. It may
    be called again before it has returned; the batches are then to be kept in the order of the calls.
    authenticate: (user name, password) -> whether the client may connect; None lets everybody in, so whoever
    listens beyond loopback passes one, and `ssl`. It is called on the loop and must be quick.
    reserved: topics that begin so are published by `publish` alone; what clients send there is delivered,
    but goes to no subscriber.
    """

    def __init__(
        self,
        deliver: Deliver,
        *,
        authenticate: Authenticate | None = None,
        limits: Limits = USUAL,
        reserved: tuple[str, ...] = ("$", "ectype/"),
        clock: Clock = system_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.clock = clock
        self.monotonic = monotonic
        self._deliver = deliver
        self._limits = limits
        self._server: asyncio.Server | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._serial = 0
        self._connections: set[Connection] = set()
        self.clients = Clients(authenticate, limits, reserved, monotonic, self._bequeath, clock)
        self._shelves: list[Shelf] = []
        self._topics: dict[bytes, str] = {}
        self.turn: Turn[Connection] = Turn(self._topics, limits.packet, self._begin)
        self._gathering: _Group | None = None
        self._groups: deque[_Group] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._paused: set[Connection] = set()
        self._in_flight = 0
        self._settling = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._received = self._durable = self._failed = self._dropped = 0

    @classmethod
    async def start(
        cls,
        host: str,
        port: int,
        deliver: Deliver,
        authenticate: Authenticate | None = None,
        ssl: tls.SSLContext | None = None,
        limits: Limits = USUAL,
        clock: Clock = system_clock,
        monotonic: Callable[[], float] = time.monotonic,
        folder: Path | None = None,
    ) -> "MqttEndpoint":
        """An endpoint that listens; port 0 takes a free one (see `port`). Misconfigured if it cannot.

        folder: where retained messages and sessions outlive the endpoint; None keeps them in memory alone.
        """
        endpoint = cls(deliver, authenticate=authenticate, limits=limits, clock=clock, monotonic=monotonic)
        if folder is not None:
            await endpoint.shelve(folder)
        await endpoint.listen(host, port, ssl)
        return endpoint

    async def listen(self, host: str, port: int, ssl: tls.SSLContext | None = None) -> None:
        """Open the port and begin to look after the clients."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: Door(self.connection()), host, port, ssl=ssl, backlog=1024)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise Misconfigured(
                    f"port {port} on {host} is taken by another program; choose another MQTT port, or 0 for a free one"
                ) from error
            raise Misconfigured(f"cannot listen for MQTT on {host} port {port}: {error.strerror or error}") from error
        self._timer = loop.call_later(_SWEEP_S, self._tick)

    async def shelve(self, folder: Path) -> None:
        """Begin with the retained messages and the sessions in this folder, and keep them there.

        Misconfigured if they cannot be read, or written where they must be before a client comes.
        """
        clients = self.clients
        retained, sessions = folder / "retained", folder / "sessions"
        clients.retained.load(retained)
        last = clients.sessions.load(sessions)
        self._shelves = [
            Shelf(
                retained,
                "retained MQTT messages",
                lambda: clients.retained.changes,
                clients.retained.copy,
                self.monotonic,
            ),
            Shelf(sessions, "MQTT sessions", clients.sessions.changes, clients.sessions.copy, self.monotonic),
        ]
        if last:
            try:
                await self._shelves[1].write()
            except OSError as error:
                raise Misconfigured(
                    f"{sessions}: cannot be written ({error}); make room, or the folder writable"
                ) from error

    def connection(self) -> Connection:
        """A protocol for one more client: what any other transport (WebSocket, a test) plugs in."""
        self._serial += 1
        return Connection(self, f"mqtt-{self._serial}", self._limits.packet, self._topics)

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._server is None or not self._server.sockets:
            raise Misconfigured("the MQTT endpoint does not listen")
        return int(self._server.sockets[0].getsockname()[1])

    def publish(self, topic: str, payload: bytes, retain: bool = True) -> None:
        """Tell subscribers something of our own, at QoS 1. It does not go to `deliver`: it is durable already."""
        if not topic or any(c in topic for c in "+#\0") or len(topic.encode()) > 65_535:
            raise Invalid(f"{topic[:100]!r} is no topic to publish to: it must not be empty or hold + or #")
        self.clients.publish(topic, payload, retain)

    def listens(self, root: str) -> bool:
        """Whether anybody has a filter that may take topics below `root`."""
        return self.clients.subscriptions.below(root)

    def stats(self) -> EndpointStats:
        """Counts since the start, and what is under way now."""
        return EndpointStats(
            connections=len(self._connections),
            received=self._received,
            durable=self._durable,
            failed=self._failed,
            sent=self.clients.sent,
            dropped=self._dropped + sum(c.outbox.dropped for c in self._connections),
            in_flight=self._in_flight,
            paused=len(self._paused),
            retained=len(self.clients.retained),
            retained_refused=self.clients.retained.refused,
        )

    def paused(self) -> list[str]:
        """Clients that are not read from just now, as they send more than the disk takes."""
        return sorted(connection.name for connection in self._paused)

    def unread(self) -> dict[str, int]:
        """Bytes that wait for clients who do not read: half of what a connection's own buffer may hold, or more."""
        held = {c.name: c.outbox.held_bytes for c in self._connections if c.greeted}
        return {name: size for name, size in held.items() if size > _UNREAD}

    async def close(self) -> None:
        """Take nothing more, answer what is on its way to the disk, then end all connections."""
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.pause()
        try:
            async with asyncio.timeout(_CLOSING_S):
                await self._idle.wait()
        except TimeoutError:
            log.error("the MQTT endpoint closes with messages on their way to the disk: they stay unacknowledged")
            for group in (*self._groups, *filter(None, [self._gathering])):
                self._untake(group)
        for connection in tuple(self._connections):
            connection.forget_will()
            connection.close(None, code=SHUTTING_DOWN)
        if self._connections:
            await asyncio.sleep(0)
        for connection in tuple(self._connections):
            connection.close(None, now=True)
        self.clients.sessions.close()
        for shelf in self._shelves:
            await shelf.close()
        if self._server is not None:
            await self._server.wait_closed()

    # ---- what a connection asks for ----

    def opened(self, connection: Connection) -> None:
        """One more client, unless there are too many."""
        self._connections.add(connection)
        if self._closing:
            connection.close(None, now=True)
        elif len(self._connections) > self._limits.connections:
            connection.close(f"{self._limits.connections} clients are connected already", now=True)

    def greet(self, connection: Connection, connect: Connect) -> Greeting:
        """Who may come in."""
        return self.clients.greet(connection, connect)

    def subscribe(self, connection: Connection, packet: Subscribe) -> None:
        """Answered with SUBACK and what is retained."""
        self.clients.subscribe(connection, packet)

    def unsubscribe(self, connection: Connection, packet: Unsubscribe) -> None:
        """Answered with UNSUBACK."""
        self.clients.unsubscribe(connection, packet)

    def lost(self, connection: Connection, will: Will | None) -> None:
        """A client has gone; its will is a message like any other. Its session may wait for it."""
        self._connections.discard(connection)
        self._paused.discard(connection)
        self._dropped += connection.outbox.dropped
        connection.outbox.dropped = 0
        will = self.clients.sessions.lost(connection, will)
        if will is not None:
            self._bequeath(connection.name, will)

    def _bequeath(self, name: str, will: Will) -> None:
        if self._closing:
            return
        ghost = self.connection()
        head = 0x30 | will.qos << 1 | will.retain
        message = Message(will.topic, will.payload, self.clock(), name)
        properties = {0: will.properties} if will.properties.matter else None
        run = Publishes([message], bytearray((head,)), bytearray(), [], len(will.payload), properties)
        self.arrived(ghost, run)

    # ---- to the disk and back ----

    def read_turn(self) -> None:
        """Read what clients sent in this turn: what is usual together, the rest by its connections."""
        sent, rest, odd = self.turn.read(self.clock())
        for found in sent:
            at = 0
            shares: list[_Share] = []
            for connection, count, size in found.shares:
                pubacks = found.run.pubacks[4 * at : 4 * (at + count)]
                at += count
                shares.append((connection, size + _COLUMNS * count, pubacks))
            self._keep(found.run, found.senders, shares)
        for connection, data in rest.items():
            connection.read(data)
        for connection in odd:
            connection.usual = False

    def arrived(self, connection: Connection, run: Publishes | Run) -> None:
        """Put the run into this turn's group, and stop reading this client if enough is under way."""
        each = _COLUMNS * len(run.packed) if isinstance(run, Run) else _OVERHEAD * len(run.messages)
        self._keep(run, (connection,), [(connection, run.size + each, run.pubacks)])

    def _begin(self) -> _Group:
        """What this turn of the loop brings."""
        if self._gathering is None:
            self._gathering = _Group()
            self._idle.clear()
            asyncio.get_running_loop().call_soon(self._send_off)
        return self._gathering

    def _keep(
        self,
        run: Publishes | Run,
        senders: Sequence[Connection],
        shares: Sequence[_Share],
    ) -> None:
        group = self._begin()
        group.runs.append((run, senders, shares))
        if isinstance(run, Run):
            self._received += len(run.packed)
            group.messages.add(run.packed)
        elif run.flags.translate(None, _PLAIN_HEADS):
            self._received += len(run.messages)
            pairs = zip(run.messages, run.flags, strict=True)
            for resent, some in groupby(pairs, lambda pair: bool(pair[1] & DUP)):
                # an empty retained message only clears a topic: nothing to keep
                group.messages.extend([m for m, f in some if m.payload or not f & RETAIN], resent)
        else:
            self._received += len(run.messages)
            group.messages.extend(run.messages)
        for connection, cost, _ in shares:
            group.cost += cost
            self._in_flight += cost
            connection.in_flight += cost
            if connection.in_flight > self._limits.connection or self._in_flight > self._limits.endpoint:
                connection.pause()
                if connection.paused:
                    self._paused.add(connection)

    def _send_off(self) -> None:
        """The loop has turned: this group is complete."""
        if self.turn:
            self.read_turn()
        group, self._gathering = self._gathering, None
        if group is not None:
            self._groups.append(group)
            task = asyncio.get_running_loop().create_task(self._make_durable(group))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _make_durable(self, group: _Group) -> None:
        try:
            if group.messages:
                await self._deliver(group.messages)
        except EctypeError as error:
            group.error = str(error)
        except Exception as error:
            log.exception("delivering MQTT messages failed unexpectedly")
            group.error = f"{type(error).__name__}: {error}"
        except BaseException:
            group.error = "the endpoint was stopped"
            raise
        finally:
            group.settled = True
            if not self._settling:  # groups of one commit are answered together: one write for each client
                self._settling = True
                asyncio.get_running_loop().call_soon(self._settle)

    def _settle(self) -> None:
        """Answer the groups that are durable, oldest first, never past one that is not."""
        self._settling = False
        touched: set[Outbox] = set()
        acks: dict[Connection, list[bytes | bytearray]] = {}
        while self._groups and self._groups[0].settled:
            group = self._groups.popleft()
            self._in_flight -= group.cost
            if group.error is None:
                self._durable += len(group.messages)
            else:
                self._give_up(group, group.error)
            for run, senders, shares in group.runs:
                for connection, cost, pubacks in shares:
                    connection.in_flight -= cost
                    if pubacks and group.error is None:
                        acks.setdefault(connection, []).append(pubacks)
                if group.error is None:
                    if isinstance(run, Run):
                        if self.clients.subscriptions:
                            self.clients.fan_out_packed(senders, run, touched)
                    elif self.clients.subscriptions or run.flags.translate(None, _NOT_RETAINED):
                        self.clients.fan_out(senders[0], run, touched)
        for connection, pubacks in acks.items():  # one write for each, before what others published
            connection.acknowledge(pubacks[0] if len(pubacks) == 1 else b"".join(pubacks))
        self.clients.flush(touched)
        self._resume()
        if not self._groups and self._gathering is None:
            self._idle.set()

    def _give_up(self, group: _Group, error: str) -> None:
        """Nothing of the group is acknowledged; its clients are told by the end of their connections."""
        self._failed += len(group.messages)
        clients = {connection for _, _, shares in group.runs for connection, _, _ in shares} | self._untake(group)
        log.error(
            "%d MQTT messages were not stored and not acknowledged; closing the connections of %d clients, "
            "which will send them again: %s",
            len(group.messages), len(clients), error,
        )  # fmt: skip
        for connection in clients:
            connection.close(None)

    def _untake(self, group: _Group) -> set[Connection]:
        """What came at QoS 2 is new when it comes again. Returns the connections on which it may have come since."""
        clients: set[Connection] = set()
        for run, senders, _ in group.runs:
            if isinstance(run, Publishes) and run.exactly_once:
                sender = senders[0]
                sender.exactly_once.difference_update(packet_id for _, packet_id in run.exactly_once)
                if sender.session is not None and sender.session.connection is not None:
                    clients.add(sender.session.connection)
        return clients

    def _resume(self) -> None:
        if self._paused and not self._closing and self._in_flight <= self._limits.endpoint // 2:
            for connection in tuple(self._paused):
                if connection.in_flight <= self._limits.connection // 2:
                    self._paused.discard(connection)
                    connection.resume()

    # ---- time ----

    def sweep(self) -> None:
        """End the connections whose time is up; the endpoint does this by itself once a second."""
        now_s = self.monotonic()
        for connection in tuple(self._connections):
            connection.sweep(now_s)
        self.clients.sessions.sweep(now_s)
        for shelf in self._shelves:
            shelf.sweep(now_s)

    def _tick(self) -> None:
        self.sweep()
        self._timer = asyncio.get_running_loop().call_later(_SWEEP_S, self._tick)
