"""A window as numbers: level, spread, memory and spectrum of its readings and of its innovations."""

import numpy as np

from ectype.fidelity.trial import Trial
from ectype.values.block import Float64s, Int64s

LAGS = 4
BANDS = 4
_POINTS = 16


def features(trial: Trial) -> Float64s:
    """[n, members, F]. Of each channel of z and of e: mean, rms, largest, last, slope, mean step, autocovariance at
    lags 1 to 4, log power in four bands; between sensors their covariance; with inputs that of z and of its steps.
    """
    parts: list[Float64s] = []
    for x in (trial.z, trial.e):
        parts += _channels(x)
        for a in range(x.shape[2]):
            for b in range(a):
                parts.append((x[:, :, a] * x[:, :, b]).mean(2)[..., None])
    steps = np.diff(trial.z, axis=3)
    for u in range(trial.inputs.shape[1]):
        own = trial.inputs[:, u] - trial.inputs[:, u].mean(1, keepdims=True)
        own = own / np.maximum(np.sqrt((own**2).mean(1, keepdims=True)), 1e-12)
        parts.append(np.einsum("nh,nmsh->nms", own, trial.z) / own.shape[1])
        parts.append(np.einsum("nh,nmsh->nms", own[:, 1:], steps) / own.shape[1])
    return np.concatenate(parts, 2)


def likelihood(trial: Trial) -> Float64s:
    """[n, members, 4]: how likely the twin finds the window, how surprised it is, and their squares."""
    present = np.maximum(trial.present.sum((1, 2)), 1.0)[:, None]
    own = np.stack([trial.log_likelihood / present, (trial.e**2).sum((2, 3)) / present], 2)
    return np.concatenate([own, own**2], 2)


def sequences(trial: Trial) -> Float64s:
    """[n, members, T]: z and e as they are, at most 16 points a channel (means of neighbours)."""
    length = trial.z.shape[3]
    edges = _edges(length, _POINTS)
    parts = [np.add.reduceat(x, edges[:-1], axis=3) / np.diff(edges) for x in (trial.z, trial.e)]
    return np.concatenate([p.reshape(*p.shape[:2], -1) for p in parts], 2)


def _channels(x: Float64s) -> list[Float64s]:
    length = x.shape[3]
    clock = np.linspace(-1.0, 1.0, length)
    step = np.diff(x, axis=3)
    power = np.abs(np.fft.rfft(x, axis=3)[..., 1:]) ** 2
    edges = _edges(power.shape[3], BANDS)
    bands = np.add.reduceat(power, edges[:-1], axis=3) / np.diff(edges)
    return [
        x.mean(3),
        np.sqrt((x**2).mean(3)),
        np.abs(x).max(3),
        x[..., -1],
        (x * clock).mean(3),
        np.abs(step).mean(3),
        *((x[..., lag:] * x[..., :-lag]).mean(3) for lag in range(1, min(LAGS, length - 1) + 1)),
        *(np.log(bands[..., i] + 1e-9) for i in range(bands.shape[3])),
    ]


def _edges(length: int, parts: int) -> Int64s:
    """Where the parts begin, and the end; as many parts as there are points at most."""
    parts = min(length, parts)
    return np.array([i * length // parts for i in range(parts + 1)])
