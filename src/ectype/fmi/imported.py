"""An FMU of somebody else as a component: stepped from here, run in a process of its own.

    with open_fmu(Path("pump.fmu"), start={"leak": 0.1}) as pump:
        told = pump.step({"speed": 1500.0}, until_s=10.0)      # {"pressure": 4.2, …}

Whatever its binary does (crash, hang, print), this process goes on: what happened is raised as Unavailable.
"""

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, final

from ectype.errors import Invalid, Misconfigured, NotFound, Unavailable
from ectype.fmi.wire import Answer, Describe, Described, Failed, Now, Open, Question, Step, pack, read_answer

Kind = Literal["cs", "me"]


@final
class Fmu:
    """A running instance. at_s: where it stands; values: what is watched there; pid: of its process."""

    def __init__(self, path: Path, process: "_Process", now: Now) -> None:
        self._path, self._process = path, process
        self.at_s, self.values = now.at_s, dict(now.values)

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    def step(self, inputs: Mapping[str, float], until_s: float) -> Mapping[str, float]:
        """What is watched at `until_s`, the inputs held since now; those not given stay as they are.

        Raises Misconfigured for a name it has not or a step back, Invalid if the FMU refuses the step, Unavailable if
        its process has died or says nothing: it cannot be stepped any more then.
        """
        now = self._process.ask(Step(dict(inputs), until_s), f"after {self.at_s:g} s")
        if not isinstance(now, Now):
            raise Invalid(f"{self._path.name} answered something else")
        self.at_s, self.values = now.at_s, dict(now.values)
        return self.values


@contextmanager
def open_fmu(
    path: Path,
    *,
    kind: Kind | None = None,
    start: Mapping[str, float] | None = None,
    watch: Sequence[str] = (),
    at_s: float = 0.0,
    tolerance: float = 1e-6,
    patience_s: float = 60.0,
) -> Generator[Fmu]:
    """The FMU, initialised at `at_s` with those start values of parameters, states and inputs.

    kind: co-simulation where it is offered, if not said; tolerance: of the integration in model exchange; watch: what
    every step tells (its outputs, if not said); patience_s: how long it may say nothing.
    """
    with tempfile.TemporaryDirectory() as folder, _Process(path, patience_s) as process:
        ask = Open(str(path), folder, kind or "", at_s, dict(start or {}), list(watch), tolerance)
        now = process.ask(ask, "when it was opened")
        if not isinstance(now, Now):
            raise Invalid(f"{path.name} answered something else")
        yield Fmu(path, process, now)


def describe_fmu(path: Path, *, patience_s: float = 60.0) -> Described:
    """What is in the file; its binary is not loaded. Raises NotFound, or Invalid if it is no FMU."""
    with _Process(path, patience_s) as process:
        told = process.ask(Describe(str(path)), "when it was read")
        if not isinstance(told, Described):
            raise Invalid(f"{path.name} answered something else")
        return told


@final
class _Process:
    """The child and its pipes."""

    def __init__(self, path: Path, patience_s: float) -> None:
        if not path.is_file():
            raise NotFound(f"there is no file {path}")
        self._path, self._patience_s = path, patience_s

    def __enter__(self) -> "_Process":
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
        deadline = time.monotonic() + self._patience_s
        while stdout is not None and len(out) < size:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([stdout], [], [], left)[0]:
                self._child.kill()
                raise Unavailable(
                    f"{self._path.name} has said nothing for {self._patience_s:g} s and was ended; open it again, or "
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
