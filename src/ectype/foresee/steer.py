"""Optimal what-if: the input that reaches a goal at least cost, within bounds, as surely as asked.

The mean of the twin (belief, parameters, other inputs) is steered by piecewise constant inputs: single shooting through
the behaviour's own integrator, IPOPT, exact gradients. A mean that just reaches the goal misses it half of the time. So
a fan is drawn with the inputs found, the goal is tightened by how far the draws fall short of the mean, and it is
solved again, until the share that meets the goal is what was asked (constraint tightening, as in stochastic MPC). The
probability that is told is of other draws than those it was tuned on.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from ectype.errors import Invalid
from ectype.foresee.fan import Fan, Start, draw
from ectype.foresee.goal import Goal, met
from ectype.foresee.problem import Problem
from ectype.values.block import Float64s

_ROUNDS = 8


@final
@dataclass(frozen=True, slots=True, eq=False)
class Steered:
    """controls: name -> [steps]; cost: of the mean, in the unit of the cost times seconds; probability that all goals
    are met, on draws of their own; fan: those draws; rounds: how often it was solved.
    """

    controls: Mapping[str, Float64s]
    cost: float
    probability: float
    fan: Fan
    start: Start
    rounds: int


def steer(
    start: Start,
    bounds: Mapping[str, tuple[float, float]],
    goals: Sequence[Goal],
    *,
    cost: str | None = None,
    sure: float = 0.9,
    blocks: int = 20,
) -> Steered:
    """The inputs in `bounds`, least in the integral of `cost`: an input, state, sensor or `health` of the behaviour.
    None: the inputs themselves where they cannot be negative, else their squares.

    Raises Invalid if a name is unknown, or if no input within the bounds reaches the goals that surely.
    """
    if not goals or not bounds or not 0 < sure < 1:
        raise Invalid("steering needs an input with bounds, a goal, and a probability between 0 and 1")
    problem = Problem(start, bounds, tuple(goals), cost, min(blocks, len(start.inputs)))
    wanted = tuple(goals)
    enough = min(sure + math.sqrt(sure * (1 - sure) / start.first.shape[1]), 1.0)  # these draws were tuned on
    level, tight = sure, [np.zeros(len(start.inputs)) for _ in goals]
    unknown = np.full(problem.size, 0.5)
    for rounds in range(1, _ROUNDS + 1):
        unknown = problem.solve(unknown, tight)
        controls, mean = problem.controls(unknown), problem.mean(unknown)
        fan = draw(start.with_inputs(controls))
        if met(fan, wanted, start.every_s) >= enough:
            judged = start.with_inputs(controls).again(start.seed + 1)
            fan = draw(judged)
            chance = met(fan, wanted, start.every_s)
            return Steered(controls, problem.cost(unknown), chance, fan, judged, rounds)
        for i, goal in enumerate(goals):
            short = goal.room(mean[i]) - np.quantile(goal.room(fan.of(goal.name)), 1 - level, axis=1)
            tight[i] = np.maximum(tight[i], short)
        level = 1 - (1 - level) * 0.7
    asked = ", ".join(map(str, goals))
    raise Invalid(f"in {_ROUNDS} rounds no input was found that is {sure:.0%} sure of {asked}; {problem.reach()}")
