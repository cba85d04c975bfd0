"""Payloads that look alike, understood many at a time.

A source sends objects with the same names again and again. What one of them looked like (its *shape*) becomes a
struct type, and from then on a hundred payloads, a line each, are one call of msgspec and one column of numbers.
What does not fit its shape fits no line: then the messages are read one by one, with the same meaning.

Whether `n` lines hold exactly one value each is certain, and not a matter of trust in who sent them: an object of
numbers and texts that begins with { and ends at the only } of its line cannot reach into the next one.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, cast, final

import msgspec
import numpy as np

from ectype.errors import Invalid
from ectype.sources.readings import instant
from ectype.values.block import Float64s, Int64s

_MOST_NAMES = 64
_REMEMBERED = 4096
_COLUMNS_FROM = 24
_NUMBERS = {float, int}
_MONTH_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)
_NUMBER_STARTS = b"-0123456789"
_known: dict[tuple[tuple[str, ...], bool], "Shape"] = {}
_plain = re.compile(r"[^\x00-\x1f\"\\]*")


@final
class Shape:
    """Objects with these names, each a number, and perhaps "t". names == (): the payload is one number."""

    __slots__ = ("_decode", "_get", "names", "timed", "width")

    def __init__(self, names: tuple[str, ...], timed: bool) -> None:
        self.names = names
        self.timed = timed
        self.width = max(len(names), 1)
        if not names:
            self._decode = cast(Any, msgspec.json.Decoder(float).decode_lines)
            return
        fields: list[tuple[str, Any]] = [(f"v{k}", float) for k in range(len(names))]
        rename = {f"v{k}": name for k, name in enumerate(names)}
        if timed:
            fields.append(("t", str | int | float))
        row = msgspec.defstruct("Row", fields, rename=rename, forbid_unknown_fields=True, gc=False)
        self._decode = cast(Any, msgspec.json.Decoder(row).decode_lines)
        self._get = attrgetter(*(name for name, _ in fields[: len(names)]))

    @property
    def whole(self) -> bool:
        """Whether the payload names the properties itself."""
        return bool(self.names) and self.names != ("value",)

    def read(self, lines: bytes, firsts: bytes, lasts: bytes) -> tuple[Float64s, Int64s | None] | None:
        """(values [n * width], instants [n] or None without "t") of `n` payloads; None if one is anything else.

        firsts, lasts: the first and the last byte of each payload.
        """
        n = len(firsts)
        if self.names:
            if lines.count(b"}") != n or firsts.count(b"{") != n or lasts.count(b"}") != n:
                return None
        elif firsts.translate(None, _NUMBER_STARTS):
            return None
        try:
            rows = self._decode(lines)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        if len(rows) != n:
            return None
        if not self.names:
            return np.array(rows, np.float64), None
        found = map(self._get, rows)
        flat = found if self.width == 1 else chain.from_iterable(found)
        values = np.fromiter(flat, np.float64, n * self.width)
        if not self.timed:
            return values, None
        at_ns = instants([row.t for row in rows])
        return None if at_ns is None else (values, at_ns)


def shape_of(values: Mapping[str, object], whole: bool, timed: bool) -> Shape | None:
    """What a payload looked like whose parts were these, if others can be read by it."""
    if not whole and not timed and "" in values:
        names: tuple[str, ...] = ()
    else:
        names = tuple(values) if whole else ("value",)
    if len(names) > _MOST_NAMES or not {type(v) for v in values.values()} <= _NUMBERS:
        return None
    shape = _known.get((names, timed))
    if shape is None:
        if not all(_plain.fullmatch(name) for name in names) or "t" in names:
            return None
        if len(_known) >= _REMEMBERED:
            _known.clear()
        shape = _known[names, timed] = Shape(names, timed)
    return shape


def instants(times: Sequence[str | int | float]) -> Int64s | None:
    """What `readings.instant` says of each, by columns where they are written alike; None if one is no time."""
    if len(times) >= _COLUMNS_FROM and type(times[0]) is str:
        found = _written_alike(times)
        if found is not None:
            return found
    try:
        return np.array([instant(t) for t in times], np.int64)
    except Invalid:
        return None


def _written_alike(times: Sequence[object]) -> Int64s | None:
    """Times that are all written 2014-03-01T12:00:00Z, or all with the same number of decimals; else None.

    Each is followed by a newline. There are n + those inside a time, and the grid has room for n: so if every row
    ends with one, each row is one time.
    """
    first = cast(str, times[0])
    width = len(first)
    if not 20 <= width <= 30 or width == 21:
        return None
    try:
        text = ("\n".join(cast("Sequence[str]", times)) + "\n").encode("ascii")
    except (TypeError, UnicodeEncodeError):
        return None
    n = len(times)
    if len(text) != n * (width + 1):
        return None
    grid = np.frombuffer(text, np.uint8).reshape(n, width + 1)
    marks = {4: 45, 7: 45, 10: 84, 13: 58, 16: 58, width - 1: 90, width: 10}
    if width > 20:
        marks[19] = 46
    digits = [k for k in range(width - 1) if k not in marks]
    if any((grid[:, k] != mark).any() for k, mark in marks.items()):
        return None
    number = grid[:, digits].T.astype(np.int64) - 48
    if number.min() < 0 or number.max() > 9:
        return None
    year = number[0] * 1000 + number[1] * 100 + number[2] * 10 + number[3]
    month, day = number[4] * 10 + number[5], number[6] * 10 + number[7]
    hour, minute, second = (number[k] * 10 + number[k + 1] for k in (8, 10, 12))
    if year.min() < 1678 or year.max() > 2261 or month.min() < 1 or month.max() > 12:
        return None
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    if (
        day.min() < 1
        or (day > _MONTH_DAYS[month] + (leap & (month == 2))).any()
        or hour.max() > 23
        or minute.max() > 59
        or second.max() > 59
    ):
        return None
    # Days since 1970 of the Gregorian calendar, counted from March so that a leap day ends a year.
    y = year - (month < 3)
    era_day = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days = y * 365 + y // 4 - y // 100 + y // 400 + era_day - 719_468
    at = ((days * 24 + hour) * 60 + minute) * 60 + second
    fraction = np.zeros(n, np.int64)
    for k in range(14, len(number)):
        fraction = fraction * 10 + number[k]
    return at * 1_000_000_000 + fraction * 10 ** (9 - max(len(number) - 14, 0))
