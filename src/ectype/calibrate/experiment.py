"""What would tell what the data do not: inputs moved and sensors added, tried on the calibrated twin, best first.

Each candidate is a record that the twin would make at its most likely parameters, of the same length and times as the
one it was calibrated on, and the information in it, by the same filter: an input that goes up and down at random, a
sensor of a state, a sensor of what the behaviour names in `outputs`. Nothing is assumed of a real plant.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from ectype.calibrate.calibration import Calibration
from ectype.calibrate.coordinates import Coordinates
from ectype.calibrate.identify import Untold
from ectype.calibrate.likelihood import Likelihood
from ectype.calibrate.remade import remade
from ectype.estimate.behaviour import Behaviour, Input, Sensor
from ectype.estimate.maths import Scalar
from ectype.estimate.simulate import simulate
from ectype.values.block import Float64s
from ectype.values.canonical import JSON

_MOVES = 20
_LITTLE = 0.02


@final
@dataclass(frozen=True, slots=True)
class Experiment:
    """kind: 'input', 'sensor' or 'measure'; left: the standard deviation along the direction after it, of the prior's
    (1: it would tell nothing).
    """

    kind: str
    name: str
    left: float
    sentence: str

    def document(self) -> dict[str, JSON]:
        """As plain JSON."""
        return {"kind": self.kind, "name": self.name, "left": self.left, "sentence": self.sentence}


def experiments(found: Calibration, untold: Untold, *, most: int = 3, seed: int = 0) -> tuple[Experiment, ...]:
    """What would at least halve what is not known along that direction, best first; then what always would."""
    record = max(found.records, key=len)
    now = _left(found, untold, found.coordinates, record, seed)
    tried: list[Experiment] = []
    for kind, name, how, c, changed in _candidates(found, record, seed):
        left = _left(found, untold, c, changed, seed)
        if left < 0.5 and left < 0.7 * now:
            sentence = f"{how} would leave {left:.0%} of what the prior leaves open."
            tried.append(Experiment(kind, name, left, sentence))
    tried.sort(key=lambda e: e.left)
    name, who, count = untold.names[0], " or ".join(untold.names), len(untold.names)
    rest = "" if count < 3 else "; all but one of them must be known"
    always = Experiment("measure", name, 0.0, f"Measuring {who} by itself (a narrow prior) settles it{rest}.")
    return (*tried[:most], always)


def _candidates(
    found: Calibration, record: Float64s, seed: int
) -> Iterator[tuple[str, str, str, Coordinates, Float64s]]:
    behaviour, c = found.behaviour, found.coordinates
    layout = behaviour.layout
    rng = np.random.default_rng(seed)
    for row, u in enumerate(layout.inputs):
        if not isinstance(u, Input):
            continue
        held = record[:, 2 + row]
        middle, moved = float(held.mean()), float(held.std())
        by = max(2.0 * moved, 0.2 * abs(middle)) or 1.0
        each = max(1, len(record) // _MOVES)
        changed = record.copy()
        steps = rng.choice([-1.0, 1.0], len(record) // each + 1)
        changed[:, 2 + row] = middle + by * np.repeat(steps, each)[: len(record)]
        took = each * float(np.median(record[:, 1]))
        how = f"Moving {u.name} by ±{by:.3g} {u.unit} about {middle:.3g}, up or down at random every {took:.3g} s,"
        yield "input", u.name, how, c, changed
    truth = _expected(behaviour, found.constants, record)[1]
    bound = behaviour.bind(
        {s.name: float(np.median(truth[:, i])) for i, s in enumerate((*layout.states, *layout.tracked))}
        | {u.name: float(np.median(record[:, 2 + i])) for i, u in enumerate(layout.inputs)}
        | {p.name: float(v) for p, v in zip(layout.constants, found.constants, strict=True)}
    )
    readable: list[tuple[str, str, float, Callable[[Any, Scalar], Scalar]]] = []
    for i, s in enumerate(layout.states):
        span = float(np.ptp(truth[:, i])) or s.init[1]
        readable.append((s.name, s.unit, _LITTLE * span, _reads_state(s.name)))
    for name, value in bound.outputs(float(record[0, 0])).items():
        readable.append((name, "1", _LITTLE * (abs(float(value)) or 1.0), _reads_output(name)))
    for name, unit, sigma, read in readable:
        key = f"extra_{name}"
        more = remade(behaviour, behaviour.__name__, sensors={key: (Sensor(unit, sigma=f"{sigma:.6g} {unit}"), read)})
        sensors, first = len(layout.sensors), 2 + len(layout.inputs)
        ones = np.ones((len(record), 1))
        parts = (record[:, : first + sensors], 0.0 * ones, record[:, first + sensors :], ones)
        shown = "" if unit == "1" else f" {unit}"
        how = f"A sensor of {name} (sigma {sigma:.2g}{shown})"
        yield "sensor", name, how, replace(c, behaviour=more), np.concatenate(parts, axis=1)


def _left(found: Calibration, untold: Untold, c: Coordinates, record: Float64s, seed: int) -> float:
    """The posterior's standard deviation along the direction over the prior's, were that record made."""
    made = _expected(c.behaviour, c.constants(found.z), record)[0]
    information = Likelihood(c, [made])(found.z).information
    along = c.precision @ untold.move
    before, after = (
        math.sqrt(float(along @ np.linalg.solve(h, along))) for h in (c.precision, c.precision + information)
    )
    return after / before if math.isfinite(after) else 1.0


def _expected(behaviour: type[Behaviour], constants: Float64s, record: Float64s) -> tuple[Float64s, Float64s]:
    """The record [k, event_size] with what the sensors would read without noise, and the truth [k, states]."""
    layout = behaviour.layout
    first = [s.init[0] for s in layout.states] + [p.prior.centre() for p in layout.tracked if p.prior]
    start = np.array(first, np.float64)[:, None]
    rng = np.random.default_rng(0)
    world = simulate(behaviour, start, constants[:, None], record[:, :, None], rng, noise=0.0, unrest=0.0)
    return world.events[:, :, 0], world.truth[:, :, 0]


def _reads_state(name: str) -> Callable[[Any, Scalar], Scalar]:
    return lambda behaviour, t: getattr(behaviour, name)


def _reads_output(name: str) -> Callable[[Any, Scalar], Scalar]:
    return lambda behaviour, t: behaviour.outputs(t)[name]
