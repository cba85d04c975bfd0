"""Runs the HTTP application inside the loop that is already running, on a port that is really ours."""

import asyncio
import errno
import socket
import ssl
from pathlib import Path
from typing import final

import uvicorn
from starlette.types import ASGIApp

from ectype.errors import Misconfigured
from ectype.node.exposure import Exposure
from ectype.node.node import Node
from ectype.node.tls import certified_names, context
from ectype.server.app import create_app
from ectype.server.auth import one_token
from ectype.server.guard import LOOPBACK_HOSTS
from ectype.trust.access import LOCAL_USER

STATIC = Path(__file__).parent / "static"
_CLOSE_WITHIN_S = 1
_PING_S = 20.0
_MOST_MESSAGE_BYTES = 2 << 20
_DEAD_PEER_MS = 30_000


@final
class Serving:
    """An application that answers. `url` is where; `port` the real one, also when any was asked for."""

    def __init__(self, server: uvicorn.Server, sockets: list[socket.socket], url: str, port: int) -> None:
        self.url = url
        self.port = port
        self._server = server
        self._sockets = sockets
        self._ticking = asyncio.get_running_loop().create_task(server.main_loop(), name="http")

    async def close(self) -> None:
        """Answer what was asked, close WebSockets with 1012 (service restart), stop. Takes a second at most."""
        if self._server.should_exit:
            return
        self._server.should_exit = True
        await self._ticking
        await self._server.shutdown(self._sockets)


async def serve(node: Node, exposure: Exposure, port: int, *, static: Path | None = STATIC) -> Serving:
    """Serve a node's space to its local user, or to whoever has the exposure's token.

    Returns once it answers. Misconfigured when the port is taken or the certificate is not usable.
    """
    hosts = {*LOOPBACK_HOSTS, exposure.host}
    tls: ssl.SSLContext | None = None
    if exposure.cert is not None and exposure.key is not None:
        tls = context(exposure.cert, exposure.key)
        hosts |= certified_names(exposure.cert)
    app = create_app(one_token(node.view(LOCAL_USER), exposure.token), allowed_hosts=hosts, static=static)
    return await listen(app, exposure.host, port, tls=tls)


async def listen(app: ASGIApp, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> Serving:
    """Serve any ASGI application on `host`:`port` (0: any free port). Returns once it answers."""
    sockets = await bind(host, port)
    real_port: int = sockets[0].getsockname()[1]
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="websockets-sansio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws_max_size=_MOST_MESSAGE_BYTES,
        ws_ping_interval=_PING_S,
        ws_ping_timeout=_PING_S,
        ws_per_message_deflate=False,  # costs more than it gains between processes of one machine
        timeout_graceful_shutdown=_CLOSE_WITHIN_S,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
    )
    config.load()
    server = uvicorn.Server(config)
    # Not `server.serve()`: it takes over the signals of the process, which belong to the command line.
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets)
    shown = f"[{host}]" if ":" in host else host
    return Serving(server, sockets, f"{'https' if tls else 'http'}://{shown}:{real_port}", real_port)


async def bind(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on every address of `host`, all with the same port. Misconfigured when one is taken."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Misconfigured(f"--host {host}: no such address ({error.strerror or error})") from error
    sockets: list[socket.socket] = []
    try:
        for family, address in sorted({(family, address[0]) for family, _, _, _, address in found}):
            chosen = sockets[0].getsockname()[1] if sockets else port
            sockets.append(_listener(family, str(address), chosen))
    except OSError as error:
        for open_socket in sockets:
            open_socket.close()
        raise _taken(host, port, error) from error
    return sockets


def _listener(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # inherited: a peer that takes nothing for so long is cut off
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_PEER_MS)
        listener.setblocking(False)
        listener.bind((address, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def _taken(host: str, port: int, error: OSError) -> Misconfigured:
    if error.errno == errno.EADDRINUSE:
        return Misconfigured(
            f"port {port} of {host} is taken by another program; "
            "choose another with --port, or --port 0 for any free one"
        )
    if error.errno == errno.EACCES:
        return Misconfigured(f"port {port} needs more rights than you have; choose one above 1023 with --port")
    return Misconfigured(f"cannot listen on {host} port {port}: {error.strerror or error}")
