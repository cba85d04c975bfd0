"""An FMU of somebody else as a component: stepped from here, run in a process of its own.

    with open_fmu(Path("pump.fmu"), start={"leak": 0.1}) as pump:
        told = pump.step({"speed": 1500.0}, until_s=10.0)      # {"pressure": 4.2, …}

Whatever its binary does (crash, hang, print), this process goes on: what happened is raised as Unavailable.
"""

import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, final

from ectype.errors import Invalid
from ectype.fmi.process import Process
from ectype.fmi.wire import Describe, Described, Now, Open, Step

Kind = Literal["cs", "me"]


@final
class Fmu:
    """A running instance. at_s: where it stands; values: what is watched there; pid: of its process."""

    def __init__(self, path: Path, process: Process, now: Now) -> None:
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
    with tempfile.TemporaryDirectory() as folder, Process(path, patience_s) as process:
        ask = Open(str(path), folder, kind or "", at_s, dict(start or {}), list(watch), tolerance)
        now = process.ask(ask, "when it was opened")
        if not isinstance(now, Now):
            raise Invalid(f"{path.name} answered something else")
        yield Fmu(path, process, now)


def describe_fmu(path: Path, *, patience_s: float = 60.0) -> Described:
    """What is in the file; its binary is not loaded. Raises NotFound, or Invalid if it is no FMU."""
    with Process(path, patience_s) as process:
        told = process.ask(Describe(str(path)), "when it was read")
        if not isinstance(told, Described):
            raise Invalid(f"{path.name} answered something else")
        return told
