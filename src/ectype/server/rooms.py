"""Shared documents over WebSockets, in the protocol of stock Yjs clients (y-websocket's WebsocketProvider)."""

import asyncio

from starlette.routing import BaseRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from ectype.collab.room import Member
from ectype.node.view import View
from ectype.server.gate import Gate, close
from ectype.server.query import Query
from ectype.server.sockets import PATIENCE_S, first_of, send


def routes(gate: Gate, patience_s: float = PATIENCE_S) -> list[BaseRoute]:
    """`/api/rooms/{name}`."""

    async def room(socket: WebSocket, view: View) -> None:
        Query(socket.query_params)
        member = await view.room(socket.path_params["name"]).join()
        try:
            await first_of(_hear(socket, member), _tell(socket, member, patience_s))
        finally:
            member.leave()

    return [gate.socket("/api/rooms/{name}", room)]


async def _hear(socket: WebSocket, member: Member) -> None:
    while member.goodbye is None:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code") or 1005)
        data = message.get("bytes")
        if data is None:
            member.dismiss(1003, "a room is spoken to in binary messages of the y-protocols")
        else:
            member.receive(data)
    await asyncio.Event().wait()  # the other half says goodbye


async def _tell(socket: WebSocket, member: Member, patience_s: float) -> None:
    while messages := await member.messages():
        for message in messages:
            await send(socket, message, patience_s)
    goodbye = member.goodbye
    assert goodbye is not None
    await close(socket, goodbye.code, goodbye.reason)
