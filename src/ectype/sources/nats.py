"""`nats://…` and `tls://…`-secured NATS: subjects, plain or from a JetStream stream that waits for us.

bind: "subject", "subject#/json/pointer"; without any, a.b.turbine-1.power is the property power of turbine-1
options: subjects, time, stream (with it, messages are acknowledged when they are on disk), credentials_file
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, final

import msgspec
import nats
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeout

from ectype.clock import Clock
from ectype.errors import Misconfigured, Unavailable
from ectype.sources.base import Message
from ectype.sources.connector import Opening
from ectype.sources.pick import Picker

_MOST = 1000
_WAITING = 10_000
_PATIENCE_S = 1.0


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """subjects: what to subscribe to; time: where a payload says when it was measured; stream: a JetStream
    stream to read with a durable consumer of this source's name; credentials_file: a NATS .creds file.
    """

    subjects: list[str] = []
    time: str | None = None
    stream: str | None = None
    credentials_file: str | None = None


def connect(opening: Opening, clock: Clock) -> "Nats":
    """A connector for `opening`."""
    return Nats(opening, clock)


@final
class Nats:
    """Subscribes. A plain subscription that is left waiting is told by the server and is Unavailable: a gap is said."""

    def __init__(self, opening: Opening, clock: Clock) -> None:
        self._options = opening.options_as(Options)
        host, port = opening.host_and_port(4222)
        self._opening = opening
        self._server = opening.url if opening.at.port else opening.url.replace(host, f"{host}:{port}", 1)
        self._picker = Picker(opening, clock, self._options.time)
        self._subjects = self._options.subjects or self._picker.topics
        if not self._subjects:
            raise Misconfigured(f'source {opening.name} subscribes to nothing: bind subjects, or say subjects = [">"]')
        if self._options.stream is not None and len(self._subjects) > 1:
            raise Misconfigured(f"source {opening.name}: with a stream say one subject, with wildcards where needed")

    async def batches(self) -> AsyncIterator[Sequence[Message]]:
        """What came since the last batch."""
        troubles: asyncio.Queue[Exception] = asyncio.Queue()

        async def note(error: Exception) -> None:
            troubles.put_nowait(error)

        async def closed() -> None:
            troubles.put_nowait(ConnectionError("the server closed the connection"))

        credentials = self._options.credentials_file
        try:
            client = await nats.connect(
                self._server,
                name=f"ectype {self._opening.name}",
                allow_reconnect=False,
                connect_timeout=5,
                error_cb=note,
                closed_cb=closed,
                **({} if credentials is None else {"user_credentials": credentials}),
            )
        except (OSError, NatsError, ValueError) as error:
            raise Unavailable(f"the server does not take us: {error or type(error).__name__}") from error
        try:
            taking = self._from_stream(client) if self._options.stream else self._from_subjects(client)
            async with aclosing(taking):
                async for packets in taking:
                    if not troubles.empty():
                        raise Unavailable(f"messages may be missing: {troubles.get_nowait()!r}")
                    if packets:
                        yield [each for p in packets for each in self._picker.messages(self._topic(p), p.data)]
        except (OSError, NatsError) as error:
            raise Unavailable(f"the connection is lost: {error or type(error).__name__}") from error
        finally:
            if client.is_connected:
                await client.flush()
            await client.close()

    def _topic(self, packet: Any) -> str:
        """Subjects as topics: bound by their own name, else with levels parted by slashes."""
        subject: str = packet.subject
        return subject if self._opening.bind else subject.replace(".", "/")

    async def _from_subjects(self, client: Any) -> AsyncGenerator[list[Any], None]:
        came: asyncio.Queue[Any] = asyncio.Queue(_WAITING)
        for subject in self._subjects:
            await client.subscribe(subject, cb=came.put, pending_msgs_limit=_WAITING)
        while True:
            packets: list[Any] = []
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    packets.append(await came.get())
            except TimeoutError:
                pass
            while not came.empty() and len(packets) < _MOST:
                packets.append(came.get_nowait())
            yield packets

    async def _from_stream(self, client: Any) -> AsyncGenerator[list[Any], None]:
        subscription = await client.jetstream().pull_subscribe(
            self._subjects[0], durable=f"ectype-{self._opening.name}", stream=self._options.stream
        )
        while True:
            try:
                packets: list[Any] = await subscription.fetch(_MOST, timeout=_PATIENCE_S)
            except NatsTimeout:
                packets = []
            kept = False
            try:
                yield packets
                kept = True
            finally:
                for packet in packets:  # what was not kept is given back at once, not when the server's patience ends
                    await (packet.ack() if kept else packet.nak())
