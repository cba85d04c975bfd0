"""A behaviour's filter, whichever it chose: its graph, and what runs it."""

from pathlib import Path

from ectype.estimate.behaviour import Behaviour
from ectype.estimate.emit_llvm import LlvmKernel
from ectype.estimate.kernel import Kernel
from ectype.estimate.many import Many, ManyKernel
from ectype.estimate.swap import SwappingKernel
from ectype.estimate.trace import Graph, trace


def graph_of(behaviour: type[Behaviour]) -> Graph:
    """Its graph; of `filter="etkf"` an ensemble's. Raises Invalid as `trace` does."""
    return Many.of(behaviour) if behaviour.filter == "etkf" else trace(behaviour)


def live(graph: Graph, cache_dir: Path | None) -> Kernel:
    """What runs it from the first event on, faster once it has compiled. cache_dir: see `SwappingKernel`."""
    return ManyKernel(graph) if isinstance(graph, Many) else SwappingKernel(graph, cache_dir)


def compiled(graph: Graph, cache_dir: Path) -> Kernel:
    """What runs a record at once."""
    return ManyKernel(graph) if isinstance(graph, Many) else LlvmKernel(graph, cache_dir)
