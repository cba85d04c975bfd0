"""The graph as machine code: explicit vectors over the fleet, straight to LLVM, no compiler on the machine.

A vector register holds one scalar of W twins, so the emitted loop has no branches and no temporaries in memory but
spills. Writing LLVM's text ourselves instead of Python for numba leaves out type inference and loop vectorisation,
which took a minute for this kind of code and gave scalar loops; what is left compiles in a second. Two programs:

    record     scan: for each group of twins the belief stays in registers through all events; every belief is kept
    (default)  sweep: one event of the whole fleet, in place, only diagnostics are written; all cores

each W wide and one wide (for what is left over), compiled when first needed and kept as object code in `cache_dir`
under the hash of graph, options, CPU and LLVM version, with its own checksum in front.
The loops themselves are in `llvm_loops.py`. Without `fast`, the arithmetic is IEEE in the graph's order, as in every
other back end; `fast` lets the compiler contract multiply-adds.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

import ctypes
import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any, final

import llvmlite.binding as llvm
import numpy as np
from numpy.typing import NDArray

from ectype.estimate.llvm_loops import record_source, sweep_source
from ectype.estimate.scalars import Straight
from ectype.values.block import Float64s

_PORTION = 1 << 12
EMITTER_VERSION = 4
_RUN = ctypes.CFUNCTYPE(None, *([ctypes.c_int64] * 4), *([ctypes.c_void_p] * 5))


@final
class LlvmKernel:
    """See `kernel.Kernel`. Arrays of another dtype or order are copied; `advance` takes none of those."""

    def __init__(
        self,
        graph: Straight,
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
            emit = record_source if record else sweep_source
            engine = _load(about, lambda: emit(self._graph, width, single, self._fast), self._cache)
            found = (_RUN(engine.get_function_address("run")), engine)
            self._loaded[record, width] = found
        return found[0]


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
        draft = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}.tmp")  # others may compile the same
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
