"""Connectors are opened again when they are lost, stopped when they are wrong, and never run ahead of the disk."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from ectype.errors import Misconfigured, Unavailable
from ectype.ingest.intake import Intake
from ectype.sources.base import Message
from ectype.sources.connector import Opening


def message(number: int) -> Message:
    return Message("t/a", str(number).encode(), number)


class Script:
    """A connector that plays one script a time it is opened: messages, or an error."""

    def __init__(self, *scripts: Sequence[int | Exception]) -> None:
        self.scripts = list(scripts)
        self.acknowledged: list[int] = []
        self.closed = 0

    async def batches(self) -> AsyncIterator[Sequence[Message]]:
        try:
            for step in self.scripts.pop(0) if self.scripts else ():
                if isinstance(step, Exception):
                    raise step
                yield [message(step)]
                self.acknowledged.append(step)
            if not self.scripts:
                await asyncio.Event().wait()
        finally:
            self.closed += 1


class Disk:
    """Keeps what is delivered."""

    def __init__(self) -> None:
        self.kept: list[int] = []

    async def deliver(self, messages: Sequence[Message]) -> None:
        self.kept += [int(each.payload) for each in messages]


def intake(disk: Disk, *scripts: Script) -> Intake:
    openings = [Opening(f"s{i}", f"test://ann:pw@host/{i}") for i in range(len(scripts))]
    waiting = list(scripts)
    return Intake(openings, disk.deliver, lambda: 7, lambda _opening, _clock: waiting.pop(0), first_wait_s=0.001)


def run_until(taken: Intake, done) -> None:
    async def work() -> None:
        task = asyncio.ensure_future(taken.run())
        async with asyncio.timeout(20):
            while not done():
                await asyncio.wait([task], timeout=0.002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(work())


def test_a_lost_connector_is_opened_again_and_says_so() -> None:
    disk, script = Disk(), Script([1, 2, Unavailable("gone")], [OSError("reset")], [ValueError("a bug")], [3])
    taken = intake(disk, script)

    run_until(taken, lambda: disk.kept == [1, 2, 3])

    (status,) = taken.status()
    assert (status.state, status.error, status.messages, status.lost, status.last_ns) == ("live", None, 3, 3, 3)
    assert status.url == "test://host/0"
    assert script.closed == 4


def test_a_connector_with_wrong_settings_stops_and_the_others_go_on() -> None:
    disk = Disk()
    taken = intake(disk, Script([Misconfigured("no such column")]), Script([1], [2]))

    run_until(taken, lambda: disk.kept == [1, 2])

    stopped, live = taken.status()
    assert (stopped.state, stopped.error) == ("stopped", "no such column")
    assert live.state == "live"


def test_nothing_is_acknowledged_that_is_not_on_disk() -> None:
    kept: list[int] = []
    script = Script([1, 2], [2, 3])

    async def deliver(messages: Sequence[Message]) -> None:
        if kept == [1] and script.closed == 0:
            assert script.acknowledged == [1]
            raise Unavailable("the disk is full")
        kept.extend(int(each.payload) for each in messages)

    taken = Intake([Opening("s", "test://x")], deliver, lambda: 7, lambda *_: script, first_wait_s=0.001)
    run_until(taken, lambda: kept == [1, 2, 3])

    assert script.acknowledged[:2] == [1, 2]


def test_settings_that_cannot_work_are_refused_before_anything_runs() -> None:
    with pytest.raises(Misconfigured, match="nothing here speaks"):
        Intake([Opening("s", "gopher://x")], Disk().deliver, lambda: 7)
