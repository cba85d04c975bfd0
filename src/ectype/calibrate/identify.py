"""What the data cannot tell: directions in parameter space along which no reading moves, in sentences.

Scaled by the prior's standard deviations D, the information of the data is G = D F D. Its eigenvalues are the squared
singular values of the scaled sensitivity; one below 1 means that the prior says more than the data do. The directions
of those are brought to a basis with as few parameters each as can be, so that a pair is named as a pair.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.calibrate.calibration import Calibration
from ectype.calibrate.coordinates import WEIGHT
from ectype.values.block import Float64s
from ectype.values.canonical import JSON

_SEEN = 0.2  # a parameter with less than this share of the largest is not named


@final
@dataclass(frozen=True, slots=True, eq=False)
class Untold:
    """A direction that the data do not tell. move [p]: one prior standard deviation along it, in z; names: who takes
    part; seen: by how many standard deviations the readings, all together, then change.
    """

    move: Float64s
    names: tuple[str, ...]
    seen: float
    sentence: str

    @property
    def learned(self) -> bool:
        """Whether it is of learned weights alone, for which nobody makes an experiment."""
        return all(name.startswith(WEIGHT) for name in self.names)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Identified:
    """singular [p]: of the scaled sensitivity, largest first; untold: the directions below 1."""

    singular: Float64s
    untold: tuple[Untold, ...]
    sentence: str

    def document(self) -> Mapping[str, JSON]:
        """As plain JSON."""
        return {
            "singularValues": self.singular.tolist(),
            "untold": [{"names": list(u.names), "seen": u.seen, "sentence": u.sentence} for u in self.untold],
            "sentence": self.sentence,
        }


def identify(found: Calibration) -> Identified:
    """What `found` rests on the prior for, instead of the data."""
    scale = found.coordinates.spread
    g = scale[:, None] * found.information * scale
    values, vectors = np.linalg.eigh(0.5 * (g + g.T))
    singular = np.sqrt(np.maximum(values, 0.0))[::-1]
    weak = vectors[:, values < 1.0]
    untold = tuple(_told(found, u, g, scale) for u in _sparse(weak).T)
    if untold:
        own = [u for u in untold if not u.learned]
        names = "; ".join(" with ".join(u.names) for u in own)
        if len(own) < len(untold):
            names += f"{'; ' if own else ''}{len(untold) - len(own)} of what was learned, where it seldom was"
        sentence = f"The data leave {len(untold)} of {len(singular)} directions to the prior: {names}."
    else:
        weakest = singular[-1]
        sentence = (
            f"The data tell all {len(singular)} parameters: "
            f"along the least known direction they say {weakest:.3g} times as much as the prior."
        )
    return Identified(singular, untold, sentence)


def _sparse(basis: Float64s) -> Float64s:
    """The same space as the columns of `basis`, reduced with full pivoting, each column of length 1."""
    rest, chosen = basis.copy(), list[int]()
    for k in range(basis.shape[1]):
        free = [i for i in range(len(rest)) if i not in chosen]
        part = np.abs(rest[free, k:])
        row, column = np.unravel_index(int(np.argmax(part)), part.shape)
        pivot = free[int(row)]
        chosen.append(pivot)
        rest[:, [k, k + int(column)]] = rest[:, [k + int(column), k]]
        rest[:, k] /= rest[pivot, k]
        others = [j for j in range(rest.shape[1]) if j != k]
        rest[:, others] -= np.outer(rest[:, k], rest[pivot, others])
    return rest / np.linalg.norm(rest, axis=0)


def _told(found: Calibration, u: Float64s, g: Float64s, scale: Float64s) -> Untold:
    c = found.coordinates
    order: list[int] = np.argsort(-np.abs(u), kind="stable").tolist()
    taking = [i for i in order if abs(u[i]) > _SEEN * np.abs(u).max()]
    u = u * (1.0 if u[taking[0]] > 0 else -1.0)
    move, seen = scale * u, math.sqrt(max(float(u @ g @ u), 0.0))
    names = tuple(c.names[i] for i in sorted(taking))
    changes = " with ".join(_change(found, i, float(move[i])) for i in sorted(taking))
    what = f"tell {names[0]}" if len(names) == 1 else f"tell {', '.join(names[:-1])} and {names[-1]} apart"
    shown = f"{seen:.2g}" if seen >= 0.01 else "less than 0.01"
    sentence = (
        f"The data do not {what}: {changes}, which the prior finds likely, "
        f"changes all readings together by {shown} standard deviations."
    )
    return Untold(move, names, seen, sentence)


def _change(found: Calibration, i: int, move: float) -> str:
    c = found.coordinates
    if c.logs[i]:
        return f"{c.names[i]} {math.expm1(move):+.0%}"
    unit = found.estimates[c.names[i]].unit
    return f"{c.names[i]} {move:+.3g}" + ("" if unit == "1" else f" {unit}")
