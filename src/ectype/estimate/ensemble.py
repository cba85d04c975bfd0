"""Many states: a belief that is an ensemble, moved member by member and corrected without random observations.

    predict      member <- step(member) + q sqrt(dt) * normal
    per sensor   y' = deviations of the members' predicted readings,  S = var(y') + r,  K = cov(x', y') / S
                 mean <- mean + K v,   x' <- x' - K y' / (1 + sqrt(r / S))

The serial square-root filter of Whitaker and Hamill (2002): for independent sensors it gives the mean and covariance
of the ensemble transform Kalman filter, one scalar sensor at a time, so any may be missing. Its cost grows with
states times members, not with the cube of the states. Noise is drawn from a generator keyed by seed and instant, the
same for the same event whatever came between, so a replay repeats it bit for bit. `inflation` widens the deviations
before the sensors.
"""

from typing import final

import numpy as np

from ectype.errors import Invalid
from ectype.estimate.world import World
from ectype.values.block import Float64s


@final
class Ensemble:
    """Folds events, in the shape that `Kernel.fold` takes them, into ensembles [states, members, n]."""

    def __init__(self, world: World, members: int = 64, *, seed: int = 0, inflation: float = 1.0) -> None:
        if members < 2 or inflation < 1.0:
            raise Invalid("an ensemble has at least 2 members, and its inflation is at least 1")
        self._world, self._layout = world, world.layout
        self._members, self._seed, self._inflation = members, seed, inflation
        self._bounds = np.array([[d.low, d.high] for d in (*self._layout.states, *self._layout.tracked)])

    def initial(self, twins: int) -> Float64s:
        """[states, members, twins]: drawn from the declared priors, with exactly their mean and spread."""
        priors = [s.init for s in self._layout.states]
        priors += [(p.prior.centre(), p.prior.spread()) for p in self._layout.tracked if p.prior]
        rng = np.random.Generator(np.random.Philox(key=np.array([self._seed, 0], np.uint64)))
        drawn = rng.standard_normal((len(priors), self._members, twins))
        drawn -= drawn.mean(1, keepdims=True)
        drawn /= drawn.std(1, ddof=1, keepdims=True)
        mean, std = np.array(priors).T
        return mean[:, None, None] + std[:, None, None] * drawn

    def fold(
        self, ensemble: Float64s, constants: Float64s, events: Float64s, active: Float64s
    ) -> tuple[Float64s, Float64s]:
        """The ensembles after all events, and out [k, 2 states + 4 sensors, n]: mean, standard deviation, then v, S,
        NIS and whether it was assimilated for each sensor, as in a graph's diagnostics.
        """
        states, _, twins = ensemble.shape
        out = np.zeros((len(events), 2 * states + 4 * len(self._layout.sensors), twins))
        for k in range(len(events)):
            on = active[k] != 0
            after, told = self._update(ensemble, constants, events[k])
            ensemble = np.where(on, after, ensemble)
            out[k, :states] = middle(ensemble)
            out[k, states : 2 * states] = np.sqrt(_mean_square(ensemble - middle(ensemble)[:, None]))
            out[k, 2 * states :] = np.where(on, told, 0.0)
        return ensemble, out

    def _update(self, x: Float64s, constants: Float64s, event: Float64s) -> tuple[Float64s, Float64s]:
        states, members, _ = x.shape
        inputs, sensors = len(self._layout.inputs), self._layout.sensors
        held = np.concatenate([constants, event[: 2 + inputs]])
        moved, q = self._world.move(x, held)
        noise = np.stack([self._noise(t, (states, members)) for t in event[0]], -1)
        x = moved + q * np.sqrt(np.maximum(event[1], 0.0)) * noise
        mean = middle(x)[:, None]
        x = mean + self._inflation * (x - mean)
        told = np.zeros((4 * len(sensors), x.shape[2]))
        for s, sensor in enumerate(sensors):
            seen = self._world.look(x, held)[s]
            mean, (y, std, usable) = middle(x), middle(seen)
            off, dy = x - mean[:, None], seen[0] - y
            here = event[2 + inputs + len(sensors) + s] > 0
            rest = std**2
            var = _mean_square(dy[None])[0] + rest
            v = np.where(here, event[2 + inputs + s] - y, 0.0)
            nis = v * v / var
            used = here & (usable > 0.5) & (nis <= sensor.gate**2)
            gain = np.where(used, middle(off * dy) * (members / (members - 1)) / var, 0.0)
            shrink = 1.0 / (1.0 + np.sqrt(rest / var))
            x = mean[:, None] + (gain * v)[:, None] + off - gain[:, None] * (shrink * dy)
            told[4 * s : 4 * s + 4] = v, var, nis, used
        return np.clip(x, self._bounds[:, :1, None], self._bounds[:, 1:, None]), told

    def _noise(self, t: float, shape: tuple[int, int]) -> Float64s:
        key = np.array([self._seed, np.float64(t).view(np.uint64) | np.uint64(1)], np.uint64)
        return np.random.Generator(np.random.Philox(key=key)).standard_normal(shape)


def middle(x: Float64s) -> Float64s:
    """[a, n]: the mean over members of x [a, members, n]; of a twin the same whatever other twins are beside it."""
    return np.ascontiguousarray(x.swapaxes(1, 2)).mean(-1)


def _mean_square(off: Float64s) -> Float64s:
    """[a, n]: the variance over members of deviations [a, members, n] from their mean."""
    return middle(off * off) * (off.shape[1] / (off.shape[1] - 1))
