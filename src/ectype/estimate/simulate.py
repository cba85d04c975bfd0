"""Worlds that obey a behaviour exactly: truth drawn from its priors and its noise, and what its sensors would read.

What a filter is held against when it must be right, and what a certificate draws trajectories from.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from dataclasses import dataclass
from typing import Any, final

import casadi as ca
import numpy as np

from ectype.estimate.behaviour import Behaviour
from ectype.estimate.methods import methods_of
from ectype.estimate.trace import clamp_of
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
    m = methods_of(behaviour)
    given = ca.vertcat(*m.x, *m.constants, m.t, m.dt, *m.inputs)
    clamp = clamp_of(layout)
    move: Any = ca.Function("move", [given], [ca.vertcat(*m.moved, *m.q)])
    look: Any = ca.Function("look", [given], [ca.vertcat(*(e for s in m.looks for e in (s.reading, s.std)))])
    inside: Any = ca.Function("inside", [ca.vertcat(*m.x)], [ca.vertcat(*clamp(list(m.x)))])
    inputs, size = len(layout.inputs), len(m.x)
    out, x = events.copy(), np.asarray(inside(ca.DM(first)))
    truth = np.empty((len(events), *first.shape))
    for k, event in enumerate(events):
        held = np.concatenate([constants, event[: 2 + inputs]])
        dt_row = len(constants) + 1
        part = held.copy()
        part[dt_row] /= substeps
        for _ in range(substeps):
            moved = np.asarray(move(ca.DM(np.concatenate([x, part]))))
            kicks = unrest * moved[size:] * np.sqrt(np.maximum(part[dt_row], 0.0)) * rng.standard_normal(x.shape)
            x = np.asarray(inside(ca.DM(moved[:size] + kicks)))
        seen = np.asarray(look(ca.DM(np.concatenate([x, held])))).reshape(len(layout.sensors), 2, -1)
        made = seen[:, 0] + noise * seen[:, 1] * rng.standard_normal(seen[:, 0].shape)
        out[k, 2 + inputs : 2 + inputs + len(layout.sensors)] = made
        truth[k] = x
    return World(truth, out)
