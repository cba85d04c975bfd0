"""What a behaviour's methods return, run once on symbols and checked: when the class is made, and to trace it.

A wrong answer is told with the method's file and line and what to write instead.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, final

import casadi as ca
import numpy as np

from ectype.errors import Invalid
from ectype.estimate.dimensions import check_units

SX = Any


@final
@dataclass(frozen=True, slots=True)
class Returned:
    """The symbols a behaviour was given and what it made of them. moved: of `step`, else None; slope: of
    `derivative`; looks: reading, standard deviation and condition of each sensor; q of states and tracked parameters.
    """

    x: tuple[SX, ...]
    constants: tuple[SX, ...]
    inputs: tuple[SX, ...]
    t: SX
    dt: SX
    moved: tuple[SX, ...] | None
    slope: tuple[SX, ...]
    looks: tuple[tuple[SX, SX, SX], ...]
    q: tuple[SX, ...]
    conserved: Mapping[str, tuple[SX, SX]]

    @classmethod
    def of(cls, behaviour: Any) -> Self:
        """Run the methods of a Behaviour. Raises Invalid if one does not return what it must."""
        layout = behaviour.layout
        names = layout.belief_names
        x = [ca.SX.sym(name) for name in names]
        constants = [ca.SX.sym(p.name) for p in layout.constants]
        inputs = [ca.SX.sym(u.name) for u in layout.inputs]
        t, dt = ca.SX.sym("t"), ca.SX.sym("dt")
        bound = behaviour.bind(
            dict(zip(names, x, strict=True))
            | {p.name: c for p, c in zip(layout.constants, constants, strict=True)}
            | {u.name: v for u, v in zip(layout.inputs, inputs, strict=True)}
        )
        states = names[: len(layout.states)]
        by_hash = {hash(symbol): name for name, symbol in zip(states, x, strict=False)}

        def run(method: str, *given: SX) -> dict[Any, SX]:
            where = _where(behaviour, method)
            try:
                returned = dict(getattr(bound, method)(*given))
                return {key: value if isinstance(value, tuple) else ca.SX(value) for key, value in returned.items()}
            except (TypeError, ValueError, NotImplementedError, AttributeError, RuntimeError) as error:
                told = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise Invalid(
                    f"{where} cannot run on symbols: {told}; write it with the functions of estimate.maths "
                    "(where for if, both and either for and and or) and return {self.name: expression}"
                ) from error

        def of_states(method: str, whole: bool, *given: SX) -> dict[str, SX]:
            found = {k if isinstance(k, str) else by_hash.get(hash(k), "?"): v for k, v in run(method, *given).items()}
            if not set(found) <= set(states) or (whole and len(found) < len(states)):
                must = "must return exactly" if whole else "may only name"
                raise Invalid(f"{_where(behaviour, method)} {must} the states {', '.join(states)}")
            return found

        moved, slope = None, ()
        if "step" in vars(behaviour):
            found = of_states("step", True, t, dt)
            moved = tuple(found[name] for name in states)
        else:
            found = of_states("derivative", True, t)
            slope = tuple(found[name] for name in states)
        seen, noise, usable = run("observe", t), run("noise", t), run("usable", t)
        if set(seen) != set(layout.sensors) or not {*noise, *usable} <= set(layout.sensors):
            wanted = ", ".join(f"self.{s.name}" for s in layout.sensors)
            raise Invalid(f"{_where(behaviour, 'observe')} must return exactly the sensors {wanted}")
        looks = tuple((seen[s], ca.SX(noise.get(s, s.sigma)), ca.SX(usable.get(s, 1.0))) for s in layout.sensors)
        unrest = of_states("unrest", False, t)
        q = [ca.SX(unrest.get(s.name, s.q)) for s in layout.states] + [ca.SX(p.q or 0.0) for p in layout.tracked]
        kept = {name: (ca.SX(a), ca.SX(b)) for name, (a, b) in run("conserved", t).items()}
        return cls(tuple(x), tuple(constants), tuple(inputs), t, dt, moved, slope, looks, tuple(q), kept)


def check_methods(behaviour: Any) -> None:
    """Raises Invalid, naming the line, if a method fails, returns the wrong names or does not conserve what it says."""
    run = Returned.of(behaviour)
    layout = behaviour.layout
    _check_units(behaviour, run)
    for name, (amount, inflow) in run.conserved.items():
        if run.moved is not None:
            raise Invalid(f"{_where(behaviour, 'conserved')}: only derivative can be checked; write that, not step")
        states = ca.vertcat(*run.x[: len(layout.states)])
        excess = ca.jtimes(amount, states, ca.vertcat(*run.slope)) - inflow
        given = ca.vertcat(*run.x, *run.constants, *run.inputs, run.t)
        gap: Callable[[Any], Any] = ca.Function("gap", [given], [excess, inflow, amount])
        rng = np.random.default_rng(0)
        mean = [s.init[0] for s in layout.states] + [p.value for p in (*layout.tracked, *layout.constants)]
        spread = [s.init[1] for s in layout.states] + [0.1 * abs(p.value) for p in (*layout.tracked, *layout.constants)]
        low = np.array([d.low for d in (*layout.states, *layout.tracked, *layout.constants)])
        for _ in range(5):
            drawn = np.maximum(np.array(mean) + np.array(spread) * rng.standard_normal(len(mean)), low)
            off, flow, whole = (float(v) for v in gap(np.append(drawn, rng.uniform(0.5, 2.0, len(layout.inputs) + 1))))
            if abs(off) > 1e-9 * (abs(flow) + abs(whole) + 1.0):
                raise Invalid(
                    f"{_where(behaviour, 'conserved')}: {name} changes by {off:.3g} per second beyond its inflow; "
                    "correct derivative, or return (amount, what flows in minus what flows out)"
                )


def _check_units(behaviour: Any, run: Returned) -> None:
    layout = behaviour.layout
    beliefs, states = (*layout.states, *layout.tracked), layout.states
    declared = zip((*run.x, *run.constants, *run.inputs), (*beliefs, *layout.constants, *layout.inputs), strict=True)
    moved = [(d.name, e, d.unit) for d, e in zip(states, run.moved or (), strict=False) if d.unit != "1"]
    slope = [(d.name, e, f"({d.unit})/s") for d, e in zip(states, run.slope, strict=False) if d.unit != "1"]
    seen = [(s, look) for s, look in zip(layout.sensors, run.looks, strict=True) if s.unit != "1"]
    results = {
        "step": moved,
        "derivative": slope,
        "observe": [(s.name, look[0], s.unit) for s, look in seen],
        "noise": [(s.name, look[1], s.unit) for s, look in seen],
        "unrest": [(d.name, e, f"({d.unit})/sqrt(s)") for d, e in zip(beliefs, run.q, strict=True) if d.unit != "1"],
    }
    symbols = [*((symbol, d.unit) for symbol, d in declared), (run.t, "s"), (run.dt, "s")]
    check_units(lambda method: _where(behaviour, method), symbols, results)


def _where(behaviour: Any, method: str) -> str:
    code = getattr(getattr(behaviour, method), "__code__", None)
    line = f"{Path(code.co_filename).name}, line {code.co_firstlineno}: " if code else ""
    return f"{line}{behaviour.__name__}.{method}"
