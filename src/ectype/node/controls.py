"""Tells MQTT subscribers what people set: `ectype/<twin>/<property>` is retained and follows the graph.

That is how a device, or the replay of a recording, hears of a new set point.
"""

import json
from typing import Protocol, final

from ectype.graph.fold import Graph
from ectype.log.frame import Frame
from ectype.model.interface import Property


class Publisher(Protocol):
    """What tells the subscribers."""

    def publish(self, topic: str, payload: bytes, retain: bool = True) -> None:
        """Send to everyone who subscribed, and keep for those who will."""
        ...


@final
class Controls:
    """Publishes every writable property of every twin, when it changes."""

    def __init__(self, graph: Graph, publisher: Publisher) -> None:
        self._graph = graph
        self._publisher = publisher
        self._told: dict[str, bytes] = {}

    def tell_all(self) -> None:
        """Publish everything as it is now."""
        for twin in self._graph.twins():
            self._tell(twin.id)

    def told(self, topic: str) -> bool:
        """Whether this topic follows a set point."""
        return topic in self._told

    def watch(self, frame: Frame) -> None:
        """Publish what a frame changed."""
        for entry in frame.entries:
            if entry.kind in ("twin.put", "twin.patch"):
                self._tell(entry.subject.removeprefix("twin:"))

    def _tell(self, twin_id: str) -> None:
        twin = self._graph.find_twin(twin_id)
        if twin is None:
            return
        for name, content in self._graph.models().interface(twin.model).contents.items():
            if not isinstance(content, Property) or not content.writable or name not in twin.properties:
                continue
            topic, payload = f"ectype/{twin_id}/{name}", json.dumps(twin.properties[name]).encode()
            if self._told.get(topic) != payload:
                self._told[topic] = payload
                self._publisher.publish(topic, payload, retain=True)
