"""The estimator's own process: `python -m ectype.node.estimator_child`, spoken to over its pipes.

It has its own process because compiling kernels and running them must not delay what comes in,
and because a twin's model is somebody's code: when it dies, the log and everybody's work go on.
It ends when its standard input does, so it never outlives its node, however that ended.
"""

import os
import sys
from pathlib import Path
from typing import BinaryIO

from ectype.errors import EctypeError
from ectype.estimate.runner import Fleet, Output, Runner, TwinSetup
from ectype.node.pipe import Advance, Advanced, Begin, Draft, Failed, Ready, ToChild, ToNode, pack, read_exactly
from ectype.values.arrow import MEDIA_TYPE, from_arrow, to_arrow
from ectype.values.canonical import canonical


def drafts(output: Output, through: int) -> list[Draft]:
    """The entries that an output asks for. The first says up to which log index all was seen."""
    found = [_forecast_draft(forecast) for forecast in output.predicted]
    for alarm in output.alarms:
        found.append(Draft(alarm.kind, alarm.subject, "application/json", canonical(alarm.body)))
    if not found and not len(output.estimated):
        return []
    estimated = to_arrow(output.estimated, {"through": str(through)})
    return [Draft("estimated", "block:estimator", MEDIA_TYPE, estimated), *found]


def answer(runner: Runner, request: Advance) -> Advanced:
    """Take in what was measured; say what follows from it."""
    found: list[Draft] = []
    for block in request.blocks:
        found += drafts(runner.advance(from_arrow(block)), request.through)
    return Advanced(found, request.through, runner.snapshot() if request.want_snapshot else None)


def converse(requests: BinaryIO, answers: BinaryIO) -> None:
    """Serve one node until its end of the pipe closes."""

    def say(message: ToNode) -> None:
        answers.write(pack(message))
        answers.flush()

    begin = read_exactly(requests.read, ToChild)
    if not isinstance(begin, Begin):
        return
    try:
        fleet = Fleet(tuple(TwinSetup(t.id, t.model, t.properties, tuple(t.neighbours)) for t in begin.twins))
        runner = Runner(fleet, snapshot=begin.snapshot, cache=Path(begin.cache))
        say(Ready(list(runner.twins)))
        while isinstance(request := read_exactly(requests.read, ToChild), Advance):
            say(answer(runner, request))
    except EctypeError as error:
        say(Failed(str(error)))


if __name__ == "__main__":
    pipe_out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a stray print must not break the pipe
    converse(sys.stdin.buffer, pipe_out)
