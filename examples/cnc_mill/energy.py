"""What a part will cost, before it is made: seconds from the path and the feed rate, Wh from the spindle's twin.

    seconds = pause + length / feed + stops * feed

`pause` is what is done at the machine's own pace (lifting, moving between layers), `length` the path in the block, and
`stops` what corners cost: slowing down from a feed and taking it up again takes feed / acceleration each time. The
three are fitted to the parts that the twin is shown (least squares; where it is shown two feeds only, without stops).

Energy is drawn: parameters from the posterior that `calibrate` found on those parts, the part's own level from its
prior, then the behaviour's own steps along the planned run. Z's motor was not recorded; X and Y take 0.03 to 0.05 Wh
and are left out.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.calibrate.calibration import Calibration, calibrate
from ectype.estimate.simulate import simulate
from ectype.estimate.trace import trace
from ectype.fidelity.trial import sample
from ectype.foresee.followed import Followed
from ectype.values.block import Float64s
from examples.cnc_mill.following import follow
from examples.cnc_mill.machine import Spindle, spindle_events
from examples.cnc_mill.records import Part

SHOWN = 150  # rows of each part that the spindle is calibrated on: its first 15 s
DRAWS = 400
_PLANNED_S = 1.0
NOISES = ("quadrature", "power")


@final
@dataclass(frozen=True, eq=False)
class Shown:
    """A twin and what it was shown. times [3]: pause s, length mm, stops s per mm/s; spread_s: of what is left."""

    spindle: Calibration
    times: Float64s
    spread_s: float
    feeds: tuple[float, ...]

    @classmethod
    def of(cls, parts: Sequence[Part], start: "Shown | None" = None) -> "Shown":
        """Of finished parts. start: another twin, to begin the search near."""
        spindle = calibrate(
            Spindle,
            [spindle_events(p)[:SHOWN] for p in parts],
            noises=NOISES,
            start=start.spindle.values if start else None,
            shooting=False,
        )
        feed, seconds = np.array([p.feed for p in parts]), np.array([p.seconds for p in parts])
        columns = np.stack([np.ones_like(feed), 1 / feed, feed], axis=1)
        used = columns[:, : min(3, len(set(feed.tolist())))]
        found = np.linalg.lstsq(used, seconds, rcond=None)[0]
        left = seconds - used @ found
        spread = float(np.sqrt((left**2).sum() / max(len(parts) - used.shape[1], 1)))
        times = np.asarray(np.pad(found, (0, 3 - len(found))), np.float64)
        return cls(spindle, times, spread, tuple(sorted(set(feed.tolist()))))


@final
@dataclass(frozen=True, eq=False)
class Cost:
    """Of one part that runs to its end. wh [draws]; 90 % interval of energy and what is most likely."""

    feed: float
    seconds: float
    wh: Float64s

    @property
    def interval(self) -> tuple[float, float, float]:
        """Wh: 5 %, 50 %, 95 %."""
        low, middle, high = np.quantile(self.wh, (0.05, 0.5, 0.95)).tolist()
        return low, middle, high


def foresee(shown: Shown, feed: float, seed: int = 0, seen: Followed | None = None) -> Cost:
    """What a part at that feed will cost. seen: its beginning, as the twin followed it; without it nothing is known of
    this very part.
    """
    rng = np.random.default_rng(seed)
    graph = trace(shown.spindle.as_found())
    pause, length, stops = shown.times.tolist()
    seconds = max(pause + length / feed + stops * feed, 1.0)
    whole = np.maximum(seconds + shown.spread_s * rng.standard_normal(DRAWS), 1.0)
    steps = round(seconds / _PLANNED_S)
    events = np.zeros((steps, graph.event_size, DRAWS))
    events[:, 0] = _PLANNED_S * np.arange(1, steps + 1)[:, None]
    events[:, 1] = _PLANNED_S
    events[:, 2] = length / seconds  # mm/s in the block, on average over the run
    constants = shown.spindle.draw(DRAWS, rng)
    belief = seen.believed(len(seen) - 1, constants) if seen else graph.initial(DRAWS)
    world = simulate(graph.behaviour, sample(graph, belief, rng), constants, events, rng, noise=0.0)
    power = world.events[:, 2 + len(graph.layout.inputs)].mean(axis=0)
    return Cost(feed, seconds, power * whole / 3600.0)


@final
@dataclass(frozen=True, eq=False)
class Judged:
    """One finished part, and what was said of it by a twin that had not seen it. started: Wh as said once it had
    followed its first 15 s; same_feed, last: Wh that others of that feed took, on average and the last before it; NaN
    where there is none.
    """

    part: Part
    cost: Cost
    started: float
    same_feed: float
    last: float

    @property
    def inside(self) -> bool:
        """Whether what came is in the 90 % interval."""
        low, _, high = self.cost.interval
        return low <= self.part.spindle_wh <= high


def started(shown: Shown, part: Part) -> float:
    """Wh of the whole part, once its first rows were followed."""
    followed = follow(shown.spindle, spindle_events(part)[:SHOWN])
    return foresee(shown, part.feed, part.number, followed).interval[1]


def leave_one_out(parts: Sequence[Part], which: Sequence[int] | None = None) -> tuple[list[Judged], list[Shown]]:
    """Every finished part (or those numbers) foretold by a twin of the other finished ones, and those twins."""
    done = [p for p in parts if p.finished]
    judged: list[Judged] = []
    twins: list[Shown] = []
    for part in (p for p in done if which is None or p.number in which):
        others = [p for p in done if p is not part]
        twins.append(Shown.of(others, twins[-1] if twins else None))
        like = [p for p in others if p.feed == part.feed]
        before = [p for p in like if p.number < part.number]
        judged.append(
            Judged(
                part,
                foresee(twins[-1], part.feed, part.number),
                started(twins[-1], part),
                float(np.mean([p.spindle_wh for p in like])) if like else float("nan"),
                before[-1].spindle_wh if before else float("nan"),
            )
        )
    return judged, twins


def leave_feed_out(parts: Sequence[Part], start: Shown | None = None) -> list[Judged]:
    """Every finished part foretold by a twin that was shown no part of its feed: what if we ran it at …?"""
    done = [p for p in parts if p.finished]
    judged: list[Judged] = []
    for feed in sorted({p.feed for p in done}):
        twin = Shown.of([p for p in done if p.feed != feed], start)
        nothing = float("nan")
        judged += [Judged(p, foresee(twin, feed, p.number), nothing, nothing, nothing) for p in done if p.feed == feed]
    return judged


def relative_rms(said: Sequence[float], came: Sequence[float]) -> float:
    """Root of the mean square of (said / came - 1), over those that were said."""
    ratio = np.array(said) / np.array(came) - 1.0
    return float(np.sqrt(np.nanmean(ratio**2)))
