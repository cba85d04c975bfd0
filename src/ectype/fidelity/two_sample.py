"""The test: a panel is trained on the earlier windows and asked about the later ones (Lopez-Paz, Oquab 2017).

p-value: in each later window the original has a rank among the draws by a member's score. If the twin is right every
rank is equally likely, whatever the panel learned, so which member is "the original" is drawn anew 1,999 times, in all
windows and for all classifiers at once; the largest mean rank over the panel is the statistic. Exact for any sample
size, corrected for the choice of the best classifier (Westfall, Young 1993).

distance: 2 A - 1 of a classifier's balanced accuracy A, a lower bound on the total variation distance between the
original's windows and the twin's. Its bounds come from the spread over blocks of neighbouring windows.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportMissingImports=false

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.errors import Invalid
from ectype.fidelity.panel import Panel
from ectype.fidelity.trial import Trial
from ectype.values.block import Float64s

REDRAWN = 1999
BLOCKS = 12


@final
@dataclass(frozen=True, slots=True)
class Verdict:
    """What the panel found on `windows` later windows. p: of the whole panel; accuracy by member; distance of the best
    member with its 95 % bounds over the whole panel (0 is "cannot tell", 1 "always can").
    """

    p: float
    accuracy: Mapping[str, float]
    distance: float
    distance_low: float
    distance_high: float
    windows: int


def split(trial: Trial, earlier: float = 0.5) -> tuple[Trial, Trial]:
    """The earlier windows and the later ones, with one left out between. Raises Invalid with less than 4 of each."""
    at = round(earlier * len(trial))
    if at < 4 or len(trial) - at - 1 < 4:
        raise Invalid(f"{len(trial)} windows cannot be split into four earlier and four later ones")
    return trial.windows(slice(0, at)), trial.windows(slice(at + 1, None))


def tell_apart(trial: Trial, rng: np.random.Generator) -> Verdict:
    """Train on the earlier windows, test on the later ones."""
    earlier, later = split(trial)
    scores = Panel.of(earlier).scores(later)
    return verdict(scores, rng)


def verdict(scores: Mapping[str, Float64s], rng: np.random.Generator) -> Verdict:
    """From scores: member of the panel -> [n, 1 + draws], the original first."""
    ranks = np.stack([_ranks(s) for s in scores.values()])  # [panel, n, members]
    _, n, members = ranks.shape
    observed = ranks[:, :, 0].mean(1).max()
    chosen = rng.integers(0, members, (REDRAWN, n))
    redrawn = ranks[:, np.arange(n), chosen].mean(2).max(0)
    p = (1 + np.count_nonzero(redrawn >= observed - 1e-12)) / (1 + REDRAWN)
    accuracy = {name: _right(s) for name, s in scores.items()}
    low, high = _bounds(np.stack(list(accuracy.values())))
    best = max(float(a.mean()) for a in accuracy.values())
    return Verdict(float(p), {k: float(a.mean()) for k, a in accuracy.items()}, max(0.0, 2 * best - 1), low, high, n)


def _ranks(score: Float64s) -> Float64s:
    """[n, members]: the share of the others that each member beats, ties half."""
    above = (score[:, :, None] > score[:, None, :]).sum(2) + 0.5 * (score[:, :, None] == score[:, None, :]).sum(2)
    return (above - 0.5) / (score.shape[1] - 1)


def _right(score: Float64s) -> Float64s:
    """[n]: balanced accuracy in each window."""
    return 0.5 * (score[:, 0] > 0) + 0.5 * (score[:, 1:] <= 0).mean(1)


def _bounds(right: Float64s) -> tuple[float, float]:
    """Lower and upper 95 % bound of the largest distance over the panel [panel, n], Bonferroni over its members."""
    from scipy.stats import t

    members, n = right.shape
    blocks = np.stack([b.mean(1) for b in np.array_split(right, min(BLOCKS, n), axis=1)], 1)
    error = blocks.std(1, ddof=1) / np.sqrt(blocks.shape[1])
    reach = float(t.ppf(1 - 0.05 / members, blocks.shape[1] - 1)) * error
    middle = right.mean(1)
    low, high = 2 * (middle - reach).max() - 1, 2 * (middle + reach).max() - 1
    return float(np.clip(low, 0, 1)), float(np.clip(high, 0, 1))
