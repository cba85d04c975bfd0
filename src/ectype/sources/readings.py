"""The convention of topics and JSON payloads, one message at a time.

    <anything>/<twin>              {"t": "2014-03-01T12:00:00Z", "power": 512.5, "pitch": -1}
    <anything>/<twin>/<property>   512.5      or      {"value": 512.5, "t": 1393675200.25}

`t` is when it was measured: ISO 8601 text (UTC without an offset), or a number, the seconds since 1970. Left
out, it is the time of arrival. Values are numbers; true and false are 1 and 0; null means "no value now".
Whatever else a message holds makes all of it Invalid, with a sentence that says what to send instead.
"""

import math
from collections.abc import Iterator
from typing import cast

import msgspec

from ectype.clock import NS_PER_S, from_iso
from ectype.errors import Invalid
from ectype.ids import series_id, split_series
from ectype.sources.base import Message, Reading

MAX_PAYLOAD = 256 << 10
NO_VALUE = 'it holds no value; send a number like 2.5, or an object like {"power": 2.5}'
_LATEST_S = 9_223_372_036  # the last whole second that int64 nanoseconds can tell, in the year 2262
_REMEMBERED = 4096
_KINDS = {"str": "text", "dict": "an object", "list": "a list"}

_json = msgspec.json.Decoder[object](object)
_seconds: dict[str, int] = {}


def readings(message: Message) -> Iterator[Reading]:
    """The readings in one message; whether the twins and properties exist is not asked here.

    Raises Invalid before the first reading if anything in it is not right.
    """
    values, whole, t = parts(payload_of(message))
    at_ns = message.at_ns if t is None else instant(t)
    found: list[Reading] = []
    for key, value in values.items():
        if value is not None:
            twin, of_topic = address(message.topic, whole)
            name = key if whole else of_topic
            series_of(twin, name)
            found.append(Reading(twin, name, at_ns, number(name, value)))
    if not found:
        raise Invalid(NO_VALUE)
    yield from found


def payload_of(message: Message) -> object:
    """The JSON value in a payload."""
    payload = message.payload
    if len(payload) > MAX_PAYLOAD:
        raise Invalid(f"the payload has {len(payload)} bytes, more than {MAX_PAYLOAD}; send fewer values at a time")
    try:
        return _json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if not payload:
            raise Invalid('the payload is empty; send a number like 2.5, or an object like {"power": 2.5}') from None
        raise Invalid(
            f'the payload is not JSON ({error}); send a number like 2.5, or an object like {{"power": 2.5}}'
        ) from None


def parts(body: object) -> tuple[dict[str, object], bool, object]:
    """(values by property, whether the payload names the properties itself, t or None) of a payload.

    A payload that is one value, plain or as {"value": …}, has it under "": the topic names its property.
    """
    if not isinstance(body, dict):
        return {"": body}, False, None
    values = cast(dict[str, object], body)
    t = values.pop("t", None)
    if len(values) == 1 and "value" in values:
        return {"": values["value"]}, False, t
    return values, True, t


def address(topic: str, whole: bool) -> tuple[str, str]:
    """(twin, property) that a topic names; the property is "" if the payload is a `whole` object of them."""
    levels = topic.rsplit("/", 2)
    if whole:
        return levels[-1], ""
    if len(levels) < 2:
        raise Invalid(
            f"the topic '{topic[:100]}' does not say which property this value is; "
            f'publish it to <twin>/<property>, or send an object like {{"power": 2.5}}'
        )
    return levels[-2], levels[-1]


def series_of(twin: str, name: str) -> str:
    """The series that a measured property goes into. Invalid if either cannot be a name, or names a facet."""
    if "@" in name:
        raise Invalid(f"'{_short(name)}' names a facet; what a source sends is measured, so leave out the @ and after")
    series = series_id(twin, name)
    split_series(series)
    return series


def number(name: str, value: object) -> float:
    """`value` as a finite number; true is 1."""
    if isinstance(value, bool | int | float):
        try:
            as_float = float(value)
        except OverflowError:
            as_float = math.inf
        if math.isfinite(as_float):
            return as_float
        raise Invalid(f"'{_short(name)}' is too large for a number; leave it out where there is no value")
    kind = "null" if value is None else _KINDS.get(type(value).__name__, "something else")
    shown = f" ({_short(value)!r})" if isinstance(value, str) else ""
    raise Invalid(f"'{_short(name)}' is {kind}{shown}; send a number, true, false or null")


def instant(t: object) -> int:
    """Nanoseconds since 1970 of a payload's `t`."""
    if type(t) is str:
        whole = _seconds.get(t[:19])
        if whole is not None:  # a fleet's messages share their seconds: reading a time again is a lookup
            rest = t[19:]
            if rest in ("Z", ""):
                return whole
            digits = rest[1:-1] if rest[-1] == "Z" else rest[1:]
            if rest[0] == "." and digits.isascii() and digits.isdigit():
                return whole + int(digits[:9].ljust(9, "0"))
        return _read_text(t)
    if isinstance(t, bool) or not isinstance(t, int | float):
        raise Invalid(f"'t' is {_short(t)!r}; write ISO 8601 text like 2014-03-01T12:00:00Z, or seconds since 1970")
    if not -_LATEST_S < t < _LATEST_S:
        raise Invalid(f"'t' is {_short(t)}, which is no time in seconds since 1970; divide milliseconds by 1000")
    return t * NS_PER_S if isinstance(t, int) else _split_seconds(t)


def _read_text(text: str) -> int:
    if len(text) > 64:
        raise Invalid(f"'t' is {len(text)} characters long; write it like 2014-03-01T12:00:00Z")
    try:
        at_ns = from_iso(text)
    except (Invalid, OverflowError) as error:
        raise Invalid(f"'t': {error}, or send the seconds since 1970 as a number") from None
    if abs(at_ns) >= _LATEST_S * NS_PER_S:
        raise Invalid(f"'t' is {_short(text)!r}; times from 1677 to 2262 can be kept")
    if len(text) >= 19 and text[10] == "T" and text[13] == text[16] == ":" and text[19:20] in ("", "Z", "."):
        if len(_seconds) >= _REMEMBERED:
            _seconds.clear()
        _seconds[text[:19]] = at_ns // NS_PER_S * NS_PER_S
    return at_ns


def _split_seconds(t: float) -> int:
    """A float of seconds in ns without the error that `t * 1e9` adds: a double tells about 0.2 us today."""
    whole = math.floor(t)
    return whole * NS_PER_S + round((t - whole) * 1e9)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
