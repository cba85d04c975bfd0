"""Start at once, be fast soon: the plain back end works while LLVM compiles in a thread, then machine code takes over.

Nobody can see the change in the numbers: before it takes over, it has to repeat the plain back end's last fold
bit for bit. If it does not (another C library's exp or cos), the plain one stays, and a warning says so.
"""

import logging
import threading
from pathlib import Path
from typing import final

import numpy as np

from ectype.estimate.emit_llvm import LlvmKernel
from ectype.estimate.emit_plain import PlainKernel
from ectype.estimate.kernel import Kernel
from ectype.estimate.scalars import Straight
from ectype.values.block import Float64s

_log = logging.getLogger("ectype.estimate")


@final
class SwappingKernel:
    """See `kernel.Kernel`. With `cache_dir` None it stays plain."""

    def __init__(self, graph: Straight, cache_dir: Path | None) -> None:
        self._kernel: Kernel = PlainKernel(graph)
        self._compiled: LlvmKernel | None = None
        self._thread: threading.Thread | None = None
        if cache_dir is not None:
            self._thread = threading.Thread(target=self._compile, args=(graph, cache_dir), daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Return when compiling has ended; for benches and tests."""
        if self._thread is not None:
            self._thread.join()

    @property
    def fast(self) -> bool:
        """Whether machine code has taken over."""
        return isinstance(self._kernel, LlvmKernel)

    def fold(
        self, belief: Float64s, constants: Float64s, events: Float64s, active: Float64s
    ) -> tuple[Float64s, Float64s]:
        """See `kernel.Kernel.fold`."""
        after, out = self._kernel.fold(belief, constants, events, active)
        if self._compiled is not None and len(events):
            again = self._compiled.fold(belief, constants, events, active)
            if np.array_equal(after, again[0], equal_nan=True) and np.array_equal(out, again[1], equal_nan=True):
                self._kernel = self._compiled
            else:
                worst = float(np.max(np.abs(out - again[1])))
                _log.warning("compiled and plain code differ by %g on this machine; staying with plain", worst)
            self._compiled = None
        return after, out

    def _compile(self, graph: Straight, cache_dir: Path) -> None:
        try:
            kernel = LlvmKernel(graph, cache_dir)
            for n in (1, 16):  # one twin at a time, and the width of the vector registers
                constants, events = np.ones((graph.constant_size, n)), np.zeros((1, graph.event_size, n))
                kernel.fold(np.zeros((graph.belief_size, n)), constants, events, np.zeros((1, n)))
        except Exception:  # noqa: BLE001  a compiler may fail in any way; the plain back end goes on
            _log.exception("LLVM could not compile %s; staying with the plain back end", graph.name)
            return
        self._compiled = kernel
