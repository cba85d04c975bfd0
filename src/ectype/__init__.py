"""Ectype: live digital twins on one signed log."""

from typing import TYPE_CHECKING, Any, Literal, overload

__version__ = "0.1.0"

if TYPE_CHECKING:
    from pathlib import Path

    from azure.digitaltwins.core import DigitalTwinsClient
    from azure.digitaltwins.core.aio import DigitalTwinsClient as AsyncDigitalTwinsClient

    from ectype.client.space import Space


@overload
def connect(
    url: str, *, ca: "str | Path | None" = None, token: str | None = None, aio: Literal[False] = False, **more: Any
) -> "DigitalTwinsClient": ...


@overload
def connect(
    url: str, *, ca: "str | Path | None" = None, token: str | None = None, aio: Literal[True], **more: Any
) -> "AsyncDigitalTwinsClient": ...


def connect(
    url: str, *, ca: "str | Path | None" = None, token: str | None = None, aio: bool = False, **more: Any
) -> "DigitalTwinsClient | AsyncDigitalTwinsClient":
    """A stock Azure Digital Twins client for the node at `url`; see `ectype.client.adt`. Needs ectype[adt].

    ca: the certificate of a node's own authority (`ectype serve --tls` says where it is); token: what the node wants.
    """
    from ectype.client.adt import make_client  # nothing of this is needed by those who do not connect

    return make_client(url, ca=ca, token=token, aio=aio, **more)


def open(url: str = "http://127.0.0.1:8787", *, token: str | None = None, ca: "str | Path | None" = None) -> "Space":
    """The space that a node serves at `url`, to ask for its history as data frames: see `ectype.client.space`."""
    from ectype.client.space import Space  # nothing of this is needed by those who do not ask

    return Space(url, token=token, ca=ca)
