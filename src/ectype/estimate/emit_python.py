"""The graph as one Python function of floats: needs nothing, starts at once, 100 to 300 us an update."""

import math
from collections.abc import Callable
from typing import Any, final

import numpy as np

from ectype.estimate.kernel import keep
from ectype.estimate.trace import Graph
from ectype.values.block import Float64s

_OPS: dict[str, str] = {
    "same": "{0}",
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "div({0}, {1})",
    "neg": "-{0}",
    "inv": "div(1.0, {0})",
    "sq": "{0} * {0}",
    "twice": "{0} + {0}",
    "sqrt": "sqrt({0}) if {0} >= 0.0 else nan",
    "exp": "exp({0}) if {0} < 709.0 else inf",
    "log": "log({0}) if {0} > 0.0 else nan",
    "sin": "sin({0})",
    "cos": "cos({0})",
    "tan": "tan({0})",
    "atan": "atan({0})",
    "tanh": "tanh({0})",
    "floor": "float(floor({0}))",
    "ceil": "float(ceil({0}))",
    "abs": "abs({0})",
    "sign": "({0} > 0.0) - ({0} < 0.0) + 0.0",
    "pow": "power({0}, {1})",
    "max": "{0} if {0} > {1} else {1}",
    "min": "{0} if {0} < {1} else {1}",
    "lt": "1.0 if {0} < {1} else 0.0",
    "le": "1.0 if {0} <= {1} else 0.0",
    "eq": "1.0 if {0} == {1} else 0.0",
    "ne": "1.0 if {0} != {1} else 0.0",
    "not": "1.0 if {0} == 0.0 else 0.0",
    "and": "1.0 if {0} != 0.0 and {1} != 0.0 else 0.0",
    "or": "1.0 if {0} != 0.0 or {1} != 0.0 else 0.0",
    "if": "{1} if {0} != 0.0 else 0.0",
}


def _div(a: float, b: float) -> float:
    return a / b if b else math.copysign(math.inf, a) if a else math.nan


def _power(a: float, b: float) -> float:
    return a**b if a > 0 or (b == int(b) and (a or b >= 0)) else math.nan


def source(graph: Graph) -> str:
    """`def update(given): …` that returns the list of outputs."""
    lines = ["def update(given):", f"    out = [0.0] * {graph.output_size}"]
    for ins in graph.instructions:
        if ins.op == "input":
            lines.append(f"    w{ins.result} = given[{ins.operands[0]}]")
        elif ins.op == "output":
            lines.append(f"    out[{ins.result}] = w{ins.operands[0]}")
        elif ins.op == "const":
            lines.append(f"    w{ins.result} = {ins.constant!r}")
        else:
            lines.append(f"    w{ins.result} = " + _OPS[ins.op].format(*(f"w{o}" for o in ins.operands)))
    return "\n".join([*lines, "    return out", ""])


@final
class PythonKernel:
    """See `kernel.Kernel`."""

    def __init__(self, graph: Graph) -> None:
        names: dict[str, Any] = {name: getattr(math, name) for name in _FROM_MATH}
        names |= {"div": _div, "power": _power}
        exec(compile(source(graph), f"<{graph.behaviour.__name__}>", "exec"), names)  # noqa: S102  our own text
        self._graph = graph
        self._update: Callable[[list[float]], list[float]] = names["update"]

    def fold(
        self, belief: Float64s, constants: Float64s, events: Float64s, active: Float64s
    ) -> tuple[Float64s, Float64s]:
        """See `kernel.Kernel.fold`."""
        graph, twins = self._graph, belief.shape[1]
        out = np.zeros((len(events), graph.output_size, twins))
        for k in range(len(events)):
            given = np.concatenate([belief, constants, events[k]]).T.tolist()
            after = np.array([self._update(row) for row in given]).reshape(twins, graph.output_size).T
            belief = keep(graph, belief, after, active[k], out[k])
        return belief, out


_FROM_MATH = ("sqrt", "exp", "log", "sin", "cos", "tan", "atan", "tanh", "floor", "ceil", "nan", "inf")
