"""The graph as one CUDA C kernel, one thread a twin, compiled and run through CuPy where a GPU is present.

Never required: `available()` says why not. State stays on the GPU with `resident`; `fold` copies, like every back end.
Without `fast` the compiler may not contract multiply-adds, so that float64 agrees with the other back ends. With it
division and square root in float32 are right to two units in the last place, in a third of the instructions.
"""
# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportMissingTypeStubs=false, reportUnknownParameterType=false

import importlib
from collections.abc import Callable
from typing import Any, final

import numpy as np

from ectype.errors import Unavailable
from ectype.estimate.trace import Graph
from ectype.values.block import Float64s

_THREADS = 128
_OPS: dict[str, str] = {
    "same": "{0}",
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "neg": "-{0}",
    "inv": "R(1) / {0}",
    "sq": "{0} * {0}",
    "twice": "{0} + {0}",
    "abs": "fabs({0})",
    "sign": "R({0} > R(0)) - R({0} < R(0))",
    "max": "{0} > {1} ? {0} : {1}",
    "min": "{0} < {1} ? {0} : {1}",
    "lt": "R({0} < {1})",
    "le": "R({0} <= {1})",
    "eq": "R({0} == {1})",
    "ne": "R({0} != {1})",
    "not": "R({0} == R(0))",
    "and": "R({0} != R(0) && {1} != R(0))",
    "or": "R({0} != R(0) || {1} != R(0))",
    "if": "{0} != R(0) ? {1} : R(0)",
    "pow": "pow({0}, {1})",
} | {name: name + "({0})" for name in ("sqrt", "exp", "log", "sin", "cos", "tan", "atan", "tanh", "floor", "ceil")}


def available() -> str | None:
    """None where a GPU can be used, else the reason why not."""
    try:
        count = int(importlib.import_module("cupy").cuda.runtime.getDeviceCount())
    except ImportError:
        return "CuPy is not installed (pip install ectype[gpu])"
    except Exception as error:  # noqa: BLE001  CuPy's own classes, which exist only where it does
        return f"CuPy finds no GPU: {error}"
    return None if count else "there is no GPU"


def source(graph: Graph, single: bool) -> str:
    """`run(n, count, belief, constants, events, active, out)`; belief is advanced in place."""
    rows, constants, outputs = graph.belief_size, len(graph.layout.constants), graph.output_size
    body: list[str] = []
    after: list[str] = []
    slots = sorted({ins.result for ins in graph.instructions if ins.op != "output"})
    for ins in graph.instructions:
        if ins.op == "input":
            i = ins.operands[0]
            place = f"b{i}" if i < rows else f"constants[{i - rows}L * n + i]"
            if i >= rows + constants:
                place = f"events[(k * {graph.event_size}L + {i - rows - constants}L) * n + i]"
            body.append(f"w{ins.result} = {place};")
        elif ins.op == "output":
            i = ins.result
            body.append(f"const R n{i} = on ? w{ins.operands[0]} : {f'b{i}' if i < rows else 'R(0)'};")
            body.append(f"out[(k * {outputs}L + {i}L) * n + i] = n{i};")
            if i < rows:
                after.append(f"b{i} = n{i};")
        elif ins.op == "const":
            body.append(f"w{ins.result} = R({ins.constant!r});")
        else:
            body.append(f"w{ins.result} = {_OPS[ins.op].format(*(f'w{o}' for o in ins.operands))};")
    lines = [
        f"typedef {'float' if single else 'double'} R;",
        'extern "C" __global__ void run(const long long n, const long long count, R* __restrict__ belief,',
        "    const R* __restrict__ constants, const R* __restrict__ events, const R* __restrict__ active,",
        "    R* __restrict__ out) {",
        "  const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;",
        "  if (i >= n) return;",
        *(f"  R b{r} = belief[{r}L * n + i];" for r in range(rows)),
        "  for (long long k = 0; k < count; ++k) {",
        "    const bool on = active[k * n + i] != R(0);",
        f"    R {', '.join(f'w{s}' for s in slots)};",
        *("    " + line for line in (*body, *after)),
        "  }",
        *(f"  belief[{r}L * n + i] = b{r};" for r in range(rows)),
        "}",
        "",
    ]
    return "\n".join(lines)


def options(fast: bool) -> tuple[str, ...]:
    """What the compiler, NVRTC or nvcc, is told."""
    exact = "false" if fast else "true"
    return "--std=c++14", f"--fmad={str(fast).lower()}", f"--prec-div={exact}", f"--prec-sqrt={exact}"


@final
class CudaKernel:
    """See `kernel.Kernel`. Raises Unavailable, with the reason, where no GPU can be used."""

    def __init__(self, graph: Graph, *, dtype: type[np.floating[Any]] = np.float64, fast: bool = False) -> None:
        if (reason := available()) is not None:
            raise Unavailable(reason)
        self._cupy: Any = importlib.import_module("cupy")
        self._graph, self._dtype = graph, np.dtype(dtype)
        self._run = self._cupy.RawKernel(source(graph, self._dtype == np.float32), "run", options=options(fast))

    def fold(
        self, belief: Float64s, constants: Float64s, events: Float64s, active: Float64s
    ) -> tuple[Float64s, Float64s]:
        """See `kernel.Kernel.fold`."""
        n = belief.shape[1]
        out = self._cupy.empty((len(events), self._graph.output_size, n), self._dtype)
        device: list[Any] = [self._cupy.array(a, self._dtype, order="C") for a in (belief, constants, events, active)]
        if n and len(events):
            b, c, e, a = device
            self.resident(b, c, e, a, out)()
        return np.asarray(device[0].get()), np.asarray(out.get())

    def resident(self, belief: Any, constants: Any, events: Any, active: Any, out: Any) -> Callable[[], None]:
        """A call that folds these CuPy arrays in place, with nothing copied to or from the GPU."""
        n, count = belief.shape[1], len(events)
        given = (np.int64(n), np.int64(count), belief, constants, events, active, out)
        return lambda: self._run((-(-n // _THREADS),), (_THREADS,), given)
