"""Is the test awake? Twins made worse on purpose must be caught, and what is the same must pass.

Stand-in originals are drawn from the twin over the whole period, with its inputs and gaps, so that what is true is
known. A twin made worse, its filter too, is then judged against each: the share that is caught is the power. The twin
itself, judged the same way, gives the rate of false alarms. Last, the original is judged against itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from ectype.estimate.simulate import simulate
from ectype.fidelity.panel import Panel
from ectype.fidelity.trial import Cut, Trial, Twin, sample, trials
from ectype.fidelity.two_sample import BLOCKS, REDRAWN, split, tell_apart
from ectype.values.block import Float64s

ALPHA = 0.05
POWER = 0.9


@final
@dataclass(frozen=True, slots=True)
class Control:
    """caught: how many of `tried` stand-ins were told from the twin that was made worse."""

    caught: int
    tried: int

    @property
    def power(self) -> float:
        """The share."""
        return self.caught / self.tried


def worse(twin: Twin, shares: tuple[float, ...] = (0.02, 0.05, 0.1)) -> Mapping[str, Twin]:
    """The mandatory ones: noise x 1.2, a sample of delay, and every constant parameter up by each share."""
    out = {"noise x 1.2": replace(twin, noise=1.2, unrest=1.2), "1 sample late": replace(twin, delay=1)}
    for parameter in twin.graph.layout.constants:
        for share in shares:
            out[f"{parameter.name} {100 * share:+g} %"] = twin.wrong(parameter.name, share)
    return out


def stand_ins(twin: Twin, events: Float64s, count: int, rng: np.random.Generator) -> Float64s:
    """[k, event_size, count]: originals that obey the twin, on the period of events [k, event_size]."""
    first = sample(twin.graph, np.repeat(twin.belief[:, None], count, 1), rng)
    constants = np.repeat(twin.constants[:, None], count, 1)
    return simulate(twin.graph.behaviour, first, constants, np.repeat(events[:, :, None], count, 2), rng).events


def caught(twin: Twin, originals: Float64s, cut: Cut, rng: np.random.Generator, alpha: float = ALPHA) -> Control:
    """How many of the originals [k, event_size, m] the panel tells from the twin."""
    found = [tell_apart(trial, rng).p <= alpha for trial in trials(twin, originals, cut, rng)]
    return Control(sum(found), len(found))


def real_vs_real(trial: Trial, rng: np.random.Generator) -> float:
    """p-value of the original against itself: blocks of its windows get names by lot, the panel learns the names on
    the earlier windows and guesses them on the later; the guess is compared with 1,999 other lots.
    """
    earlier, later = split(trial)
    panel = Panel.named(earlier, _lots(len(earlier), rng))
    scores = np.stack([s[:, 0] for s in panel.scores(later).values()])
    order = scores.argsort(1).argsort(1) / (scores.shape[1] - 1)
    told = _apart(order, _lots(len(later), rng)[None])
    others = _apart(order, np.stack([_lots(len(later), rng) for _ in range(REDRAWN)]))
    return float((1 + np.count_nonzero(others >= told[0] - 1e-12)) / (1 + REDRAWN))


def _apart(order: Float64s, names: np.ndarray) -> Float64s:
    """[lots]: the largest difference in mean rank over the panel."""
    first = names @ order.T / names.sum(1, keepdims=True)
    second = (~names) @ order.T / (~names).sum(1, keepdims=True)
    return (first - second).max(1)


def _lots(n: int, rng: np.random.Generator) -> np.ndarray:
    """[n] bool: half of the windows, in blocks of neighbours as far as that goes; as many of each (but an odd one)."""
    pairs = n // 2
    size = max(1, pairs // BLOCKS)
    flips = np.repeat(rng.random(-(-pairs // size)) < 0.5, size)[:pairs]
    names = np.empty(2 * pairs, bool)
    names[0::2], names[1::2] = flips, ~flips
    return np.concatenate([names, np.zeros(n - 2 * pairs, bool)])
