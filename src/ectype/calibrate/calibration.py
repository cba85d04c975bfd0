"""`calibrate(behaviour, measurements)`: the parameters of one twin with their posterior, and how well it then fits.

shoot (far to near) ─► climb (the filter's likelihood and the prior) ─► set wild readings aside, climb again
                    ─► Laplace: N(z, H^-1), H the exact Hessian, or the information where that is not positive
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.calibrate.climb import climb, prior_cost
from ectype.calibrate.coordinates import Coordinates
from ectype.calibrate.likelihood import Likelihood, Told, beyond
from ectype.calibrate.remade import remade
from ectype.calibrate.shooting import shoot
from ectype.errors import Invalid
from ectype.estimate.behaviour import Behaviour
from ectype.values.block import Float64s
from ectype.values.canonical import JSON

_TWO_SIDED_95 = 1.959964
_MOST_ROUNDS = 4
_TOO_MANY = 0.2
_FITS = 1.5


@final
@dataclass(frozen=True, slots=True)
class Estimated:
    """One parameter: its value, 95 % interval, and the same of its prior, in its unit. shrunk: the posterior's standard
    deviation over the prior's (1: the data said nothing).
    """

    value: float
    low: float
    high: float
    unit: str
    prior: tuple[float, float, float]
    shrunk: float


@final
@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """The posterior N(z, cov) in the coordinates, and what it rests on. information: what the data alone say, [p, p].

    nis: each sensor's mean NIS, 1 where the twin is as sure as it should be; readings: how many counted; set_aside: how
    many were beyond their sensor's gate; log_likelihood of the rest; at_bound: names that ended at a bound, whose
    interval is not to be trusted; converged: whether it is a top; exact: whether cov is from the exact Hessian.
    """

    coordinates: Coordinates
    z: Float64s
    cov: Float64s
    information: Float64s
    log_likelihood: float
    nis: Mapping[str, float]
    readings: int
    set_aside: int
    at_bound: tuple[str, ...]
    windows: int
    shots: int
    steps: int
    converged: bool
    exact: bool
    records: tuple[Float64s, ...]

    @property
    def behaviour(self) -> type[Behaviour]:
        """What was calibrated."""
        return self.coordinates.behaviour

    @property
    def values(self) -> dict[str, float]:
        """The most likely value of each, by name."""
        return self.coordinates.values(self.z)

    @property
    def constants(self) -> Float64s:
        """[c]: all constants of the behaviour, as a kernel takes them."""
        return self.coordinates.constants(self.z)

    @property
    def estimates(self) -> dict[str, Estimated]:
        """Every parameter with its interval."""
        c = self.coordinates
        declared = {p.name: p for p in c.behaviour.layout.constants}
        out: dict[str, Estimated] = {}
        for i, name in enumerate(c.names):
            std, before = math.sqrt(self.cov[i, i]), float(c.spread[i])
            now = [_value(c.logs[i], float(self.z[i]) + k * std) for k in (0.0, -_TWO_SIDED_95, _TWO_SIDED_95)]
            prior = [_value(c.logs[i], float(c.mean[i]) + k * before) for k in (0.0, -_TWO_SIDED_95, _TWO_SIDED_95)]
            unit = declared[name].unit if name in declared else "1"
            out[name] = Estimated(now[0], now[1], now[2], unit, (prior[0], prior[1], prior[2]), std / before)
        return out

    def as_found(self) -> type[Behaviour]:
        """The behaviour with the noises that were found (its own class if none was looked for), for a filter, a
        forecast or an alarm that is to be as sure as it should be. It takes the same `constants`.
        """
        c = self.coordinates
        factors = {n: self.values[f"noise of {n}"] for n in c.noises}
        return remade(c.behaviour, c.behaviour.__name__, noises=factors) if factors else c.behaviour

    def draw(self, count: int, rng: np.random.Generator) -> Float64s:
        """[c, count]: constants drawn from the posterior, within their bounds: one twin a column for a kernel."""
        c = self.coordinates
        z = self.z + rng.standard_normal((count, len(self.z))) @ np.linalg.cholesky(self.cov).T
        return np.stack([c.constants(row) for row in np.clip(z, c.low, c.high)], axis=1)

    def document(self) -> dict[str, JSON]:
        """All of it as plain JSON, with the hashes of what it was made of."""
        parameters: dict[str, JSON] = {
            name: {
                "value": e.value,
                "low": e.low,
                "high": e.high,
                "unit": e.unit,
                "prior": list(e.prior),
                "shrunk": e.shrunk,
            }
            for name, e in self.estimates.items()
        }
        digest = hashlib.sha256()
        for record in self.records:
            digest.update(np.ascontiguousarray(record).tobytes())
        return {
            "behaviour": self.behaviour.model,
            "parameters": parameters,
            "z": self.z.tolist(),
            "covariance": self.cov.tolist(),
            "logLikelihood": self.log_likelihood,
            "nis": dict(self.nis),
            "readings": self.readings,
            "setAside": self.set_aside,
            "atBound": list(self.at_bound),
            "converged": self.converged,
            "hessian": "exact" if self.exact else "information",
            "data": digest.hexdigest(),
        }


def calibrate(
    behaviour: type[Behaviour],
    measurements: Float64s | Sequence[Float64s],
    *,
    noises: Sequence[str] = (),
    coordinates: Coordinates | None = None,
    start: Mapping[str, float] | None = None,
    window: int | None = None,
    shooting: bool = True,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Calibration:
    """Fit the constants of `behaviour` that have a prior. measurements: events [k, event_size], as `events.pack` makes
    them, of one record or of several of the same twin (each begins from the declared first belief).

    noises: states and sensors whose noise is estimated too, as factors. coordinates: another prior than the declared.
    start: where to begin, if not at the prior's centre. Raises Invalid if there is no reading.
    """
    c = coordinates or Coordinates.of(behaviour, noises)
    records = [measurements] if isinstance(measurements, np.ndarray) else list(measurements)
    records = [np.array(r, np.float64) for r in records]
    first = 2 + len(behaviour.layout.inputs) + len(behaviour.layout.sensors)
    if not sum(int((r[:, first:] > 0).sum()) for r in records):
        raise Invalid(f"{behaviour.__name__}: no reading of {', '.join(s.name for s in behaviour.layout.sensors)}")
    likelihood = Likelihood(c, records)
    z, windows, shots = c.at(start or {}), 0, 0
    at_start = likelihood(z)
    told(0, 44)
    if shooting:
        cost, best = at_start.cost + prior_cost(c, z), at_start
        for longer in (1, 3):
            shot = shoot(c, records, at_start.means, c.at(start or {}), window=window, longer=longer)
            windows, shots = max(windows, shot.windows), shots + shot.steps
            if np.isfinite(shot.z).all():
                there = likelihood(shot.z)
                if there.cost + prior_cost(c, shot.z) < cost:
                    z, cost, best = shot.z, there.cost + prior_cost(c, shot.z), there
            told(longer, 44)
            if _fits(best):
                break
        if not math.isfinite(cost):
            raise Invalid(f"{behaviour.__name__}: the filter fails at the prior's centre and where shooting ended")
    elif not math.isfinite(at_start.cost):
        raise Invalid(f"{behaviour.__name__}: the filter fails at the start; let shooting look for another")
    aside = 0
    gated = any(math.isfinite(s.gate) for s in behaviour.layout.sensors)
    kept, top = records, None
    for _ in range(_MOST_ROUNDS if gated else 1):
        wild = beyond(c, records, z) if gated else []
        if sum(int(w.sum()) for w in wild) > _TOO_MANY * sum(int((r[:, first:] > 0).sum()) for r in records):
            wild = [np.zeros_like(w) for w in wild]  # not the readings are wild, but z
        if top is not None and sum(int(w.sum()) for w in wild) == aside:
            break
        aside = sum(int(w.sum()) for w in wild)
        if aside or kept is not records:
            kept = [r.copy() for r in records]
            for record, w in zip(kept, wild, strict=True):
                record[:, first:][w] = 0.0
            likelihood = Likelihood(c, kept)
        top = climb(c, likelihood, z, told=lambda done, total: told(3 + done, total + 4))
        z = top.z
    if top is None:
        raise AssertionError("one round is always made")
    told(43, 44)
    hessian, exact = likelihood.hessian(top.z) + c.precision, True
    if not np.isfinite(hessian).all() or np.linalg.eigvalsh(hessian)[0] <= 0:
        hessian, exact = top.told.information + c.precision, False
    v = np.concatenate(top.told.innovations, axis=1)
    s = np.concatenate(top.told.variances, axis=1)
    counted = np.isfinite(v)
    names = [d.name for d in behaviour.layout.sensors]
    ratio = np.where(counted, v**2 / s, 0.0)
    nis = {n: float(ratio[i].sum() / counted[i].sum()) for i, n in enumerate(names) if counted[i].any()}
    bound = [c.names[i] for i in np.flatnonzero((top.z <= c.low) | (top.z >= c.high))]
    told(44, 44)
    return Calibration(
        coordinates=c,
        z=top.z,
        cov=np.asarray(np.linalg.inv(hessian), np.float64),
        information=hessian - c.precision,
        log_likelihood=-top.told.cost,
        nis=nis,
        readings=int(counted.sum()),
        set_aside=aside,
        at_bound=tuple(bound),
        windows=windows,
        shots=shots,
        steps=top.steps,
        converged=top.converged,
        exact=exact,
        records=tuple(kept),
    )


def _fits(told: Told) -> bool:
    """Whether the filter is about as sure as it should be, all sensors together."""
    if not math.isfinite(told.cost):
        return False
    v, s = np.concatenate(told.innovations, axis=1), np.concatenate(told.variances, axis=1)
    return bool(np.nanmean(v**2 / s) < _FITS)


def _value(log: bool, z: float) -> float:
    return math.exp(z) if log else z
