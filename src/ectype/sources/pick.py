"""Values out of JSON messages, by bindings from where they lie to the series that they become.

"plant/oven"        = "oven.temperature"     the whole payload of the topic plant/oven is the value
"plant/oven#/t/c"   = "oven.temperature"     the value at the JSON pointer /t/c (RFC 6901) of such a payload
"#/t/c"             = "oven.temperature"     the same of a message without a topic, or of any topic
"""

from collections.abc import Iterator
from typing import cast, final

import msgspec

from ectype.clock import Clock
from ectype.errors import Invalid, Misconfigured
from ectype.sources.base import Message
from ectype.sources.connector import Opening, sample
from ectype.sources.readings import MAX_PAYLOAD, instant

_MISSING = object()
_decode = msgspec.json.Decoder[object](object).decode


@final
class Picker:
    """Makes messages by the convention out of what an opening binds; without bindings they pass as they are.

    time: the JSON pointer of when it was measured (ISO 8601, or seconds since 1970), if the payload says so.
    """

    def __init__(self, opening: Opening, clock: Clock, time: str | None = None) -> None:
        self._opening = opening
        self._clock = clock
        self._time = None if time is None else pointer(time)
        self._by_topic: dict[str, list[tuple[list[str], str]]] = {}
        for said, series in opening.bind.items():
            topic, _, path = said.partition("#")
            self._by_topic.setdefault(topic, []).append((pointer(path), series))

    @property
    def topics(self) -> list[str]:
        """The topics that are bound, without the one that stands for any."""
        return [topic for topic in self._by_topic if topic]

    def messages(self, topic: str, payload: bytes) -> Iterator[Message]:
        """What one payload comes to. What is no JSON passes as it is, so that ingest keeps it and says why."""
        arrived = self._clock()
        bound = [*self._by_topic.get(topic, ()), *self._by_topic.get("", ())] if topic else self._by_topic.get("", [])
        if not self._by_topic:
            yield Message(topic, payload, arrived, self._opening.name)
            return
        if not bound:
            return
        try:
            body = _decode(payload) if len(payload) <= MAX_PAYLOAD else _MISSING
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            body = _MISSING
        if body is _MISSING:
            yield Message(topic or self._opening.name, payload, arrived, self._opening.name)
            return
        measured = self._measured(body)
        for path, series in bound:
            value = find(body, path)
            if value is not _MISSING and value is not None:
                yield sample(self._opening, series, value, arrived, measured)

    def _measured(self, body: object) -> int | None:
        """When it says it was measured; None where it does not, or not in a way that can be read."""
        t = _MISSING if self._time is None else find(body, self._time)
        try:
            return None if t is _MISSING or t is None else instant(t)
        except Invalid:
            return None


def pointer(text: str) -> list[str]:
    """The steps of a JSON pointer (RFC 6901); none for the whole document. Raises Misconfigured."""
    if text and not text.startswith("/"):
        raise Misconfigured(f"'{text}' is no JSON pointer; write it like /sensors/0/value")
    return [step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:]]


def find(body: object, path: list[str]) -> object:
    """What lies at the end of `path`, or a mark that nothing does; see `missing`."""
    for step in path:
        if isinstance(body, dict):
            body = cast("dict[str, object]", body).get(step, _MISSING)
        elif isinstance(body, list) and step.isdecimal() and int(step) < len(cast("list[object]", body)):
            body = cast("list[object]", body)[int(step)]
        else:
            return _MISSING
    return body


def missing(value: object) -> bool:
    """Whether `find` found nothing."""
    return value is _MISSING
