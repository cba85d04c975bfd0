"""Event routes: each follows the log from where it was, and delivers what its filter lets pass, at least once.

How far a route is, is written beside the log after every delivery; after a restart it goes on from there. An endpoint
that is away is tried again, ever more slowly; an event that it refuses, or that cannot be delivered for `GIVE_UP_S`,
becomes a dead letter in SPACE/routes/NAME.dead.ndjson, is counted, and the next one's turn comes.
"""

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import msgspec

from ectype.errors import Invalid, NotFound, Refused, Unavailable
from ectype.log.frame import Frame
from ectype.log.stores import disk
from ectype.model.schema import JSON
from ectype.node.endpoints import Endpoint, read_endpoints
from ectype.node.event_filter import compile_filter
from ectype.node.events import event_of
from ectype.node.write import Draft
from ectype.trust.access import Principal

if TYPE_CHECKING:
    from ectype.node.node import Node

GIVE_UP_S = 24 * 3600.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 30.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_log = logging.getLogger("ectype.node")
_line = msgspec.json.Encoder().encode


@final
class NoEndpoint(Invalid):
    """No endpoint by that name is configured."""


@final
class BadFilter(Invalid):
    """A text that is no filter."""


@final
@dataclass
class RouteState:
    """How a route does. position: the entry that it looks at next."""

    position: int
    delivered: int = 0
    dead: int = 0
    retries: int = 0
    last_error: str | None = None


@final
class Routes:
    """The event routes of a node."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._folder = node.space.path / "routes"
        self._endpoints: dict[str, Endpoint] = {}
        self._tasks: dict[str, tuple[dict[str, JSON], asyncio.Task[None]]] = {}
        self.states: dict[str, RouteState] = {}

    def start(self) -> None:
        """Read the endpoints, and follow every route that the log has."""
        self._endpoints = read_endpoints(self._node.space.path / "endpoints.toml", self._publish)
        self.watch(None)

    async def close(self) -> None:
        """Stop where they are."""
        tasks = [task for _, task in self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for endpoint in self._endpoints.values():
            await endpoint.close()

    def watch(self, frame: Frame | None) -> None:
        """Begin and end routes as the log says; called after each frame."""
        if frame is not None and not any(entry.kind.startswith("route.") for entry in frame.entries):
            return
        wanted = self._node.graph.records("route")
        for name in [name for name, (route, _) in self._tasks.items() if wanted.get(name) != route]:
            self._tasks.pop(name)[1].cancel()
            self.states.pop(name, None)
        for name, route in wanted.items():
            if name not in self._tasks:
                self._tasks[name] = (route, asyncio.create_task(self._follow(name, route), name=f"route {name}"))

    async def put(self, who: Principal, name: str, endpoint: str, text: str) -> None:
        """Make or change a route. Raises NoEndpoint, BadFilter, or Invalid for its name."""
        if not _NAME.fullmatch(name):
            raise Invalid("the id of an event route is 1 to 128 letters, digits, - or _")
        if endpoint not in self._endpoints:
            there = ", ".join(self._endpoints) or "none yet: name one in the space's endpoints.toml"
            raise NoEndpoint(f"there is no endpoint {endpoint[:80]!r}; there is {there}")
        try:
            compile_filter(text)
        except Invalid as error:
            raise BadFilter(str(error)) from error
        body: JSON = {"endpointName": endpoint, "filter": text}
        await self._node.writer.write(who, Draft("route.put", f"route:{name}", body))

    async def delete(self, who: Principal, name: str) -> None:
        """End a route. Raises NotFound."""
        if name not in self._node.graph.records("route"):
            raise NotFound(f"there is no event route {name[:140]!r}")
        await self._node.writer.write(who, Draft("route.delete", f"route:{name}", {}))

    # ---- delivering

    async def _follow(self, name: str, route: Mapping[str, JSON]) -> None:
        state = self._state(name)
        self.states[name] = state
        try:
            test = compile_filter(str(route.get("filter", "true")))
            async for frame in self._node.log.tail(state.position):
                await self._node.follower.reach(frame.next)
                for index, entry in enumerate(frame.entries, frame.first):
                    event = event_of(index, entry, self._node.name, self._node.graph.find_twin)
                    if event is not None and test(event):
                        await self._deliver(name, str(route.get("endpointName")), event, state)
                        state.position = index + 1
                        self._keep(name, state)
                state.position = frame.next
        except asyncio.CancelledError:
            self._keep(name, state)
            raise
        except Exception as error:  # noqa: BLE001 - the route says it
            state.last_error = str(error)
            _log.exception("event route %s stopped", name)

    async def _deliver(self, name: str, endpoint: str, event: dict[str, Any], state: RouteState) -> None:
        loop = asyncio.get_running_loop()
        wait, until = _FIRST_WAIT_S, loop.time() + GIVE_UP_S
        while True:
            try:
                where = self._endpoints.get(endpoint)
                if where is None:
                    raise Unavailable(f"endpoint {endpoint!r} is not in endpoints.toml any more")
                await where.send(event)
                state.delivered += 1
                return
            except Unavailable as error:
                state.last_error = str(error)
                state.retries += 1
                if loop.time() > until:
                    self._bury(name, event, state)
                    return
            except Refused as error:
                state.last_error = str(error)
                self._bury(name, event, state)
                return
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT_S)

    def _bury(self, name: str, event: dict[str, Any], state: RouteState) -> None:
        state.dead += 1
        self._folder.mkdir(exist_ok=True)
        with (self._folder / f"{name}.dead.ndjson").open("ab") as file:
            file.write(_line({"error": state.last_error, "event": event}) + b"\n")

    def _state(self, name: str) -> RouteState:
        """Where a route was; a new one begins behind the entry that made it."""
        last = self._node.log.last(f"route:{name}")
        begin = 0 if last is None else last + 1
        try:
            kept = json.loads((self._folder / f"{name}.json").read_text("utf-8"))
            if kept["since"] == begin and begin <= kept["position"] <= self._node.log.size:
                return RouteState(kept["position"], kept["delivered"], kept["dead"], kept["retries"])
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return RouteState(begin)

    def _keep(self, name: str, state: RouteState) -> None:
        last = self._node.log.last(f"route:{name}")
        kept = {
            "since": 0 if last is None else last + 1,
            "position": state.position,
            "delivered": state.delivered,
            "dead": state.dead,
            "retries": state.retries,
        }
        try:
            self._folder.mkdir(exist_ok=True)
            disk.replace(self._folder / f"{name}.json", _line(kept), durable=False)
        except OSError as error:  # it will deliver some again
            _log.warning("event route %s: its position cannot be written: %s", name, error)

    def _publish(self, topic: str, body: bytes) -> None:
        if self._node.mqtt is None:
            raise Unavailable("this node has no MQTT endpoint; start it without --no-mqtt")
        self._node.mqtt.publish(topic, body, False)
