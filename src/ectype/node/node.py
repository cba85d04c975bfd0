"""A node: one space running on this machine. It opens the log, brings the folds to its head, and wires
what comes in (MQTT, people) and what goes out (views) to it.

    MQTT ─► ingest ─┐                     ┌─► graph, series, marks, documents ─► views ─► server
    views ─► writer ┼─► log ─► follower ──┤
    rooms ──────────┤                     └─► controls ─► MQTT
    estimator ──────┘◄── log
"""

import asyncio
import hmac
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, final

from ectype.alarms.settings import read_alarms
from ectype.clock import Clock, system_clock
from ectype.collab.documents import Documents
from ectype.collab.room import Room
from ectype.errors import EctypeError
from ectype.graph.fold import Graph
from ectype.ingest.bindings import read_bindings
from ectype.ingest.declared import rules_of
from ectype.ingest.ingest import Ingest
from ectype.ingest.intake import Intake
from ectype.ingest.push import Pushes
from ectype.ingest.quality import read_checks
from ectype.log.frame import Frame
from ectype.log.log import Log
from ectype.log.space import Space, open_space
from ectype.node.alarm_topics import AlarmTopics
from ectype.node.controls import Controls
from ectype.node.estimator import PATIENCE_S, Estimator
from ectype.node.exposure import Exposure
from ectype.node.feed import FeedMaker
from ectype.node.fleet import FleetWatch
from ectype.node.follower import Follower
from ectype.node.jobs import Jobs
from ectype.node.known import Known
from ectype.node.live_topics import LiveTopics
from ectype.node.rooms import Rooms
from ectype.node.routes import Routes
from ectype.node.sources_file import read_sources
from ectype.node.tls import device_context
from ectype.node.view import View
from ectype.node.write import Writer
from ectype.series.fold import History
from ectype.series.marks import Marks
from ectype.series.retention import read_retention
from ectype.sources.base import Message
from ectype.sources.mqtt.endpoint import MqttEndpoint
from ectype.trust.access import EverybodyMayAll, Principal, Rights
from ectype.trust.keys import Signer

_logger = logging.getLogger("ectype.node")


@final
@dataclass(frozen=True, slots=True)
class Settings:
    """How a node runs. mqtt_port: None for no endpoint, 0 for any free port; estimate: follow with models; patience_s:
    see `Estimator`.
    """

    exposure: Exposure = field(default_factory=Exposure)
    mqtt_port: int | None = None
    estimate: bool = True
    patience_s: float = PATIENCE_S


@final
class Node:
    """A running space. Make one with `Node.start`; talk to it through `view`."""

    def __init__(self, space: Space, log: Log, settings: Settings, rights: Rights, clock: Clock) -> None:
        self.space = space
        self.name = space.path.resolve().name.removesuffix(".space")
        self.log = log
        self.settings = settings
        self.rights = rights
        self.started_ns = clock()
        self.intake = Intake(read_sources(space.path), self._deliver, clock)
        self.feed = FeedMaker()
        self.graph = Graph.open(space.folder("graph"), log)
        retention = read_retention(space.path, self._model_of)
        self.history = History.open(space.folder("series"), log, retention=retention)
        self.marks = Marks.open(space.folder("marks"), log)
        self.documents = Documents.open(space.folder("documents"), log)
        known = Known(self.graph)
        self._fleet = FleetWatch(self.graph)
        self._folds = (self.graph, self.history, self.marks, self.documents)
        self.follower = Follower(log, self._folds, [known.watch, self._fleet.watch, self._types_changed])
        self.writer = Writer(log, self.graph, self.follower, space.signer, clock)
        self._checks = checks = read_checks(space.path, self._model_of, self._comment_of)
        self._bindings = read_bindings(space.path)
        self._alarms = read_alarms(space.path)
        self.ingest = Ingest(
            log, space.signer, known, clock, bindings=self._bindings, checks=checks, history=self.history.range
        )
        self.pushes = Pushes(log, space.signer, known, clock, checks)
        self.follower.tables_come = self.pushes.full_speed
        self.rooms = Rooms(log, self.documents, self.follower, space.signer, clock)
        self.mqtt: MqttEndpoint | None = None
        self.estimator: Estimator | None = None
        self.jobs = Jobs(self)
        self.routes = Routes(self)
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def start(
        cls,
        path: Path,
        settings: Settings = Settings(),
        *,
        rights: Rights | None = None,
        clock: Clock = system_clock,
        progress: Callable[[int, int], None] | None = None,
    ) -> "Node":
        """Open the space at `path` (made if it is not there) and bring it to life.

        progress(done, all): entries folded, while history is caught up with.
        Raises Refused when another process has the space, Damaged when its log is not whole,
        Misconfigured when a port is taken or a file cannot be used.
        """
        space = open_space(path)
        try:
            log = await Log.open(space.store, space.signer, origin=space.origin, clock=clock)
        except BaseException:
            space.close()
            raise
        try:
            node = cls(space, log, settings, rights or EverybodyMayAll(), clock)
        except BaseException:
            await log.close()
            space.close()
            raise
        try:
            await node.follower.catch_up(progress)
            node._declare_bindings()
            node._spawn(node.follower.run(), "folds")
            node.jobs.resume()
            node.routes.start()
            node.follower.watchers.append(node.routes.watch)
            if settings.mqtt_port is not None:
                await node._listen(settings.mqtt_port)
            if settings.estimate:
                node._estimate()
            node._spawn(node.intake.run(), "sources")
        except BaseException:
            await node.close()
            raise
        return node

    def view(self, who: Principal) -> View:
        """The space as `who` may see and change it: the only door there is."""
        return View(self, who)

    def room(self, name: str) -> Room:
        """The room of a shared document, for views."""
        return self.rooms.room(name)

    def replay_speed(self) -> float | None:
        """How much faster than the clock a recording is replayed here, if one is."""
        twin = self.graph.find_twin("replay")
        speed = twin.properties.get("speed") if twin else None
        return float(speed) if isinstance(speed, int | float) else None

    def _model_of(self, twin: str) -> str | None:
        found = self.graph.find_twin(twin)
        return None if found is None else found.model

    def _comment_of(self, model: str, name: str) -> str:
        content = self.graph.models().interface(model).contents.get(name)
        return "" if content is None else content.comment

    def _types_changed(self, frame: Frame) -> None:
        if any(entry.kind.startswith(("model.", "graph.")) for entry in frame.entries):
            self._checks.forget()
            self._declare_bindings()
        elif any(entry.kind.startswith("twin.") for entry in frame.entries):
            self._bindings.forget()

    def _declare_bindings(self) -> None:
        rules = [(interface.id, rule) for interface in self.graph.models() for rule in rules_of(interface)]
        self._bindings.declare(rules, self._model_of)

    async def close(self) -> None:
        """Stop taking things in, finish what is on its way, write the folds down, let go of the space."""
        if self.mqtt is not None:
            await self.mqtt.close()
        await self._stop("sources")
        await self.jobs.close()
        await self.routes.close()
        await self._stop("sources")
        await self.ingest.close()
        await self.pushes.close()
        await self.rooms.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.follower.save()
        try:
            await self.log.close()
        finally:
            for fold in self._folds:
                fold.close()
            self.space.close()

    async def _listen(self, port: int) -> None:
        exposure = self.settings.exposure
        self.mqtt = await MqttEndpoint.start(
            exposure.host,
            port,
            self.ingest.deliver,
            _authenticator(exposure.token),
            device_context(exposure),
            clock=self._clock,
            folder=self.space.path / "mqtt",
        )
        self.ingest.sparkplug.ask = partial(self.mqtt.publish, retain=False)
        controls = Controls(self.graph, self.mqtt)
        controls.tell_all()
        live = LiveTopics(self.history, self.mqtt, controls.told)
        alarms = AlarmTopics(self.graph, self.mqtt, self._alarms.topic)
        self.mqtt.clients.known = lambda pattern: chain(live.known(pattern), alarms.known(pattern))
        self.follower.watchers += [controls.watch, live.watch, alarms.watch]

    def _estimate(self) -> None:
        author = Signer.load_or_create(self.space.path / "keys" / "estimator.pem")
        behaviours = self.space.path / "behaviours"
        folder, patience_s = self.space.folder("estimate"), self.settings.patience_s
        self.estimator = Estimator(
            self.log, author, folder, behaviours, self._clock, alarms=self._alarms, patience_s=patience_s
        )
        self._spawn(self.estimator.run(self._fleet), "estimator")

    async def _deliver(self, messages: Sequence[Message]) -> None:
        await self.ingest.deliver(messages, redelivers=True)

    async def _stop(self, name: str) -> None:
        for task in [task for task in self._tasks if task.get_name() == name]:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        if not isinstance(error, EctypeError):
            _logger.error("the node's %s ended", task.get_name(), exc_info=error)
        if not self.failed.done():
            self.failed.set_exception(error)
            self.failed.exception()  # seen: whoever awaits `failed` still gets it


def _authenticator(token: str | None) -> Callable[[str, str], bool] | None:
    """Who may speak MQTT: whoever has the node's token as password."""
    if token is None:
        return None
    right = token.encode()

    def authenticate(user: str, password: str) -> bool:
        del user
        return hmac.compare_digest(password.encode(), right)

    return authenticate
