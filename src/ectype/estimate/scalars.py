"""Straight-line scalar code: what a traced filter is reduced to, and what every back end is a table for.

A program is a list of instructions over a work vector w. `input` reads the graph's i-th input, `const` a number,
`output` writes the graph's i-th output; all others compute w[result] from w[operands]. Conditions are 1 and 0.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final

import casadi as ca

from ectype.errors import Invalid

SX = Any

NAMES: dict[int, str] = {
    ca.OP_INPUT: "input",
    ca.OP_OUTPUT: "output",
    ca.OP_CONST: "const",
    ca.OP_ASSIGN: "same",
    ca.OP_ADD: "add",
    ca.OP_SUB: "sub",
    ca.OP_MUL: "mul",
    ca.OP_DIV: "div",
    ca.OP_NEG: "neg",
    ca.OP_INV: "inv",
    ca.OP_SQ: "sq",
    ca.OP_TWICE: "twice",
    ca.OP_SQRT: "sqrt",
    ca.OP_EXP: "exp",
    ca.OP_LOG: "log",
    ca.OP_SIN: "sin",
    ca.OP_COS: "cos",
    ca.OP_TAN: "tan",
    ca.OP_ATAN: "atan",
    ca.OP_TANH: "tanh",
    ca.OP_FLOOR: "floor",
    ca.OP_CEIL: "ceil",
    ca.OP_FABS: "abs",
    ca.OP_SIGN: "sign",
    ca.OP_POW: "pow",
    ca.OP_CONSTPOW: "pow",
    ca.OP_FMAX: "max",
    ca.OP_FMIN: "min",
    ca.OP_LT: "lt",
    ca.OP_LE: "le",
    ca.OP_EQ: "eq",
    ca.OP_NE: "ne",
    ca.OP_NOT: "not",
    ca.OP_AND: "and",
    ca.OP_OR: "or",
    ca.OP_IF_ELSE_ZERO: "if",
}


@final
@dataclass(frozen=True, slots=True)
class Instruction:
    """op: one of NAMES' values; operands: places in w (of `input`: the input's number); result: a place in w
    (of `output`: the output's number); constant: of `const`.
    """

    op: str
    operands: tuple[int, ...]
    result: int
    constant: float = 0.0


class Straight(Protocol):
    """What back ends run: a filter's graph (trace.py), or another fold (program.py). Inputs: what is kept from event to
    event, constants, the event; outputs: what is kept, and more.
    """

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        """The code."""
        ...

    @property
    def function(self) -> Any:
        """The same for CasADi's own machine."""
        ...

    @property
    def digest(self) -> str:
        """Equal digest, equal arithmetic."""
        ...

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def belief_size(self) -> int:
        """Scalars that are kept."""
        ...

    @property
    def constant_size(self) -> int:
        """Scalars of a twin that do not change."""
        ...

    @property
    def event_size(self) -> int:
        """Scalars of an event."""
        ...

    @property
    def output_size(self) -> int:
        """Scalars that an event returns, those that are kept first."""
        ...


def instructions_of(function: Any, name: str) -> tuple[Instruction, ...]:
    """The instructions of an SX function of one vector, returning one. Raises Invalid, naming `name`."""
    out: list[Instruction] = []
    for k in range(function.n_instructions()):
        code = int(function.instruction_id(k))
        op = NAMES.get(code)
        if op is None:
            shown = next((n for n in dir(ca) if n.startswith("OP_") and getattr(ca, n) == code), str(code))
            raise Invalid(f"{name} uses {shown}, which no back end has; write it with the functions of estimate.maths")
        given, written = function.instruction_input(k), function.instruction_output(k)
        if op == "input":
            out.append(Instruction(op, (int(given[1]),), int(written[0])))
        elif op == "output":
            out.append(Instruction(op, (int(given[0]),), int(written[1])))
        else:
            constant = float(function.instruction_constant(k)) if op == "const" else 0.0
            out.append(Instruction(op, tuple(map(int, given)), int(written[0]), constant))
    return tuple(out)


def reciprocal(function: Any) -> Any:
    """The same function with every division by a constant made a multiplication, which costs a tenth of it."""
    symbol = ca.SX.sym("in", function.size1_in(0))
    given = ca.vertsplit(symbol)
    work: dict[int, SX] = {}
    outputs: dict[int, SX] = {}
    for k in range(function.n_instructions()):
        code = int(function.instruction_id(k))
        operands, written = function.instruction_input(k), function.instruction_output(k)
        if code == ca.OP_INPUT:
            work[written[0]] = given[operands[1]]
        elif code == ca.OP_OUTPUT:
            outputs[written[1]] = work[operands[0]]
        elif code == ca.OP_CONST:
            work[written[0]] = ca.SX(function.instruction_constant(k))
        else:
            work[written[0]] = _apply(code, [work[i] for i in operands])
    return ca.Function(
        function.name(), [symbol], [ca.vertcat(*(outputs[i] for i in range(len(outputs))))], {"cse": True}
    )


def _apply(code: int, x: list[SX]) -> SX:
    if code == ca.OP_DIV and x[1].is_constant() and float(x[1]) != 0.0:
        return x[0] * (1.0 / float(x[1]))
    if len(x) == 1:
        return ca.SX.unary(code, x[0])
    return ca.SX.binary(code, x[0], x[1])


_LATENCY = {"sqrt": 18, "div": 13, "inv": 13, "exp": 60, "log": 60, "sin": 60, "cos": 60, "tan": 80, "pow": 90}
FREE = frozenset({"input", "const", "same", "output"})


def latency_of(op: str) -> float:
    """About how many cycles pass until a processor has the result of `op`."""
    return 0.0 if op in FREE else _LATENCY.get(op, 4)


def single_assignment(program: Sequence[Instruction]) -> tuple[Instruction, ...]:
    """The same program in which the k-th instruction's result is k (an output's stays its number)."""
    made: dict[int, int] = {}
    out: list[Instruction] = []
    for k, ins in enumerate(program):
        given = ins.operands if ins.op in ("input", "const") else tuple(made[o] for o in ins.operands)
        out.append(Instruction(ins.op, given, ins.result if ins.op == "output" else k, ins.constant))
        if ins.op != "output":
            made[ins.result] = k
    return tuple(out)


def order(operands: Sequence[Sequence[int]], ops: Sequence[str], window: int = 600, wide: float = 2.5) -> list[int]:
    """The order in which a processor that looks `window` instructions ahead would begin them. operands: places of what
    each waits for.

    A trace goes down one sigma point after the other, and each is a chain of roots that wait for one another; a real
    processor looks some 250 instructions ahead, too few to find the next chain.
    """
    ready = [0.0] * len(ops)
    left = list(range(len(ops)))
    chosen: list[int] = []
    begun = [False] * len(ops)
    now = 0.0
    while left:
        place, soonest = None, math.inf
        for at, k in enumerate(left[:window]):
            if all(begun[o] for o in operands[k]):
                can = max((ready[o] for o in operands[k]), default=0.0)
                if can <= now:
                    place = at
                    break
                soonest = min(soonest, can)
        if place is None:
            now = soonest
            continue
        k = left.pop(place)
        chosen.append(k)
        begun[k] = True
        ready[k] = now + latency_of(ops[k])
        now += 0.0 if ops[k] in FREE else 1.0 / wide
    return chosen


def interleaved(program: Sequence[Instruction], window: int = 600, wide: float = 2.5) -> tuple[Instruction, ...]:
    """The same program in that order. Each instruction gets a result of its own."""
    code = single_assignment(program)
    operands = [() if ins.op in ("input", "const") else ins.operands for ins in code]
    return tuple(code[k] for k in order(operands, [ins.op for ins in code], window, wide))
