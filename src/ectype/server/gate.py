"""The one way from a request to a handler: who asks is known, what goes wrong is told the same way everywhere."""

from collections.abc import Awaitable, Callable, Mapping
from typing import final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from ectype.node.view import View
from ectype.server.auth import Views, view_for
from ectype.server.errors import TooLarge, close_reason, error_response, outcome

Handler = Callable[[Request, View], Awaitable[Response]]
SocketHandler = Callable[[WebSocket, View], Awaitable[None]]

MOST_BODY_BYTES = 1 << 20

_JSON = "application/json"
_encode = msgspec.json.Encoder().encode


def json_response(value: object, headers: Mapping[str, str] | None = None) -> Response:
    """`value` as JSON; NaN and infinities, which JSON lacks, become null."""
    return Response(_encode(value), headers={"cache-control": "no-store", **(headers or {})}, media_type=_JSON)


async def body_of(request: Request) -> bytes:
    """The body, no more of it than MOST_BODY_BYTES; else TooLarge."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY_BYTES:
            raise TooLarge(f"a body may have {MOST_BODY_BYTES} bytes (1 MiB); this one has more")
    return bytes(body)


@final
class Gate:
    """Makes routes whose handlers get a view of the space instead of credentials."""

    def __init__(self, views: Views) -> None:
        self._views = views

    def route(
        self, path: str, *, get: Handler | None = None, patch: Handler | None = None, post: Handler | None = None
    ) -> Route:
        """A route that answers the methods it has a handler for; HEAD as GET."""
        given = {"GET": get, "HEAD": get, "PATCH": patch, "POST": post}
        handlers = {method: handler for method, handler in given.items() if handler is not None}

        return Route(path, _Endpoint(handlers, self._views), methods=list(handlers), name=path)

    def socket(self, path: str, handler: SocketHandler) -> WebSocketRoute:
        """A WebSocket. What goes wrong closes it with the code of the error: it is accepted first, as
        browsers hide from a page why a handshake failed.
        """

        async def endpoint(socket: WebSocket) -> None:
            await socket.accept()
            try:
                await handler(socket, view_for(socket, self._views))
            except WebSocketDisconnect:
                return
            except Exception as error:  # noqa: BLE001 - the edge: everything is told to the caller and logged
                told = outcome(error)
                await close(socket, told.close, told.message)

        return WebSocketRoute(path, endpoint, name=path)


@final
class _Endpoint:
    """One path's handlers as an ASGI application: Starlette's layers around a function cost as much as a handler."""

    def __init__(self, handlers: Mapping[str, Handler], views: Views) -> None:
        self._handlers = handlers
        self._views = views

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever comes."""
        request = Request(scope, receive)
        try:
            response = await self._handlers[request.method](request, view_for(request, self._views))
        except Exception as error:  # noqa: BLE001 - the edge: everything is told to the caller and logged
            response = error_response(error, had_if_match="if-match" in request.headers)
        await response(scope, receive, send)


async def close(socket: WebSocket, code: int, reason: str) -> None:
    """Close a socket that may be gone already."""
    try:
        await socket.close(code, close_reason(reason))
    except (RuntimeError, WebSocketDisconnect):
        return
