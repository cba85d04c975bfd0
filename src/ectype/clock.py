"""Time as integer nanoseconds since 1970 UTC, handed in from the edge so that tests own it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from ectype.errors import Invalid

Clock = Callable[[], int]

NS_PER_S = 1_000_000_000


def system_clock() -> int:
    """Now, in nanoseconds since 1970 UTC."""
    return time.time_ns()


def to_iso(at_ns: int) -> str:
    """RFC 3339 text in UTC, with as many decimals (0, 3, 6 or 9) as the instant needs."""
    seconds, rest = divmod(at_ns, NS_PER_S)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    digits = f"{rest:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{text}.{digits}Z" if digits else f"{text}Z"


def from_iso(text: str) -> int:
    """Nanoseconds since 1970 of an ISO 8601 / RFC 3339 instant; without an offset it is UTC.

    Raises Invalid for anything else. Decimals beyond nanoseconds are cut.
    """
    body, _, tail = text.strip().partition(".")
    decimals = tail[: len(tail) - len(tail.lstrip("0123456789"))]
    try:
        at = datetime.fromisoformat(body + tail[len(decimals) :])
    except ValueError as error:
        raise Invalid(f"'{text}' is not a time; write it like 2014-03-01T12:00:00Z") from error
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    whole_s = int((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    return whole_s * NS_PER_S + int(decimals[:9].ljust(9, "0") or 0)
