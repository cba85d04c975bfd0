"""A recording sent over MQTT as its twins would have sent it, at any speed.

    ectype replay farm.parquet --id turbine --time t --speed 600

It runs in a process of its own and knows nothing of the node but an MQTT port, so it can feed any broker.
Every message goes at QoS 1 and is remembered until acknowledged; after a lost connection paho sends what was
not, and the replay goes on from there. Meanwhile the main thread sleeps on one queue of events (acknowledged,
a new speed, stop) with the time of the next row as its limit.

Live controls, as topics: ectype/replay/speed (a number, data seconds per second) and ectype/replay/paused
(true, false, 1 or 0).
"""

# pyright: reportUnknownMemberType=false

import json
import logging
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from ectype.clock import NS_PER_S, to_iso
from ectype.errors import Invalid, Misconfigured, Refused, Unavailable
from ectype.sources.recording import Recording, Row

log = logging.getLogger("ectype.replay")

CONTROLS = "ectype/replay"
WINDOW = 200
_REPORT_EVERY_S = 0.1
_LAST_ACKS_S = 3.0
_GREETING_S = 10.0


@final
@dataclass(frozen=True, slots=True)
class Replay:
    """What to replay, to whom, how fast.

    speed: data seconds per wall second, above 0. start_ns, stop_ns: the part of the recording [start, stop).
    fast_until_ns: rows before this data time are sent as fast as they are acknowledged. loop: after the end
    begin again, the times moved on by the length of the recording, so that the twins' time never goes back.
    columns: file column -> property (None: all numbers). cafile: turns TLS on and says whom to trust ("": the
    system's authorities).
    """

    path: Path
    id_column: str
    time_column: str
    host: str = "127.0.0.1"
    port: int = 1883
    speed: float = 1.0
    start_ns: int | None = None
    stop_ns: int | None = None
    fast_until_ns: int | None = None
    loop: bool = False
    prefix: str = "replay"
    columns: Mapping[str, str] | None = None
    client_id: str = "replay"
    username: str | None = None
    password: str | None = None
    cafile: str | None = None


@final
@dataclass(frozen=True, slots=True)
class Progress:
    """How far a replay is: rows sent and acknowledged, and the data time of the last acknowledged one."""

    sent: int
    acknowledged: int
    at_ns: int | None
    lap: int
    speed: float
    paused: bool
    connected: bool


@final
class Control:
    """How others steer a running replay, from any thread or signal handler."""

    def __init__(self) -> None:
        self.events: SimpleQueue[tuple[str, Any]] = SimpleQueue()

    def speed(self, speed: float) -> None:
        """Data seconds per wall second from now on."""
        self.events.put(("speed", speed))

    def pause(self, paused: bool = True) -> None:
        """Send nothing until `pause(False)`."""
        self.events.put(("paused", paused))

    def stop(self) -> None:
        """End soon: nothing more is sent, what was sent has a few seconds to be acknowledged."""
        self.events.put(("stop", None))


def replay(
    settings: Replay, progress: Callable[[Progress], None] | None = None, control: Control | None = None
) -> Progress:
    """Replay until the end or until stopped; returns how far it got.

    `progress` is called on this thread, at most ten times a second, and once at the end. Raises Misconfigured or
    Invalid for the file and the settings, Unavailable if there is nobody to connect to at first (later losses are
    waited out), Refused if the client is not let in.
    """
    if not 0 < settings.speed < 1e9:
        raise Misconfigured(f"a speed of {settings.speed} is not possible; use a number above 0, like 600")
    recording = Recording(
        settings.path,
        id_column=settings.id_column,
        time_column=settings.time_column,
        columns=settings.columns,
        prefix=settings.prefix,
    )
    return _Run(settings, recording, progress or (lambda _: None), control or Control()).run()


class _Stop(Exception):
    pass


@final
class _Pace:
    """Which data time it is at which wall time: a line that bends where speed or pause change."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self.paused = False
        self._wall_s = 0.0
        self._data_ns: int | None = None

    def due_in_s(self, at_ns: int, now_s: float) -> float | None:
        """Seconds until the row of that data time is due; None while paused. The first one is due at once."""
        if self._data_ns is None:
            self._wall_s, self._data_ns = now_s, at_ns
        if self.paused:
            return None
        return (at_ns - self._data_ns) / NS_PER_S / self.speed - (now_s - self._wall_s)

    def change(self, now_s: float, speed: float | None = None, paused: bool | None = None) -> None:
        """Go on from the data time of now, otherwise."""
        if self._data_ns is not None:
            if not self.paused:
                self._data_ns += int((now_s - self._wall_s) * self.speed * NS_PER_S)
            self._wall_s = now_s
        self.speed = self.speed if speed is None else speed
        self.paused = self.paused if paused is None else paused


@final
class _Run:
    """One replay: all state belongs to the thread that calls `run`; paho's thread only puts events."""

    def __init__(
        self, settings: Replay, recording: Recording, progress: Callable[[Progress], None], control: Control
    ) -> None:
        self._settings = settings
        self._recording = recording
        self._progress = progress
        self._events = control.events
        self._pace = _Pace(settings.speed)
        self._waiting: deque[tuple[int, int]] = deque()  # (paho's message id, data time), oldest first
        self._done: set[int] = set()
        self._sent = self._acknowledged = self._lap = 0
        self._at_ns: int | None = None
        self._connected = False
        self._reported_s = 0.0
        self._client = self._make_client()

    def run(self) -> Progress:
        host, port = self._settings.host, self._settings.port
        try:
            self._client.connect(host, port, keepalive=30)
        except (OSError, ssl.SSLError) as error:
            raise Unavailable(f"nobody answers MQTT at {host}:{port} ({error}); start 'ectype serve' first") from error
        self._client.loop_start()
        try:
            self._send_all()
            self._wait_for_acknowledgements()
        except _Stop:
            self._wait_for_acknowledgements(_LAST_ACKS_S)
        finally:
            self._client.disconnect()
            self._client.loop_stop()
        self._report()
        return self._state()

    def _send_all(self) -> None:
        limit_s = time.monotonic() + _GREETING_S
        while not self._connected:
            self._next_event(max(0.0, limit_s - time.monotonic()))
            if time.monotonic() > limit_s:
                raise Unavailable(
                    f"{self._settings.host}:{self._settings.port} does not speak MQTT; is it another port?"
                )
        shift_ns = 0
        fast_until_ns = self._settings.fast_until_ns
        while True:
            previous: int | None = None
            first: int | None = None
            step_ns: int | None = None
            for row in self._recording.rows(self._settings.start_ns, self._settings.stop_ns):
                if not row.values:
                    continue
                if previous is None:
                    first = row.at_ns
                elif row.at_ns > previous:
                    step_ns = row.at_ns - previous if step_ns is None else min(step_ns, row.at_ns - previous)
                previous = row.at_ns
                at_ns = row.at_ns + shift_ns
                if fast_until_ns is None or at_ns >= fast_until_ns:
                    self._wait_until_due(at_ns)
                self._send(Row(row.name, at_ns, row.values))
            if previous is None or first is None:
                start, stop = (to_iso(t) for t in (self._recording.first_ns, self._recording.last_ns))
                raise Misconfigured(f"{self._settings.path} has no rows in that time; it goes from {start} to {stop}")
            if not self._settings.loop:
                return
            shift_ns += previous - first + (step_ns or NS_PER_S)
            self._lap += 1

    def _wait_until_due(self, at_ns: int) -> None:
        while True:
            due_s = self._pace.due_in_s(at_ns, time.monotonic())
            if due_s is not None and due_s <= 0:
                return
            self._next_event(due_s)

    def _send(self, row: Row) -> None:
        while len(self._waiting) >= WINDOW or self._pace.paused:
            self._next_event(None)
        message = self._recording.message(row)
        info = self._client.publish(message.topic, message.payload, qos=1)
        self._waiting.append((info.mid, row.at_ns))
        self._sent += 1
        while not self._events.empty():
            self._next_event(0)

    def _wait_for_acknowledgements(self, limit_s: float | None = None) -> None:
        until_s = None if limit_s is None else time.monotonic() + limit_s
        while self._waiting:
            left_s = None if until_s is None else until_s - time.monotonic()
            if left_s is not None and left_s <= 0:
                return
            try:
                self._next_event(left_s)
            except _Stop:
                if until_s is None:
                    raise

    def _next_event(self, limit_s: float | None) -> None:
        """Sleep until something happens, at most `limit_s`, and take it in."""
        try:
            kind, value = self._events.get(timeout=limit_s)
        except Empty:
            return
        match kind:
            case "acknowledged":
                self._done.add(value)
                while self._waiting and self._waiting[0][0] in self._done:
                    mid, self._at_ns = self._waiting.popleft()
                    self._done.discard(mid)
                    self._acknowledged += 1
                if time.monotonic() - self._reported_s >= _REPORT_EVERY_S:
                    self._report()
            case "speed":
                self._pace.change(time.monotonic(), speed=value)
                self._report()
            case "paused":
                self._pace.change(time.monotonic(), paused=value)
                self._report()
            case "connected":
                self._connected = value
                self._report()
            case "refused":
                raise Refused(f"{self._settings.host}:{self._settings.port} does not let the replay in: {value}")
            case _:
                raise _Stop

    def _state(self) -> Progress:
        return Progress(
            self._sent,
            self._acknowledged,
            self._at_ns,
            self._lap,
            self._pace.speed,
            self._pace.paused,
            self._connected,
        )

    def _report(self) -> None:
        self._reported_s = time.monotonic()
        self._progress(self._state())

    # ---- paho's side: these run on its thread and only put events

    def _make_client(self) -> mqtt.Client:
        settings = self._settings
        client = mqtt.Client(CallbackAPIVersion.VERSION2, settings.client_id)
        client.max_inflight_messages_set(WINDOW)
        client.reconnect_delay_set(1, 5)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        if settings.username is not None:
            client.username_pw_set(settings.username, settings.password)
        if settings.cafile is not None:
            try:
                client.tls_set(ca_certs=settings.cafile or None)
            except OSError as error:
                raise Misconfigured(f"the file of authorities {settings.cafile} cannot be read: {error}") from error
        return client

    def _on_connect(self, client: mqtt.Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._events.put(("refused", str(reason)))
        else:
            client.subscribe([(f"{CONTROLS}/speed", 1), (f"{CONTROLS}/paused", 1)])
            self._events.put(("connected", True))

    def _on_disconnect(self, client: mqtt.Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._events.put(("connected", False))

    def _on_publish(self, client: mqtt.Client, data: Any, mid: int, reason: Any, properties: Any) -> None:
        self._events.put(("acknowledged", mid))

    def _on_message(self, client: mqtt.Client, data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            self._events.put(read_control(message.topic, bytes(message.payload)))
        except Invalid as error:
            log.warning("the replay goes on as before: %s", error)


def read_control(topic: str, payload: bytes) -> tuple[str, float | bool]:
    """("speed", number) or ("paused", truth) from a control topic. Raises Invalid for anything else."""
    name = topic.rpartition("/")[2]
    try:
        value: object = json.loads(payload)
    except ValueError:
        value = None
    if name == "speed" and isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9:
        return name, float(value)
    if name == "paused" and value in (True, False):
        return name, bool(value)
    wanted = "a number above 0" if name == "speed" else "true or false"
    raise Invalid(f"{topic} is {payload[:50]!r}; publish {wanted} to it")
