"""`mqtt://…` and `mqtts://…`: topics of a broker elsewhere, at QoS 1 with a session that outlives us.

bind: "topic", "topic#/json/pointer"; without any the topics mean what they mean at the node's own endpoint
options: topics (filters to subscribe to; those that are bound if left out), time, password_file, ca_file
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, final

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from ectype.clock import Clock
from ectype.errors import Misconfigured, Unavailable
from ectype.sources.base import Message
from ectype.sources.connector import Opening
from ectype.sources.pick import Picker

_WAITING = 1000
_CONNECT_S = 15.0


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """topics: what to subscribe to; time: where a payload says when it was measured;
    password_file: the password for the URL's user; ca_file: who vouches for the broker, if not the system's list.
    """

    topics: list[str] = []
    time: str | None = None
    password_file: str | None = None
    ca_file: str | None = None


def connect(opening: Opening, clock: Clock) -> "MqttBroker":
    """A connector for `opening`."""
    return MqttBroker(opening, clock)


@final
class MqttBroker:
    """Subscribes, and acknowledges to the broker what is on disk here, so that it keeps what is not."""

    def __init__(self, opening: Opening, clock: Clock) -> None:
        options = opening.options_as(Options)
        self._tls = opening.at.scheme == "mqtts"
        self._host, self._port = opening.host_and_port(8883 if self._tls else 1883)
        self._picker = Picker(opening, clock, options.time)
        self._topics = options.topics or self._picker.topics
        if not self._topics:
            raise Misconfigured(f'source {opening.name} subscribes to nothing: bind topics, or say topics = ["#"]')
        self._user = opening.at.username
        self._password = _secret(options.password_file, opening.name) or opening.at.password
        self._ca = options.ca_file
        self._client_id = f"ectype-{opening.name}"

    async def batches(self) -> AsyncIterator[Sequence[Message]]:
        """What came since the last batch; asking for the next acknowledges it."""
        session = _Session(asyncio.get_running_loop())
        client = self._client(session)
        try:
            await session.begin(client, self._host, self._port, self._topics)
            while True:
                taken = await session.take()
                yield [each for packet in taken for each in self._picker.messages(packet.topic, bytes(packet.payload))]
                for packet in taken:
                    client.ack(packet.mid, packet.qos)
        finally:
            session.closing = True
            await asyncio.to_thread(_end, client)

    def _client(self, session: "_Session") -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=False,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        if self._user is not None:
            client.username_pw_set(self._user, self._password)
        if self._tls:
            client.tls_set(ca_certs=self._ca)  # pyright: ignore[reportUnknownMemberType]
        client.on_connect = session.on_connect
        client.on_message = session.on_message
        client.on_disconnect = session.on_disconnect
        return client


@final
class _Session:
    """Between paho's thread and the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._came: asyncio.Queue[mqtt.MQTTMessage] = asyncio.Queue(_WAITING)
        self._connected: asyncio.Future[None] = loop.create_future()
        self._lost: asyncio.Future[None] = loop.create_future()
        self.closing = False

    async def begin(self, client: mqtt.Client, host: str, port: int, topics: list[str]) -> None:
        """Connect and subscribe. Raises Unavailable."""
        try:
            await asyncio.to_thread(client.connect, host, port)
            client.loop_start()
            async with asyncio.timeout(_CONNECT_S):
                await self._connected
        except (OSError, TimeoutError, ValueError) as error:
            raise Unavailable(f"the broker does not take us: {error or 'no answer'}") from error
        client.subscribe([(topic, 1) for topic in topics])

    async def take(self) -> list[mqtt.MQTTMessage]:
        """All that is here, at least one. Raises Unavailable when the connection is lost."""
        first = asyncio.ensure_future(self._came.get())
        await asyncio.wait([first, self._lost], return_when=asyncio.FIRST_COMPLETED)
        if not first.done():
            first.cancel()
            self._lost.result()
        taken = [first.result()]
        while not self._came.empty():
            taken.append(self._came.get_nowait())
        return taken

    def on_connect(self, _client: mqtt.Client, _data: object, _flags: object, code: Any, _more: object) -> None:
        """paho's thread: the broker has answered."""
        error = Unavailable(f"the broker refuses us: {code}") if code.is_failure else None
        self._loop.call_soon_threadsafe(_settle, self._connected, error)

    def on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        """paho's thread: waits while the queue is full, so that the broker does too."""
        while not self.closing:
            try:
                asyncio.run_coroutine_threadsafe(self._came.put(message), self._loop).result(1.0)
                return
            except TimeoutError:
                continue

    def on_disconnect(self, _client: mqtt.Client, _data: object, _flags: object, code: object, _more: object) -> None:
        """paho's thread: the connection is gone."""
        if not self.closing:
            self._loop.call_soon_threadsafe(_settle, self._lost, Unavailable(f"the broker is gone: {code}"))


def _settle(future: "asyncio.Future[None]", error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
        future.exception()  # seen: whoever waits for it still gets it


def _end(client: mqtt.Client) -> None:
    client.disconnect()
    client.loop_stop()


def _secret(path: str | None, name: str) -> str | None:
    try:
        return None if path is None else Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"source {name}: password_file {path}: {error}") from error
