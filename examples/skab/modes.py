"""In order, or out of order and how: a bank of twins of one loop, one a mode, by the interacting multiple model filter.

Each second, for each mode j (Bar-Shalom, Li, Kirubarajan 2001, 11.6.6):

    mix      c_j = sum_i stay_ij m_i;  belief_j <- mixture of the beliefs of all i, weighted by stay_ij m_i / c_j
    follow   each twin takes in the second, with the constants of its mode
    weigh    m_j <- c_j p(second | twin of mode j), normalised

A mode says which faults (`loop.py`) may be there. One that begins is unknown by UNKNOWN and walks slowly from there;
one that is over is nothing. So what the loop was in order is kept while it is out of order, and the drift does not
swallow a fault. An alarm stands while the loop is rather out of order than not; the likeliest of those modes says how,
and its twin how much. That heat comes and goes faster than usual (a fan, a window) is in order, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.estimate.kernel import Kernel
from ectype.estimate.trace import Graph
from ectype.values.block import Float64s
from examples.skab.learn import NAMES, likelihood

LASTS_S = 300.0  # each mode, as order of magnitude
WALKS_TO = 0.67  # in that time, as share of UNKNOWN
UNKNOWN = {"shut": 0.3, "imbalance_pump": 0.2, "imbalance_motor": 0.2, "friction": 0.3, "back": 0.15}
_WALKS = {
    "shut": "shut_walks",
    "imbalance_pump": "imbalance_walks",
    "imbalance_motor": "imbalance_walks",
    "friction": "friction_walks",
    "back": "back_walks",
}
_NOTHING = 1e-12
_SHOWN = 0.01  # a fault smaller than this is not told


@final
@dataclass(frozen=True, slots=True)
class Mode:
    """faults: states of the loop that may be there; louder: factor on the noise of flow and vibrations; warmer: on how
    far heat comes and goes.
    """

    name: str
    faults: tuple[str, ...] = ()
    louder: float = 1.0
    warmer: float = 1.0
    in_order: bool = False

    def of(self, constants: Float64s) -> Float64s:
        """The constants [c, n] of the loop in order, as they are in this mode."""
        mine = constants.copy()
        for name in ("flow_noise", "pump_noise", "motor_noise"):
            mine[NAMES.index(name)] *= self.louder
        for name in ("heating_far", "warming_far"):
            mine[NAMES.index(name)] *= self.warmer
        for fault in self.faults:
            mine[NAMES.index(_WALKS[fault])] = UNKNOWN[fault] * WALKS_TO / np.sqrt(LASTS_S)
        return mine


_FLOW, _SHAKES = ("shut", "back"), ("imbalance_pump", "imbalance_motor")
MODES = (
    Mode("in order", in_order=True),
    Mode("in order, heat changing", warmer=5.0, in_order=True),
    Mode("valve", _FLOW),
    Mode("imbalance", _SHAKES),
    Mode("valve and vibration", _FLOW + _SHAKES),
    Mode("gas in the water", _FLOW + _SHAKES, louder=2.5),
    Mode("friction", ("friction",)),
)


@final
@dataclass(frozen=True, eq=False)
class Told:
    """chance [k, modes, n]: of each mode after each second; faults [k, modes, faults, n]: their means, in UNKNOWN's
    order.
    """

    modes: tuple[Mode, ...]
    chance: Float64s
    faults: Float64s

    @property
    def out(self) -> Float64s:
        """[k, n]: chance that the loop is out of order."""
        return self.chance[:, [not m.in_order for m in self.modes]].sum(1)

    def how(self, second: int, loop: int) -> int:
        """The likeliest mode that is out of order."""
        out = [j for j, m in enumerate(self.modes) if not m.in_order]
        return out[int(self.chance[second, out, loop].argmax())]

    def sentence(self, second: int, loop: int) -> str:
        """What is wrong by then, and how much."""
        mode = self.how(second, loop)
        size = dict(zip(UNKNOWN, self.faults[second, mode, :, loop].tolist(), strict=True))
        size["pump's vibration"], size["motor's vibration"] = size.pop("imbalance_pump"), size.pop("imbalance_motor")
        said: list[str] = []
        if abs(shut := size.pop("shut")) >= _SHOWN:
            said.append(f"flow {np.expm1(-shut / 2):+.0%} (resistance {np.expm1(shut):+.0%})")
        if abs(back := size.pop("back")) >= _SHOWN:
            said.append(f"pressure {back:+.2f} bar")
        if abs(friction := size.pop("friction")) >= _SHOWN:
            said.append(f"current {friction:+.0%}")
        said += [f"{what} {np.expm1(by):+.0%}" for what, by in size.items() if abs(by) >= _SHOWN]
        return f"{self.modes[mode].name}: {', '.join(said) or 'louder than it was'}"


@final
class Bank:
    """Twins of n loops in every mode. constants [c, n]: in order."""

    def __init__(self, graph: Graph, kernel: Kernel, constants: Float64s, modes: Sequence[Mode] = MODES) -> None:
        self._graph, self._kernel, self._modes = graph, kernel, tuple(modes)
        self._order, self._loops = np.ascontiguousarray(constants), constants.shape[1]
        self._constants = np.concatenate([m.of(constants) for m in modes], axis=1)
        names = graph.layout.belief_names
        fault = np.array([name in UNKNOWN for name in names])
        may = np.array([[name in m.faults for name in names] for m in modes])
        variance = np.array([UNKNOWN.get(name, 0.0) ** 2 for name in names])
        self._faults = [names.index(name) for name in UNKNOWN]
        self._keep = (~fault | (may[:, None] & may[None])).astype(float)  # [from, to, state]
        self._new = np.where(may[None] & ~may[:, None], variance, 0.0) + np.where(fault & ~may[None], _NOTHING, 0.0)
        self._stay = _staying(modes)
        self._tri = np.tril_indices(graph.size)

    def follow(self, belief: Float64s, events: Float64s, active: Float64s, learns: int) -> Told:
        """From belief [belief_size, n] in order over events [k, event_size, n] where `active` [k, n]; the first
        `learns` are taken for in order.
        """
        k, h, loops = len(events), len(self._modes), self._loops
        belief, _ = self._kernel.fold(belief, self._order, events[:learns], active[:learns])
        chance, faults = np.zeros((k, h, loops)), np.zeros((k, h, len(self._faults), loops))
        chance[:learns, 0] = 1.0
        now = np.zeros((h, loops))
        now[0] = 1.0
        x, p = self._matrices(np.tile(belief, (1, h)))
        for second in range(learns, k):
            came = self._stay.T @ now
            x, p = mixed(x, p, self._stay[:, :, None] * now[:, None] / came, self._keep, self._new)
            on = np.tile(active[second], h)[None]
            belief, out = self._kernel.fold(self._beliefs(x, p), self._constants, np.tile(events[second], h)[None], on)
            likely = likelihood(self._graph, out, on)[0].sum(0).reshape(h, loops)
            weight = came * np.exp(likely - likely.max(0))
            now = np.where(active[second] > 0, weight / weight.sum(0), now)
            x, p = self._matrices(belief)
            chance[second], faults[second] = now, x[:, self._faults]
        return Told(self._modes, chance, faults)

    def _matrices(self, belief: Float64s) -> tuple[Float64s, Float64s]:
        n, h = self._graph.size, len(self._modes)
        parts = belief.reshape(-1, h, self._loops).swapaxes(0, 1)
        p = np.empty((h, n, n, self._loops))
        p[:, self._tri[0], self._tri[1]] = p[:, self._tri[1], self._tri[0]] = parts[:, n:]
        return parts[:, :n].copy(), p

    def _beliefs(self, x: Float64s, p: Float64s) -> Float64s:
        lower = p[:, self._tri[0], self._tri[1]]
        return np.concatenate([x, lower], axis=1).swapaxes(0, 1).reshape(self._graph.belief_size, -1)


def _staying(modes: Sequence[Mode]) -> Float64s:
    """[from, to]: chances in a second. What ends after LASTS_S ends in order as likely as out of order."""
    alike = [sum(m.in_order == other.in_order for other in modes) for m in modes]
    stay = np.tile([0.5 / count / LASTS_S for count in alike], (len(modes), 1))
    for i in range(len(modes)):
        stay[i, i] = 1.0 - stay[i].sum() + stay[i, i]
    return stay


def mixed(x: Float64s, p: Float64s, weight: Float64s, keep: Float64s, new: Float64s) -> tuple[Float64s, Float64s]:
    """Mean [modes, n, loops] and covariance [modes, n, n, loops] of each mode's mixture.

    x, p: of each mode before; weight [from, to, loops]; keep [from, to, n]: 1 for a state that is taken over, 0 for one
    that begins at 0, with the variance new [from, to, n].
    """
    mean, cov, diagonal = np.empty_like(x), np.empty_like(p), list(range(x.shape[1]))
    for j in range(len(x)):
        k, w = keep[:, j], weight[:, j]
        moved = x * k[:, :, None]
        mean[j] = (w[:, None] * moved).sum(0)
        off = moved - mean[j]
        both = k[:, :, None] * k[:, None]
        cov[j] = np.einsum("iabr,iab,ir->abr", p, both, w) + np.einsum("iar,ibr,ir->abr", off, off, w)
        cov[j, diagonal, diagonal] += np.einsum("ia,ir->ar", new[:, j], w)
    return mean, cov
