"""The graph as machine code: explicit vectors over the fleet, straight to LLVM, no compiler on the machine.

A vector register holds one scalar of W twins, so the emitted loop has no branches and no temporaries in memory but
spills. Writing LLVM's text ourselves instead of Python for numba leaves out type inference and loop vectorisation,
which took a minute for this kind of code and gave scalar loops; what is left compiles in a second. Two programs:

    record     scan: for each group of twins the belief stays in registers through all events; every belief is kept
    (default)  sweep: one event of the whole fleet, in place, only diagnostics are written; all cores

each W wide and one wide (for what is left over), compiled when first needed and kept as object code in `cache_dir`
under the hash of graph, options, CPU and LLVM version, with its own checksum in front.
Without `fast`, the arithmetic is IEEE in the graph's order, as in every other back end. `fast` lets the compiler
contract multiply-adds, and in float32 on x86 takes a third of the square roots from the reciprocal estimate and one
Newton step (2 ulp; about 0 for what is not positive), so that both units of the processor are busy.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

import ctypes
import hashlib
import os
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any, final

import llvmlite.binding as llvm
import numpy as np
from numpy.typing import NDArray

from ectype.estimate.scalars import interleaved
from ectype.estimate.trace import Graph
from ectype.values.block import Float64s

_COMPARE = {"lt": "olt", "le": "ole", "eq": "oeq", "ne": "une"}
_ARITHMETIC = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_INTRINSIC = {"sqrt", "exp", "log", "sin", "cos", "tan", "atan", "tanh", "floor", "ceil", "pow"}
_PORTION = 1 << 12
EMITTER_VERSION = 3
_AHEAD_BYTES = 512
_RUN = ctypes.CFUNCTYPE(None, *([ctypes.c_int64] * 4), *([ctypes.c_void_p] * 5))


@final
class LlvmKernel:
    """See `kernel.Kernel`. Arrays of another dtype or order are copied; `advance` takes none of those."""

    def __init__(
        self,
        graph: Graph,
        cache_dir: Path,
        *,
        dtype: type[np.floating[Any]] = np.float64,
        fast: bool = False,
        width: int | None = None,
        threads: int | None = None,
    ) -> None:
        self._graph, self._cache, self._dtype, self._fast = graph, cache_dir, np.dtype(dtype), fast
        self._width = width or _register_bytes() // self._dtype.itemsize
        self._threads = threads or _cores()
        self._loaded: dict[tuple[bool, int], tuple[Any, Any]] = {}

    def fold(
        self, belief: Float64s, constants: Float64s, events: Float64s, active: Float64s
    ) -> tuple[Float64s, Float64s]:
        """See `kernel.Kernel.fold`."""
        after: Any = np.array(belief, self._dtype, order="C")
        k, n = len(events), belief.shape[1]
        out: Any = np.empty((k, self._graph.output_size, n), self._dtype)
        rest = [np.ascontiguousarray(a, self._dtype) for a in (constants, events, active)]
        if k:
            self._run(True, k, after, *rest, out)
        return after, out

    def advance(
        self,
        belief: NDArray[Any],
        constants: NDArray[Any],
        event: NDArray[Any],
        active: NDArray[Any],
        diagnostics: NDArray[Any],
    ) -> None:
        """One event of the whole fleet in place: belief [belief_size, n], constants [c, n], event [event_size, n],
        active [n], diagnostics [4 * sensors, n]; all C-contiguous and of the kernel's dtype.
        """
        self._run(False, 1, belief, constants, event, active, diagnostics)

    def bound(self, *arrays: NDArray[Any]) -> Callable[[], None]:
        """`advance` on these very arrays (the same five), again and again: well under a microsecond of overhead.
        For few twins; it stays on the calling thread.
        """
        n = arrays[0].shape[1]
        run = self._function(False, 1 if n % self._width else self._width)
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in arrays]
        given = (ctypes.c_int64(0), ctypes.c_int64(n), ctypes.c_int64(n), ctypes.c_int64(1), *pointers)

        def again(_kept: Any = (self, arrays)) -> None:
            run(*given)

        return again

    def _run(self, record: bool, k: int, *arrays: NDArray[Any]) -> None:
        n = arrays[0].shape[1]
        pointers = [a.ctypes.data for a in arrays]
        whole = n - n % self._width
        if n > whole:
            self._function(record, 1)(whole, n, n, k, *pointers)
        if not whole:
            return
        run = self._function(record, self._width)
        step = max(_PORTION, -(-whole // (8 * self._threads) // self._width) * self._width)
        starts = range(0, whole, step)
        if len(starts) == 1 or self._threads == 1:
            run(0, whole, n, k, *pointers)
            return
        pool = _pool(self._threads)

        def portion(start: int) -> None:
            run(start, min(start + step, whole), n, k, *pointers)

        list(pool.map(portion, starts))

    def _function(self, record: bool, width: int) -> Any:
        found = self._loaded.get((record, width))
        if found is None:
            single = self._dtype == np.float32
            about = f"{EMITTER_VERSION} {self._graph.digest} {record} {width} {single} {self._fast}"
            engine = _load(about, lambda: source(self._graph, record, width, single, self._fast), self._cache)
            found = (_RUN(engine.get_function_address("run")), engine)
            self._loaded[record, width] = found
        return found[0]


def source(graph: Graph, record: bool, width: int, single: bool, fast: bool) -> str:
    """The program as LLVM text: run(from, to, n, k, belief, constants, events, active, out)."""
    real = "float" if single else "double"
    text = _Text(real, width, fast, single, ahead=width > 1 and not record)
    rows, constants, outputs = graph.belief_size, len(graph.layout.constants), graph.output_size
    head = [
        f'define void @run({_SIGNATURE}) "stackrealign" {{',
        "entry:",
        "  br label %next.twins",
        "next.twins:",
        "  %i = phi i64 [ %from, %entry ], [ %i.next, %kept ]",
    ]
    text.lines = []
    held = [text.load("belief", f"{r}") for r in range(rows)]
    fixed = [text.load("constants", f"{r}") for r in range(constants)]
    text.line("br label %next.event")
    before, text.lines = text.lines, []
    text.line("%on = " + text.differs(text.load_at("active", "%k", 1, 0)))
    work: dict[int, str] = {}
    now: dict[int, str] = {}
    for ins in interleaved(graph.instructions):
        if ins.op == "input":
            i = ins.operands[0]
            if i < rows:
                work[ins.result] = f"%b{i}"
            elif i < rows + constants:
                work[ins.result] = fixed[i - rows]
            else:
                work[ins.result] = text.load_at("events", "%k", graph.event_size, i - rows - constants)
        elif ins.op == "output":
            i, value = ins.result, work[ins.operands[0]]
            kept = f"%b{i}" if i < rows else text.constant(0.0)
            now[i] = text.select("%on", value, kept)
            if record:
                text.store_at("out", "%k", outputs, i, now[i])
            elif i >= rows:
                text.store_at("out", "%k", outputs - rows, i - rows, now[i])
        elif ins.op == "const":
            work[ins.result] = text.constant(ins.constant)
        else:
            work[ins.result] = text.operation(ins.op, [work[o] for o in ins.operands])
    text.line("%k.next = add i64 %k, 1")
    text.line("%more = icmp ult i64 %k.next, %count")
    text.line("br i1 %more, label %next.event, label %kept")
    body, text.lines = text.lines, []
    for r in range(rows):
        text.store("belief", f"{r}", now[r])
    text.line(f"%i.next = add i64 %i, {width}")
    text.line("%again = icmp slt i64 %i.next, %to")
    text.line("br i1 %again, label %next.twins, label %end")
    loop = ["next.event:", "  %k = phi i64 [ 0, %next.twins ], [ %k.next, %next.event ]"]
    loop += [f"  %b{r} = phi {text.type} [ {held[r]}, %next.twins ], [ {now[r]}, %next.event ]" for r in range(rows)]
    tail = ["kept:", *text.lines, "end:", "  ret void", "}"]
    return "\n".join([*head, *before, *loop, *body, *tail, *sorted(text.declared), ""])


_ARRAYS = ("belief", "constants", "events", "active", "out")
_SIGNATURE = "i64 %from, i64 %to, i64 %n, i64 %count, " + ", ".join(f"ptr noalias %{a}" for a in _ARRAYS)


@final
class _Text:
    """Writes vector instructions; every method returns the name of its result."""

    def __init__(self, real: str, width: int, fast: bool, single: bool, ahead: bool) -> None:
        self.real, self.width, self.single = real, width, single
        self.type = real if width == 1 else f"<{width} x {real}>"
        self.flags = "nsz contract arcp " if fast else ""
        self.ahead = ahead
        self.estimate = fast and single and width == 8 and _has_avx()
        self.lines: list[str] = []
        self.declared: set[str] = set()
        self._next = 0
        self._roots = 0

    def line(self, text: str) -> None:
        self.lines.append("  " + text)

    def name(self, text: str) -> str:
        self._next += 1
        self.line(f"%v{self._next} = {text}")
        return f"%v{self._next}"

    def constant(self, value: float) -> str:
        number = float(np.float32(value)) if self.single else value
        bits = f"0x{struct.unpack('>Q', struct.pack('>d', number))[0]:016X}"
        return bits if self.width == 1 else "<" + ", ".join([f"{self.real} {bits}"] * self.width) + ">"

    def load(self, array: str, row: str) -> str:
        address = self._address(array, row)
        if self.ahead:  # more rows than the processor's own prefetcher follows
            later = self.name(f"getelementptr i8, ptr {address}, i64 {_AHEAD_BYTES}")
            self.declared.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
            self.line(f"call void @llvm.prefetch.p0(ptr {later}, i32 0, i32 3, i32 1)")
        return self.name(f"load {self.type}, ptr {address}, align {4 if self.single else 8}")

    def store(self, array: str, row: str, value: str) -> None:
        address = self._address(array, row)
        self.line(f"store {self.type} {value}, ptr {address}, align {4 if self.single else 8}")

    def load_at(self, array: str, k: str, rows: int, row: int) -> str:
        return self.load(array, self._row(k, rows, row))

    def store_at(self, array: str, k: str, rows: int, row: int, value: str) -> None:
        self.store(array, self._row(k, rows, row), value)

    def _row(self, k: str, rows: int, row: int) -> str:
        return self.name(f"add i64 {self.name(f'mul i64 {k}, {rows}')}, {row}")

    def _address(self, array: str, row: str) -> str:
        place = self.name(f"add i64 {self.name(f'mul i64 {row}, %n')}, %i")
        return self.name(f"getelementptr {self.real}, ptr %{array}, i64 {place}")

    def differs(self, x: str) -> str:
        return f"fcmp une {self.type} {x}, {self.constant(0.0)}"

    def select(self, condition: str, a: str, b: str) -> str:
        bits = "i1" if self.width == 1 else f"<{self.width} x i1>"
        return self.name(f"select {bits} {condition}, {self.type} {a}, {self.type} {b}")

    def truth(self, comparison: str) -> str:
        return self.select(self.name(comparison), self.constant(1.0), self.constant(0.0))

    def arithmetic(self, op: str, a: str, b: str) -> str:
        return self.name(f"{op} {self.flags}{self.type} {a}, {b}")

    def call(self, function: str, *x: str, flags: str = "") -> str:
        kinds = ", ".join([self.type] * len(x))
        self.declared.add(f"declare {self.type} @{function}({kinds})")
        return self.name(f"call {flags}{self.type} @{function}({', '.join(f'{self.type} {v}' for v in x)})")

    def operation(self, op: str, x: list[str]) -> str:
        if op in _ARITHMETIC:
            return self.arithmetic(_ARITHMETIC[op], x[0], x[1])
        if op == "sqrt" and self.estimate:
            self._roots += 1
            if self._roots % 3 == 0:
                return self._estimated_root(x[0])
        if op in _INTRINSIC:
            kind = (
                ("f32" if self.single else "f64") if self.width == 1 else f"v{self.width}f{32 if self.single else 64}"
            )
            return self.call(f"llvm.{op}.{kind}", *x, flags=self.flags)
        if op in _COMPARE:
            return self.truth(f"fcmp {_COMPARE[op]} {self.type} {x[0]}, {x[1]}")
        match op:
            case "same":
                return x[0]
            case "neg":
                return self.name(f"fneg {self.type} {x[0]}")
            case "inv":
                return self.arithmetic("fdiv", self.constant(1.0), x[0])
            case "sq":
                return self.arithmetic("fmul", x[0], x[0])
            case "twice":
                return self.arithmetic("fadd", x[0], x[0])
            case "abs":
                return self.call(f"llvm.fabs.{self._kind()}", x[0])
            case "max" | "min":
                test = self.name(f"fcmp {'ogt' if op == 'max' else 'olt'} {self.type} {x[0]}, {x[1]}")
                return self.select(test, x[0], x[1])
            case "sign":
                low = self.name(f"fcmp olt {self.type} {x[0]}, {self.constant(0.0)}")
                high = self.name(f"fcmp ogt {self.type} {x[0]}, {self.constant(0.0)}")
                return self.select(low, self.constant(-1.0), self.select(high, self.constant(1.0), x[0]))
            case "if":
                return self.select(self.name(self.differs(x[0])), x[1], self.constant(0.0))
            case "not":
                return self.truth(f"fcmp oeq {self.type} {x[0]}, {self.constant(0.0)}")
            case _:
                bits = "i1" if self.width == 1 else f"<{self.width} x i1>"
                a, b = self.name(self.differs(x[0])), self.name(self.differs(x[1]))
                return self.truth(f"{op} {bits} {a}, {b}")

    def _kind(self) -> str:
        bits = "f32" if self.single else "f64"
        return bits if self.width == 1 else f"v{self.width}{bits}"

    def _estimated_root(self, x: str) -> str:
        """x * r * (1.5 - 0.5 x r^2), r the processor's 12-bit estimate of 1/sqrt(x)."""
        tiny = self.constant(1e-35)
        safe = self.select(self.name(f"fcmp ogt {self.type} {x}, {tiny}"), x, tiny)
        r = self.call("llvm.x86.avx.rsqrt.ps.256", safe)
        xr = self.arithmetic("fmul", safe, r)
        half = self.arithmetic("fmul", xr, self.constant(0.5))
        left = self.arithmetic("fsub", self.constant(1.5), self.arithmetic("fmul", half, r))
        return self.arithmetic("fmul", xr, left)


@lru_cache(maxsize=1)
def _host() -> tuple[str, str]:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def _machine() -> Any:
    """A new one each time: the engine that gets it owns it."""
    cpu, features = _host()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(cpu=cpu, features=features, opt=2, jit=True)


def _has_avx() -> bool:
    return bool(llvm.get_host_cpu_features().get("avx", False))


def _register_bytes() -> int:
    features = llvm.get_host_cpu_features()
    return 64 if features.get("avx512f", False) else 32 if features.get("avx", False) else 16


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@lru_cache(maxsize=4)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "ectype-fleet")


def _load(about: str, text: Callable[[], str], cache_dir: Path) -> Any:
    """An engine that holds the machine code of `text`, from the cache or compiled and put there."""
    about = f"{about} {_host()} {llvm.llvm_version_info}"
    path = cache_dir / f"{hashlib.sha256(about.encode()).hexdigest()[:32]}.o"
    code = _cached(path)
    if code is None:
        module = llvm.parse_assembly(text())
        module.verify()
        code = _machine().emit_object(module)
        cache_dir.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.tmp")
        draft.write_bytes(hashlib.sha256(code).digest() + code)
        draft.replace(path)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine


def _cached(path: Path) -> bytes | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data[32:] if hashlib.sha256(data[32:]).digest() == data[:32] else None
