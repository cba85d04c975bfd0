"""The estimator's own process: `python -m ectype.node.estimator_child`, spoken to over its pipes.

It has its own process because compiling kernels and running them must not delay what comes in,
and because a twin's model is somebody's code: when it dies, the log and everybody's work go on.
It ends when its standard input does, so it never outlives its node, however that ended.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast, final

import msgspec

from ectype.errors import EctypeError, Invalid
from ectype.estimate.models.wind_turbine import WindTurbine
from ectype.estimate.outcome import AlarmEvent, Fleet, Forecast, Json, Output, TwinSetup
from ectype.estimate.runner import Runner
from ectype.node.estimator_live import Live
from ectype.node.estimator_told import GROUP
from ectype.node.pipe import (
    Advance,
    Advanced,
    Begin,
    Draft,
    Failed,
    Ready,
    ToNode,
    TwinRecord,
    pack,
    read_request,
)
from ectype.values.arrow import MEDIA_TYPE, from_arrow, to_arrow
from ectype.values.block import Block
from ectype.values.canonical import canonical

_JSON = "application/json"
_FORECAST_EVERY_NS = 3600 * 10**9


@final
class Estimating:
    """One fleet being followed."""

    def __init__(self, begin: Begin) -> None:
        fleet = Fleet(tuple(_setup(twin) for twin in begin.twins))
        turbines = [t.id for t in begin.twins if t.model == WindTurbine.model]
        cache = Path(begin.cache)
        saved = _snapshots(begin.snapshot)
        fresh = bool(turbines) and WindTurbine.model not in saved
        try:
            self._runner = Runner(fleet, snapshot=saved.get(WindTurbine.model), cache_dir=cache)
        except Invalid:  # of another fleet, or of an older version: go through the log again
            self._runner = Runner(fleet, cache_dir=cache)
            fresh = True
        self._skip_to = 0 if fresh else begin.position
        self._live = Live(begin, saved)
        self.ready = Ready(
            [*turbines, *self._live.twins],
            fresh or self._live.fresh,
            [GROUP, *self._live.groups],
            self._live.troubles(),
            self._live.parameters,
            self._live.plants,
        )
        self._forecast_hour: dict[str, int] = {}

    def answer(self, request: Advance) -> Advanced:
        """Take in what was measured; say what follows from it."""
        block = Block.concat([from_arrow(block) for block in request.blocks])
        drafts, late = self._live.advance(block, request.through)
        if request.through > self._skip_to:
            output = self._runner.advance(block)
            drafts = [*self._drafts(output, request.through), *drafts]
            late += output.late
        snapshot = self._snapshot() if request.want_snapshot else None
        return Advanced(drafts, request.through, snapshot, late, self._live.troubles())

    def _snapshot(self) -> bytes:
        return msgspec.msgpack.encode({WindTurbine.model: self._runner.snapshot(), **self._live.snapshots()})

    def _drafts(self, output: Output, through: int) -> list[Draft]:
        """The entries that an output asks for. The last says up to which log index all was seen."""
        found = [forecast_draft(forecast) for forecast in self._due(output.predicted)]
        found += [alarm_draft(alarm) for alarm in output.alarms]
        if not found and not len(output.estimated):
            return []
        estimated = to_arrow(output.estimated, {"through": str(through)})
        return [*found, Draft("estimated", GROUP, MEDIA_TYPE, estimated)]

    def _due(self, forecasts: Sequence[Forecast]) -> list[Forecast]:
        """Those that are the first of their hour: a forecast every tick would be most of the log."""
        due: list[Forecast] = []
        for forecast in forecasts:
            hour = forecast.issued_at_ns // _FORECAST_EVERY_NS
            if self._forecast_hour.get(forecast.twin) != hour:
                self._forecast_hour[forecast.twin] = hour
                due.append(forecast)
        return due


def forecast_draft(forecast: Forecast) -> Draft:
    """A forecast as an entry."""
    body = to_arrow(forecast.block, {"issued_at_ns": str(forecast.issued_at_ns)})
    return Draft("predicted", f"forecast:{forecast.twin}", MEDIA_TYPE, body)


def alarm_draft(alarm: AlarmEvent) -> Draft:
    """An alarm as an entry. Instants are texts: JSON numbers do not hold them."""
    body: dict[str, str | float | None] = {
        "twin": alarm.twin,
        "name": alarm.name,
        "severity": alarm.severity,
        "text": alarm.text,
        "since_ns": str(alarm.since_ns),
        "cost_kwh": round(alarm.cost_kwh, 3),
    }
    if alarm.until_ns is not None:
        body["until_ns"] = str(alarm.until_ns)
    kind = "alarm.cleared" if alarm.change == "cleared" else "alarm.raised"
    return Draft(kind, f"alarm:{alarm.twin}/{alarm.name}", _JSON, canonical(body))


def converse(requests: BinaryIO, answers: BinaryIO) -> None:
    """Serve one node until its end of the pipe closes."""

    def say(message: ToNode) -> None:
        answers.write(pack(message))
        answers.flush()

    begin = read_request(requests.read)
    if not isinstance(begin, Begin):
        return
    try:
        estimating = Estimating(begin)
        say(estimating.ready)
        while isinstance(request := read_request(requests.read), Advance):
            say(estimating.answer(request))
    except EctypeError as error:
        say(Failed(str(error)))


def _snapshots(saved: bytes | None) -> dict[str, bytes]:
    """By model; none of what cannot be read."""
    try:
        return {} if saved is None else msgspec.msgpack.decode(saved, type=dict[str, bytes])
    except msgspec.MsgspecError:
        return {}


def _setup(twin: TwinRecord) -> TwinSetup:
    plain = {name: cast(Json, v) for name, v in twin.properties.items() if not isinstance(v, list | dict)}
    return TwinSetup(twin.id, twin.model, plain, tuple(twin.neighbours))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the node decides when we end
    pipe_out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a stray print must not break the pipe
    converse(sys.stdin.buffer, pipe_out)
