"""The twins follow recordings, each from its own first 400 rows on, and say when they are out of order."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, final

import numpy as np

from ectype.alarms.detectors import Detectors
from ectype.estimate.emit_llvm import LlvmKernel
from ectype.estimate.trace import Graph, trace
from ectype.values.block import Float64s
from examples.skab.learn import begin, events_of
from examples.skab.loop import Loop
from examples.skab.modes import Bank, Told
from examples.skab.records import TRAIN, Recording

RATHER = 0.5


@final
@dataclass(frozen=True, eq=False)
class Running:
    """The loop's filter, compiled."""

    graph: Graph
    kernel: LlvmKernel

    @classmethod
    def of(cls, cache: Path) -> Self:
        """Compiled when first used (some seconds), kept in `cache`."""
        graph = trace(Loop)
        return cls(graph, LlvmKernel(graph, cache))

    def follow(self, recordings: Sequence[Recording], constants: Float64s) -> Told:
        """Every mode's chance after each second; constants [c, recordings]: in order."""
        events, active = events_of(self.graph, recordings)
        return Bank(self.graph, self.kernel, constants).follow(begin(self.graph, recordings), events, active, TRAIN)

    def detected(self, recordings: Sequence[Recording], constants: Float64s) -> list[Any]:
        """Of each recording, [k] bool: whether the platform's own detectors, as they come (CUSUM of every sensor and
        windows of NIS, one false alarm in 30 days), have an alarm over the twin in order alone.
        """
        events, active = events_of(self.graph, recordings)
        _, out = self.kernel.fold(begin(self.graph, recordings), constants, events, active)
        detectors = Detectors(self.graph, settle=TRAIN)
        at_ns = np.round(events[:, 0] * 1e9).astype(np.int64)
        states = detectors.fold(detectors.initial(len(recordings)), at_ns, events, out, active)
        lasts = detectors.lasting(states) > 0
        return [lasts[: len(r), i] for i, r in enumerate(recordings)]


def alarms(told: Told, recordings: Sequence[Recording]) -> list[Any]:
    """Of each recording, [k] bool: whether it is rather out of order than not."""
    return [told.out[: len(r), i] > RATHER for i, r in enumerate(recordings)]
