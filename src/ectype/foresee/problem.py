"""The mean of a twin as a function of the inputs that steer it, and the least cost that keeps it where it should be.

Single shooting through the behaviour's own integrator: unknown are the blocks of each input, scaled to [0, 1].
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false

from collections.abc import Mapping, Sequence
from typing import Any, final

import casadi as ca
import numpy as np

from ectype.errors import Invalid
from ectype.estimate.behaviour import Mode
from ectype.estimate.methods import methods_of
from ectype.estimate.trace import clamp_of
from ectype.foresee.fan import Start, draw
from ectype.foresee.goal import Goal, met
from ectype.values.block import Float64s

SX = Any
_SOLVED = ("Solve_Succeeded", "Solved_To_Acceptable_Level")


@final
class Problem:
    """See the module. Raises Invalid for a name, bound or goal that is none."""

    def __init__(
        self,
        start: Start,
        bounds: Mapping[str, tuple[float, float]],
        goals: tuple[Goal, ...],
        cost: str | None,
        blocks: int,
    ) -> None:
        layout = start.followed.graph.layout
        self._start, self._goals = start, goals
        self._names = [u.name for u in layout.inputs]
        for name, (low, high) in bounds.items():
            if name not in self._names:
                raise Invalid(f"'{name}' is no input; the inputs are {', '.join(self._names) or 'none'}")
            if isinstance(layout.inputs[self._names.index(name)], Mode):
                raise Invalid(f"'{name}' is a mode: try its names as scenarios, `ectype whatif --if '{name} = …'`")
            if not (np.isfinite(low) and np.isfinite(high) and low < high):
                raise Invalid(f"bounds of '{name}': {low:g} to {high:g}; the first must be less than the second")
        self._bounds = dict(bounds)
        steps = len(start.inputs)
        self._steps, self._blocks = steps, blocks
        self._first = [goal.begins(steps, start.every_s) for goal in goals]
        self._spread = np.zeros((blocks, steps))
        self._spread[np.arange(steps) * blocks // steps, np.arange(steps)] = 1.0
        self.size = blocks * len(bounds)
        values, price = self._trajectory(cost)
        s = ca.MX.sym("s", self.size)
        wanted, total = values(s), price(s)
        self._values: Any = ca.Function("values", [s], [wanted])
        self._price: Any = ca.Function("price", [s], [total])
        scale = max(1e-9, abs(float(self._price(np.full(self.size, 0.5)))))
        smooth = ca.MX(0)
        for i in range(len(bounds)):
            row = s[i * blocks : (i + 1) * blocks]
            if blocks > 1:
                smooth += ca.sumsqr(row[1:] - row[:-1])
        sizes = np.array([max(1.0, abs(g.value)) for g in goals])
        rows = [
            (wanted[i, first:].T - g.value) * ((1.0 if g.at_least else -1.0) / sizes[i])
            for i, (g, first) in enumerate(zip(goals, self._first, strict=True))
        ]
        self._sizes = sizes
        options = {
            "print_time": False,
            "show_eval_warnings": False,
            "ipopt": {
                "print_level": 0,
                "sb": "yes",
                "max_iter": 300,
                "tol": 1e-7,
                "hessian_approximation": "limited-memory",
            },
        }
        nlp = {"x": s, "f": total / scale + 1e-7 * smooth, "g": ca.vertcat(*rows)}
        self._solver: Any = ca.nlpsol("steer", "ipopt", nlp, options)

    def solve(self, guess: Float64s, tight: Sequence[Float64s]) -> Float64s:
        """[size]: the best, each goal tightened by so much. Raises Invalid if there is none."""
        margins = [t[first:] / size for t, first, size in zip(tight, self._first, self._sizes, strict=True)]
        found = self._solver(x0=guess, lbx=0.0, ubx=1.0, lbg=np.concatenate(margins), ubg=np.inf)
        status = str(self._solver.stats()["return_status"])
        if status not in _SOLVED:
            asked = ", ".join(map(str, self._goals))
            raise Invalid(f"no input within the bounds was found that reaches {asked} ({status}); {self.reach()}")
        return np.clip(np.asarray(found["x"]).ravel(), 0.0, 1.0)

    def controls(self, unknown: Float64s) -> dict[str, Float64s]:
        """name -> [steps]."""
        shaped = unknown.reshape(len(self._bounds), self._blocks) @ self._spread
        return {n: lo + (hi - lo) * row for (n, (lo, hi)), row in zip(self._bounds.items(), shaped, strict=True)}

    def mean(self, unknown: Float64s) -> Float64s:
        """[goals, steps]: what the goals speak of, on the mean."""
        return np.asarray(self._values(unknown))

    def cost(self, unknown: Float64s) -> float:
        """The integral of the cost."""
        return float(self._price(unknown))

    def reach(self) -> str:
        """What the bounds themselves reach, in words."""
        told: list[str] = []
        for share, word in ((0.0, "lowest"), (1.0, "highest")):
            controls = self.controls(np.full(self.size, share))
            chance = met(draw(self._start.with_inputs(controls)), self._goals, self._start.every_s)
            told.append(f"the {word} throughout reaches it with {chance:.0%}")
        return " and ".join(told)

    def _trajectory(self, cost: str | None) -> tuple[Any, Any]:
        start, steps = self._start, self._steps
        behaviour, layout = start.followed.graph.behaviour, start.followed.graph.layout
        m, clamp = methods_of(behaviour), clamp_of(layout)
        x, held = ca.vertcat(*m.x), ca.vertcat(*m.inputs, m.t, m.dt)
        fixed = np.median(start.constants, 1)
        names = dict(zip(layout.belief_names, m.x, strict=True)) | dict(zip(self._names, m.inputs, strict=True))
        constants = {p.name: c for p, c in zip(layout.constants, m.constants, strict=True)}
        health = behaviour.bind(names | constants).health(m.t)
        names = (
            {k: ca.SX(v) for k, v in health.items()}
            | {s.name: look.reading for s, look in zip(layout.sensors, m.looks, strict=True)}
            | names
        )

        def named(name: str) -> SX:
            if name not in names:
                raise Invalid(f"nothing here is called '{name}'; there are: {', '.join(names)}")
            return names[name]

        own = [names[n] if low >= 0 else names[n] ** 2 for n, (low, _) in self._bounds.items()]
        price = named(cost) if cost is not None else sum(own, ca.SX(0))
        put = ca.vertcat(*m.constants)

        def given(expressions: list[SX]) -> SX:
            whole = ca.vertcat(*expressions)
            return ca.substitute(whole, put, ca.DM(fixed)) if len(fixed) else whole

        step = ca.Function("step", [x, held], [given(clamp(m.at(list(m.moved), clamp(list(m.x)))))])
        wanted = [named(g.name) for g in self._goals]
        look = ca.Function("look", [x, held], [given([*wanted, price])])
        run = step.mapaccum("run", steps)
        first = start.first.mean(1)
        others = np.median(start.inputs, 2)
        times = start.times_ns * 1e-9

        def told(s: Any) -> Any:
            rows: list[Any] = []
            at = list(self._bounds)
            for i, name in enumerate(self._names):
                if name in self._bounds:
                    low, high = self._bounds[name]
                    j = at.index(name)
                    block = s[j * self._blocks : (j + 1) * self._blocks].T
                    rows.append(low + (high - low) * (block @ self._spread))
                else:
                    rows.append(ca.MX(ca.DM(others[:, i]).T))
            rows += [ca.MX(ca.DM(times).T), ca.MX(ca.DM(np.full(steps, start.every_s)).T)]
            along = ca.vertcat(*rows)
            return look.map(steps)(run(ca.DM(first), along), along)

        goals = len(self._goals)

        def wanted_of(s: Any) -> Any:
            return told(s)[:goals, :]

        def price_of(s: Any) -> Any:
            return ca.sum2(told(s)[goals, :]) * start.every_s

        return wanted_of, price_of
