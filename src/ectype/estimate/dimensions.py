"""Do a behaviour's expressions measure what they are declared to? Checked when the class is made.

The units of states, parameters and inputs are followed through every operation of what its methods return. A number
that is written in an expression may carry any unit (0.1 in `0.1 * self.pump` may be cm/s per V), so what it multiplies
is of unknown unit, and nothing is said of it; what is added to a known one must be like it. Of a state or sensor that
is declared in "1" nothing is said either: many write that for a unit they do not care for. So every error is one:
metres added to metres per second, a level that changes by a level, `exp` of a pressure, a sensor in m that reads a
state in cm.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, final

import casadi as ca

from ectype.errors import Invalid
from ectype.estimate.scalars import Instruction, instructions_of
from ectype.units import BASES, unit

SX = Any
_NEED_NUMBER = {"exp", "log", "tanh", "sin", "cos", "tan", "atan"}
_LIKE = {"add", "sub", "max", "min", "lt", "le", "eq", "ne"}
_SAYS = {"add": "adds", "sub": "subtracts", "max": "takes the larger of", "min": "takes the smaller of"}


@final
@dataclass(frozen=True, slots=True)
class Measure:
    """What one of it is in SI, and its powers of m, kg, s, A, K, mol, EUR."""

    scale: float
    powers: tuple[float, ...]

    @classmethod
    def of(cls, text: str) -> Self:
        """Of a unit as it is written."""
        read = unit(text)
        return cls(read.scale, tuple(read.dimension))

    def like(self, other: "Measure") -> bool:
        """Whether they may be added."""
        same = all(abs(a - b) < 1e-9 for a, b in zip(self.powers, other.powers, strict=True))
        return same and abs(self.scale / other.scale - 1.0) < 1e-9

    def times(self, other: "Measure", power: float = 1.0) -> "Measure":
        """This times the other to that power."""
        powers = tuple(a + power * b for a, b in zip(self.powers, other.powers, strict=True))
        return Measure(self.scale * other.scale**power, powers)

    def __str__(self) -> str:
        named = zip(BASES, self.powers, strict=True)
        told = "*".join(name if p == 1 else f"{name}^{p:g}" for name, p in named if abs(p) > 1e-9) or "1"
        return told if abs(self.scale - 1) < 1e-12 else f"{self.scale:g} {told}"


_NUMBER = Measure(1.0, (0.0,) * len(BASES))


@final
@dataclass(frozen=True, slots=True)
class Mismatch(Exception):
    """What is wrong, in words."""

    told: str


def check_units(
    where: Callable[[str], str],
    symbols: Sequence[tuple[SX, str]],
    results: Mapping[str, Sequence[tuple[str, SX, str]]],
) -> None:
    """symbols: each with its unit; results: method -> (of what, expression, the unit that it must be in).

    where tells a method's file and line. Raises Invalid, naming that and what to write.
    """
    given = [ca.vertcat(*(s for s, _ in symbols))]
    units = [Measure.of(text) for _, text in symbols]
    for method, rows in results.items():
        for name, expression, text in rows:
            try:
                program = instructions_of(ca.Function("units", given, [ca.SX(expression)]), name)
            except Invalid:
                continue  # an operation that no back end has: told where the behaviour is traced
            try:
                found = _followed(program, units)
            except Mismatch as wrong:
                raise Invalid(f"{where(method)}, {name}: {wrong.told}; {_HOW}") from wrong
            wanted = Measure.of(text)
            if found is not None and not found.like(wanted):
                must = f"must be in {text}" + ("" if str(wanted) == text else f", which is {wanted}")
                raise Invalid(f"{where(method)}, {name}: this is in {found}, and {must}; {_HOW}")


_HOW = "correct the expression or the declared units, or write the factor between them as a number"


def _followed(program: tuple[Instruction, ...], units: Sequence[Measure]) -> Measure | None:
    """The unit of the one output; None: unknown. Raises Mismatch."""
    work: dict[int, Measure | None] = {}
    numbers: dict[int, float] = {}
    out: Measure | None = None
    for ins in program:
        if ins.op == "input":
            work[ins.result] = units[ins.operands[0]]
            numbers.pop(ins.result, None)
        elif ins.op == "const":
            work[ins.result], numbers[ins.result] = None, ins.constant
        elif ins.op == "output":
            out = work[ins.operands[0]]
        else:
            work[ins.result] = _one(ins.op, [work[o] for o in ins.operands], [numbers.get(o) for o in ins.operands])
            numbers.pop(ins.result, None)
    return out


def _one(op: str, of: list[Measure | None], numbers: list[float | None]) -> Measure | None:
    a = of[0]
    b = of[1] if len(of) > 1 else None
    if op in _LIKE:
        if a is not None and b is not None and not a.like(b):
            raise Mismatch(f"this {_SAYS.get(op, 'compares')} {a} and {b}")
        return None if op in ("lt", "le", "eq", "ne") else a if a is not None else b
    if op in _NEED_NUMBER:
        if a is not None and any(abs(p) > 1e-9 for p in a.powers):
            raise Mismatch(f"this is {op} of {a}, and must be of a plain number")
        if op in ("sin", "cos", "tan") and a is not None and not a.like(_NUMBER):
            raise Mismatch(f"this is {op} of {a}, and must be of radians")
        return _NUMBER if a is not None else None
    if op == "mul":
        return a.times(b) if a is not None and b is not None else None
    if op == "div":
        return a.times(b, -1.0) if a is not None and b is not None else None
    if op in ("sq", "inv", "sqrt"):
        return None if a is None else _NUMBER.times(a, {"sq": 2.0, "inv": -1.0, "sqrt": 0.5}[op])
    if op == "pow":
        power = numbers[1]
        return _NUMBER.times(a, power) if a is not None and power is not None and math.isfinite(power) else None
    if op in ("same", "neg", "abs", "floor", "ceil"):
        return a
    if op == "if":
        return b
    return None
