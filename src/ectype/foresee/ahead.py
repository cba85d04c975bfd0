"""How a twin's inputs may go on after an instant. Only what came before it is looked at, unless `recorded` is asked.

    held      as they are now
    alike     as they went on after moments like this one: the analog ensemble (Delle Monache et al. 2013). The past
              is put on the forecast's grid and cut into episodes of half a forecast; each gives its moment that is most
              like now, in the level and the recent change of every input, and the nearest fifth of the episodes, at
              least twenty, are drawn from. A path is how it went then, plus the difference between now and then times
              the input's autocorrelation, within what was ever seen. A mode goes as it went then.
    recorded  as they really went: for inputs that are known ahead, and for a model judged by itself

All inputs of one path are of one moment, so what belongs together stays together.
"""

from typing import Literal

import numpy as np

from ectype.errors import Invalid
from ectype.estimate.behaviour import Mode
from ectype.foresee.followed import Followed
from ectype.values.block import Float64s, Int64s

Ahead = Literal["held", "alike", "recorded"]
_FEWEST = 5  # episodes


def paths(
    followed: Followed, index: int, way: Ahead, every_s: float, steps: int, draws: int, rng: np.random.Generator
) -> Float64s:
    """[steps, inputs, draws] after event `index`. Raises Invalid if `alike` has too little past, or `recorded` no
    future.
    """
    inputs = followed.inputs()
    if not inputs.shape[1] or way == "held":
        return np.repeat(np.repeat(inputs[index][None, :, None], steps, 0), draws, 2)
    if way == "recorded":
        return np.repeat(_recorded(followed, index, every_s, steps)[:, :, None], draws, 2)
    return _alike(followed, index, every_s, steps, draws, rng)


def _recorded(followed: Followed, index: int, every_s: float, steps: int) -> Float64s:
    step_ns = round(every_s * 1e9)
    wanted = followed.at_ns[index] + step_ns * np.arange(1, steps + 1)
    if wanted[-1] > followed.at_ns[-1] + step_ns // 2:
        raise Invalid("the record ends before the forecast does; ask for inputs 'held' or 'alike', or begin earlier")
    return followed.inputs()[_held_at(followed.at_ns, wanted + step_ns // 2)]


def _alike(
    followed: Followed, index: int, every_s: float, steps: int, draws: int, rng: np.random.Generator
) -> Float64s:
    step_ns = round(every_s * 1e9)
    span = int((followed.at_ns[index] - followed.at_ns[0]) // step_ns)
    lag, episode = min(steps, 10), max(1, steps // 2)
    if span + 1 - steps - lag < _FEWEST * episode:
        need = (_FEWEST * episode + steps + lag) * every_s
        raise Invalid(
            f"inputs alike need {need:g} s of past, there are {span * every_s:g} s; "
            "ask for inputs 'held', or begin later"
        )
    grid = followed.inputs()[
        _held_at(followed.at_ns[: index + 1], followed.at_ns[index] - step_ns * np.arange(span, -1, -1))
    ]
    features = np.concatenate([grid[lag:], grid[lag:] - grid[:-lag]], 1)
    spread = features.std(0)
    scaled = features / np.where(spread > 0, spread, 1.0)
    apart = ((scaled[: span + 1 - steps - lag] - scaled[-1]) ** 2).sum(1)
    begins = range(len(apart) % episode, len(apart), episode)
    best = np.array([b + int(apart[b : b + episode].argmin()) for b in begins])
    nearest = best[np.argsort(apart[best], kind="stable")[: max(20, len(best) // 5)]]
    picked = lag + rng.choice(nearest, draws)
    went = grid[picked[None, :] + np.arange(1, steps + 1)[:, None]]  # [steps, draws, inputs]
    near = _autocorrelation(grid, steps)[:, None, :] * (grid[-1] - grid[picked])
    mode = np.array([isinstance(u, Mode) for u in followed.graph.layout.inputs])
    drawn = np.where(mode, went, np.clip(went + near, grid.min(0), grid.max(0)))
    return np.ascontiguousarray(drawn.transpose(0, 2, 1))


def _autocorrelation(grid: Float64s, steps: int) -> Float64s:
    """[steps, inputs] at 1 to `steps`, between 0 and 1; 1 for what never changed."""
    off = grid - grid.mean(0)
    power = np.abs(np.fft.rfft(off, 2 * len(off), axis=0)) ** 2
    raw = np.fft.irfft(power, axis=0)[: steps + 1]
    moved = raw[0] > 1e-12 * (1.0 + np.abs(grid).max(0)) ** 2
    return np.where(moved, np.clip(raw[1:] / np.where(moved, raw[0], 1.0), 0.0, 1.0), 1.0)


def _held_at(at_ns: Int64s, wanted: Int64s) -> Int64s:
    return np.maximum(np.searchsorted(at_ns, wanted, side="right").astype(np.int64) - 1, 0)
