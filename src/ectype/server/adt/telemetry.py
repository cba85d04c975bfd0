"""Telemetry from a twin or a component of it: an entry in the log, and an event to whoever is routed to."""

import re
from typing import cast

from ectype.model.schema import JSON
from ectype.node.graph_view import Draft
from ectype.server.adt.bodies import read_object
from ectype.server.adt.call import Answer, Call
from ectype.server.adt.components import declared
from ectype.server.adt.errors import AdtError

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)?", re.ASCII)


async def send(call: Call) -> Answer:
    """POST /digitaltwins/{id}/telemetry and /digitaltwins/{id}/components/{path}/telemetry."""
    twin = call.view.twin(call.names[0])
    message_id = call.header("message-id")
    if not message_id or len(message_id) > 256:
        raise AdtError(400, "InvalidArgument", "the header Message-Id must name the message, in 1 to 256 characters")
    at = call.header("telemetry-source-time")
    if at is not None and not _INSTANT.fullmatch(at):
        raise AdtError(400, "InvalidArgument", "Telemetry-Source-Time is an instant like 2024-05-01T12:00:00Z")
    payload = read_object(call.body, "telemetry: names and values")
    body: dict[str, JSON] = {"twin": twin.id, "message_id": message_id, "payload": cast(JSON, payload)}
    if at is not None:
        body["at"] = at
    if len(call.names) > 1:
        declared(call, twin, call.names[1])
        body["component"] = call.names[1]
    await call.view.write(Draft("telemetry", f"telemetry:{twin.id}", body))
    return Answer.nothing()
