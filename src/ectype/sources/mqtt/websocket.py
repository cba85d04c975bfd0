"""The door of the port: MQTT comes as it is, or inside a WebSocket, told apart by the first byte.

A CONNECT begins with 0x10, a WebSocket with the G of GET. What a browser's page from elsewhere sends is refused:
its Origin must be this host.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, cast, final
from urllib.parse import urlsplit

from ectype.sources.mqtt.connection import Connection

if TYPE_CHECKING:
    from websockets.server import ServerProtocol

log = logging.getLogger("ectype.mqtt")

_MESSAGE = 2 << 20
_GREETING_S = 10.0


@final
class Door(asyncio.Protocol):
    """Waits for the first bytes and hands the socket to whoever understands them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody is here, and has some seconds to say what they speak."""
        self._transport = cast(asyncio.Transport, transport)
        self._timer = asyncio.get_running_loop().call_later(_GREETING_S, transport.abort)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """The first bytes."""
        if self._transport is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        inner: asyncio.Protocol = self._connection
        if data[:1] == b"G":
            inner = WebSocket(self._connection)
        self._transport.set_protocol(inner)
        inner.connection_made(self._transport)
        inner.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """They left without a word."""
        if self._timer is not None:
            self._timer.cancel()


@final
class WebSocket(asyncio.Protocol):
    """MQTT in binary messages, whose borders mean nothing (MQTT 5, section 6)."""

    def __init__(self, connection: Connection) -> None:
        from websockets.server import ServerProtocol  # 25 ms that a node whose clients speak plain MQTT never needs
        from websockets.typing import Subprotocol

        def choose(_: "ServerProtocol", offered: object) -> Subprotocol | None:
            names = cast("list[Subprotocol]", offered)
            return next((name for name in names if name in ("mqtt", "mqttv3.1")), None)

        self._connection = connection
        self._socket = ServerProtocol(select_subprotocol=choose, max_size=_MESSAGE)
        self._transport: asyncio.Transport | None = None
        self._open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is ours."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Bytes of the handshake or of frames."""
        from websockets.frames import Frame, Opcode
        from websockets.http11 import Request

        if self._transport is None:
            return
        self._socket.receive_data(data)
        for event in self._socket.events_received():
            if isinstance(event, Request):
                here = _same_host(event.headers.get("Origin"), event.headers.get("Host", ""))
                response = self._socket.accept(event) if here else self._socket.reject(403, "not from this origin\n")
                self._socket.send_response(response)
                self.send()
                if response.status_code == 101:
                    self._open = True
                    self._connection.connection_made(_Framed(self, self._transport))
            elif isinstance(event, Frame) and event.opcode in (Opcode.BINARY, Opcode.CONT) and self._open:
                self._connection.data_received(bytes(event.data))
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self._connection.close("it sent text; MQTT travels in binary messages [MQTT-6.0.0-1]")
        self.send()

    def write(self, data: bytes) -> None:
        """One message."""
        self._socket.send_binary(data)
        self.send()

    def close(self) -> None:
        """Say goodbye."""
        from websockets.protocol import State

        if self._socket.state is State.OPEN:
            self._socket.send_close(1000)
        self.send()
        if self._transport is not None:
            self._transport.close()

    def send(self) -> None:
        """Write what the WebSocket wants to say; an empty piece stands for the end."""
        if self._transport is None or self._transport.is_closing():
            return
        for piece in self._socket.data_to_send():
            if piece:
                self._transport.write(piece)
            else:
                self._transport.close()

    def pause_writing(self) -> None:
        """The client reads slower than it is sent to."""
        if self._open:
            self._connection.pause_writing()

    def resume_writing(self) -> None:
        """There is room again."""
        if self._open:
            self._connection.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        self._transport = None
        if self._open:
            self._connection.connection_lost(exc)


@final
class _Framed(asyncio.Transport):
    """The socket as a connection sees it: what is written goes out in frames."""

    def __init__(self, socket: WebSocket, below: asyncio.Transport) -> None:
        super().__init__()
        self._socket = socket
        self._below = below

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._socket.write(bytes(data))

    def close(self) -> None:
        self._socket.close()

    def abort(self) -> None:
        self._below.abort()

    def is_closing(self) -> bool:
        return self._below.is_closing()

    def pause_reading(self) -> None:
        self._below.pause_reading()

    def resume_reading(self) -> None:
        self._below.resume_reading()

    def get_write_buffer_size(self) -> int:
        return self._below.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._below.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._below.get_extra_info(name, default)


def _same_host(origin: str | None, host: str) -> bool:
    """Whether a browser may do this: no Origin is no browser."""
    if origin is None:
        return True
    return urlsplit(origin).hostname == urlsplit(f"//{host}").hostname is not None
