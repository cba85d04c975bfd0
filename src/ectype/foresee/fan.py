"""A forecast: trajectories drawn from everything that is not sure.

    parameters ~ their posterior    state now ~ the filter's belief with them    inputs ~ ahead.py
    then the behaviour's own steps with its process noise, and readings with the sensors' noise

The share of trajectories above a value is its probability. Equal seeds give equal luck: two fans of one start whose
inputs or parameters differ differ by that alone (common random numbers), so small effects are seen with few draws.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from ectype.errors import Invalid
from ectype.estimate.simulate import simulate
from ectype.fidelity.trial import sample
from ectype.foresee.ahead import Ahead, paths
from ectype.foresee.followed import Followed
from ectype.values.block import Float64s, Int64s


@final
@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """All that a fan is drawn from. first [states and tracked, draws], constants [c, draws], inputs
    [steps, inputs, draws], each held over the step that ends at `at_ns + (k + 1) every_s`.
    """

    followed: Followed
    at_ns: int
    every_s: float
    first: Float64s
    constants: Float64s
    inputs: Float64s
    seed: int

    @classmethod
    def at(
        cls,
        followed: Followed,
        *,
        steps: int,
        every_s: float | None = None,
        at_ns: int | None = None,
        way: Ahead = "alike",
        draws: int = 1000,
        seed: int = 0,
    ) -> "Start":
        """At the last event, or the last one up to `at_ns`. Raises Invalid for what cannot be drawn."""
        index = followed.index(at_ns)
        every_s = followed.every_s if every_s is None else every_s
        if steps < 1 or draws < 2 or not every_s > 0:
            raise Invalid("a forecast needs one step or more, a positive time between them, and two draws or more")
        if way != "recorded" and (untold := followed.untold(index)):
            raise Invalid(
                f"nothing is known of {', '.join(untold)}, so what comes cannot be drawn; measure it, or say in the "
                "class what it is otherwise: Input(…, default=…)"
            )
        rng = np.random.default_rng([seed, 0])
        constants = followed.posterior[:, rng.integers(followed.posterior.shape[1], size=draws)]
        first = sample(followed.graph, followed.believed(index, constants), rng)
        ahead = paths(followed, index, way, every_s, steps, draws, rng)
        begin = int(followed.at_ns[index])
        return cls(followed, begin, every_s, first, constants, ahead, seed)

    @property
    def times_ns(self) -> Int64s:
        """[steps]: when each step ends."""
        return self.at_ns + round(self.every_s * 1e9) * np.arange(1, len(self.inputs) + 1)

    def with_inputs(self, given: Mapping[str, Float64s]) -> "Start":
        """Those inputs as given, [steps] each, on every draw."""
        names = [u.name for u in self.followed.graph.layout.inputs]
        inputs = self.inputs.copy()
        for name, values in given.items():
            inputs[:, names.index(name)] = values[:, None]
        return replace(self, inputs=inputs)

    def again(self, seed: int) -> "Start":
        """The same, with other luck from here on."""
        return replace(self, seed=seed)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Fan:
    """values: name -> [steps, draws] of states, tracked parameters, sensors (readings, noise included), inputs, and the
    behaviour's `health`.
    """

    at_ns: Int64s
    values: Mapping[str, Float64s]

    def quantiles(self, name: str, levels: tuple[float, ...] = (0.05, 0.5, 0.95)) -> Float64s:
        """[levels, steps]. Raises Invalid for a name that is not there."""
        return np.quantile(self.of(name), levels, axis=1)

    def of(self, name: str) -> Float64s:
        """[steps, draws]. Raises Invalid for a name that is not there."""
        if name not in self.values:
            raise Invalid(f"nothing here is called '{name}'; there are: {', '.join(self.values)}")
        return self.values[name]


def draw(start: Start, *, substeps: int = 1) -> Fan:
    """A fan of trajectories; the same start gives the same fan. substeps: parts that each step is taken in."""
    graph = start.followed.graph
    layout, behaviour = graph.layout, graph.behaviour
    steps, inputs, draws = start.inputs.shape
    events = np.zeros((steps, graph.event_size, draws))
    times = start.times_ns * 1e-9
    events[:, 0], events[:, 1] = times[:, None], start.every_s
    events[:, 2 : 2 + inputs] = start.inputs
    world = simulate(
        behaviour, start.first, start.constants, events, np.random.default_rng([start.seed, 1]), substeps=substeps
    )
    drawn = {name: world.truth[:, i] for i, name in enumerate(layout.belief_names)}
    held = {u.name: start.inputs[:, i] for i, u in enumerate(layout.inputs)}
    fixed = {p.name: start.constants[i] for i, p in enumerate(layout.constants)}
    seen = {s.name: world.events[:, 2 + inputs + i] for i, s in enumerate(layout.sensors)}
    told = behaviour.bind({**drawn, **held, **fixed}).health(times[:, None])
    health = {name: np.broadcast_to(np.asarray(v, np.float64), (steps, draws)) for name, v in told.items()}
    return Fan(start.times_ns, {**health, **held, **seen, **drawn})
