"""What every WebSocket here needs: two directions at once, and an end to clients that stopped reading."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from starlette.websockets import WebSocket

from ectype.errors import Unavailable

PATIENCE_S = 15.0


async def first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Run all until the first ends, then stop the others. Raises what the first raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def send(socket: WebSocket, message: str | bytes, patience_s: float) -> None:
    """Send a message. Unavailable (which closes with 1013) when the client takes nothing for `patience_s`."""
    sending = socket.send_text(message) if isinstance(message, str) else socket.send_bytes(message)
    try:
        async with asyncio.timeout(patience_s):
            await sending
    except TimeoutError as error:
        raise Unavailable("too far behind; connect again and resume from what you saw last") from error


async def until_gone(socket: WebSocket) -> None:
    """Wait for the client to go; what it says until then is not listened to."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
