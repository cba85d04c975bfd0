"""Does a JSON value conform to a schema?

Follows the DTDL v3 and v4 specifications, section Schemas: numbers have JSON's form and their width's range,
times are RFC 3339, durations ISO 8601, bytes base64 (RFC 4648), geospatial values GeoJSON (RFC 7946).
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import final

from ectype.errors import Invalid
from ectype.model.schema import JSON, Array, Enum, Map, Object, Primitive, Recursive, Schema
from ectype.model.suggest import suggest

_FLOAT_MAX = 3.4028234663852886e38
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?"
_OFFSET = r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATE_TIME = re.compile(rf"(\d{{4}}-\d\d-\d\d)[Tt]{_TIME}{_OFFSET}", re.ASCII)
_CLOCK_TIME = re.compile(rf"{_TIME}{_OFFSET}?", re.ASCII)
# Weeks stand in for years and months; only the last number may have decimals.
_N = r"\d+(?:\.\d+(?=[A-Z]\Z))?"
_DURATION = re.compile(
    rf"-?P(?=[\dT])(?:{_N}W|(?:{_N}Y)?(?:{_N}M)?)(?:{_N}D)?(?:T(?=\d)(?:{_N}H)?(?:{_N}M)?(?:{_N}S)?)?", re.ASCII
)
_MAP_KEY = re.compile(r"[A-Za-z](?:[A-Za-z0-9_]{0,510}[A-Za-z0-9])?", re.ASCII)
# How deep GeoJSON nests its coordinates: a position is a list of numbers, depth 1.
_DEPTH = {"point": 1, "lineString": 2, "multiPoint": 2, "polygon": 3, "multiLineString": 3, "multiPolygon": 4}
_BITS = {
    "byte": 8,
    "short": 16,
    "integer": 32,
    "long": 64,
    "unsignedByte": -8,
    "unsignedShort": -16,
    "unsignedInteger": -32,
    "unsignedLong": -64,
}
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:0|[1-9]\d*)(?:\.\d*)?", re.ASCII)
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_WANTED = {
    "byte": "a whole number from -128 to 127",
    "bytes": "bytes in base64",
    "decimal": 'a decimal number as a text, like "12.50"',
    "short": "a whole number from -32768 to 32767",
    "unsignedByte": "a whole number from 0 to 255",
    "unsignedInteger": "a whole number from 0 to 4294967295",
    "unsignedLong": "a whole number from 0 to 18446744073709551615",
    "unsignedShort": "a whole number from 0 to 65535",
    "uuid": "a UUID like 123e4567-e89b-12d3-a456-426614174000",
    "boolean": "true or false",
    "date": "a date like 2014-03-01",
    "dateTime": "an instant like 2014-03-01T12:00:00Z",
    "double": "a number",
    "duration": "a duration like PT10M",
    "float": "a number up to 3.4e38",
    "integer": "a whole number from -2147483648 to 2147483647",
    "long": "a whole number of at most 64 bits",
    "string": "a text",
    "time": "a time like 12:00:00",
}


@final
@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a value: where (`speed`, `status.codes[2]`), and a clause that says what to write."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text


def check_value(schema: Schema, value: JSON, path: str = "") -> None:
    """Raise Invalid, naming up to five faults, unless `value` conforms to `schema`."""
    refuse(list(faults(schema, value, path)))


def refuse(found: list[Fault]) -> None:
    """Raise Invalid for these faults, if there are any."""
    if found:
        more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
        raise Invalid("; ".join(map(str, found[:5])) + more)


def faults(schema: Schema, value: JSON, path: str = "") -> Iterator[Fault]:
    """Everything about `value` that does not conform to `schema`, in document order."""
    match schema:
        case Primitive(name):
            if not _primitive(name, value):
                yield Fault(path, f"{_short(value)} is not {_wanted(name)}")
        case Enum(_, values):
            known = values.values()
            if isinstance(value, bool) or not isinstance(value, int | str) or value not in known:
                yield Fault(path, f"{_short(value)} is not one of {', '.join(map(str, list(known)[:12]))}")
        case Recursive():
            yield from faults(schema.schema, value, path)
        case Object(fields):
            yield from _object({f.name: f.schema for f in fields}, value, path)
        case Map(_, kept):
            if not isinstance(value, dict):
                yield Fault(path, f"{_short(value)} is not an object of names with values")
                return
            for name, part in value.items():
                if not _MAP_KEY.fullmatch(name):
                    yield Fault(path, f"{name[:80]!r} cannot name a value: use letters, digits and _")
                yield from faults(kept.schema, part, _join(path, name))
        case Array(element):
            if not isinstance(value, list):
                yield Fault(path, f"{_short(value)} is not a list")
                return
            for index, part in enumerate(value):
                yield from faults(element, part, f"{path}[{index}]")


def _object(fields: dict[str, Schema], value: JSON, path: str) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield Fault(path, f"{_short(value)} is not an object with the fields {', '.join(fields)}")
        return
    for name, part in value.items():
        if name in fields:
            yield from faults(fields[name], part, _join(path, name))
        else:
            yield Fault(path, f"no field {name[:80]!r}{suggest(name, fields)}")


def _primitive(name: str, value: JSON) -> bool:
    bits = _BITS.get(name)
    if bits is not None:
        return _whole(value, bits)
    match name:
        case "boolean":
            return isinstance(value, bool)
        case "float" | "double":
            return _number(value, _FLOAT_MAX if name == "float" else math.inf)
        case _ if not isinstance(value, str):
            return name in _DEPTH and _geo(name, value)
        case "string":
            return value.isascii() or _unicode(value)
        case "date":
            return _DATE.fullmatch(value) is not None and _day(value)
        case "dateTime":
            found = _DATE_TIME.fullmatch(value)
            return found is not None and _day(found[1]) and _leaps(value[11:])
        case "time":
            return _CLOCK_TIME.fullmatch(value) is not None and _leaps(value)
        case "bytes":
            return _BASE64.fullmatch(value) is not None
        case "decimal":
            return _DECIMAL.fullmatch(value) is not None
        case "uuid":
            return _UUID.fullmatch(value) is not None
        case "duration":
            return _DURATION.fullmatch(value) is not None
        case _:
            return False


def _whole(value: JSON, bits: int) -> bool:
    """Fits a number of so many bits; below 0: without a sign."""
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return 0 <= value < 1 << -bits if bits < 0 else -(1 << bits - 1) <= value < 1 << bits - 1


def _number(value: JSON, limit: float) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value) and abs(float(value)) <= limit
    except OverflowError:  # an integer beyond any double
        return False


def _leaps(time: str) -> bool:
    """A second 60 is in the last minute of a UTC day (RFC 3339, appendix D); most times have none."""
    if time[6:8] != "60":
        return True
    offset = re.search(r"([+-])(\d\d):(\d\d)$", time)
    east = int(offset[1] + "1") * (int(offset[2]) * 60 + int(offset[3])) if offset else 0
    return (int(time[:2]) * 60 + int(time[3:5]) - east) % 1440 == 1439


def _day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _unicode(text: str) -> bool:
    """No half of a surrogate pair, which could be neither stored nor hashed."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _geo(name: str, value: JSON) -> bool:
    kind = name[0].upper() + name[1:]
    return (
        isinstance(value, dict)
        and value.get("type") == kind
        and value.keys() <= {"type", "coordinates", "bbox"}
        and _positions(value.get("coordinates"), _DEPTH[name])
    )


def _positions(value: JSON, depth: int) -> bool:
    if not isinstance(value, list):
        return False
    if depth == 1:
        return 2 <= len(value) <= 3 and all(_number(part, math.inf) for part in value)
    return all(_positions(part, depth - 1) for part in value)


def _wanted(name: str) -> str:
    if name in _DEPTH:
        return f"GeoJSON of type {name[0].upper()}{name[1:]}"
    return _WANTED.get(name, f"a {name}")


def _join(path: str, name: str) -> str:
    return f"{path}.{name[:80]}" if path else name[:80]


def _short(value: JSON) -> str:
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return repr(value[:60]) + ("…" if len(value) > 60 else "")
        case int() if value.bit_length() > 128:
            return "a number of that size"
        case _:
            return str(value)
