"""`SPACE/sources.toml`: which outside systems a space listens to.

    [[source]]
    name = "press-line"
    url = "opc.tcp://10.0.0.7:4840"
    every_ms = 250
    bind = { "ns=2;s=Line1.Speed" = "conveyor-1.speed" }

Everything but name, url and bind is an option of the connector: docs/sources.md lists them.
"""

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from ectype.errors import Misconfigured
from ectype.sources.connector import Opening

NAME = "sources.toml"


class _Source(msgspec.Struct):
    name: str
    url: str
    bind: dict[str, str] = {}


def read_sources(space: Path) -> tuple[Opening, ...]:
    """What the file says; nothing if there is none. Misconfigured, with the place, if it cannot be meant so."""
    path = space / NAME
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path}: {error}") from error
    try:
        told: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{path}: {error}") from error
    sources = told.pop("source", [])
    if told or not isinstance(sources, list):
        raise Misconfigured(f"{path}: it holds [[source]] tables only, not {', '.join(told) or 'one [source]'}")
    openings = tuple(_opening(path, number, each) for number, each in enumerate(sources, 1))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    names = [opening.name for opening in openings]
    for name in names:
        if names.count(name) > 1:
            raise Misconfigured(f"{path}: two sources are called '{name}'")
    return openings


def _opening(path: Path, number: int, told: dict[str, object]) -> Opening:
    try:
        source = msgspec.convert(told, _Source)
        options = {key: value for key, value in told.items() if key not in _Source.__struct_fields__}
        return Opening(source.name, source.url, source.bind, options)
    except (msgspec.ValidationError, Misconfigured) as error:
        raise Misconfigured(f"{path}, source {number}: {error}") from error
