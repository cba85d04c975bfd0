"""Who asks: the credentials of a request, and the view of the space that they open."""

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from starlette.requests import HTTPConnection

from ectype.errors import Refused
from ectype.node.view import View
from ectype.server.errors import Unauthorized

_TOKEN = re.compile(r"[!-~]{1,4096}")
_SHOWN = frozenset({b"authorization", b"cookie"})


@final
@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request shows of itself. `peer` is the address it came from, as far as is known."""

    token: str | None
    peer: str | None


Views = Callable[[Credentials], View]  # raises Refused for credentials that open nothing


def cookie_name(connection: HTTPConnection) -> str:
    """Cookies do not tell ports apart, so the name does: two nodes of one machine keep theirs."""
    port = connection.url.port
    return f"ectype-{port}" if port else "ectype"


def credentials_of(connection: HTTPConnection) -> Credentials:
    """The token of `Authorization: Bearer`, else of the cookie that a link with ?token= once set."""
    peer = connection.client.host if connection.client else None
    if not any(name in _SHOWN for name, _ in connection.scope["headers"]):  # most programs on one's own machine
        return Credentials(None, peer)
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme:
        if scheme.lower() != "bearer" or not _TOKEN.fullmatch(token.strip()):
            raise Unauthorized("the Authorization header must read: Bearer TOKEN")
        return Credentials(token.strip(), peer)
    return Credentials(connection.cookies.get(cookie_name(connection)) or None, peer)


def view_for(connection: HTTPConnection, views: Views) -> View:
    """The view that this request may have. Raises Unauthorized."""
    return open_view(views, credentials_of(connection))


def open_view(views: Views, credentials: Credentials) -> View:
    """The view that `credentials` open. Raises Unauthorized."""
    try:
        return views(credentials)
    except Unauthorized:
        raise
    except Refused as error:
        raise Unauthorized(str(error)) from error


def one_token(view: View, token: str | None) -> Views:
    """`view` for whoever shows `token`; for everybody when it is None, as on somebody's own machine."""
    right = None if token is None else token.encode()

    def views(credentials: Credentials) -> View:
        if right is None:
            return view
        shown = (credentials.token or "").encode()
        if not hmac.compare_digest(shown, right):  # takes the same time wherever they differ
            raise Unauthorized(
                "this node wants its token: send 'Authorization: Bearer TOKEN', "
                "or open its page once with ?token=TOKEN at the end of the address"
            )
        return view

    return views
