"""The alarms of a behaviour's twins as entries of the log: `alarm.raised` and `alarm.cleared`, and how long each twin
could not be told from its original.
"""

from pathlib import Path
from typing import final

from ectype.alarms.live import LiveAlarms, Told
from ectype.alarms.settings import Sensitivity
from ectype.clock import to_iso
from ectype.estimate.following import Following, Step
from ectype.estimate.plant import Kind, Part
from ectype.estimate.trace import Graph
from ectype.node.pipe import Begin, Draft
from ectype.values.arrow import MEDIA_TYPE, to_arrow
from ectype.values.canonical import JSON, canonical

SUBJECT = "block:fidelity"


@final
class Alarming:
    """See `estimator_watchers.Watcher`."""

    name = "alarms"

    def __init__(self, kind: Kind, part: Part, graph: Graph, begin: Begin) -> None:
        self.name = part.beside("alarms")
        models = {t.id: t.model for t in begin.twins}
        each: dict[str, Sensitivity] = {}
        for twin in (plant[part.place] for plant in kind.plants):
            known = begin.kinds.get(model := models[twin])
            each[twin] = begin.alarms.of(twin, known.ancestors if known else [model])
        self._alarms = LiveAlarms(graph, each, cache_dir=Path(begin.cache), part=part)
        self.companions = self._alarms.companions

    def tell(self, following: Following, step: Step) -> list[Draft]:
        """What a step raises, changes and ends; and, once an hour, the counts."""
        out = [draft(told) for told in self._alarms.tell(following, step)]
        counts = self._alarms.counts(following, step)
        return [*out, Draft("estimated", SUBJECT, MEDIA_TYPE, to_arrow(counts))] if len(counts) else out

    def save(self) -> bytes:
        """What was told so far."""
        return self._alarms.save()

    def restore(self, saved: bytes) -> None:
        """Go on from there."""
        self._alarms.restore(saved)


def draft(told: Told) -> Draft:
    """An alarm as an entry. Instants are texts: JSON numbers do not hold them."""
    why: dict[str, JSON] = {**told.why, "raised": to_iso(told.raised_ns)}
    body: dict[str, JSON] = {
        "twin": told.twin,
        "name": told.name,
        "severity": "warning",
        "text": told.text,
        "since_ns": str(told.since_ns),
        "why": why,
    }
    if told.until_ns is not None:
        body["until_ns"] = str(told.until_ns)
    kind = "alarm.cleared" if told.change == "cleared" else "alarm.raised"
    return Draft(kind, f"alarm:{told.twin}/{told.name}", "application/json", canonical(body))
