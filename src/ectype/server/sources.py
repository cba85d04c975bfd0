"""The outside systems that a space listens to, and how they are."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ectype.node.view import View
from ectype.server.gate import Gate, json_response
from ectype.server.query import NS_PER_MS, no_parameters


def routes(gate: Gate) -> list[BaseRoute]:
    """`/api/sources`."""
    return [gate.route("/api/sources", get=_sources)]


async def _sources(request: Request, view: View) -> Response:
    no_parameters(request)
    told = [
        {
            "name": source.name,
            "url": source.url,
            "state": source.state,
            "since_ms": source.since_ns // NS_PER_MS,
            "error": source.error,
            "messages": source.messages,
            "last_ms": None if source.last_ns is None else source.last_ns // NS_PER_MS,
            "lost": source.lost,
        }
        for source in view.sources()
    ]
    heard = [
        {
            "name": sender.name,
            "kind": sender.kind,
            "alive": sender.alive,
            "last_ms": sender.last_ns // NS_PER_MS,
            "clock": None
            if sender.clock is None
            else {"offset_ms": sender.clock.offset_ns / NS_PER_MS, "drift_ppm": sender.clock.drift_ppm},
            "gaps": sender.gaps,
            "repeats": sender.repeats,
        }
        for sender in view.senders()
    ]
    slow = [{"who": each.who, "why": each.why} for each in view.slow()]
    return json_response({"sources": told, "repeats": view.repeats(), "senders": heard, "slow": slow})
