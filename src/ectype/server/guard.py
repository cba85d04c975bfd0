"""Keeps other web sites out of a node that a browser on this machine can reach.

A page anywhere may send requests to 127.0.0.1. Two checks stop it, before anything else is looked at:
the Host must be one of ours (else a name of the attacker's that resolves to us would make its page
same-origin: DNS rebinding), and what changes something or opens a WebSocket must come from our own page
(cross-site request forgery). Programs, which send no Origin, pass.
"""

from collections.abc import Collection
from functools import lru_cache
from typing import final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ectype.server.errors import error_body

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES = frozenset({"same-origin", "none"})

# three.js makes workers and textures from blobs, React sets style attributes; nothing comes from elsewhere.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_RAW_HEADERS = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
_NAMES = frozenset(name for name, _ in _RAW_HEADERS)


@final
class Guard:
    """ASGI middleware, outermost: refuses foreign requests and puts the safety headers on every answer."""

    def __init__(self, app: ASGIApp, allowed_hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(_plain(host) for host in allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 403."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        objection = self._objection(scope)
        if objection is not None:
            await _refuse(scope, receive, send, objection)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, _with_headers(send))

    def _objection(self, scope: Scope) -> str | None:
        hosts: list[str] = []
        origin: str | None = None
        site: str | None = None
        for name, value in scope["headers"]:
            if name == b"host":
                hosts.append(value.decode("latin-1"))
            elif name == b"origin":
                origin = value.decode("latin-1") if origin is None else origin
            elif name == b"sec-fetch-site":
                site = value.decode("latin-1") if site is None else site
        if len(hosts) != 1 or not self._is_ours(_hostname(hosts[0])):
            named = ", ".join(sorted(self._hosts))
            return f"this node answers to the host {named}, not to {', '.join(hosts)[:200]!r}"
        if scope["type"] == "http" and scope["method"] in _SAFE:
            return None
        if origin is None:
            return None if site is None or site in _OWN_SITES else "a page of another site may not do this"
        if _netloc(origin) != hosts[0].lower():
            return f"a page of {origin[:200]} may not do this; only this node's own page and programs may"
        return None

    def _is_ours(self, name: str | None) -> bool:
        """A certificate may vouch for *.example.org, which is one label, not more."""
        return name is not None and (name in self._hosts or f"*.{name.partition('.')[2]}" in self._hosts)


def _plain(host: str) -> str:
    return host.lower().removeprefix("[").removesuffix("]")


@lru_cache(1024)
def _hostname(host: str) -> str | None:
    """The name in a Host header, without port and brackets; None if it is no such header."""
    try:
        parts = urlsplit(f"//{host}")
        if parts.netloc != host or parts.username is not None or parts.port == 0:
            return None
    except ValueError:
        return None
    return parts.hostname


def _netloc(origin: str) -> str | None:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc.lower() if parts.scheme in ("http", "https") else None


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = {name for name, _ in message["headers"]}
            more = _RAW_HEADERS if _NAMES.isdisjoint(there) else [pair for pair in _RAW_HEADERS if pair[0] not in there]
            message["headers"] = [*message["headers"], *more]
        await send(message)

    return sending


async def _refuse(scope: Scope, receive: Receive, send: Send, objection: str) -> None:
    body = error_body("Refused", objection)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if scope["type"] == "http":
        await _with_headers(send)({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return
    await receive()
    if "websocket.http.response" in scope.get("extensions", {}):
        await send({"type": "websocket.http.response.start", "status": 403, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": body})
    else:
        await send({"type": "websocket.close", "code": 1008, "reason": ""})
