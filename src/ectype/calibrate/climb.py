"""From a point nearby to the top of the posterior: Fisher scoring with Levenberg's damping, within the bounds.

(F + P + damping * diag) step = -(gradient + P (z - mean)),   P the prior's precision
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.calibrate.coordinates import Coordinates
from ectype.calibrate.likelihood import Told
from ectype.values.block import Float64s

_MOST_TRIES = 12


@final
@dataclass(frozen=True, slots=True, eq=False)
class Top:
    """Where the posterior is highest: z, what the readings say there, the steps it took, and whether it is the top."""

    z: Float64s
    told: Told
    steps: int
    converged: bool


def prior_cost(c: Coordinates, z: Float64s) -> float:
    """-log of the prior, up to a constant."""
    d = z - c.mean
    return 0.5 * float(d @ c.precision @ d)


def climb(
    c: Coordinates,
    likelihood: Callable[[Float64s], Told],
    z: Float64s,
    *,
    most: int = 40,
    tolerance: float = 1e-4,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Top:
    """The maximum of the posterior from z. It is there when the next step is below `tolerance` posterior standard
    deviations. The cost at z must be finite: the caller brings a point where the filter works.
    """
    z = np.clip(z, c.low, c.high)
    here, damping = likelihood(z), 1e-4
    cost = here.cost + prior_cost(c, z)
    for step in range(most):
        told(step, most)
        gradient = here.gradient + c.precision @ (z - c.mean)
        curvature = here.information + c.precision
        free = ~(((z <= c.low) & (gradient > 0)) | ((z >= c.high) & (gradient < 0)))
        rows = np.flatnonzero(free)
        g, h = gradient[rows], curvature[np.ix_(rows, rows)]
        if not len(rows) or float(g @ np.linalg.solve(h, g)) < tolerance**2:
            return Top(z, here, step, True)
        for _ in range(_MOST_TRIES):
            move = np.zeros_like(z)
            move[rows] = -np.linalg.solve(h + damping * np.diag(np.diag(h)), g)
            there = np.clip(z + move, c.low, c.high)
            found = likelihood(there)
            lower = found.cost + prior_cost(c, there)
            if math.isfinite(lower) and lower < cost:
                damping = max(damping * 0.1, 1e-9)
                break
            damping = max(damping * 10.0, 1e-6)
        else:
            return Top(z, here, step, False)
        z, here, cost = there, found, lower
    return Top(z, here, most, False)
