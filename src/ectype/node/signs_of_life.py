"""Whether the estimator's process gets on, and whose code it runs: a small file, written there and read by the node.

    where   the behaviour at work; empty: none of people's
    beats   how many signs of life there were
    place   the line of its code that ran at the last one

A thread of the process writes it. There is no sign while one call of somebody's code lasts, since a loop without end
looks like that, and while a native call keeps the interpreter, since then the thread does not run either. Compiling,
replaying and a long block are many calls, or none of theirs, so they give signs however long they take.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, final

import msgspec

_RECORD = 4096
_LONGEST_LOOK_S = 1.0
_LOOKS = 8  # in the time that silence may last


@final
class Sign(msgspec.Struct, frozen=True):
    """What the file says."""

    where: str = ""
    beats: int = 0
    place: str = ""


def every_s(patience_s: float) -> float:
    """How often to give a sign, and to look for one."""
    return min(_LONGEST_LOOK_S, patience_s / _LOOKS)


@final
class Beating:
    """The process's side. theirs: how the names of files with people's code begin; the thread ends with the process."""

    def __init__(self, path: Path, theirs: Sequence[str], beat_s: float) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._theirs = tuple(theirs)
        self._beat_s = beat_s
        self._main = threading.get_ident()
        self._lock = threading.Lock()  # of the file
        self._where, self._beats, self._place = "", 0, ""
        self._inside: FrameType | None = None
        self._write()
        threading.Thread(target=self._run, name="signs of life", daemon=True).start()

    def mark(self, where: str) -> None:
        """Whose code runs next."""
        self._where, self._place = where[:200], ""
        self._write()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(self._beat_s)
            self._look()

    def _look(self) -> None:
        outer, inner = self._somebodys()
        # The frame is kept, so that another call cannot have its address.
        if outer is None or outer is not self._inside:
            self._beats += 1
        self._inside = outer
        self._place = "" if inner is None else f"line {inner.f_lineno} in {inner.f_code.co_name}"[:200]
        self._write()

    def _somebodys(self) -> tuple[FrameType | None, FrameType | None]:
        """The outermost and the innermost call of people's code that the main thread is in."""
        outer = inner = None
        frame = sys._current_frames().get(self._main)  # pyright: ignore[reportPrivateUsage]
        while frame is not None:
            if frame.f_code.co_filename.startswith(self._theirs):
                outer = frame
                inner = inner or frame
            frame = frame.f_back
        return outer, inner

    def _write(self) -> None:
        with self._lock:
            record = msgspec.json.encode(Sign(self._where, self._beats, self._place))
            os.pwrite(self._file, record.ljust(_RECORD), 0)


@final
class Listening:
    """The node's side."""

    def __init__(self, path: Path, patience_s: float) -> None:
        self._path = path
        self._patience_s = patience_s

    def forget(self) -> None:
        """What an earlier process wrote is of no use any more."""
        self._path.unlink(missing_ok=True)

    def last(self) -> Sign | None:
        """The last sign; None if there was none, or it cannot be read."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Sign)
        except (OSError, msgspec.MsgspecError):
            return None

    async def silence(self, answer: "asyncio.Future[Any]", stage_s: float | None = None) -> str | None:
        """None when the answer has come; else what the process did: "gave no sign of life for 60 s", or, with
        `stage_s`, that one behaviour takes longer than that.

        Time counts in looks, so that it passes only while this process runs: a machine that slept ends nobody.
        """
        look_s = every_s(self._patience_s)
        now = asyncio.get_running_loop().time
        before, silent_s, stage = now(), 0.0, 0.0
        last = _stand(self.last())
        while True:
            await asyncio.wait({answer}, timeout=look_s)
            if answer.done():
                return None
            passed_s, before = min(now() - before, 2 * look_s), now()
            stand = _stand(self.last())
            silent_s = silent_s + passed_s if stand and stand == last else 0.0
            stage = stage + passed_s if stand[:1] == last[:1] else 0.0
            last = stand
            if silent_s > self._patience_s:
                return f"gave no sign of life for {self._patience_s:g} s"
            if stage_s is not None and stage > stage_s:
                return f"was not ready within {stage_s:g} s"


def _stand(sign: Sign | None) -> tuple[str, int] | tuple[()]:
    return () if sign is None else (sign.where, sign.beats)
