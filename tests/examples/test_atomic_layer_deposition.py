"""Does the deposition twin know what it cannot see, and does knowing it make better wafers?"""

import functools

import numpy as np
from examples.atomic_layer_deposition import (
    Deposition,
    Recipe,
    events_of,
    next_recipe,
    report,
)

from ectype.estimate.simulate import simulate
from ectype.estimate.trace import trace


@functools.cache
def results():
    return [report(wafers=6, seed=seed) for seed in (1, 2)]


def test_a_steered_line_is_nearer_to_the_target_than_a_fixed_recipe():
    """Six wafers, so the bubbler loses much from one to the next; whole cycles alone are off by up to 0.05 nm."""
    rms = {name: [r[name]["thickness, rms error nm"] for r in results()] for name in ("fixed", "twin")}
    assert np.mean(rms["twin"]) < 0.6 * np.mean(rms["fixed"])
    for result in results():
        assert abs(result["twin"]["last wafer nm"] - 5.0) < 0.5 * abs(result["fixed"]["last wafer nm"] - 5.0)


def test_the_empty_bubbler_is_seen_without_a_sensor():
    for result in results():
        rows = np.array(result["delivery Pa/s: true, believed, std"])
        assert rows[0, 0] > 38
        assert rows[-1, 0] < 22
        assert (np.abs(rows[:, 1] - rows[:, 0]) < 4 * rows[:, 2]).all()


def test_the_twin_is_as_sure_of_the_thickness_as_it_should_be():
    """24 wafers: the mean of 24 chi-squares of 3 degrees is in 1.6 to 4.9 but for one time in a thousand."""
    assert all(result["twin's thickness"]["rms error nm"] < 0.002 for result in results())
    nees = [result["twin's thickness"]["NEES of thickness, delivery, growth (3 is honest)"] for result in results()]
    assert 1.6 < np.mean(nees) < 4.9


def test_growth_limits_itself_and_a_short_purge_grows_beyond():
    """A cycle of long doses and purges grows `growth` and no more, whatever the dose; a short purge grows more."""
    graph = trace(Deposition)
    rng = np.random.default_rng(0)
    first, constants = np.array([[0.0], [0.0], [0.0], [0.0], [40.0], [0.1]]), np.array([[40.0], [0.25], [1.5], [2.0]])

    def grown(dose, purge):
        events = events_of(graph, Recipe(dose, purge, 3))
        truth = simulate(Deposition, first, constants, events, rng, noise=0, unrest=0).truth[:, 3, 0]
        return truth[-1] - truth[-1 - len(truth) // 3]

    assert abs(grown(1.0, 3.0) / 0.1 - 1) < 0.01  # what is left of B after its purge meets A
    assert abs(grown(1.4, 3.0) / grown(1.0, 3.0) - 1) < 1e-3
    assert grown(0.1, 3.0) < 0.09
    assert grown(0.6, 0.3) > 0.11


def test_an_emptier_bubbler_gets_a_longer_dose():
    graph = trace(Deposition)
    full, empty = next_recipe(graph, 40.0, 0.1), next_recipe(graph, 20.0, 0.1)
    assert empty.dose > full.dose
    assert full.cycles == empty.cycles == 50
