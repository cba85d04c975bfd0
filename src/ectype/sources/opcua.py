"""`opc.tcp://…`: nodes of an OPC UA server, by subscription and not by polling.

    bind: node ids, "ns=2;s=Line1.Speed"; options: every_ms, security, password_file

A value comes with the time its device gave it (SourceTimestamp). One whose status is bad is no value.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, final

import msgspec
from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.node import Node
from asyncua.common.subscription import DataChangeNotif
from asyncua.ua.uaerrors import UaError

from ectype.clock import Clock
from ectype.errors import Misconfigured, Unavailable
from ectype.sources.base import Message
from ectype.sources.connector import Opening, sample

_log = logging.getLogger("ectype.sources.opcua")
_WAITING = 10_000
_ALIVE_EVERY_S = 5.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """every_ms: how often the server may tell; security: asyncua's text "Basic256Sha256,SignAndEncrypt,cert,key";
    password_file: the password for the URL's user.
    """

    every_ms: float = 500.0
    security: str | None = None
    password_file: str | None = None


def connect(opening: Opening, clock: Clock) -> "OpcUa":
    """A connector for `opening`."""
    return OpcUa(opening, clock)


@final
class OpcUa:
    """Subscribes to the bound nodes."""

    def __init__(self, opening: Opening, clock: Clock) -> None:
        self._options = opening.options_as(Options)
        if self._options.every_ms <= 0:
            raise Misconfigured(f"source {opening.name}: every_ms is above 0")
        opening.host_and_port(4840)
        self._opening = opening
        self._clock = clock
        self._series = _node_ids(opening)
        self._password = _secret(self._options.password_file, opening.name) or opening.at.password

    async def batches(self) -> AsyncIterator[Sequence[Message]]:
        """What the server told since the last batch."""
        told = _Told(self._series)
        try:
            async with await self._client() as client:
                subscription = await client.create_subscription(self._options.every_ms, told, queue_maxsize=_WAITING)
                results = await subscription.subscribe_data_change([client.get_node(each) for each in self._series])
                self._say_refused(results)
                while True:
                    changes = await told.take(client)
                    if changes:
                        yield [self._message(series, value) for series, value in changes]
        except (OSError, TimeoutError, UaError) as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from error

    async def _client(self) -> Client:
        client = Client(self._opening.shown, timeout=10)
        if self._opening.at.username:
            client.set_user(self._opening.at.username)
            client.set_password(self._password or "")
        if self._options.security is not None:
            try:
                await client.set_security_string(self._options.security)
            except (OSError, ValueError, UaError) as error:
                raise Misconfigured(f"source {self._opening.name}: security: {error}") from error
        return client

    def _say_refused(self, results: Any) -> None:
        """A server takes or refuses each node by itself; none at all is nothing to wait for."""
        refused = [
            node
            for node, result in zip(self._series, results if isinstance(results, list) else [results], strict=True)
            if isinstance(result, ua.StatusCode)
        ]
        if len(refused) == len(self._series):
            raise Unavailable(f"the server knows none of the bound nodes, like {refused[0].to_string()}")
        for node in refused:
            _log.warning("source %s: the server does not know %s", self._opening.name, node.to_string())

    def _message(self, series: str, value: ua.DataValue) -> Message:
        at = value.SourceTimestamp or value.ServerTimestamp
        measured = None if at is None else _ns(at)
        inner = None if value.Value is None else value.Value.Value
        return sample(self._opening, series, inner, self._clock(), measured)


@final
class _Told:
    """asyncua's handler: data changes into a queue, in order."""

    def __init__(self, series: Mapping[ua.NodeId, str]) -> None:
        self._series = series
        self._came: asyncio.Queue[tuple[str, ua.DataValue]] = asyncio.Queue(_WAITING)
        self._overflown = False

    def datachange_notification(self, node: Node, val: Any, data: DataChangeNotif) -> None:
        """A value has changed."""
        value: ua.DataValue = data.monitored_item.Value
        if value.StatusCode is not None and not value.StatusCode.is_good():
            return
        try:
            self._came.put_nowait((self._series[node.nodeid], value))
        except asyncio.QueueFull:
            self._overflown = True

    async def take(self, client: Client) -> list[tuple[str, ua.DataValue]]:
        """All that is here, at least one if it comes soon. Raises what the connection does."""
        if self._overflown:
            raise Unavailable(f"more than {_WAITING} values wait for the disk, so some were lost; raise every_ms")
        found: list[tuple[str, ua.DataValue]] = []
        try:
            async with asyncio.timeout(_ALIVE_EVERY_S):
                found.append(await self._came.get())
        except TimeoutError:
            await client.check_connection()
        while not self._came.empty():
            found.append(self._came.get_nowait())
        return found


def _node_ids(opening: Opening) -> dict[ua.NodeId, str]:
    found: dict[ua.NodeId, str] = {}
    for said, series in opening.bound().items():
        try:
            found[ua.NodeId.from_string(said)] = series
        except (UaError, ValueError) as error:
            raise Misconfigured(f"source {opening.name}: '{said}' is no node id like ns=2;s=Line1.Speed") from error
    return found


def _ns(at: datetime) -> int:
    whole = at.replace(tzinfo=UTC) - _EPOCH
    return ((whole.days * 86_400 + whole.seconds) * 1_000_000 + whole.microseconds) * 1000


def _secret(path: str | None, name: str) -> str | None:
    try:
        return None if path is None else Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"source {name}: password_file {path}: {error}") from error
