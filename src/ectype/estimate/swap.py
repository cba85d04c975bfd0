"""Start at once, be fast soon: the plain back end works while numba compiles in a thread, then numba takes over.

Nobody can see the change in the numbers: before it takes over, numba has to repeat the plain back end's last fold
bit for bit. If it does not (another C library's exp or cos), the plain one stays, and a warning says so.
"""

import logging
import threading
from pathlib import Path
from typing import final

import numpy as np

from ectype.estimate.emit_numba import NumbaKernel
from ectype.estimate.emit_plain import PlainKernel
from ectype.estimate.kernel import Kernel
from ectype.estimate.trace import Graph
from ectype.values.block import Float64s

_log = logging.getLogger("ectype.estimate")


@final
class SwappingKernel:
    """See `kernel.Kernel`. With `cache_dir` None it stays plain."""

    def __init__(self, graph: Graph, cache_dir: Path | None) -> None:
        self._kernel: Kernel = PlainKernel(graph)
        self._compiled: NumbaKernel | None = None
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
        """Whether numba has taken over."""
        return isinstance(self._kernel, NumbaKernel)

    def fold(
        self, belief: Float64s, constants: Float64s, events: Float64s, active: Float64s
    ) -> tuple[Float64s, Float64s]:
        """See `kernel.Kernel.fold`."""
        after, out = self._kernel.fold(belief, constants, events, active)
        if self._compiled is not None and len(events):
            again = self._compiled.fold(belief, constants, events, active)
            if np.array_equal(after, again[0]) and np.array_equal(out, again[1]):
                self._kernel = self._compiled
            else:
                worst = float(np.max(np.abs(out - again[1])))
                _log.warning("numba and the plain back end differ by %g on this machine; staying with plain", worst)
            self._compiled = None
        return after, out

    def _compile(self, graph: Graph, cache_dir: Path) -> None:
        try:
            kernel = NumbaKernel(graph, cache_dir)
            rows = (graph.belief_size, len(graph.layout.constants), graph.event_size)
            kernel.fold(graph.initial(1), np.ones((rows[1], 1)), np.zeros((1, rows[2], 1)), np.zeros((1, 1)))
        except Exception:  # noqa: BLE001  a compiler may fail in any way; the plain back end goes on
            _log.exception("numba could not compile %s; staying with the plain back end", graph.behaviour.__name__)
            return
        self._compiled = kernel
