"""A twin that follows one part, and how well it does: by the platform's own filter, with the noises that were found."""

import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import final

import numpy as np

from ectype.alarms.residuals import Residuals
from ectype.calibrate.calibration import Calibration
from ectype.estimate.emit_llvm import LlvmKernel
from ectype.estimate.trace import Graph, trace
from ectype.foresee.followed import Followed
from ectype.values.block import Float64s

_SETTLES = 5  # rows not judged at first
_MANY = 64


def follow(found: Calibration, events: Float64s) -> Followed:
    """The belief after each row of one part [rows, event_size]."""
    graph, kernel = _running(found)
    return Followed.by(graph, kernel, found.constants, np.round(events[:, 0] * 1e9).astype(np.int64), events)


@final
@dataclass(frozen=True, eq=False)
class Fit:
    """One part followed. e [rows]: what came less what was expected, in expected standard deviations; v: in the
    sensor's unit.
    """

    e: Float64s
    v: Float64s

    @classmethod
    def of(cls, followed: Followed) -> "Fit":
        """Of a behaviour with one sensor; the first rows are left out."""
        told = Residuals.of_record(followed)
        return cls(told.e[_SETTLES:, 0, 0], told.v[_SETTLES:, 0, 0])

    @property
    def nis(self) -> float:
        """Mean; 1 is as sure as it should be. Beyond 6 deviations a row counts as 6: it was not assimilated either."""
        return float(np.minimum(self.e**2, 36.0).mean())

    @property
    def covered(self) -> float:
        """How often a reading was inside its 90 % interval."""
        return float((np.abs(self.e) < 1.645).mean())


@lru_cache(maxsize=32)
def _running(found: Calibration) -> tuple[Graph, LlvmKernel]:
    graph = trace(found.as_found())
    with tempfile.TemporaryDirectory() as cache:
        kernel = LlvmKernel(graph, Path(cache))
        for twins in (1, _MANY):  # compiled at the first use, here, while the folder is there
            constants = np.repeat(found.constants[:, None], twins, 1)
            kernel.fold(graph.initial(twins), constants, np.zeros((1, graph.event_size, twins)), np.ones((1, twins)))
    return graph, kernel
