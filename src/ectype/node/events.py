"""What happened, as CloudEvents 1.0 of the types that Azure Digital Twins has.

An event follows from its entry alone, so one that is delivered twice is the same twice: its id is the entry's number.
Bulk imports and deletions tell no events, as there.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from ectype.graph.facts import Twin, instant
from ectype.log.entry import Entry

_TYPE = "Microsoft.DigitalTwins."
KINDS = frozenset(
    {
        "twin.put",
        "twin.patch",
        "twin.delete",
        "relationship.put",
        "relationship.patch",
        "relationship.delete",
        "telemetry",
    }
)


def event_of(index: int, entry: Entry, space: str, find_twin: Callable[[str], Twin | None]) -> dict[str, Any] | None:
    """The event that entry `index` is, if it is one. find_twin: to name the model of a twin that was patched."""
    if entry.kind not in KINDS or entry.body is None:
        return None
    body: Any = msgspec.json.decode(entry.body)
    kind, _, verb = entry.kind.partition(".")
    name = entry.subject.partition(":")[2]
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": f"{space}/{index}",
        "source": space,
        "time": instant(entry.at_ns),
        "datacontenttype": "application/json",
    }
    if kind == "telemetry":
        twin = find_twin(name)
        event |= {"type": "microsoft.iot.telemetry", "subject": name, "data": body.get("payload")}
        if twin is not None:
            event["dataschema"] = twin.model
        if body.get("component"):
            event["subject"] = f"{name}/components/{body['component']}"
        return event
    what = "Twin" if kind == "twin" else "Relationship"
    if kind == "relationship":
        source, _, edge = name.partition("/")
        name = f"{source}/relationships/{edge}"
    event["subject"] = name
    if verb == "put" and "$etag" not in body:
        return event | {"type": f"{_TYPE}{what}.Create", "data": body}
    if verb == "delete":
        return event | {"type": f"{_TYPE}{what}.Delete", "data": body}
    patch = body
    if verb == "put":
        patch = [{"op": "replace", "path": f"/{k}", "value": v} for k, v in body.items() if not k.startswith("$")]
    twin = find_twin(name.partition("/")[0])
    return event | {
        "type": f"{_TYPE}{what}.Update",
        "data": {"modelId": twin.model if twin is not None else None, "patch": patch},
    }
