"""The process that an FMU runs in, seen from here: asked over its pipes, ended when it says nothing for too long."""

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import final

from ectype.errors import Invalid, Misconfigured, NotFound, Unavailable
from ectype.fmi.wire import Answer, Failed, Question, pack, read_answer


@final
class Process:
    """The child and its pipes."""

    def __init__(self, path: Path, patience_s: float) -> None:
        if not path.is_file():
            raise NotFound(f"there is no file {path}")
        self._path, self.patience_s = path, patience_s

    def __enter__(self) -> "Process":
        self._said = tempfile.TemporaryFile()
        self._child = subprocess.Popen(
            [sys.executable, "-m", "ectype.fmi.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            bufsize=0,
        )
        self.pid = self._child.pid
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout, self._said):
            if pipe is not None:
                pipe.close()

    def ask(self, question: Question, when: str) -> Answer:
        """The answer. Raises what went wrong."""
        stdin = self._child.stdin
        try:
            if stdin is not None:
                stdin.write(pack(question))
            told = read_answer(self._read)
        except OSError:
            told = None
        if told is None:
            raise Unavailable(self._end(when))
        if isinstance(told, Failed):
            raise (Misconfigured if told.wrong else Invalid)(f"{self._path.name}, {when}: {told.message}")
        return told

    def _read(self, size: int) -> bytes:
        """That many bytes, fewer if the process ended; it is killed when it says nothing for too long."""
        stdout, out = self._child.stdout, b""
        deadline = time.monotonic() + self.patience_s
        while stdout is not None and len(out) < size:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([stdout], [], [], left)[0]:
                self._child.kill()
                raise Unavailable(
                    f"{self._path.name} has said nothing for {self.patience_s:g} s and was ended; open it again, or "
                    "give it more patience_s"
                )
            more = os.read(stdout.fileno(), size - len(out))
            if not more:
                break
            out += more
        return out

    def _end(self, when: str) -> str:
        code = self._child.wait()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        self._said.seek(0)
        last = self._said.read().decode(errors="replace").strip().splitlines()[-1:]
        words = f"; the last it said: {last[0][:200]}" if last else ""
        return f"{self._path.name}: its process {how} {when}{words}; nothing else is touched, open it again"
