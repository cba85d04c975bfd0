"""A program as C (`model.c` of an FMU): plain C90 arithmetic and tables, no library but math.h."""

import math

from ectype.estimate.scalars import Instruction
from ectype.fmi.program import Program

_OPS: dict[str, str] = {
    "same": "{0}",
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "neg": "-{0}",
    "inv": "1.0 / {0}",
    "sq": "{0} * {0}",
    "twice": "{0} + {0}",
    "abs": "fabs({0})",
    "sign": "(double)({0} > 0.0) - (double)({0} < 0.0)",
    "max": "{0} > {1} ? {0} : {1}",
    "min": "{0} < {1} ? {0} : {1}",
    "lt": "(double)({0} < {1})",
    "le": "(double)({0} <= {1})",
    "eq": "(double)({0} == {1})",
    "ne": "(double)({0} != {1})",
    "not": "(double)({0} == 0.0)",
    "and": "(double)({0} != 0.0 && {1} != 0.0)",
    "or": "(double)({0} != 0.0 || {1} != 0.0)",
    "if": "{0} != 0.0 ? {1} : 0.0",
    "pow": "pow({0}, {1})",
} | {name: name + "({0})" for name in ("sqrt", "exp", "log", "sin", "cos", "tan", "atan", "tanh", "floor", "ceil")}


def source(program: Program, token: str, step_s: float) -> str:
    """`model.c`: counts, names, start values, `evaluate(v)` and `advance(v, dt)`. step_s: longest step within one of
    the master's; inf leaves its steps whole.
    """
    states = len(program.places("state"))
    variables = program.variables
    nominal = [
        max(abs(variables[i].start), program.behaviour.layout.states[i - 1].init[1]) for i in range(1, 1 + states)
    ]
    lines = [
        f"/* {program.behaviour.__name__} ({program.behaviour.model}), written by Ectype from its behaviour. */",
        f'#define TOKEN "{token}"',
        f"#define N_STATES {states}",
        f"#define N_GIVEN {program.given}",
        f"#define N_ALL {len(variables)}",
        f"#define HAS_RATES {int(program.rates)}",
        f"#define MAX_STEP {_number(step_s)}",
        "#ifdef __GNUC__",
        "#define MAY_BE_UNUSED __attribute__((unused))",
        "#else",
        "#define MAY_BE_UNUSED",
        "#endif",
        f"static const char* const NAMES[N_ALL] MAY_BE_UNUSED = {{{', '.join(_text(v.name) for v in variables)}}};",
        f"static const double START[N_GIVEN] = {{{', '.join(_number(v.start) for v in variables[: program.given])}}};",
        f"static const double NOMINAL[N_STATES] MAY_BE_UNUSED = {{{', '.join(map(_number, nominal))}}};",
        "",
        "static void evaluate(double* v) {",
        *_body(program.evaluate, program.given, "v[N_GIVEN + {0}]"),
        "}",
        "",
        "static void advance(double* v, double dt) {",
        "  double next[N_STATES];",
        *_body(program.advance, program.given, "next[{0}]"),
        "  memcpy(v + 1, next, sizeof next);",
        "}",
        "",
    ]
    return "\n".join(lines)


def _body(code: tuple[Instruction, ...], given: int, place: str) -> list[str]:
    slots = sorted({ins.result for ins in code if ins.op != "output"})
    lines = [f"  double {', '.join(f'w{s}' for s in slots)};"]
    for ins in code:
        if ins.op == "input":
            at = ins.operands[0]
            lines.append(f"  w{ins.result} = {f'v[{at}]' if at < given else 'dt'};")
        elif ins.op == "output":
            lines.append(f"  {place.format(ins.result)} = w{ins.operands[0]};")
        elif ins.op == "const":
            lines.append(f"  w{ins.result} = {_number(ins.constant)};")
        else:
            lines.append(f"  w{ins.result} = {_OPS[ins.op].format(*(f'w{o}' for o in ins.operands))};")
    return lines


def _number(value: float) -> str:
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    return repr(value)


def _text(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
