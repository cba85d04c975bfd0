"""Tells MQTT subscribers what the node knows: `ectype/<twin>/<property>` follows every measurement and estimate.

The payload is the value as JSON. Of a block each series' last value is told, so a fast source costs its watchers no
more than one message a frame. Who subscribes gets the newest value of each series first, as if it were retained.
Properties that people set are told by `controls`; their topics stay theirs.
"""

import json
from collections.abc import Callable, Iterator
from typing import Protocol, final

import numpy as np

from ectype.ids import split_series
from ectype.log.frame import Frame
from ectype.series.fold import History
from ectype.sources.mqtt.topics import matches
from ectype.values.arrow import MEDIA_TYPE, from_arrow

_KINDS = ("measured", "estimated")
ROOT = "ectype"


class Listeners(Protocol):
    """What tells the subscribers."""

    def publish(self, topic: str, payload: bytes, retain: bool = True) -> None:
        """Send to everyone who subscribed."""
        ...

    def listens(self, root: str) -> bool:
        """Whether anybody has a filter that may take topics below `root`."""
        ...


@final
class LiveTopics:
    """Publishes what frames bring, while anybody listens. told: topics that somebody else publishes."""

    def __init__(self, history: History, listeners: Listeners, told: Callable[[str], bool]) -> None:
        self._history = history
        self._listeners = listeners
        self._told = told

    def watch(self, frame: Frame) -> None:
        """Tell the last value of each series in each block."""
        if not self._listeners.listens(ROOT):
            return
        for entry in frame.entries:
            if entry.kind in _KINDS and entry.media == MEDIA_TYPE and entry.body is not None:
                block = from_arrow(entry.body)
                last = np.full(len(block.names), -1, np.int64)
                last[block.series] = np.arange(len(block))  # of repeated places the last assignment stands
                for name, row in zip(block.names, last.tolist(), strict=True):
                    topic = _topic(name)
                    if row >= 0 and not self._told(topic):
                        self._listeners.publish(topic, _payload(float(block.value[row])), retain=False)

    def known(self, pattern: str) -> Iterator[tuple[str, bytes]]:
        """(topic, payload) of the newest value of each series that a filter takes."""
        if pattern.split("/", 1)[0] in (ROOT, "+", "#"):
            for name, (_, value, _) in self._history.last_all().items():
                topic = _topic(name)
                if matches(pattern, topic) and not self._told(topic):
                    yield topic, _payload(value)


def _topic(series: str) -> str:
    twin, name, facet = split_series(series)
    return f"{ROOT}/{twin}/{name}" if facet == "measured" else f"{ROOT}/{twin}/{name}@{facet}"


def _payload(value: float) -> bytes:
    return json.dumps(value if np.isfinite(value) else None).encode()
