"""Worlds that obey a behaviour exactly: truth drawn from its priors and its noise, and what its sensors would read.

What a filter is held against when it must be right, and what a certificate draws trajectories from.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from dataclasses import dataclass
from functools import lru_cache
from typing import final

import casadi as ca
import numpy as np

from ectype.estimate.behaviour import Behaviour
from ectype.estimate.emit_numpy import run
from ectype.estimate.methods import methods_of
from ectype.estimate.scalars import Instruction, instructions_of
from ectype.values.block import Float64s


@final
@dataclass(frozen=True, slots=True, eq=False)
class World:
    """truth [k, states, n] at each event (tracked parameters included), and the events [k, event_size, n] with their
    readings filled in, as `Kernel.fold` takes them.
    """

    truth: Float64s
    events: Float64s


def simulate(
    behaviour: type[Behaviour],
    first: Float64s,
    constants: Float64s,
    events: Float64s,
    rng: np.random.Generator,
    *,
    substeps: int = 1,
    noise: float = 1.0,
    unrest: float = 1.0,
) -> World:
    """Truth from `first` [states, n] on through `events` (t, dt, inputs and present flags are taken from them, readings
    are made). Noise comes in `substeps` equal parts of dt. Bounds hold for the truth too. noise, unrest: factors on the
    sensors' standard deviations and on q.
    """
    layout = behaviour.layout
    move, look = _compiled(behaviour)
    bounds = np.array([[d.low, d.high] for d in (*layout.states, *layout.tracked)])
    inputs, size = len(layout.inputs), len(bounds)

    def inside(x: Float64s) -> Float64s:
        return np.clip(x, bounds[:, :1], bounds[:, 1:])

    out, x = events.copy(), inside(first)
    truth = np.empty((len(events), *first.shape))
    for k, event in enumerate(events):
        held = np.concatenate([constants, event[: 2 + inputs]])
        dt_row = len(constants) + 1
        part = held.copy()
        part[dt_row] /= substeps
        for _ in range(substeps):
            moved = run(move, np.concatenate([x, part]), 2 * size)
            kicks = unrest * moved[size:] * np.sqrt(np.maximum(part[dt_row], 0.0)) * rng.standard_normal(x.shape)
            x = inside(moved[:size] + kicks)
        seen = run(look, np.concatenate([x, held]), 2 * len(layout.sensors)).reshape(len(layout.sensors), 2, -1)
        made = seen[:, 0] + noise * seen[:, 1] * rng.standard_normal(seen[:, 0].shape)
        out[k, 2 + inputs : 2 + inputs + len(layout.sensors)] = made
        truth[k] = x
    return World(truth, out)


@lru_cache(maxsize=64)
def _compiled(behaviour: type[Behaviour]) -> tuple[tuple[Instruction, ...], tuple[Instruction, ...]]:
    """(how it moves, and q; what each sensor reads, and its standard deviation) over x, constants, t, dt, inputs."""
    m = methods_of(behaviour)
    given = [ca.vertcat(*m.x, *m.constants, m.t, m.dt, *m.inputs)]
    looks = [e for s in m.looks for e in (s.reading, s.std)]
    made = [ca.Function("f", given, [ca.vertcat(*e)], {"cse": True}) for e in ([*m.moved, *m.q], looks)]
    return instructions_of(made[0], behaviour.__name__), instructions_of(made[1], behaviour.__name__)
