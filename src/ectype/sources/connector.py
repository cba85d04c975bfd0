"""Outside systems that Ectype opens itself: what each gives, and how a URL finds the file that speaks to it.

    sources.toml ─► Opening ─► open_connector ─► Connector.batches() ─► ingest ─► log
                                  by the URL's scheme; an installed package adds schemes by an entry point

A connector moves values and says nothing about what happens when the other side goes away: trying again,
back-pressure, setting bad values aside and telling who is late are done once, in `ingest.intake`.
"""

import importlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any, Protocol, TypeVar, final
from urllib.parse import SplitResult, urlsplit, urlunsplit

import msgspec

from ectype.clock import Clock, to_iso
from ectype.errors import Invalid, Misconfigured
from ectype.ids import split_series
from ectype.sources.base import Message

ENTRY_POINTS = "ectype.sources"

_OWN = {
    "brainflow": "brainflow",
    "file": "folder",
    "http": "http_poll",
    "https": "http_poll",
    "kafka": "kafka",
    "lsl": "lsl",
    "modbus": "modbus",
    "mqtt": "mqtt_broker",
    "mqtts": "mqtt_broker",
    "nats": "nats",
    "opc.tcp": "opcua",
    "ws": "websocket",
    "wss": "websocket",
}
_EXTRAS = frozenset({"brainflow", "kafka", "lsl", "modbus", "nats", "opcua"})

_Options = TypeVar("_Options", bound=msgspec.Struct)


class Connector(Protocol):
    """One outside system, open for reading.

    Implementers promise:
    - settings that cannot work raise Misconfigured when the connector is made, before anything is opened;
    - `batches()` opens the connection and yields what came since the last batch, in the order of the transport;
      it holds a bounded piece in memory and lets the other side wait while the caller does;
    - who asks for the next batch says that the last one is on disk: only then may it be acknowledged;
    - a connection that fails or is lost is Unavailable; calling `batches()` again starts anew;
    - ending the iteration (`aclose`, cancellation) closes the connection.

    Callers may count on nothing else: a value may come twice, and late.
    """

    def batches(self) -> AsyncIterator[Sequence[Message]]:
        """What comes in, as messages by the convention of `sources.readings`."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Opening:
    """What the space says of one outside system.

    name: unique in the space; url: where it is; bind: what it calls a value -> the series it becomes
    ("turbine-1.power"); options: what its kind of connector understands.
    """

    name: str
    url: str
    bind: Mapping[str, str] = field(default_factory=dict[str, str])
    options: Mapping[str, object] = field(default_factory=dict[str, object])

    def __post_init__(self) -> None:
        if not self.name or not all(c.isalnum() or c in "-_" for c in self.name):
            raise Misconfigured(f"a source's name has letters, digits, - and _, unlike '{self.name}'")
        for said, series in self.bind.items():
            try:
                facet = split_series(series)[2]
            except Invalid as error:
                raise Misconfigured(f"source {self.name}: '{said}' is bound to '{series}': {error}") from error
            if facet != "measured":
                raise Misconfigured(f"source {self.name}: '{series}' names a facet; what a source sends is measured")

    @property
    def at(self) -> SplitResult:
        """The URL in its parts."""
        return urlsplit(self.url)

    @property
    def shown(self) -> str:
        """The URL without what it may hold of a password."""
        parts = self.at
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    def options_as(self, kind: type[_Options]) -> _Options:
        """The options as a connector's own Struct. Misconfigured when one is unknown or of the wrong kind."""
        try:
            return msgspec.convert(dict(self.options), kind)
        except msgspec.ValidationError as error:
            names = ", ".join(kind.__struct_fields__)
            raise Misconfigured(f"source {self.name}: {error}; its options are {names}") from error

    def bound(self) -> Mapping[str, str]:
        """The bindings, where a connector cannot do without any."""
        if not self.bind:
            raise Misconfigured(f"source {self.name} binds nothing: say in [source.bind] which value is which series")
        return self.bind

    def host_and_port(self, port: int) -> tuple[str, int]:
        """Where to connect; `port` is the usual one."""
        try:
            host, named = self.at.hostname, self.at.port
        except ValueError as error:
            raise Misconfigured(f"source {self.name}: {self.shown}: {error}") from error
        if not host:
            raise Misconfigured(f"source {self.name}: {self.shown} names no host")
        return host, named or port


def open_connector(opening: Opening, clock: Clock) -> Connector:
    """The connector for a URL. Misconfigured when nothing speaks its scheme or its package is missing."""
    scheme = opening.at.scheme
    own = _OWN.get(scheme)
    if own is not None:
        try:
            module: Any = importlib.import_module(f"ectype.sources.{own}")
        except ImportError as error:
            raise Misconfigured(
                f"source {opening.name}: {scheme}:// needs a package that is not here; "
                f"pip install 'ectype[{own}]'" + ("" if own in _EXTRAS else f" ({error})")
            ) from error
        return module.connect(opening, clock)
    for point in entry_points(group=ENTRY_POINTS, name=scheme):
        return point.load()(opening, clock)
    known = ", ".join(sorted({*_OWN, *(point.name for point in entry_points(group=ENTRY_POINTS))}))
    raise Misconfigured(f"source {opening.name}: nothing here speaks '{scheme}://'; there are {known}")


def sample(opening: Opening, series: str, value: object, arrived_ns: int, measured_ns: int | None = None) -> Message:
    """One value as a message by the convention; whether it is a number that the twin has, ingest will say."""
    twin, name, _ = split_series(series)
    body: dict[str, object] = {"value": value}
    if measured_ns is not None:
        body["t"] = to_iso(measured_ns)
    return Message(f"{opening.name}/{twin}/{name}", msgspec.json.encode(body), arrived_ns, opening.name)
