"""Which one change, lasting since then, explains what the filter did not expect?

Tried are: each constant parameter another value, each state and tracked parameter a jump at the beginning, each input
and each sensor an offset. Each is fitted alone (Gauss-Newton on the standardised innovations of the filter run again
from the belief before; a generalised likelihood ratio, Willsky and Jones 1976). The share that it explains is what the
sum of squares falls by, of what it exceeds its expectation by. Causes whose sums differ by less than 9.2 (1 % of a
right one is worse than that) are not told apart, and that is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from ectype.alarms.residuals import Residuals
from ectype.errors import Invalid
from ectype.estimate.behaviour import Mode
from ectype.foresee.followed import Followed
from ectype.values.block import Float64s

Kind = Literal["parameter", "state", "input", "sensor"]
_APART = 9.2
_ROUNDS = 6


@final
@dataclass(frozen=True, slots=True)
class Cause:
    """One change: from `before` to `before + by` (a sensor's or input's offset: from 0), in its unit. share: of the
    excess that it explains; chi2: the sum of squares that is left; std: of `by`.
    """

    kind: Kind
    name: str
    before: float
    by: float
    std: float
    unit: str
    share: float
    chi2: float

    def __str__(self) -> str:
        if self.kind == "sensor":
            return f"{self.name} reading {self.by:+.3g} {self.unit} off"
        if self.kind == "input":
            return f"{self.name} being {self.by:+.3g} {self.unit} off what is told"
        if self.kind == "state":
            return f"a jump of {self.name} by {self.by:+.3g} {self.unit}"
        percent = f" ({self.by / self.before:+.0%})" if self.before else ""
        return f"{self.name} {self.before:.3g} → {self.before + self.by:.3g} {self.unit}{percent}"


@final
@dataclass(frozen=True, slots=True)
class Explained:
    """causes, the best first; alike: those that the readings do not tell from the first; chi2 of `readings` residuals
    as they are.
    """

    causes: tuple[Cause, ...]
    alike: tuple[Cause, ...]
    chi2: float
    readings: int


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Way:
    kind: Kind
    row: int
    name: str
    unit: str
    before: float
    size: float
    low: float
    high: float


def explain(followed: Followed, first: int, last: int) -> Explained:
    """What explains rows first to last of the record. Raises Invalid for an empty span."""
    if not 0 <= first <= last < len(followed):
        raise Invalid(f"rows {first} to {last} are none of a record of {len(followed)}")
    ways = _ways(followed, first)
    theta = np.zeros(len(ways))
    size = np.array([w.size for w in ways])
    low, high = np.array([w.low for w in ways]), np.array([w.high for w in ways])
    plain = _run(followed, first, last, ways[:1], np.zeros(1))
    e, there = plain.e[:, :, 0], plain.present[:, :, 0]
    chi2, readings = float((e**2).sum()), int(there.sum())
    found = np.full(len(ways), chi2)
    best, told = theta.copy(), np.zeros(len(ways))
    for _ in range(_ROUNDS):
        both = _run(followed, first, last, [*ways, *ways], np.concatenate([theta, theta + 1e-3 * size]))
        now, moved = both.e[:, :, : len(ways)], both.e[:, :, len(ways) :]
        left = (now**2).sum((0, 1))
        better = np.isfinite(left) & (left < found - 1e-9)
        found, best = np.where(better, left, found), np.where(better, theta, best)
        slope = (moved - now) / (1e-3 * size)
        curve = (slope**2).sum((0, 1))
        told = np.where(curve > 0, curve, told)
        step = np.where(curve > 0, -(slope * now).sum((0, 1)) / np.where(curve > 0, curve, 1.0), 0.0)
        theta = np.clip(np.where(np.isfinite(step), theta + step, best), low, high)
    excess = max(chi2 - readings, 1e-9)
    shares = np.clip((chi2 - found) / excess, 0.0, 1.0)
    causes = [
        Cause(
            w.kind,
            w.name,
            w.before,
            float(best[i]),
            float(1 / np.sqrt(told[i])) if told[i] > 0 else np.inf,
            w.unit,
            float(shares[i]),
            float(found[i]),
        )
        for i, w in enumerate(ways)
    ]
    causes.sort(key=lambda c: c.chi2)
    alike = tuple(c for c in causes[1:] if c.chi2 < causes[0].chi2 + _APART)
    return Explained(tuple(causes), alike, chi2, readings)


def _ways(followed: Followed, first: int) -> list[_Way]:
    layout, graph = followed.graph.layout, followed.graph
    belief = followed.beliefs[first - 1] if first else graph.initial(1)[:, 0]
    out: list[_Way] = []
    for i, s in enumerate(layout.sensors):
        out.append(_Way("sensor", i, followed.called(s.name), s.unit, 0.0, s.sigma, -np.inf, np.inf))
    for i, p in enumerate(layout.constants):
        now = float(followed.constants[i])
        size = p.prior.spread() if p.prior is not None else 0.1 * abs(now)
        if size > 0:
            out.append(_Way("parameter", i, followed.called(p.name), p.unit, now, size, p.low - now, p.high - now))
    for i, d in enumerate((*layout.states, *layout.tracked)):
        size = max(float(np.sqrt(max(belief[graph.variance_row(i)], 0.0))), 1e-9)
        now = float(belief[i])
        out.append(_Way("state", i, followed.called(d.name), d.unit, now, size, d.low - now, d.high - now))
    for i, u in enumerate(layout.inputs):
        if not isinstance(u, Mode):
            spread = float(followed.inputs()[:, i].std()) or 1.0
            out.append(_Way("input", i, followed.called(u.name), u.unit, 0.0, 0.1 * spread, -np.inf, np.inf))
    return out


def _run(followed: Followed, first: int, last: int, ways: Sequence[_Way], theta: Float64s) -> Residuals:
    graph = followed.graph
    inputs, n = len(graph.layout.inputs), len(ways)
    start = followed.beliefs[first - 1] if first else graph.initial(1)[:, 0]
    belief = np.repeat(start[:, None], n, 1)
    constants = np.repeat(followed.constants[:, None], n, 1)
    events = np.repeat(followed.events[first : last + 1, :, None], n, 2)
    for j, (way, by) in enumerate(zip(ways, theta.tolist(), strict=True)):
        if way.kind == "parameter":
            constants[way.row, j] += by
        elif way.kind == "state":
            belief[way.row, j] += by
        elif way.kind == "input":
            events[:, 2 + way.row, j] += by
        else:
            events[:, 2 + inputs + way.row, j] -= by
    return Residuals.of(graph, followed.kernel, belief, constants, events)
