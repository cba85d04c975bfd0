"""Flights left from what the sensors have shown so far: boosted trees over levels, trends and wear since new.

Nothing looks ahead: what is told of flight t is made of flights up to t. Everything is chosen, fitted and made sure of
on engines of the training set; of the test set only the last flight of each engine is foretold, once.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportMissingImports=false

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from ectype.errors import Misconfigured
from ectype.values.block import Float64s
from examples.turbofan.engines import CAP, Engines

FOLDS = 5
LEVEL = 0.9
_NEW = 10  # flights that show how the engine was when new
_LIKE = 150  # foretold lives nearest to one, whose errors say how sure it is


@final
@dataclass(frozen=True, eq=False)
class Foretold:
    """For engines of the test set: flights left, foretold with an interval, and true (both at most CAP).

    whole: the truth without a cap; cv_rms: rms over held-out engines of the training set.
    """

    told: Float64s
    low: Float64s
    high: Float64s
    true: Float64s
    whole: Float64s
    cv_rms: float

    @property
    def rms(self) -> float:
        """Root of the mean squared error, the truth capped as in training."""
        return _rms(self.told - self.true)

    @property
    def rms_whole(self) -> float:
        """The same against the truth as it is, which the method can never tell beyond its cap."""
        return _rms(self.told - self.whole)

    @property
    def score(self) -> float:
        """The asymmetric score of the PHM 2008 challenge: late warnings cost more."""
        d = self.told - self.whole
        return float(np.where(d < 0, np.exp(-d / 13), np.exp(d / 10)).sum() - len(d))

    @property
    def covered(self) -> float:
        """Share of engines whose true (capped) life lies in its interval; LEVEL is aimed at."""
        return float(np.mean((self.low <= self.true) & (self.true <= self.high)))


def foretell(engines: Engines) -> Foretold:
    """The flights left of each engine of the test set."""
    mean, spread = _scale(engines.train)
    shown = {unit: features((x - mean) / spread) for unit, x in engines.train.items()}
    left = {unit: np.minimum(CAP, np.arange(len(x) - 1.0, -1.0, -1.0)) for unit, x in engines.train.items()}
    held_out, true = _held_out(shown, left)
    model = _fit(np.vstack(list(shown.values())), np.concatenate(list(left.values())))
    last = np.vstack([features((x - mean) / spread)[-1] for x in engines.test.values()])
    told = np.clip(model.predict(last), 0.0, CAP)
    errors = true - held_out
    low, high = np.empty_like(told), np.empty_like(told)
    for k, value in enumerate(told):
        like = errors[np.argsort(np.abs(held_out - value))[:_LIKE]]
        low[k], high[k] = value + np.quantile(like, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    whole = np.array([engines.left[unit] for unit in engines.test])
    return Foretold(told, np.clip(low, 0, CAP), np.clip(high, 0, CAP), np.minimum(CAP, whole), whole, _rms(errors))


def features(z: Float64s) -> Float64s:
    """[flights, 7 sensors + 1]: means of the last 5, 20, 50 flights and a slow one, slopes of 20 and 50, wear, age."""
    t = np.arange(len(z))
    slow = np.empty_like(z)
    slow[0] = z[0]
    for k in range(1, len(z)):
        slow[k] = slow[k - 1] + 0.1 * (z[k] - slow[k - 1])
    mean, slope = _windows(z, t)
    first = np.minimum(t + 1, _NEW)[:, None]  # of the flights so far, where there are fewer
    new = z.cumsum(0)[first[:, 0] - 1] / first
    return np.hstack([mean(5), mean(20), mean(50), slow, slope(20), slope(50), slow - new, t[:, None].astype(float)])


def _windows(z: Float64s, t: Any) -> tuple[Callable[[int], Float64s], Callable[[int], Float64s]]:
    """Mean and least-squares slope over the last flights, by running sums."""
    nothing = np.zeros((1, z.shape[1]))
    sums, moments = np.vstack([nothing, z.cumsum(0)]), np.vstack([nothing, (z * t[:, None]).cumsum(0)])

    def mean(window: int) -> Float64s:
        first = np.maximum(0, t + 1 - window)
        return (sums[t + 1] - sums[first]) / (t + 1 - first)[:, None]

    def slope(window: int) -> Float64s:
        first = np.maximum(0, t + 1 - window)
        count = (t + 1.0 - first)[:, None]
        centre = ((t + first) / 2.0)[:, None]
        spread = count * (count * count - 1) / 12
        rise = moments[t + 1] - moments[first] - centre * (sums[t + 1] - sums[first])
        return np.where(spread > 0, rise / np.maximum(spread, 1e-9), 0.0)

    return mean, slope


def _held_out(shown: Mapping[int, Float64s], left: Mapping[int, Float64s]) -> tuple[Float64s, Float64s]:
    """Foretold and true lives at flights of engines that were not fitted on, cut at random as the test set is."""
    rng = np.random.default_rng(0)
    told: list[Float64s] = []
    true: list[Float64s] = []
    for fitted, kept in _folds(sorted(shown)):
        model = _fit(np.vstack([shown[u] for u in fitted]), np.concatenate([left[u] for u in fitted]))
        for unit in kept:
            cut = rng.integers(min(30, len(left[unit]) - 1), len(left[unit]), 8)
            told.append(np.clip(model.predict(shown[unit][cut]), 0.0, CAP))
            true.append(left[unit][cut])
    return np.concatenate(told), np.concatenate(true)


def _folds(units: list[int]) -> Iterator[tuple[list[int], list[int]]]:
    for fold in range(FOLDS):
        yield [u for k, u in enumerate(units) if k % FOLDS != fold], units[fold::FOLDS]


def _fit(x: Float64s, y: Float64s) -> Any:
    try:
        from sklearn.ensemble import HistGradientBoostingRegressor
        from threadpoolctl import threadpool_limits  # comes with scikit-learn
    except ImportError as error:
        raise Misconfigured("this twin needs: pip install 'ectype[fidelity]'") from error
    model = HistGradientBoostingRegressor(
        max_iter=250, learning_rate=0.05, max_leaf_nodes=15, min_samples_leaf=60, l2_regularization=1.0, random_state=0
    )
    with threadpool_limits(1):
        return model.fit(x, y)


def _scale(units: Mapping[int, Float64s]) -> tuple[Float64s, Float64s]:
    every = np.vstack(list(units.values()))
    return every.mean(axis=0), every.std(axis=0) + 1e-9


def _rms(error: Float64s) -> float:
    return float(np.sqrt(np.mean(error**2)))
