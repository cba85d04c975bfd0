"""A fidelity certificate: what was compared, what was found, and whether the test was awake.

    indistinguishable   p > 0.05, the distance is below 0.2 with 95 % confidence, and every control held
    distinguishable     p <= 0.05, and the twin itself and the original against itself passed
    no claim            anything else: too little data, or a control that failed

It speaks of the sensors, the period and the horizon that it names, and of nothing else. Anyone with the data can
recompute it: data, model and panel are named by their hashes, and the draws by a seed.
"""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal, final

import numpy as np

from ectype.fidelity.companions import Companion, companions
from ectype.fidelity.controls import ALPHA, POWER, Control, caught, real_vs_real, stand_ins, worse
from ectype.fidelity.panel import digest
from ectype.fidelity.trial import Cut, Twin, trials
from ectype.fidelity.two_sample import Verdict, tell_apart
from ectype.values.block import Float64s
from ectype.values.canonical import JSON

NEAR = 0.2
Claim = Literal["indistinguishable", "distinguishable", "no claim"]


@final
@dataclass(frozen=True, slots=True)
class Certificate:
    """See the module's docstring. same: stand-ins that obey the twin, told from it (false alarms); resolution: for
    each parameter the smallest share off that was caught with power >= 0.9, None if none was.
    """

    claim: Claim
    sentence: str
    verdict: Verdict
    real_vs_real: float
    same: Control
    controls: dict[str, Control]
    resolution: dict[str, float | None]
    companions: dict[str, Companion]
    cut: Cut
    seed: int
    data: str
    model: str
    panel: str

    def document(self) -> dict[str, JSON]:
        """As JSON, as it is appended to a log."""
        return {
            "claim": self.claim,
            "sentence": self.sentence,
            "verdict": {**asdict(self.verdict), "accuracy": dict(self.verdict.accuracy)},
            "controls": {
                "original against itself": {"p": self.real_vs_real},
                "the twin itself": {"caught": self.same.caught, "tried": self.same.tried},
                **{name: {"caught": c.caught, "tried": c.tried} for name, c in self.controls.items()},
            },
            "resolution": dict(self.resolution),
            "sensors": {
                name: {
                    "nis": c.nis,
                    "nisBand": list(c.nis_band),
                    "pitP": c.pit_p,
                    "skill": {str(h): value for h, value in c.skill.items()},
                }
                for name, c in self.companions.items()
            },
            "cut": asdict(self.cut),
            "seed": self.seed,
            "data": self.data,
            "model": self.model,
            "panel": self.panel,
        }


def certify(
    twin: Twin,
    events: Float64s,
    *,
    cut: Cut | None = None,
    tried: int = 20,
    shares: tuple[float, ...] = (0.02, 0.05, 0.1),
    seed: int = 0,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Certificate:
    """Judge `twin` on events [k, event_size] of a later period than it was fitted on; `tried` stand-ins a control.

    told: hears how many of how many parts are done. Takes about a second for each stand-in and control with 300
    windows. Raises Invalid if the period is too short.
    """
    cut = cut or Cut()
    rng = np.random.default_rng(seed)
    (trial,) = trials(twin, events[:, :, None], cut, rng)
    others = worse(twin, shares)
    parts = len(others) + 2
    found = tell_apart(trial, rng)
    itself = real_vs_real(trial, rng)
    told(1, parts)
    originals = stand_ins(twin, events, tried, rng)
    same = caught(twin, originals, cut, rng)
    controls: dict[str, Control] = {}
    for name, other in others.items():
        told(2 + len(controls), parts)
        controls[name] = caught(other, originals, cut, rng)
    told(parts, parts)
    resolution: dict[str, float | None] = {}
    for parameter in twin.graph.layout.constants:
        steps = [s for s in sorted(shares) if controls[f"{parameter.name} {100 * s:+g} %"].power >= POWER]
        resolution[parameter.name] = steps[0] if steps else None
    claim = _claim(found, itself, same, controls, resolution)
    return Certificate(
        claim,
        _sentence(claim, found, resolution),
        found,
        itself,
        same,
        controls,
        resolution,
        companions(trial, tuple(s.name for s in twin.graph.layout.sensors)),
        cut,
        seed,
        hashlib.sha256(np.ascontiguousarray(events).tobytes()).hexdigest(),
        hashlib.sha256(
            f"{twin.graph.digest} {twin.constants.tolist()} {twin.belief.tolist()} {twin.noise} {twin.unrest}".encode()
        ).hexdigest(),
        digest(),
    )


def _claim(
    found: Verdict, itself: float, same: Control, controls: dict[str, Control], resolution: dict[str, float | None]
) -> Claim:
    sound = itself > ALPHA and same.caught <= _most(same.tried)
    if found.p <= ALPHA:
        return "distinguishable" if sound else "no claim"
    awake = all(controls[name].power >= POWER for name in ("noise x 1.2", "1 sample late"))
    awake = awake and all(share is not None for share in resolution.values())
    return "indistinguishable" if sound and awake and found.distance_high <= NEAR else "no claim"


def _most(tried: int) -> int:
    """As many false alarms as chance gives at level ALPHA, but for one time in a hundred."""
    chance = (1 - ALPHA) ** tried
    total, most = chance, 0
    while total < 0.99:
        most += 1
        chance *= (tried - most + 1) / most * ALPHA / (1 - ALPHA)
        total += chance
    return most


def _sentence(claim: Claim, found: Verdict, resolution: dict[str, float | None]) -> str:
    told = f"over {found.windows} later windows (p = {found.p:.3f}, distance {found.distance:.2f}"
    told += f", {found.distance_low:.2f} to {found.distance_high:.2f})"
    if claim == "distinguishable":
        best = max(found.accuracy, key=lambda name: found.accuracy[name])
        return f"The panel tells the twin from the original {told}; best is {best}, right {found.accuracy[best]:.0%}."
    seen = ", ".join(f"{name} {100 * share:g} %" for name, share in resolution.items() if share is not None)
    if claim == "indistinguishable":
        return f"The panel cannot tell the twin from the original {told}. It would have seen: {seen}."
    return f"No claim {told}: a control failed or the windows are too few. It would have seen: {seen or 'nothing'}."
