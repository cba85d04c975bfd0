"""Where event routes lead: a webhook, an MQTT topic, a NATS subject. Named in SPACE/endpoints.toml.

    [alerts]                                  [plant]                               [bus]
    kind = "webhook"                          kind = "mqtt"                         kind = "nats"
    url = "https://example.org/hook"          topic = "events/twins"                url = "nats://127.0.0.1:4222"
                                              url = "mqtt://broker:1883"  # or ours  subject = "twins.events"

`send` returns when the other side has the event; else it raises Unavailable (try again) or Refused (never).
"""

import asyncio
import contextlib
import json
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast, final
from urllib.parse import urlsplit

import msgspec

from ectype.errors import Misconfigured, Refused, Unavailable

_WAIT_S = 10.0
_MEDIA = "application/cloudevents+json"
_encode = msgspec.json.Encoder().encode
Publish = Callable[[str, bytes], None]


class Endpoint(Protocol):
    """One place that takes events."""

    async def send(self, event: Mapping[str, Any]) -> None:
        """Deliver one event; return when it has arrived."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


def read_endpoints(path: Path, publish: Publish) -> dict[str, Endpoint]:
    """The endpoints that a file names. publish: to the node's own MQTT subscribers. Raises Misconfigured."""
    if not path.exists():
        return {}
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{path}: {error}") from error
    return {name: _endpoint(path, name, table, publish) for name, table in tables.items()}


def _endpoint(path: Path, name: str, table: object, publish: Publish) -> Endpoint:
    wanted = {"webhook": ("url",), "mqtt": ("topic",), "nats": ("url", "subject")}
    settings = cast(dict[str, object], table) if isinstance(table, dict) else {}
    kind = str(settings.get("kind"))
    if kind not in wanted:
        raise Misconfigured(f'{path}: [{name}] needs kind = "webhook", "mqtt" or "nats"')
    for each in wanted[kind]:
        if not isinstance(settings.get(each), str):
            raise Misconfigured(f'{path}: [{name}] needs {each} = "…"')
    url = str(settings.get("url", ""))
    if kind == "webhook":
        if not url.startswith(("http://", "https://")):
            raise Misconfigured(f"{path}: [{name}] url must begin with http:// or https://")
        headers = settings.get("headers", {})
        return Webhook(url, cast(dict[str, str], headers) if isinstance(headers, dict) else {})
    if kind == "nats":
        return Nats(url, str(settings["subject"]))
    return Mqtt(url, str(settings["topic"]), publish)


@final
@dataclass(frozen=True, slots=True)
class Webhook:
    """A POST of structured JSON; 2xx is delivered, 429 and 5xx try again, other answers are a no."""

    url: str
    headers: Mapping[str, str]

    async def send(self, event: Mapping[str, Any]) -> None:
        """Post it."""
        await asyncio.to_thread(self._post, _encode(event))

    def _post(self, body: bytes) -> None:
        headers = {"content-type": f"{_MEDIA}; charset=utf-8", **self.headers}
        request = urllib.request.Request(self.url, body, headers)  # noqa: S310 - http(s) only, see _endpoint
        try:
            with urllib.request.urlopen(request, timeout=_WAIT_S):  # noqa: S310
                return
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (408, 425, 429) or error.code >= 500:
                raise Unavailable(f"{self.url} answered {error.code}") from error
            raise Refused(f"{self.url} answered {error.code}") from error
        except (OSError, ValueError) as error:
            raise Unavailable(f"{self.url}: {error}") from error

    async def close(self) -> None:
        """Nothing stays open."""


@final
@dataclass(frozen=True, slots=True)
class Mqtt:
    """A topic of the node's own endpoint, or, with a url, QoS 1 to another broker."""

    url: str
    topic: str
    publish: Publish

    async def send(self, event: Mapping[str, Any]) -> None:
        """Publish it."""
        if self.url:
            await asyncio.to_thread(self._outside, _encode(event))
        else:
            self.publish(self.topic, _encode(event))

    def _outside(self, body: bytes) -> None:
        import paho.mqtt.publish as publish  # only who has such an endpoint needs it

        parts = urlsplit(self.url)
        auth: Any = {"username": parts.username, "password": parts.password} if parts.username else None
        try:
            publish.single(
                self.topic, body, qos=1, hostname=parts.hostname or "127.0.0.1", port=parts.port or 1883, auth=auth
            )
        except (OSError, ValueError) as error:
            raise Unavailable(f"{self.url}: {error}") from error

    async def close(self) -> None:
        """Nothing stays open."""


@final
class Nats:
    """A subject of a NATS server, spoken to in its own plain protocol: PUB, then PING, and PONG says it is there."""

    def __init__(self, url: str, subject: str) -> None:
        self._url = url
        self._subject = subject
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, event: Mapping[str, Any]) -> None:
        """Publish it and wait for the server."""
        body = _encode(event)
        try:
            async with asyncio.timeout(_WAIT_S):
                reader, writer = self._streams or await self._connect()
                writer.write(b"PUB %s %d\r\n%s\r\nPING\r\n" % (self._subject.encode(), len(body), body))
                await self._pong(reader, writer)
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            await self.close()
            raise Unavailable(f"{self._url}: {error or 'no answer'}") from error

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self._url)
        reader, writer = await asyncio.open_connection(parts.hostname or "127.0.0.1", parts.port or 4222)
        self._streams = reader, writer
        await reader.readline()  # INFO
        options: dict[str, object] = {"verbose": False, "pedantic": False, "name": "ectype", "lang": "python"}
        if parts.username:
            options |= {"user": parts.username, "pass": parts.password or ""}
        writer.write(b"CONNECT " + json.dumps(options).encode() + b"\r\nPING\r\n")
        await self._pong(reader, writer)
        return reader, writer

    async def _pong(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            line = await reader.readline()
            if line.startswith(b"PONG"):
                return
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
            elif line.startswith(b"-ERR"):
                raise ConnectionError(line.decode(errors="replace").strip())
            elif not line:
                raise ConnectionError("the server closed the connection")

    async def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            writer = self._streams[1]
            self._streams = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
