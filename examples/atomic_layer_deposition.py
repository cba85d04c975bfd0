"""A twin of atomic layer deposition: a film that grows by a tenth of a nanometre a cycle, watched and steered.

    python -m examples.atomic_layer_deposition [--wafers 20] [--json]

A cycle lets in precursor A, purges, lets in B, purges. A sticks to free sites until none is left (Langmuir); B turns
what A left into film. So growth limits itself, unless the dose is too short (sites stay free), or the purge is (A and
B meet in the gas and grow without limit, as in chemical vapour deposition). Both follow from four equations:

    da/dt = delivery * valve_a - a / residence             partial pressures in the chamber
    db/dt = delivery_b * valve_b - b / residence
    dc/dt = k_a a (1 - c) - k_b b c                        share of the sites that A covers
    dh/dt = growth * k_b b c                               thickness

The bubbler of A empties from wafer to wafer, which no sensor sees. A quartz crystal beside the wafer weighs the film
and what sticks to it twenty times a second; an ellipsometer measures its thickness every five seconds. From these the
twin knows delivery and growth, and chooses the next wafer's doses, purge and number of cycles.

THE DATA ARE SIMULATED, by this very model with noise; constants are of the order of trimethylaluminium and water at
200 degC (George, Chem. Rev. 110, 2010). What is shown is that the unseen is found and used, not that a reactor is so.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ectype.estimate.behaviour import Behaviour, Input, Normal, Parameter, Sensor, State
from ectype.estimate.emit_llvm import LlvmKernel
from ectype.estimate.kernel import Kernel
from ectype.estimate.simulate import simulate
from ectype.estimate.trace import Graph, trace
from ectype.values.block import Float64s

STEP_S = 0.05
TARGET_NM = 5.0
DOSE_B_S, PURGE_B_S = 0.5, 1.5
ELLIPSOMETER_EVERY = 100  # samples
MASS_PER_NM = 300.0  # ng/cm^2 of a film of 3 g/cm^3
SITES = 240.0  # ng/cm^2 on covered sites, for each nm of growth


class Deposition(Behaviour, model="dtmi:ectype:examples:AtomicLayerDeposition;1", substeps=2):
    """See the module's docstring."""

    a = State("Pa", init=(0.0, 0.02), q="0.01 Pa/sqrt(s)", low=0)
    b = State("Pa", init=(0.0, 0.02), q="0.01 Pa/sqrt(s)", low=0)
    covered = State("1", init=(0.0, 0.02), q="0.002 1/sqrt(s)", low=0, high=1)
    thickness = State("nm", init=(0.0, 0.05), q="0.0005 nm/sqrt(s)")
    delivery = Parameter("Pa/s", prior=Normal(40.0, 4.0), drift="0.02 Pa/s/sqrt(s)", low=1)
    growth = Parameter("nm", prior=Normal(0.1, 0.005), drift="0.00002 nm/sqrt(s)", low=0.01)
    delivery_b = Parameter("Pa/s", fixed=40.0)
    residence = Parameter("s", fixed=0.25)
    k_a = Parameter("1/(Pa*s)", fixed=1.5)
    k_b = Parameter("1/(Pa*s)", fixed=2.0)
    valve_a = Input("1", max_age="1 s")
    valve_b = Input("1", max_age="1 s")
    mass = Sensor("ng/cm^2", sigma="0.5 ng/cm^2")
    ellipsometer = Sensor("nm", sigma="0.03 nm")

    def derivative(self, t: Any) -> dict[Any, Any]:
        """The four equations."""
        turned = self.k_b * self.b * self.covered
        return {
            self.a: self.delivery * self.valve_a - self.a / self.residence,
            self.b: self.delivery_b * self.valve_b - self.b / self.residence,
            self.covered: self.k_a * self.a * (1 - self.covered) - turned,
            self.thickness: self.growth * turned,
        }

    def observe(self, t: Any) -> dict[Any, Any]:
        """The crystal weighs the film and what sticks to it."""
        return {
            self.mass: MASS_PER_NM * self.thickness + SITES * self.growth * self.covered,
            self.ellipsometer: self.thickness,
        }


@dataclass(frozen=True)
class Recipe:
    """Seconds of dose and purge of A, and how many cycles."""

    dose: float
    purge: float
    cycles: int

    @property
    def seconds(self) -> float:
        """Of one cycle."""
        return self.dose + self.purge + DOSE_B_S + PURGE_B_S


@dataclass(frozen=True)
class Wafer:
    """What one came to. believed, std: what the twin says of its thickness in nm; truth: what it is."""

    recipe: Recipe
    truth: float
    believed: float
    std: float
    delivery: tuple[float, float, float]
    """true, believed, its standard deviation, Pa/s"""
    nees: float
    """squared error of thickness, delivery and growth in units of their covariance; 3 on average if honest"""


def events_of(graph: Graph, recipe: Recipe, columns: int = 1) -> Float64s:
    """[k, event_size, columns] of one wafer, readings to be filled in."""
    doses = [recipe.dose, recipe.purge, DOSE_B_S, PURGE_B_S]
    counts = [max(1, round(s / STEP_S)) for s in doses]
    cycle = np.repeat([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.0]], counts, axis=0)
    valves = np.tile(cycle, (recipe.cycles, 1))
    events = np.zeros((len(valves), graph.event_size, columns))
    events[:, 0] = STEP_S * np.arange(1, len(valves) + 1)[:, None]
    events[:, 1] = STEP_S
    events[:, 2:4] = valves[:, :, None]
    events[:, 6] = 1.0
    events[ELLIPSOMETER_EVERY - 1 :: ELLIPSOMETER_EVERY, 7] = 1.0
    return events


def next_recipe(graph: Graph, delivery: float, growth: float) -> Recipe:
    """The shortest dose that covers 99 % of the sites, then the shortest purge after it with which a cycle grows at
    most 1 % beyond them, by asking the twin's own equations without noise; and as many cycles as reach the target.
    """
    rng = np.random.default_rng(0)
    first = np.array([[0.0], [0.0], [0.0], [0.0], [delivery], [growth]])
    constants = np.array([[p.value] for p in graph.layout.constants])

    def cycle(dose: float, purge: float) -> tuple[float, float]:
        """Share of the sites covered and nm grown in the third cycle."""
        events = events_of(graph, Recipe(dose, purge, 3))
        truth = simulate(Deposition, first, constants, events, rng, noise=0, unrest=0).truth
        k = len(truth) // 3
        until = 2 * k + round((dose + purge) / STEP_S)
        return float(truth[2 * k : until, 2, 0].max()), float(truth[-1, 3, 0] - truth[-1 - k, 3, 0])

    dose = _shortest(0.1, 1.5, lambda dose: cycle(dose, 1.5)[0] >= 0.99)
    purge = _shortest(0.6, 3.0, lambda purge: cycle(dose, purge)[1] <= 1.01 * growth)
    return Recipe(dose, purge, max(1, round(TARGET_NM / cycle(dose, purge)[1])))


def _shortest(low: float, high: float, enough: Callable[[float], bool]) -> float:
    """The fewest samples' time from low to high that is enough, where longer is never less; high if none is."""
    least, most = round(low / STEP_S), round(high / STEP_S)
    while least < most:
        middle = (least + most) // 2
        least, most = (least, middle) if enough(middle * STEP_S) else (middle + 1, most)
    return least * STEP_S


def empty_bubbler(wafer: int, wafers: int) -> float:
    """What the bubbler truly delivers at that wafer, Pa/s: it falls from 40 to 20."""
    return 40.0 - 20.0 * wafer / max(1, wafers - 1)


def run(kernel: Kernel, graph: Graph, wafers: int, seed: int, steered: bool) -> list[Wafer]:
    """Deposit that many wafers, with the recipe of the first for all, or each with the twin's."""
    rng = np.random.default_rng(seed)
    constants = np.array([[p.value] for p in graph.layout.constants])
    belief = graph.initial(1)
    first_growth = 0.1 + 0.003 * rng.standard_normal()
    out: list[Wafer] = []
    recipe = next_recipe(graph, 40.0, 0.1)
    for number in range(wafers):
        if steered and number:
            recipe = next_recipe(graph, float(belief[4, 0]), float(belief[5, 0]))
        first = np.array([[0.0], [0.0], [0.0], [0.0], [empty_bubbler(number, wafers)], [first_growth]])
        world = simulate(Deposition, first, constants, events_of(graph, recipe), rng)
        belief, _ = kernel.fold(belief, constants, world.events, np.ones(world.events.shape[::2]))
        out.append(judged(graph, recipe, world.truth[-1, :, 0], belief[:, 0]))
        first_growth = float(world.truth[-1, 5, 0])
        belief = fresh_wafer(graph, belief)
    return out


def judged(graph: Graph, recipe: Recipe, truth: Float64s, belief: Float64s) -> Wafer:
    """The end of a wafer: truth [6] and belief [belief_size]."""
    n = graph.size
    cov = np.zeros((n, n))
    low = np.tril_indices(n)
    cov[low] = belief[n:]
    cov = cov + np.tril(cov, -1).T
    which = [3, 4, 5]
    error = (belief[:n] - truth)[which]
    nees = float(error @ np.linalg.solve(cov[np.ix_(which, which)], error))
    delivery = (float(truth[4]), float(belief[4]), float(np.sqrt(cov[4, 4])))
    return Wafer(recipe, float(truth[3]), float(belief[3]), float(np.sqrt(cov[3, 3])), delivery, nees)


def fresh_wafer(graph: Graph, belief: Float64s) -> Float64s:
    """The belief before the next wafer: a bare one; the bubbler has lost some more, by 1.5 Pa/s or so."""
    out = graph.initial(1)
    for i, more in ((4, 1.5), (5, 0.0005)):
        row = graph.variance_row(i)
        out[i], out[row] = belief[i], belief[row] + more**2
    return out


def report(wafers: int, seed: int) -> dict[str, Any]:
    """Both ways of running the line, and how honest the twin was."""
    graph = trace(Deposition)
    with tempfile.TemporaryDirectory() as cache:
        kernel = LlvmKernel(graph, Path(cache))
        runs = {name: run(kernel, graph, wafers, seed, steered) for name, steered in (("fixed", False), ("twin", True))}
    result: dict[str, Any] = {"wafers": wafers, "target nm": TARGET_NM}
    for name, done in runs.items():
        error = np.array([w.truth - TARGET_NM for w in done])
        result[name] = {
            "thickness, rms error nm": float(np.sqrt((error**2).mean())),
            "thickness, largest error nm": float(np.abs(error).max()),
            "seconds a wafer": float(np.mean([w.recipe.seconds * w.recipe.cycles for w in done])),
            "last wafer nm": done[-1].truth,
        }
    both = [w for done in runs.values() for w in done]
    known = np.array([w.believed - w.truth for w in both])
    result["twin's thickness"] = {
        "rms error nm": float(np.sqrt((known**2).mean())),
        "its own standard deviation nm": float(np.mean([w.std for w in both])),
        "inside its 95 % interval": float(np.mean([abs(w.believed - w.truth) <= 1.96 * w.std for w in both])),
        "NEES of thickness, delivery, growth (3 is honest)": float(np.mean([w.nees for w in both])),
    }
    result["delivery Pa/s: true, believed, std"] = [[round(v, 2) for v in w.delivery] for w in runs["twin"]]
    result["recipes"] = [[round(w.recipe.dose, 2), round(w.recipe.purge, 2), w.recipe.cycles] for w in runs["twin"]]
    return result


def main() -> None:
    """Run it and say what came out."""
    parser = argparse.ArgumentParser(description="Atomic layer deposition, simulated: what the twin knows and steers.")
    parser.add_argument("--wafers", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result = report(args.wafers, args.seed)
    if args.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name}: {json.dumps(value, indent=2) if isinstance(value, dict) else value}")


if __name__ == "__main__":
    main()
