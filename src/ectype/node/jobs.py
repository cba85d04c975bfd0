"""Bulk jobs: imports that put a file's models, twins and relationships, and deletions of everything.

A job is a record in the log (`job.put`); how far an import is stands in the very blocks that it writes, so a node
that was killed goes on at the line after the last durable block: nothing is put twice, nothing is left out. Jobs
take turns. Files are in the space, below `files`; an http input is brought there first.
"""

import asyncio
import logging
import re
import urllib.request
from collections import deque
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast, final

import msgspec

from ectype.errors import Conflict, EctypeError, Invalid, NotFound, Refused
from ectype.graph.changes import PutBlock
from ectype.graph.facts import instant
from ectype.model.parse import parse
from ectype.model.schema import JSON
from ectype.node.import_file import Batch, Mark, as_edge, batches, check_header, open_file, read_mark
from ectype.node.write import Draft
from ectype.trust.access import Principal

if TYPE_CHECKING:
    from ectype.node.node import Node

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}(?:/[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}){0,5}")
_AHEAD = 3  # blocks that may be on their way to the disk
_OVER = ("succeeded", "failed", "cancelled")
_SERVICE = Principal("jobs", "service")
_log = logging.getLogger("ectype.node")
_line = msgspec.json.Encoder().encode

Job = dict[str, JSON]


@final
class _Cancelled(Exception):
    """Somebody wants the job to end."""


@final
class _Run:
    """How far a running import is, and its output."""

    def __init__(self, mark: Mark, told: IO[bytes]) -> None:
        self.mark = mark
        self._told = told

    def at(self, reached: Mark) -> None:
        """The reader is there; what was counted stays."""
        self.mark = replace(self.mark, offset=reached.offset, line=reached.line, section=reached.section)

    def judged(self, batch: Batch, change: PutBlock) -> Mark:
        """Tell the output what cannot be put; the mark after the batch, in whose entry it belongs."""
        wrong = [(line, "", reason) for line, reason in batch.wrong]
        wrong += [(batch.lines[fault.row], fault.id, fault.reason) for fault in change.faults]
        text = b"".join(_line({"line": at, "id": name, "error": why}) + b"\n" for at, name, why in sorted(wrong))
        if text:
            self._told.write(text)
            self._told.flush()
        self.mark = replace(
            self.mark,
            written=self.mark.written + len(text),
            twins=self.mark.twins + len(change.twins),
            relationships=self.mark.relationships + len(change.relationships),
            errors=self.mark.errors + len(wrong),
        )
        at = batch.mark
        return replace(self.mark, offset=at.offset, line=at.line, section=at.section)


@final
class Jobs:
    """The jobs of a node. Start it when the folds have caught up."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._files = node.space.path / "files"
        self._turn = asyncio.Lock()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._cancelled: set[str] = set()

    def resume(self) -> None:
        """Go on with what was running when the node stopped."""
        for name, job in self._node.graph.records("job").items():
            if job.get("status") not in _OVER:
                if job.get("status") == "cancelling":
                    self._cancelled.add(name)
                self._spawn(name)

    async def close(self) -> None:
        """Stop where they are; they go on at the next start."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def all(self, kind: str) -> list[Job]:
        """The jobs of a kind (`import`, `delete`), by id."""
        prefix = f"{kind}/"
        return [job for name, job in self._node.graph.records("job").items() if name.startswith(prefix)]

    def get(self, kind: str, job_id: str) -> Job:
        """That job. Raises NotFound."""
        found = self._node.graph.records("job").get(f"{kind}/{job_id}")
        if found is None:
            raise NotFound(f"there is no {kind} job {job_id[:140]!r}")
        return found

    async def add(self, who: Principal, kind: str, job_id: str, more: Job) -> Job:
        """Begin a job. Raises Invalid for a wrong id or file, Conflict for one that is there."""
        if not _ID.fullmatch(job_id):
            raise Invalid("the id of a job is 1 to 128 letters, digits, dots, dashes or underscores")
        name = f"{kind}/{job_id}"
        if name in self._node.graph.records("job"):
            raise Conflict(f"there is a {kind} job {job_id!r} already")
        if kind == "import":
            self._place(str(more.get("inputBlobUri")), remote=True)
            self._place(str(more.get("outputBlobUri")))
        now = self._now()
        job: Job = {"id": job_id, **more, "status": "notstarted", "createdDateTime": now, "lastActionDateTime": now}
        await self._node.writer.write(who, Draft("job.put", f"job:{name}", job))
        self._spawn(name)
        return job

    async def cancel(self, who: Principal, job_id: str) -> Job:
        """Let an import end after the block it is at. What it has put stays."""
        job = self.get("import", job_id)
        if job["status"] not in _OVER:
            job = await self._put(who, f"import/{job_id}", job, status="cancelling")
            self._cancelled.add(f"import/{job_id}")
        return job

    async def delete(self, who: Principal, job_id: str) -> None:
        """Forget an import that is over."""
        if self.get("import", job_id)["status"] not in _OVER:
            raise Conflict(f"import job {job_id!r} is still running; cancel it first")
        await self._node.writer.write(who, Draft("job.delete", f"job:import/{job_id}", {}))

    # ---- running

    def _spawn(self, name: str) -> None:
        task = asyncio.create_task(self._run(name), name=f"job {name}")
        self._tasks[name] = task
        task.add_done_callback(lambda _: self._tasks.pop(name, None))

    async def _run(self, name: str) -> None:
        kind, _, job_id = name.partition("/")
        async with self._turn:
            job = self.get(kind, job_id)
            if name not in self._cancelled:
                job = await self._put(_SERVICE, name, job, status="running")
            error: Job | None = None
            try:
                if kind == "import":
                    await self._import(name, job)
                else:
                    await self._node.writer.write(_SERVICE, Draft("graph.clear", f"delete:{job_id}", {}))
                status = "succeeded"
            except _Cancelled:
                status = "cancelled"
            except asyncio.CancelledError:
                raise
            except Exception as failure:  # noqa: BLE001 - the job says it
                if not isinstance(failure, EctypeError | OSError):
                    _log.exception("job %s failed", name)
                status = "failed"
                error = {"code": "JobFailed", "message": str(failure)[:2000]}
            more: Job = {} if error is None else {"error": error}
            await self._put(_SERVICE, name, job, status=status, finishedDateTime=self._now(), **more)
            self._cancelled.discard(name)

    async def _put(self, who: Principal, name: str, job: Job, **changes: JSON) -> Job:
        changed = {**job, "lastActionDateTime": self._now(), **changes}
        await self._node.writer.write(who, Draft("job.put", f"job:{name}", changed))
        return changed

    async def _import(self, name: str, job: Job) -> None:
        job_id = str(job["id"])
        mark = self._mark(job_id)
        source = self._place(str(job["inputBlobUri"]), remote=True)
        if str(job["inputBlobUri"]).startswith(("http://", "https://")) and not source.exists():
            await asyncio.to_thread(_download, str(job["inputBlobUri"]), source)
        output = self._place(str(job["outputBlobUri"]))
        output.parent.mkdir(parents=True, exist_ok=True)
        ahead: deque[asyncio.Task[int]] = deque()
        with open_file(source) as file, output.open("ab") as told:
            run = _Run(mark, told)
            told.truncate(min(mark.written, output.stat().st_size))
            reader = batches(file, mark)
            try:
                while (batch := await asyncio.to_thread(next, reader, None)) is not None:
                    if name in self._cancelled:
                        raise _Cancelled
                    run.at(batch.mark)
                    if batch.section in ("Header", "Models"):
                        await self._prelude(batch, run)
                        continue
                    ahead.append(asyncio.ensure_future(self._block(job_id, batch, run)))
                    if len(ahead) > _AHEAD:
                        await self._node.follower.reach(await ahead.popleft() + 1)
                while ahead:
                    await self._node.follower.reach(await ahead.popleft() + 1)
                summary = {key: getattr(run.mark, key) for key in ("models", "twins", "relationships", "errors")}
                told.write(_line({"summary": summary}) + b"\n")
            finally:
                for task in ahead:
                    task.cancel()
        mark = run.mark
        if mark.errors and not (mark.twins or mark.relationships or mark.models):
            raise Invalid(f"none of the {mark.errors} lines could be put; {output.name} says why")

    async def _prelude(self, batch: Batch, run: "_Run") -> None:
        if batch.wrong:
            raise Invalid(f"line {batch.wrong[0][0]}: {batch.wrong[0][1]}")
        if batch.section == "Header":
            check_header(batch.rows)
            return
        known = self._node.graph.models()
        new: list[JSON] = []
        for row in batch.rows:
            there = known.interfaces.get(str(row.get("@id")))
            if there is None:
                new.append(row)
            elif dict(there.document) != row:
                raise Conflict(f"model {row.get('@id')} is there already and differs; give it a higher version")
        if new:
            made = parse(new, known).interfaces
            names = [each for each in made if each not in known.interfaces]
            drafts = [Draft("model.put", f"model:{each}", dict(made[each].document)) for each in names]
            for first in range(0, len(drafts), 50):  # so that others get a turn
                await self._node.writer.write_all(_SERVICE, drafts[first : first + 50])
        run.mark = replace(run.mark, models=run.mark.models + len(batch.rows))

    async def _block(self, job_id: str, batch: Batch, run: "_Run") -> int:
        """Put one block; what cannot be put goes to the output."""
        twins = cast(list[JSON], batch.rows if batch.section == "Twins" else [])
        edges = cast(list[JSON], [as_edge(row) for row in batch.rows] if batch.section == "Relationships" else [])

        def judged(change: PutBlock) -> JSON:
            return run.judged(batch, change).to_dict()

        return await self._node.writer.write_block(_SERVICE, job_id, (twins, edges), judged)

    def _mark(self, job_id: str) -> Mark:
        """How far the job was, as its last durable block says."""
        last = self._node.log.last(f"import:{job_id}")
        if last is None:
            return Mark()
        _, entry = next(self._node.log.read(last, last + 1))
        body = msgspec.json.decode(entry.body or b"{}")
        return read_mark(body.get("mark"))

    def _place(self, uri: str, *, remote: bool = False) -> Path:
        """The file that a URI means. Raises Invalid."""
        if uri.startswith(("http://", "https://")):
            if remote:
                return self._files / ("fetched-" + re.sub(r"[^A-Za-z0-9._-]+", "-", uri)[:150])
            raise Invalid("the output goes to a file of the space: give its name, like import-log.ndjson")
        name = uri.removeprefix("file:").removeprefix("//")
        if not _NAME.fullmatch(name):
            raise Invalid(f"{uri[:140]!r} names no file in the space's folder 'files', nor an http address")
        path = (self._files / name).resolve()
        if not path.is_relative_to(self._files.resolve()):
            raise Refused(f"{uri[:140]!r} leads out of the space's folder 'files'")
        return path

    def _now(self) -> str:
        return instant(self._node.log.clock())


def _download(url: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with urllib.request.urlopen(url, timeout=60) as answer, part.open("wb") as file:  # noqa: S310 - http only, see _place
        while chunk := answer.read(1 << 20):
            file.write(chunk)
    with suppress(FileNotFoundError):
        part.replace(path)
