"""Tells MQTT subscribers which alarms there are: by default `ectype/<twin>/alarms/<name>`, one message for each change.

    {"state": "raised", "twin": "b", "name": "deviation", "severity": "warning", "text": …,
     "since": "2014-12-05T00:03:20Z", "until": null, "cost_kwh": null, "why": {…}}

`state` is raised or cleared; an alarm whose reason changes is told as raised again. Who subscribes gets those that
stand first, as if they were retained. What is told is what the graph says, so an entry that it rejected is no alarm.
"""

import contextlib
from collections.abc import Iterator
from typing import final

import msgspec

from ectype.alarms.settings import topic_of
from ectype.clock import to_iso
from ectype.graph.facts import Alarm
from ectype.graph.fold import Graph
from ectype.log.frame import Frame
from ectype.node.live_topics import Listeners
from ectype.sources.mqtt.topics import matches

_MOST = 10_000  # that stand, told to one who subscribes


class _Body(msgspec.Struct):
    since_ns: str | int


@final
class AlarmTopics:
    """Publishes what frames bring, while anybody listens. template: see `alarms.settings`."""

    def __init__(self, graph: Graph, listeners: Listeners, template: str) -> None:
        self._graph = graph
        self._listeners = listeners
        self._template = template
        self._root = template.split("/", 1)[0]
        self._standing = {(a.twin, a.name): a.since_ns for a in graph.alarms(active_only=True, limit=_MOST)}

    def watch(self, frame: Frame) -> None:
        """Tell the alarms that the frame changed, each as it is after it."""
        said: dict[tuple[str, str, int], None] = {}
        ended: dict[tuple[str, str, int], None] = {}
        for entry in frame.entries:
            if entry.kind in ("alarm.raised", "alarm.cleared") and entry.body is not None:
                twin, _, name = entry.subject.removeprefix("alarm:").partition("/")
                with contextlib.suppress(msgspec.MsgspecError, ValueError):  # the graph has rejected such a one
                    said[twin, name, int(msgspec.json.decode(entry.body, type=_Body).since_ns)] = None
            elif entry.kind in ("twin.delete", "graph.clear"):  # which end alarms without a word
                ended = dict.fromkeys((*who, since_ns) for who, since_ns in self._standing.items())
        for key in ended | said:
            twin, name, since_ns = key
            alarm = self._graph.alarm_since(twin, name, since_ns)
            if alarm is None:
                continue
            if lasts := alarm.until_ns is None:
                self._standing[twin, name] = since_ns
            else:
                self._standing.pop((twin, name), None)
            if (key in said or not lasts) and self._listeners.listens(self._root):
                self._listeners.publish(topic_of(self._template, twin, name), _payload(alarm), retain=False)

    def known(self, pattern: str) -> Iterator[tuple[str, bytes]]:
        """(topic, payload) of each alarm that stands and that a filter takes, the newest first."""
        if pattern.split("/", 1)[0] in (self._root, "+", "#"):
            for alarm in self._graph.alarms(active_only=True, limit=_MOST):
                topic = topic_of(self._template, alarm.twin, alarm.name)
                if matches(pattern, topic):
                    yield topic, _payload(alarm)


def _payload(alarm: Alarm) -> bytes:
    return msgspec.json.encode(
        {
            "state": "raised" if alarm.until_ns is None else "cleared",
            "twin": alarm.twin,
            "name": alarm.name,
            "severity": alarm.severity,
            "text": alarm.text,
            "since": to_iso(alarm.since_ns),
            "until": None if alarm.until_ns is None else to_iso(alarm.until_ns),
            "cost_kwh": alarm.cost_kwh,
            "why": None if alarm.why is None else msgspec.Raw(alarm.why.encode()),
        }
    )
