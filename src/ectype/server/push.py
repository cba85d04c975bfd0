"""Tables of samples over HTTP: an Arrow IPC stream or a JSON list of readings, answered when on disk.

What is on its way here is bounded: a body has at most 64 MiB, and all bodies together four times as many; who comes
beyond that is told to try again.
"""

from typing import Literal, final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ectype.errors import Invalid, Unavailable
from ectype.node.view import View
from ectype.server.errors import TooLarge
from ectype.server.gate import Gate, json_response
from ectype.server.query import Query

MOST_BYTES = 64 << 20
_MOST_TOGETHER = 4 * MOST_BYTES
_MOST_SEQUENCE = 2**63 - 1
_KINDS: dict[str, Literal["arrow", "json"]] = {
    "application/vnd.apache.arrow.stream": "arrow",
    "application/json": "json",
}


def routes(gate: Gate) -> list[BaseRoute]:
    """`/api/push`."""
    return [gate.route("/api/push", post=_Bodies().push)]


@final
class _Bodies:
    """The bodies of this application that are on their way to the disk."""

    def __init__(self) -> None:
        self._bytes = 0

    async def push(self, request: Request, view: View) -> Response:
        """Take one table."""
        query = Query(request.query_params, "twin", "source", "sequence")
        kind = _kind_of(request)
        sequence = query.optional_integer("sequence", 0, _MOST_SEQUENCE)
        source = query.text("source", 256) or ""
        if sequence is not None and not source:
            raise Invalid("'sequence' counts the tables of one source; add source=NAME")
        held = 0
        chunks: list[bytes] = []
        try:
            async for chunk in request.stream():
                self._bytes += len(chunk)
                held += len(chunk)
                if held > MOST_BYTES:
                    raise TooLarge(f"a table may have {MOST_BYTES} bytes (64 MiB); send it as several")
                if self._bytes > _MOST_TOGETHER:
                    raise Unavailable("more tables are on their way than the disk takes; send this one again")
                if chunk:
                    chunks.append(chunk)
            body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            chunks.clear()
            pushed = await view.push(body, kind, query.text("twin", 256), source, sequence)
        finally:
            self._bytes -= held
        return json_response({"samples": pushed.samples, "size": pushed.size, "repeated": pushed.repeated})


def _kind_of(request: Request) -> Literal["arrow", "json"]:
    said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if said not in _KINDS:
        raise Invalid(f"the content type is {said[:80] or 'missing'}; send {' or '.join(_KINDS)}")
    return _KINDS[said]
