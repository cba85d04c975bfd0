"""JSON that hashes the same everywhere: the canonical form of RFC 8785 (JCS).

    {"b": 1.0, "a": [1e21, "é"]}   becomes   {"a":[1e+21,"é"],"b":1}

Members are sorted by the UTF-16 code units of their names, numbers are written as ECMAScript writes
doubles, strings escape only what JSON says they must, and nothing is spaced.
"""

from collections.abc import Mapping
from json.encoder import encode_basestring
from math import isfinite

from ectype.errors import Invalid

JSON = None | bool | int | float | str | list["JSON"] | tuple["JSON", ...] | Mapping[str, "JSON"]

_EXACT = 2**53  # every whole number up to here is a double of its own


def canonical(value: JSON) -> bytes:
    """The one canonical text of `value`, as UTF-8.

    Raises Invalid for what another language would read differently: NaN and infinities, whole numbers beyond
    2^53 (write them as strings), lone surrogates, and anything that is not JSON. The one whole number beyond 2^53
    that passes is the very text of a double, because that is how 1e17 comes back from a JSON parser.
    """
    parts: list[str] = []
    try:
        _write(value, parts)
        return "".join(parts).encode()
    except UnicodeEncodeError as error:
        raise Invalid("canonical JSON: a string holds half of a surrogate pair, which no UTF-8 can carry") from error
    except RecursionError as error:
        raise Invalid("canonical JSON: nested too deeply") from error


def es6_number(number: float) -> str:
    """A double as ECMAScript's Number::toString writes it (RFC 8785 section 3.2.2.3)."""
    if number == 0:
        return "0"
    if not isfinite(number):
        raise Invalid(f"canonical JSON: {number} is no JSON number")
    mantissa, _, exponent = float.__repr__(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(digits) - len(fraction) + int(exponent or 0)  # the value is 0.DIGITS times ten to this
    digits = digits.rstrip("0")
    count = len(digits)
    sign = "-" if number < 0 else ""
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    rest = f".{digits[1:]}" if count > 1 else ""
    return f"{sign}{digits[0]}{rest}e{point - 1:+d}"


def _write(value: JSON, parts: list[str]) -> None:
    if value is None:
        parts.append("null")
    elif value is True:
        parts.append("true")
    elif value is False:
        parts.append("false")
    elif isinstance(value, str):
        parts.append(encode_basestring(value))
    elif isinstance(value, int):
        parts.append(_whole_number(value))
    elif isinstance(value, float):
        parts.append(es6_number(value))
    elif isinstance(value, Mapping):
        _write_object(value, parts)
    elif type(value) in (list, tuple):
        before = "["
        for item in value:
            parts.append(before)
            _write(item, parts)
            before = ","
        parts.append("]" if value else "[]")
    else:
        raise Invalid(f"canonical JSON: {type(value).__name__} is not JSON")


def _whole_number(value: int) -> str:
    text = int.__repr__(value)
    if -_EXACT <= value <= _EXACT or (abs(value) < 10**21 and es6_number(float(value)) == text):
        return text
    raise Invalid(f"canonical JSON: {text[:40]} is beyond 2^53, where doubles skip whole numbers; write a string")


def _write_object(value: Mapping[str, JSON], parts: list[str]) -> None:
    before = "{"
    try:
        names = sorted(value, key=_utf16)
    except AttributeError as error:
        raise Invalid("canonical JSON: the names of an object must be strings") from error
    for name in names:
        parts.append(before)
        parts.append(encode_basestring(name))
        parts.append(":")
        _write(value[name], parts)
        before = ","
    parts.append("}" if value else "{}")


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")
