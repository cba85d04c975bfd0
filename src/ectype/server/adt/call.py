"""One request as an operation sees it, and the answer it gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import final
from urllib.parse import parse_qsl

import msgspec

from ectype.node.graph_view import GraphView

_encode = msgspec.json.Encoder().encode
_JSON = "application/json; charset=utf-8"


@final
class Call:
    """A request whose path and version are understood. `names` are the parts of the path that are ids."""

    def __init__(
        self, view: GraphView, path: str, names: tuple[str, ...], version: str, headers: Mapping[bytes, bytes]
    ) -> None:
        self.view = view
        self.path = path
        self.names = names
        self.version = version
        self.body = b""
        self.raw_query = b""
        self.scheme = "http"
        self._headers = headers

    def header(self, name: str) -> str | None:
        """A request header, if it is there."""
        found = self._headers.get(name.encode())
        return None if found is None else found.decode("latin-1").strip()

    def pairs(self) -> list[tuple[str, str]]:
        """The query of the URL."""
        return parse_qsl(self.raw_query.decode("latin-1"), keep_blank_values=True)

    @cached_property
    def _query(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, value in self.pairs():
            found.setdefault(name, []).append(value)
        return found

    def query(self, name: str) -> str | None:
        """The first value of a query parameter."""
        values = self._query.get(name)
        return values[0] if values else None

    def queries(self, name: str) -> list[str]:
        """All values of a query parameter; several may also stand in one, separated by commas."""
        return [part for value in self._query.get(name, []) for part in value.split(",") if part]

    @property
    def base(self) -> str:
        """The address that the caller used."""
        return f"{self.scheme}://{self.header('host') or 'localhost'}"

    @property
    def first_version(self) -> bool:
        """Is it api-version 2020-10-31, which lacks some parts?"""
        return self.version == "2020-10-31"


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(cls, value: object, status: int = 200, **headers: str) -> "Answer":
        """JSON; a header's `_` stands for `-`."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(status, _encode(value), {"content-type": _JSON, **named})

    @classmethod
    def nothing(cls, etag: str | None = None) -> "Answer":
        """204."""
        return cls(204, b"", {} if etag is None else {"etag": etag})
