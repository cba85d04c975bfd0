"""The recording, replayed into a node's MQTT endpoint by a process of its own, as the turbines would publish.

It goes on where the twin's newest data end, so a demo that is started again does not begin anew.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Callable
from contextlib import suppress

from ectype.clock import from_iso, to_iso
from ectype.demo.farm import FARM, REPLAY, SPEED
from ectype.demo.space import Recording
from ectype.errors import Unavailable
from ectype.node.view import View

BACKFILL_NS = (22 * 86_400 + 45_000) * 10**9  # to the windy noon of 27 December 2014, before two turbines stop
_STEP_NS = 600 * 10**9
_logger = logging.getLogger("ectype.demo")


async def replay_into(view: View, mqtt_port: int, recording: Recording, told: Callable[[int], None]) -> None:
    """Replay until the recording ends; `told(at_ns)` hears how far it is. Raises Unavailable if it fails."""
    span = view.span()
    newest = None if span is None else min(span[1], recording.to_ns)
    if newest is not None and newest >= recording.to_ns:
        _logger.warning("the recording has ended; `ectype demo --fresh` begins again")
        return
    live_from = max(recording.from_ns + BACKFILL_NS, newest or 0)
    twin = view.twin(REPLAY)
    speed = twin.properties.get("speed", SPEED)
    words = [str(recording.path), "--id", "turbine", "--time", "t", "--prefix", FARM, "--port", str(mqtt_port)]
    words += ["--speed", str(speed), "--fast-until", to_iso(live_from), "--until-eof", "--json"]
    if newest is not None:
        words += ["--start", to_iso(newest - _STEP_NS)]  # again the last rows: not all turbines may have sent theirs
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ectype.cli.main",
        "replay",
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        if child.stdout is None:
            raise Unavailable("the replay has no pipe")
        async for line in child.stdout:
            at = json.loads(line)["at"]
            if at is not None:
                told(from_iso(at))
        if await child.wait() != 0:
            raise Unavailable("the replay failed; what it said is above")
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                child.terminate()
            await child.wait()
