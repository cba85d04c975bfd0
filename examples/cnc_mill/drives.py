"""The twins of X and Y, calibrated on the beginnings of three parts and held against the other fifteen.

Beside them stands what is usually fitted, on the same rows: current = a acceleration + b velocity + c sign + d.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.calibrate.calibration import Calibration, calibrate
from ectype.estimate.behaviour import Behaviour
from ectype.values.block import Float64s
from examples.cnc_mill.following import Fit, follow
from examples.cnc_mill.machine import Axis, axis_events
from examples.cnc_mill.records import Part

FITTED = (1, 2, 11)  # the first part that passed at each of the feeds 6, 20 and 3 mm/s
ROWS = 250  # their first 25 s
AXES = ("X1", "Y1")


@final
@dataclass(frozen=True, eq=False)
class Drive:
    """One axis. fits: by part number. usual, free, following: share of the current's variance that is explained in
    each part that was not fitted on: by the usual formula, by the twin from inputs alone, from one reading to the next.
    """

    axis: str
    found: Calibration
    fits: dict[int, Fit]
    usual: Float64s
    free: Float64s
    following: Float64s


def drive(parts: Sequence[Part], axis: str) -> Drive:
    """Calibrate and judge."""
    shown = [p for p in parts if p.number in FITTED]
    found = calibrate(Axis, [axis_events(p, axis)[:ROWS] for p in shown], noises=("bristle", "load"), shooting=False)
    columns = np.concatenate([_usual(p, axis)[:ROWS] for p in shown])
    current = np.concatenate([p.columns[f"{axis}_CurrentFeedback"][:ROWS] for p in shown])
    plain = np.linalg.lstsq(columns, current, rcond=None)[0]
    fits: dict[int, Fit] = {}
    usual: list[float] = []
    free: list[float] = []
    following: list[float] = []
    for part in parts:
        events, came = axis_events(part, axis), part.columns[f"{axis}_CurrentFeedback"]
        fits[part.number] = Fit.of(follow(found, events))
        if part.number not in FITTED:
            usual.append(_explained(came, came - _usual(part, axis) @ plain))
            free.append(_explained(came, came - unfollowed(found, events)))
            following.append(1.0 - float((fits[part.number].v ** 2).mean()) / float(came.var()))
    return Drive(axis, found, fits, np.array(usual), np.array(free), np.array(following))


def unfollowed(found: Calibration, events: Float64s) -> Float64s:
    """[rows] A: what the twin says from the inputs alone, no reading assimilated."""
    blind = events.copy()
    blind[:, -1] = 0.0
    believed = follow(found, blind)
    layout = believed.graph.layout
    values = {n: believed.beliefs[:, i] for i, n in enumerate(layout.belief_names)}
    values |= {u.name: events[:, 2 + i] for i, u in enumerate(layout.inputs)}
    values |= dict(zip([p.name for p in layout.constants], found.constants.tolist(), strict=True))
    one: Behaviour = Axis.bind(values)
    return np.asarray(one.observe(0.0)[Axis.current], np.float64)


def _usual(part: Part, axis: str) -> Float64s:
    velocity = part.columns[f"{axis}_ActualVelocity"]
    return np.stack(
        [part.columns[f"{axis}_ActualAcceleration"], velocity, np.sign(velocity), np.ones_like(velocity)], axis=1
    )


def _explained(came: Float64s, left: Float64s) -> float:
    return 1.0 - float((left**2).mean()) / float(came.var())
