"""An FMU opened in this process by FMPy: its variables, its way of being stepped, and where it stands.

Only the process that is there for it (child.py) imports this: what runs here is somebody's native code.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import ctypes
import importlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

from ectype.errors import Invalid, Misconfigured
from ectype.fmi.wire import Now, Open

_TWO = {"Real": "Real", "Integer": "Integer", "Enumeration": "Integer", "Boolean": "Boolean"}
_WHOLE = ("Integer", "Enumeration", "Int8", "UInt8", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64")
_THREE = {name: name for name in (*_WHOLE[2:], "Float32", "Float64", "Boolean")} | {"Enumeration": "Int64"}


def fmpy_or_how() -> Any:
    """FMPy. Raises Misconfigured, with the way out, where it is not installed."""
    try:
        return importlib.import_module("fmpy")
    except ImportError:
        raise Misconfigured("running an FMU needs: pip install 'ectype[fmi]'") from None


def unpack(path: str, folder: str) -> None:
    """Once, before any instance: a binary must not be written over while it is loaded."""
    fmpy_or_how().extract(path, unzipdir=folder)


@final
class Variables:
    """Reads and writes numbers by name, whatever their type."""

    def __init__(self, fmu: Any, told: Any) -> None:
        self._fmu = fmu
        self._types = _TWO if str(told.fmiVersion) == "2.0" else _THREE
        self._known = {v.name: v for v in told.modelVariables}

    def _of(self, name: str) -> tuple[Any, str]:
        variable = self._known.get(name)
        if variable is None:
            numbers = [v.name for v in self._known.values() if v.causality in ("input", "output", "parameter")]
            raise Misconfigured(f"the FMU has no variable '{name}'; it has {', '.join(numbers[:20])}")
        kind = self._types.get(str(variable.type))
        if kind is None:
            raise Misconfigured(f"'{name}' is a {variable.type}, and only numbers are taken")
        return variable, kind

    def get(self, name: str) -> float:
        """Its value now."""
        variable, kind = self._of(name)
        return float(getattr(self._fmu, f"get{kind}")([variable.valueReference])[0])

    def set(self, name: str, value: float) -> None:
        """Where the FMU is in a mode in which that may change."""
        variable, kind = self._of(name)
        whole = str(variable.type) in _WHOLE or kind == "Boolean"
        getattr(self._fmu, f"set{kind}")([variable.valueReference], [int(value) if whole else value])


@final
class CoSimulation:
    """The FMU brings its own solver."""

    def __init__(self, fmu: Any, variables: Variables, at_s: float) -> None:
        self._fmu, self._variables, self._at_s = fmu, variables, at_s

    def go(self, inputs: Mapping[str, float], until_s: float) -> float:
        """Set the inputs, then step; where it stands then."""
        for name, value in inputs.items():
            self._variables.set(name, value)
        step = until_s - self._at_s
        self._fmu.doStep(currentCommunicationPoint=self._at_s, communicationStepSize=step)
        self._at_s = until_s
        return until_s


@final
class _NoInputs:
    """FMPy's solver asks for interpolated inputs; ours are held."""

    def apply(self, *_given: Any, **_named: Any) -> None:
        return None


@final
class ModelExchange:
    """The FMU says how fast it moves, CVode integrates; events of time, state and step are handled where they are."""

    def __init__(self, fmu: Any, variables: Variables, told: Any, at_s: float, tolerance: float) -> None:
        self._fmu, self._variables, self._at_s = fmu, variables, at_s
        self._three = str(told.fmiVersion) != "2.0"
        self._next = math.inf
        self.states = tuple(str(unknown.variable.derivative.name) for unknown in told.derivatives)
        self._discrete()
        fmu.enterContinuousTimeMode()
        self._solver: Any = importlib.import_module("fmpy.sundials").CVodeSolver(
            nx=told.numberOfContinuousStates,
            nz=told.numberOfEventIndicators,
            get_x=fmu.getContinuousStates,
            set_x=fmu.setContinuousStates,
            get_dx=fmu.getContinuousStateDerivatives if self._three else fmu.getDerivatives,
            get_z=fmu.getEventIndicators,
            get_nominals=fmu.getNominalsOfContinuousStates,
            set_time=fmu.setTime,
            input=_NoInputs(),
            startTime=at_s,
            relativeTolerance=tolerance,
            maxNumSteps=100_000,
        )

    def _discrete(self) -> None:
        again = True
        while again:
            update = self._fmu.updateDiscreteStates if self._three else self._fmu.newDiscreteStates
            again, ends, _, _, timed, at = update()
            if ends:
                raise Invalid(f"the FMU ended the simulation at {self._at_s:g} s")
            self._next = float(at) if timed else math.inf

    def state(self) -> list[float]:
        """The continuous states, in the order of `states`."""
        x = (ctypes.c_double * len(self.states))()
        self._fmu.getContinuousStates(x, len(x))
        return list(x)

    def place(self, state: Sequence[float], values: Mapping[str, float]) -> None:
        """Go on from that state, with those inputs and tunable parameters."""
        self._fmu.setContinuousStates((ctypes.c_double * len(self.states))(*state), len(self.states))
        self._event(values)

    def _event(self, inputs: Mapping[str, float]) -> None:
        self._fmu.enterEventMode()
        for name, value in inputs.items():
            self._variables.set(name, value)
        self._discrete()
        self._fmu.enterContinuousTimeMode()
        self._solver.reset(self._at_s)

    def go(self, inputs: Mapping[str, float], until_s: float) -> float:
        """Set the inputs, then step; where it stands then."""
        if inputs:
            self._event(inputs)
        while self._at_s < until_s:
            target = min(until_s, self._next)
            if target <= self._at_s:
                self._event({})
                if self._next <= self._at_s:
                    raise Invalid(f"the FMU asks for the same event at {self._at_s:g} s again and again")
                continue
            rooted, _, at = self._solver.step(self._at_s, target)
            self._at_s = target if abs(at - target) <= 1e-12 * max(1.0, abs(target)) else float(at)
            self._fmu.setTime(self._at_s)
            stepped, ends = self._fmu.completedIntegratorStep()
            if ends:
                raise Invalid(f"the FMU ended the simulation at {self._at_s:g} s")
            if rooted or stepped or self._at_s >= self._next:
                self._event({})
        return self._at_s


@final
class Instance:
    """One instance of the FMU that lies unpacked in `ask.folder`."""

    def __init__(self, ask: Open) -> None:
        fmpy = fmpy_or_how()
        told = fmpy.read_model_description(ask.path, validate=False)
        version = str(told.fmiVersion)
        if not (version == "2.0" or version.startswith("3.")):
            raise Invalid(f"{ask.path} is of FMI {version}; 2.0 and 3.0 are run")
        offered = {"cs": told.coSimulation, "me": told.modelExchange}
        kind = ask.kind or ("cs" if told.coSimulation is not None else "me")
        if offered.get(kind) is None:
            raise Misconfigured(f"{ask.path} offers {' and '.join(k for k, v in offered.items() if v is not None)}")
        identifier = str(offered[kind].modelIdentifier)
        if not list(Path(ask.folder).glob(f"binaries/*/{identifier}.*")):
            raise Invalid(f"{ask.path} holds sources alone; export it where a C compiler is")
        fmu = fmpy.instantiate_fmu(ask.folder, told, "CoSimulation" if kind == "cs" else "ModelExchange")
        self._variables = Variables(fmu, told)
        if version == "2.0":
            fmu.setupExperiment(startTime=ask.at_s)
        for name, value in ask.start.items():
            self._variables.set(name, value)
        fmu.enterInitializationMode(**({} if version == "2.0" else {"startTime": ask.at_s}))
        fmu.exitInitializationMode()
        self._watch = ask.watch or [v.name for v in told.modelVariables if v.causality == "output"]
        self._at_s = ask.at_s
        self.stepper: CoSimulation | ModelExchange = (
            CoSimulation(fmu, self._variables, ask.at_s)
            if kind == "cs"
            else ModelExchange(fmu, self._variables, told, ask.at_s, ask.tolerance)
        )

    def now(self) -> Now:
        """Where it stands."""
        return Now(self._at_s, {name: self._variables.get(name) for name in self._watch})

    def step(self, inputs: Mapping[str, float], until_s: float) -> Now:
        """Where it stands then."""
        if not until_s > self._at_s:
            raise Misconfigured(f"a step from {self._at_s:g} s to {until_s:g} s does not lead forward")
        self._at_s = self.stepper.go(inputs, until_s)
        return self.now()
