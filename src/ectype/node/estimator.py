"""Feeds the estimating child with what was measured and appends what it believes, by its own author.

The belief is a fold of the log that lives in the child. Each group of estimates says in its metadata
up to which log index (`through`) everything was seen. After a restart the child starts from its
snapshot, goes through the same measurements again, and what the log already has is not appended twice:
the filter is deterministic, so the part that is repeated is equal to what is there.
"""

import asyncio
import logging
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar, final

from ectype.alarms.settings import EVERYWHERE, AlarmSettings
from ectype.clock import Clock
from ectype.errors import Conflict, EctypeError, Unavailable
from ectype.log.entry import Entry, seal
from ectype.log.frame import Frame
from ectype.log.log import Log
from ectype.node.belief import load_belief, save_belief
from ectype.node.fleet import FleetWatch
from ectype.node.left_out import LeftOut
from ectype.node.masked import trusted
from ectype.node.pipe import Advance, Advanced, Begin, Draft, Failed, Ready, Trouble, length_of, pack, parse_answer
from ectype.node.signs_of_life import Listening, every_s
from ectype.trust.keys import Signer
from ectype.values.arrow import from_arrow_with_metadata

_BATCH_BYTES = 4 << 20
_FRAME_BYTES = 3 << 20
_SNAPSHOT_EVERY_S = 20.0
_LOOK_EVERY_S = 1.0
_BEGIN_S = 1800.0  # for one behaviour, as long as it gives signs of life: a large fleet folds its windows again
PATIENCE_S = 60.0
_logger = logging.getLogger("ectype.estimator")
T = TypeVar("T")


@final
class Estimator:
    """One node's estimator: a child process, and the loop that keeps it at the head of the log.

    patience_s: for how long the child may give no sign of life while it has something to do.
    """

    def __init__(
        self,
        log: Log,
        signer: Signer,
        folder: Path,
        behaviours: Path,
        clock: Clock,
        *,
        alarms: AlarmSettings = EVERYWHERE,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._alarms = alarms
        self._log = log
        self._signer = signer
        self._folder = folder
        self._cache = folder / "kernels"
        self._behaviours = behaviours
        self._running = folder / "running"
        self._patience_s = patience_s
        self._signs = Listening(self._running, patience_s)
        self._left_out = LeftOut()
        self._known_files = self._files()
        self._clock = clock
        self.child: asyncio.subprocess.Process | None = None
        self.following: tuple[str, ...] = ()
        self.plants: tuple[tuple[str, ...], ...] = ()  # those of them that are followed as one
        self.through = 0
        self.late = 0
        self.looked = asyncio.Event()  # the child has said whom it follows, and what is wrong
        self.troubles: dict[str, list[str]] = {}

    async def run(self, fleet: FleetWatch) -> None:
        """Estimate for as long as the node lives; begin again whenever the twins change or the child dies."""
        delay_s = 1.0
        while True:
            change = asyncio.ensure_future(fleet.changed())
            work = asyncio.ensure_future(self._follow(fleet))
            edit = asyncio.ensure_future(self._edited())
            try:
                await asyncio.wait({change, edit, work}, return_when=asyncio.FIRST_COMPLETED)
                if work.done() and (error := work.exception()) is not None:
                    if not isinstance(error, EctypeError):
                        raise error
                    _logger.warning("the estimator stopped and starts again in %.0f s: %s", delay_s, error)
                    await asyncio.sleep(delay_s)
                    delay_s = min(60.0, delay_s * 2)
                elif work.done():
                    # nothing to estimate until a twin or a behaviour comes
                    await asyncio.wait({change, edit}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (change, edit, work):
                    task.cancel()
                await asyncio.gather(change, edit, work, return_exceptions=True)
                await self._end_child()

    async def _edited(self) -> None:
        """Return when a file of the folder with behaviours is another than before."""
        while True:
            if (files := self._files()) != self._known_files:
                self._known_files = files
                self._left_out.changed()
                return
            await asyncio.sleep(_LOOK_EVERY_S)

    def _files(self) -> list[tuple[str, int, int]]:
        try:
            stats = [(path.name, path.stat()) for path in sorted(self._behaviours.glob("*.py"))]
        except OSError:  # one has gone while we looked
            return []
        return [(name, stat.st_mtime_ns, stat.st_size) for name, stat in stats]

    async def _follow(self, fleet: FleetWatch) -> None:
        links = fleet.links()
        twins = fleet.twins(links)
        self.troubles = {}
        if not twins:
            return
        snapshot, position = load_belief(self._folder, self._log)
        reader, writer = await self._start_child()
        self._cache.mkdir(parents=True, exist_ok=True)
        begin = Begin(
            twins,
            snapshot,
            str(self._cache),
            position,
            str(self._behaviours),
            fleet.kinds(),
            fleet.calibrations(),
            str(self._running),
            dict(self._left_out.why),
            every_s(self._patience_s),
            self._alarms,
            links,
        )
        ready = await self._patiently(_ask(reader, writer, begin, Ready), 0)
        self.following = tuple(ready.twins)
        self.plants = tuple(tuple(plant) for plant in ready.plants)
        self._trouble(ready.troubles)
        fleet.parameters = tuple(f'"/{name}"'.encode() for name in ready.parameters)
        self.looked.set()
        stops = {position}
        position = 0 if ready.fresh else position
        if not self.following:
            return
        done = {group: self._appended_through(group) for group in ready.groups}
        stops |= set(done.values())
        queue: asyncio.Queue[Frame] = asyncio.Queue(64)
        feeding = asyncio.ensure_future(_pump(self._log, position, queue))
        loop = asyncio.get_running_loop()
        snapshot_at = loop.time() + _SNAPSHOT_EVERY_S
        try:
            while True:
                blocks, through = await _batch(queue, feeding, stops)
                if not blocks:
                    self.through = through
                    continue
                want = loop.time() > snapshot_at
                answer = await self._patiently(_ask(reader, writer, Advance(blocks, through, want), Advanced), through)
                self._left_out.passed(through)
                self.late += answer.late
                self._trouble(answer.troubles)
                if drafts := [d for d in answer.drafts if through > done.get(d.group, 0)]:
                    await self._append(drafts)
                self.through = through
                if answer.snapshot is not None:
                    save_belief(self._folder, self._log, answer.snapshot, through)
                    snapshot_at = loop.time() + _SNAPSHOT_EVERY_S
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)

    async def _patiently(self, asking: Coroutine[Any, Any, T], through: int) -> T:
        """The child's answer, on the way to log index `through`; 0: that it is ready.

        A child that dies or gives no sign of life is Unavailable, and who was at work remembered.
        """
        answer = asyncio.ensure_future(asking)
        try:
            silence = await self._signs.silence(answer, None if through else _BEGIN_S)
            if silence is None:
                return await answer
            self._left_out.hung(self._signs.last(), silence)
        except Unavailable:
            self._left_out.died(self._signs.last(), through)
            raise
        finally:
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)
        if self.child is not None:
            self.child.kill()
        raise Unavailable(f"the estimator's process {silence} and was ended")

    async def _append(self, drafts: Sequence[Draft]) -> None:
        at_ns = self._clock()
        for some in _frames(drafts):
            entries = [
                seal(self._signer, kind=d.kind, subject=d.subject, media=d.media, body=d.body, at_ns=at_ns)
                for d in some
            ]
            groups = {d.group for d in some}
            try:
                await self._log.append(entries, expected={group: self._log.last(group) for group in groups})
            except Conflict as error:
                raise Unavailable(f"another estimator writes to this log: {error}") from error

    def _trouble(self, troubles: Sequence[Trouble]) -> None:
        for each in troubles:
            self.troubles.setdefault(each.where, []).append(each.text)
            _logger.warning("behaviour %s: %s", each.where, each.text)

    def _appended_through(self, group: str) -> int:
        last = self._log.last(group)
        if last is None:
            return 0
        entry: Entry = next(entry for _, entry in self._log.read(last, last + 1))
        if entry.body is None:
            return last
        _, metadata = from_arrow_with_metadata(entry.body)
        return int(metadata.get("through", last))

    async def _start_child(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._signs.forget()
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "ectype.node.estimator_child",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 26,
        )
        self.child = child
        if child.stdin is None or child.stdout is None:
            raise Unavailable("the estimator's process has no pipes")
        return child.stdout, child.stdin

    async def _end_child(self) -> None:
        child, self.child, self.following, self.plants = self.child, None, (), ()
        if child is None or child.returncode is not None:
            return
        if child.stdin is not None:
            child.stdin.close()
        try:
            await asyncio.wait_for(child.wait(), 2.0)
        except TimeoutError:
            child.kill()
            await child.wait()


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Begin | Advance, expect: type[T]
) -> T:
    try:
        writer.write(pack(request))
        await writer.drain()
        head = await reader.readexactly(4)
        answer = parse_answer(await reader.readexactly(length_of(head)))
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise Unavailable("the estimator's process died; what it said last is above") from error
    if isinstance(answer, Failed):
        raise Unavailable(f"the estimator cannot go on: {answer.text}")
    if type(answer) is not expect:
        raise Unavailable(f"the estimator answered {type(answer).__name__}, not {expect.__name__}")
    return answer


async def _pump(log: Log, position: int, queue: asyncio.Queue[Frame]) -> None:
    async for frame in log.tail(position):
        await queue.put(frame)


def _frames(drafts: Sequence[Draft]) -> list[list[Draft]]:
    """The drafts in order, in groups that fit into a frame each."""
    out: list[list[Draft]] = []
    total = 0
    for draft in drafts:
        total += len(draft.body) + 1024
        if not out or total > _FRAME_BYTES:
            out.append([])
            total = len(draft.body) + 1024
        out[-1].append(draft)
    return out


async def _batch(
    queue: asyncio.Queue[Frame], feeding: "asyncio.Future[None]", stops: set[int]
) -> tuple[list[bytes], int]:
    """All measurements that wait, and the log index behind them; never across one of `stops` in one batch."""
    getting = asyncio.ensure_future(queue.get())
    try:
        await asyncio.wait({getting, feeding}, return_when=asyncio.FIRST_COMPLETED)
        if not getting.done():
            feeding.result()
            raise Unavailable("the log's tail ended")
        frame = getting.result()
    finally:
        getting.cancel()  # nobody waits for it when this is cancelled
    blocks: list[bytes] = []
    total = 0
    while True:
        through = frame.first + len(frame.entries)
        for body in trusted(frame):
            blocks.append(body)
            total += len(body)
        if queue.empty() or total > _BATCH_BYTES or through in stops:
            return blocks, through
        frame = queue.get_nowait()
