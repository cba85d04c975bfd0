"""The graph as one numba loop: over time per twin (`scan`, small fleets) or over the fleet (`sweep`, large ones).

The source is written to `cache_dir/<hash>/kernel.py` and imported from there, so numba's own disk cache
(machine code keyed by CPU) sits beside it: the second start of the same graph loads instead of compiling.
The hash covers the graph, this emitter, the number type, the shape of the loop and numba's version.
Without `fast`, the arithmetic is IEEE in the graph's order, as in the plain back end; `fast` lets the compiler
contract multiply-adds (a few ulp), which a float32 fleet wants.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

import hashlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any, Literal, final

import casadi as ca
import numba
import numpy as np
from numpy.typing import NDArray

from ectype.errors import Invalid
from ectype.estimate.trace import Graph
from ectype.values.block import Float64s

EMITTER_VERSION = 1

_OPS: dict[int, str] = {
    ca.OP_ASSIGN: "{0}",
    ca.OP_ADD: "{0} + {1}",
    ca.OP_SUB: "{0} - {1}",
    ca.OP_MUL: "{0} * {1}",
    ca.OP_DIV: "{0} / {1}",
    ca.OP_NEG: "-{0}",
    ca.OP_INV: "one / {0}",
    ca.OP_SQ: "{0} * {0}",
    ca.OP_TWICE: "{0} + {0}",
    ca.OP_SQRT: "math.sqrt({0})",
    ca.OP_EXP: "math.exp({0})",
    ca.OP_LOG: "math.log({0})",
    ca.OP_SIN: "math.sin({0})",
    ca.OP_COS: "math.cos({0})",
    ca.OP_FLOOR: "math.floor({0}) * one",
    ca.OP_FABS: "abs({0})",
    ca.OP_POW: "{0} ** {1}",
    ca.OP_CONSTPOW: "{0} ** {1}",
    ca.OP_FMAX: "pick({0} > {1}, {0}, {1})",
    ca.OP_FMIN: "pick({0} < {1}, {0}, {1})",
    ca.OP_LT: "pick({0} < {1}, one, zero)",
    ca.OP_LE: "pick({0} <= {1}, one, zero)",
    ca.OP_EQ: "pick({0} == {1}, one, zero)",
    ca.OP_NE: "pick({0} != {1}, one, zero)",
    ca.OP_NOT: "pick({0} == zero, one, zero)",
    ca.OP_AND: "pick(({0} != zero) & ({1} != zero), one, zero)",
    ca.OP_OR: "pick(({0} != zero) | ({1} != zero), one, zero)",
    ca.OP_IF_ELSE_ZERO: "pick({0} != zero, {1}, zero)",
}

Shape = Literal["scan", "sweep"]


@final
class NumbaKernel:
    """See `kernel.Kernel`. `scan` keeps one twin's belief in registers through a run of events; `sweep` takes one
    event at a time over the whole fleet, so that the compiler uses vector instructions, and runs on all cores.
    """

    def __init__(
        self,
        graph: Graph,
        cache_dir: Path,
        *,
        shape: Shape = "scan",
        dtype: type[np.floating[Any]] = np.float64,
        fast: bool = False,
    ) -> None:
        self._rows, self._dtype = graph.belief_size, dtype
        self._outputs = graph.belief_size + 4 * len(graph.layout.sensors)
        self._run = _load(_source(graph, shape, np.dtype(dtype).name, fast), cache_dir, graph.digest)

    def fold(
        self, belief: Float64s, constants: Float64s, events: Float64s, active: Float64s
    ) -> tuple[Float64s, Float64s]:
        """See `kernel.Kernel.fold`."""
        after: Any = np.array(belief, self._dtype, order="C")
        out: Any = np.empty((len(events), self._outputs, belief.shape[1]), self._dtype)
        self._run(
            after,
            np.ascontiguousarray(constants, self._dtype),
            np.ascontiguousarray(events, self._dtype),
            np.ascontiguousarray(active, self._dtype),
            out,
        )
        return after, out

    def advance(
        self,
        belief: NDArray[Any],
        constants: NDArray[Any],
        events: NDArray[Any],
        active: NDArray[Any],
        out: NDArray[Any],
    ) -> None:
        """`fold` without a copy: writes `belief` and `out` in place; all C-contiguous and of the kernel's dtype."""
        self._run(belief, constants, events, active, out)


def _source(graph: Graph, shape: Shape, dtype: str, fast: bool) -> str:
    rows, constants = graph.belief_size, len(graph.layout.constants)
    pad = " " * 12
    body: list[str] = []
    before: dict[int, str] = {}
    after: list[str] = []
    for op, operands, results, constant in graph.instructions:
        if op == ca.OP_INPUT:
            i = operands[1]
            if i < rows:
                source = f"b{i}"
            elif i < rows + constants:
                source = f"c{i - rows}"
            else:
                source = f"events[k, {i - rows - constants}, i]"
            body.append(f"{pad}w{results[0]} = {source}")
        elif op == ca.OP_OUTPUT:
            i = results[1]
            if i < rows:
                body.append(f"{pad}n{i} = w{operands[0]}")
                after.append(f"{pad}b{i} = pick(on, n{i}, b{i})")
                after.append(f"{pad}out[k, {i}, i] = b{i}")
            else:
                body.append(f"{pad}n{i} = w{operands[0]}")
                after.append(f"{pad}out[k, {i}, i] = pick(on, n{i}, zero)")
        elif op == ca.OP_CONST:
            body.append(f"{pad}w{results[0]} = np.{dtype}({constant!r})")
        elif op in _OPS:
            body.append(f"{pad}w{results[0]} = " + _OPS[op].format(*(f"w{o}" for o in operands)))
        else:
            name = next((n for n in dir(ca) if n.startswith("OP_") and getattr(ca, n) == op), str(op))
            raise Invalid(f"{graph.behaviour.__name__} uses {name}, which the numba back end cannot emit")
    used = {line for line in body if "= c" in line or "= b" in line}
    for i in range(constants):
        if any(line.endswith(f"= c{i}") for line in used):
            before[i] = f"c{i} = constants[{i}, i]"
    read = [f"b{i} = belief[{i}, i]" for i in range(rows)]
    write = [f"belief[{i}, i] = b{i}" for i in range(rows)]
    on = f"{pad}on = active[k, i] != zero"
    if shape == "scan":
        loop = [
            "    for i in range(n):",
            *(" " * 8 + line for line in (*read, *before.values())),
            "        for k in range(events.shape[0]):",
            on,
            *body,
            *after,
            *(" " * 8 + line for line in write),
        ]
    else:
        loop = [
            "    for k in range(events.shape[0]):",
            "        for i in prange(n):",
            *(pad + line for line in (*read, *before.values())),
            on,
            *body,
            *after,
            *(pad + line for line in write),
        ]
    options = "cache=True, error_model='numpy'"
    options += ", parallel=True" if shape == "sweep" else ""
    options += ", fastmath={'contract', 'arcp'}" if fast else ""
    lines = [
        f'"""{graph.behaviour.__name__}: emitted by ectype (emitter {EMITTER_VERSION}). Do not edit."""',
        "import math",
        "import numpy as np",
        "from numba import njit, prange",
        "from numba.extending import intrinsic",
        # One LLVM select: a ternary would be a branch, which costs numba's passes dear and stops the vectoriser.
        "@intrinsic",
        "def pick(typing, condition, a, b):",
        "    def emit(context, builder, signature, args):",
        "        return builder.select(*args)",
        "    return a(condition, a, a), emit",
        f"@njit({options})",
        "def run(belief, constants, events, active, out):",
        "    n = belief.shape[1]",
        f"    one = np.{dtype}(1.0)",
        f"    zero = np.{dtype}(0.0)",
        *loop,
        "",
    ]
    return "\n".join(lines)


def _load(source: str, cache_dir: Path, digest: str) -> Any:
    name = hashlib.sha256(f"{numba.__version__}\n{digest}\n{source}".encode()).hexdigest()[:32]
    folder = cache_dir / name
    path = folder / "kernel.py"
    if not path.exists():
        # numba ties its cache to this file's time stamp: write once, whole, and never touch it again.
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f"kernel-{os.getpid()}.tmp"
        draft.write_text(source)
        draft.replace(path)
    spec = importlib.util.spec_from_file_location(f"ectype_kernel_{name}", path)
    if spec is None or spec.loader is None:
        raise Invalid(f"{path} cannot be imported; delete the folder, it is only a cache")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # numba's cache looks its own module up by name
    spec.loader.exec_module(module)
    return module.run
