"""`ws://…` and `wss://…`: JSON messages that a WebSocket server sends.

bind: JSON pointers, "#/price"; options: time (a JSON pointer), hello (a text sent once connected)
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import final

import msgspec
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import InvalidURI, WebSocketException

from ectype.clock import Clock
from ectype.errors import Misconfigured, Unavailable
from ectype.sources.base import Message
from ectype.sources.connector import Opening
from ectype.sources.pick import Picker
from ectype.sources.readings import MAX_PAYLOAD

_MOST = 1000


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """time: where a message says when it was measured; hello: what the server wants to be sent first."""

    time: str | None = None
    hello: str | None = None


def connect(opening: Opening, clock: Clock) -> "WebSocket":
    """A connector for `opening`."""
    return WebSocket(opening, clock)


@final
class WebSocket:
    """Listens. While the node is slow nothing is read, and TCP lets the server wait."""

    def __init__(self, opening: Opening, clock: Clock) -> None:
        self._options = opening.options_as(Options)
        opening.bound()
        opening.host_and_port(80)
        self._url = opening.url
        self._picker = Picker(opening, clock, self._options.time)

    async def batches(self) -> AsyncIterator[Sequence[Message]]:
        """What came since the last batch."""
        try:
            async with connect_websocket(self._url, max_size=MAX_PAYLOAD, max_queue=64) as socket:
                if self._options.hello is not None:
                    await socket.send(self._options.hello)
                while True:
                    texts = [await socket.recv()]
                    while len(texts) < _MOST:
                        try:  # what is here already, without waiting for more
                            async with asyncio.timeout(0):
                                texts.append(await socket.recv())
                        except TimeoutError:
                            break
                    yield [message for text in texts for message in self._picker.messages("", _bytes(text))]
        except InvalidURI as error:
            raise Misconfigured(str(error)) from error
        except (OSError, WebSocketException, TimeoutError) as error:
            raise Unavailable(f"the connection is lost: {error}") from error


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
