"""A behaviour without its filter, as scalar programs: how fast it moves, where it is next, what its sensors read.

The vector v that both programs read (and that the value references of an FMU count through):

    0 time │ states │ tracked parameters │ constant parameters │ inputs │ rates │ sensors │ outputs
    └──────────────────────── given ──────────────────────────────────┘ └──── computed ────────┘

`evaluate` computes the rest from what is given, `advance` the states after dt: the very expressions of the filter.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import casadi as ca

from ectype.errors import Invalid
from ectype.estimate.behaviour import Behaviour, Mode
from ectype.estimate.methods import methods_of
from ectype.estimate.returned import Returned
from ectype.estimate.scalars import Instruction, instructions_of, reciprocal
from ectype.estimate.trace import clamp_of

Role = Literal["time", "state", "parameter", "input", "rate", "sensor", "output"]


@final
@dataclass(frozen=True, slots=True)
class Variable:
    """One place of v. of: what a rate is the rate of (its place)."""

    name: str
    role: Role
    unit: str
    start: float = 0.0
    low: float | None = None
    high: float | None = None
    of: int = 0
    told: str = ""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """evaluate: v[given] -> computed; advance: [*v[given], dt] -> states. rates: False for a behaviour with `step`."""

    behaviour: type[Behaviour]
    variables: tuple[Variable, ...]
    given: int
    rates: bool
    evaluate: tuple[Instruction, ...]
    advance: tuple[Instruction, ...]
    digest: str

    def places(self, *roles: Role) -> tuple[int, ...]:
        """Where the variables of those roles stand."""
        return tuple(i for i, v in enumerate(self.variables) if v.role in roles)


def program_of(behaviour: type[Behaviour]) -> Program:
    """Both programs. Raises Invalid if a method does not return what it must, two things have one name, or a sensor has
    a delay.
    """
    layout = behaviour.layout
    if late := [s for s in layout.sensors if s.delay_s > 0]:
        raise Invalid(
            f"{late[0].line}: {behaviour.__name__}.{late[0].name} has a delay, and what an FMU tells is of now; "
            "export it without delay=, and delay its output in the simulation"
        )
    clamp = clamp_of(layout)
    run, m = Returned.of(behaviour), methods_of(behaviour)
    bound = behaviour.bind(
        {d.name: s for d, s in zip((*layout.states, *layout.tracked), run.x, strict=True)}
        | {d.name: s for d, s in zip(layout.constants, run.constants, strict=True)}
        | {d.name: s for d, s in zip(layout.inputs, run.inputs, strict=True)}
    )
    outputs = {name: ca.SX(value) for name, value in bound.outputs(run.t).items()}
    given = [run.t, *run.x, *run.constants, *run.inputs]
    shown = [*run.slope, *(reading for reading, _, _ in run.looks), *outputs.values()]
    inside = ca.substitute(ca.vertcat(*shown), ca.vertcat(*run.x), ca.vertcat(*clamp(list(run.x))))
    moved = clamp(m.at(list(m.moved), clamp(list(m.x))))[: len(layout.states)]
    ahead = [m.t, *m.x, *m.constants, *m.inputs, m.dt]
    evaluate = _scalars(behaviour, "evaluate", given, inside)
    advance = _scalars(behaviour, "advance", ahead, ca.vertcat(*moved))

    variables = [Variable("time", "time", "s")]
    variables += [Variable(s.name, "state", s.unit, s.init[0], s.low, s.high) for s in layout.states]
    parameters = (*layout.tracked, *layout.constants)
    variables += [Variable(p.name, "parameter", p.unit, p.value, p.low, p.high) for p in parameters]
    for u in layout.inputs:
        told = " | ".join(f"{i}: {name}" for i, name in enumerate(u.names)) if isinstance(u, Mode) else ""
        variables.append(Variable(u.name, "input", u.unit, u.default or 0.0, told=told))
    if run.slope:
        variables += [
            Variable(f"der({s.name})", "rate", f"({s.unit})/s", of=1 + i) for i, s in enumerate(layout.states)
        ]
    variables += [Variable(s.name, "sensor", s.unit) for s in layout.sensors]
    variables += [Variable(name, "output", "") for name in outputs]
    names = [v.name for v in variables]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Invalid(f"{behaviour.__name__}: an FMU needs one name for one thing; rename one '{twice[0]}'")
    about = (behaviour.model, [str(v) for v in variables], evaluate, advance)
    digest = hashlib.sha256(repr(about).encode()).hexdigest()
    return Program(behaviour, tuple(variables), len(given), bool(run.slope), evaluate, advance, digest)


def _scalars(behaviour: type[Behaviour], name: str, given: Sequence[Any], out: Any) -> tuple[Instruction, ...]:
    function = ca.Function(name, [ca.vertcat(*given)], [out], {"cse": True})
    return instructions_of(reciprocal(function), behaviour.__name__)
