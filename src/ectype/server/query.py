"""Parameters, read strictly: what is unknown, repeated or malformed is Invalid and says how to write it."""

import re
from collections.abc import Sequence
from typing import TypeVar, final

from starlette.datastructures import QueryParams
from starlette.requests import HTTPConnection

from ectype.clock import from_iso
from ectype.errors import Invalid

NS_PER_MS = 1_000_000
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_MOST_MS = (2**63 - 1) // NS_PER_MS
_UNITS = {
    "ns": 1,
    "us": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "min": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86_400 * 10**9,
}
_DURATION = re.compile(rf"([0-9]{{1,18}})\s*({'|'.join(sorted(_UNITS, key=len, reverse=True))})")
_Option = TypeVar("_Option", bound=str)
_LOST_PLUS = re.compile(r" (\d\d:?\d\d)$")


def no_parameters(request: HTTPConnection) -> None:
    """Raise Invalid for a request with parameters: it takes none."""
    if request.scope["query_string"]:
        Query(request.query_params)


@final
class Query:
    """The query of a request whose parameters are `known`."""

    def __init__(self, params: QueryParams, *known: str) -> None:
        self._params = params
        for name in params:
            if name not in known:
                takes = f"it takes {', '.join(known)}" if known else "it takes none"
                raise Invalid(f"there is no parameter {name[:80]!r} here; {takes}")

    def texts(self, name: str, most: int) -> Sequence[str]:
        """Every value of a parameter that may be repeated; at least one, at most `most`."""
        values = self._params.getlist(name)
        if not values:
            raise Invalid(f"'{name}' is missing; write {name}=... once or more")
        if len(values) > most:
            raise Invalid(f"'{name}' is there {len(values)} times; at most {most}")
        return values

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number from `low` to `high`."""
        text = self._one(name)
        if text is None:
            if default is None:
                raise Invalid(f"'{name}' is missing; write {name}= a whole number from {low} to {high}")
            return default
        if not _INTEGER.fullmatch(text) or not low <= int(text) <= high:
            raise Invalid(f"{name}={text[:80]!r} is not a whole number from {low} to {high}")
        return int(text)

    def text(self, name: str, most: int) -> str | None:
        """A text of at most `most` characters, or None when it is not there."""
        text = self._one(name)
        if text is not None and not 0 < len(text) <= most:
            raise Invalid(f"'{name}' has {len(text)} characters; it has 1 to {most}")
        return text

    def optional_integer(self, name: str, low: int, high: int) -> int | None:
        """The same, or None when it is not there."""
        return None if name not in self._params else self.integer(name, low, high)

    def choice(self, name: str, options: Sequence[_Option], default: _Option) -> _Option:
        """One of `options`."""
        text = self._one(name)
        if text is None:
            return default
        for option in options:
            if text == option:
                return option
        raise Invalid(f"{name}={text[:80]!r} is none of {', '.join(options)}")

    def duration_ns(self, name: str) -> int | None:
        """A length of time like 500ms, 10s, 15min, 1h or 1d, or None when it is not there."""
        text = self._one(name)
        if text is None:
            return None
        found = _DURATION.fullmatch(text)
        length = int(found[1]) * _UNITS[found[2]] if found else 0
        if not 0 < length < 2**62:
            raise Invalid(f"{name}={text[:80]!r} is no length of time; write one like 500ms, 10s, 15min, 1h or 1d")
        return length

    def flag(self, name: str) -> bool:
        """1 or 0; false when it is not there."""
        return self.integer(name, 0, 1, default=0) == 1

    def instant_ns(self, name: str, default: int) -> int:
        """An instant: ISO 8601 (UTC unless it says otherwise) or whole milliseconds since 1970."""
        text = self._one(name)
        if text is None:
            return default
        if _INTEGER.fullmatch(text):
            ms = int(text)
            if not -_MOST_MS <= ms <= _MOST_MS:
                raise Invalid(
                    f"{name}={text!r} is out of reach: instants are nanoseconds in 64 bits, years 1678 to 2262"
                )
            return ms * NS_PER_MS
        try:
            at_ns = from_iso(_LOST_PLUS.sub(r"+\1", text[:80]))  # an unescaped + arrives as a space
        except (Invalid, OverflowError) as error:
            raise Invalid(
                f"{name}={text[:80]!r} is not an instant; "
                "write ISO 8601 like 2014-03-01T12:00:00Z or milliseconds since 1970"
            ) from error
        if abs(at_ns) >= 2**63:
            raise Invalid(
                f"{name}={text[:80]!r} is out of reach: instants are nanoseconds in 64 bits, years 1678 to 2262"
            )
        return at_ns

    def _one(self, name: str) -> str | None:
        values = self._params.getlist(name)
        if len(values) > 1:
            raise Invalid(f"'{name}' is there {len(values)} times; once is enough")
        return values[0] if values else None
