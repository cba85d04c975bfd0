"""Stock Azure Digital Twins clients, told to speak to a node.

They insist on a credential, and refuse to send one without TLS. A node on one's own machine wants neither, so what
is needed to say so is kept here, out of everybody's programs.
"""
# pyright: reportMissingImports=false

from pathlib import Path
from typing import TYPE_CHECKING, Any, final
from urllib.parse import urlsplit

from ectype.errors import Misconfigured

if TYPE_CHECKING:
    from azure.digitaltwins.core import DigitalTwinsClient
    from azure.digitaltwins.core.aio import DigitalTwinsClient as AsyncDigitalTwinsClient

_NEVER = 2**31


def make_client(
    url: str, *, ca: str | Path | None, token: str | None, aio: bool, **more: Any
) -> "DigitalTwinsClient | AsyncDigitalTwinsClient":
    """A `DigitalTwinsClient`, synchronous or (aio) asynchronous. Raises Misconfigured when it cannot be one."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misconfigured(f"{url!r} is no address of a node; write https://localhost:8787")
    try:
        from azure.core.credentials import AccessToken
        from azure.core.pipeline.policies import HeadersPolicy
        from azure.digitaltwins.core import DigitalTwinsClient
    except ImportError as error:
        raise Misconfigured("connecting needs: pip install 'ectype[adt]'") from error
    if ca is not None:
        if not Path(ca).is_file():
            raise Misconfigured(f"ca {ca}: there is no such file; `ectype serve --tls` says where it is")
        more["connection_verify"] = str(ca)
    if parts.scheme == "http":
        # The client's own policy refuses to send a token without TLS; this one sends it, if there is one.
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        more["authentication_policy"] = HeadersPolicy(headers)
    access = AccessToken(token or "none", _NEVER)
    if not aio:
        return DigitalTwinsClient(url, _Credential(access), **more)
    try:
        from azure.digitaltwins.core.aio import DigitalTwinsClient as AsyncDigitalTwinsClient
    except ImportError as error:
        raise Misconfigured("connecting asynchronously needs: pip install aiohttp") from error
    return AsyncDigitalTwinsClient(url, _AsyncCredential(access), **more)


@final
class _Credential:
    """Always the same token."""

    def __init__(self, token: Any) -> None:
        self._token = token

    def get_token(self, *scopes: str, **more: Any) -> Any:
        """What the client asks before its first request."""
        del scopes, more
        return self._token


@final
class _AsyncCredential:
    """Always the same token."""

    def __init__(self, token: Any) -> None:
        self._token = token

    async def get_token(self, *scopes: str, **more: Any) -> Any:
        """What the client asks before its first request."""
        del scopes, more
        return self._token

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> "_AsyncCredential":
        return self

    async def __aexit__(self, exc_type: Any = None, exc_value: Any = None, traceback: Any = None) -> None:
        """Nothing is open."""
