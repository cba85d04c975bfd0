"""`http://…` and `https://…`: a JSON resource that is asked again and again.

bind: JSON pointers, "#/data/temperature"; options: every_s, time (a JSON pointer), header_file, timeout_s
"""

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import final

import msgspec

from ectype.clock import Clock
from ectype.errors import Misconfigured, Unavailable
from ectype.sources.base import Message
from ectype.sources.connector import Opening
from ectype.sources.pick import Picker
from ectype.sources.readings import MAX_PAYLOAD


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """every_s: how long from question to question; time: where the answer says when it was measured;
    header_file: a file of "Name: value" lines, for secrets; timeout_s: how long an answer may take.
    """

    every_s: float = 10.0
    time: str | None = None
    header_file: str | None = None
    timeout_s: float = 10.0


def connect(opening: Opening, clock: Clock) -> "HttpPoll":
    """A connector for `opening`."""
    return HttpPoll(opening, clock)


@final
class HttpPoll:
    """Asks, takes what is bound out of the answer, waits. An answer that has not changed (304) gives nothing."""

    def __init__(self, opening: Opening, clock: Clock) -> None:
        options = opening.options_as(Options)
        if options.every_s <= 0 or options.timeout_s <= 0:
            raise Misconfigured(f"source {opening.name}: every_s and timeout_s are seconds above 0")
        opening.bound()
        opening.host_and_port(80)
        self._url = opening.url
        self._options = options
        self._picker = Picker(opening, clock, options.time)
        self._headers = _headers(options.header_file, opening.name)
        self._changed: dict[str, str] = {}

    async def batches(self) -> AsyncIterator[Sequence[Message]]:
        """One batch an answer."""
        while True:
            began = time.monotonic()
            payload = await asyncio.to_thread(self._ask)
            if payload is not None:
                yield list(self._picker.messages("", payload))
            await asyncio.sleep(max(0.0, began + self._options.every_s - time.monotonic()))

    def _ask(self) -> bytes | None:
        request = urllib.request.Request(self._url, headers={**self._headers, **self._changed})  # noqa: S310
        try:  # the scheme is http or https: it is what chose this file
            with urllib.request.urlopen(request, timeout=self._options.timeout_s) as answer:  # noqa: S310
                payload: bytes = answer.read(MAX_PAYLOAD + 1)
                told = {"If-None-Match": answer.headers["ETag"], "If-Modified-Since": answer.headers["Last-Modified"]}
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 304:
                return None
            raise Unavailable(f"it answers {error.code} {error.reason}") from error
        except (OSError, ValueError) as error:
            raise Unavailable(f"it does not answer: {getattr(error, 'reason', error)}") from error
        self._changed = {name: value for name, value in told.items() if value}
        if len(payload) > MAX_PAYLOAD:
            raise Unavailable(f"its answer has more than {MAX_PAYLOAD} bytes")
        return payload


def _headers(path: str | None, name: str) -> dict[str, str]:
    """The headers in a file, one "Name: value" a line."""
    headers = {"Accept": "application/json", "User-Agent": "ectype"}
    if path is None:
        return headers
    try:
        lines = [line for line in Path(path).read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"source {name}: header_file {path}: {error}") from error
    for line in lines:
        key, colon, value = line.partition(":")
        if not colon or not key.strip().isascii():
            raise Misconfigured(f"source {name}: header_file {path}: a line reads Name: value")
        headers[key.strip()] = value.strip()
    return headers
