"""Does the test pass what is the same and catch what is not?"""

import numpy as np
import pytest

from ectype.errors import Invalid
from ectype.fidelity.companions import companions, crps
from ectype.fidelity.trial import Cut, trials
from ectype.fidelity.two_sample import tell_apart, verdict
from tests.fidelity import plant

pytest.importorskip("sklearn", reason="scikit-learn is not installed (pip install 'ectype[fidelity]')")
CUT = Cut(horizon=16, warm_up=60)


def judged(k=4000, seed=3, missing=0.0, **changed):
    twin = plant.twin(**changed)
    return trials(twin, plant.period(k, seed, missing)[:, :, None], CUT, np.random.default_rng(seed))[0]


def test_the_true_model_passes_and_a_wrong_parameter_is_caught():
    rng = np.random.default_rng(1)
    assert tell_apart(judged(), rng).p > 0.05
    assert tell_apart(judged(stiffness=1.1), rng).p < 0.01


def test_a_period_with_gaps_is_judged_by_what_is_there():
    trial = judged(missing=0.3)
    assert 0.6 < trial.present.mean() < 0.8
    assert not trial.z[np.broadcast_to(trial.present[:, None] == 0, trial.z.shape)].any()
    assert tell_apart(trial, np.random.default_rng(1)).p > 0.05


def test_of_what_is_the_same_p_is_uniform_whatever_the_scores_are():
    """Ranks of exchangeable members: below alpha in a share alpha of the cases, within what 600 of them can tell."""
    rng = np.random.default_rng(2)
    found = []
    for _ in range(600):
        shared = rng.standard_normal((40, 1))  # scores of one window may well depend on each other
        scores = {name: shared + rng.standard_normal((40, 5)) for name in "ab"}
        found.append(verdict(scores, rng).p)
    found = np.sort(found)
    assert np.abs(found - (np.arange(600) + 0.5) / 600).max() < 1.63 / np.sqrt(600)  # Kolmogorov-Smirnov, 1 %


def test_a_classifier_that_always_knows_is_at_distance_one():
    scores = np.full((40, 5), -1.0)
    scores[:, 0] = 1.0
    found = verdict({"knows": scores, "guesses": np.zeros((40, 5))}, np.random.default_rng(0))
    assert found.p == 1 / 2000
    assert (found.distance, found.distance_low) == (1.0, 1.0)
    assert found.accuracy == {"knows": 1.0, "guesses": 0.5}


def test_names_swapped_between_original_and_draw_leave_nothing_to_find():
    """The paired swap: in half of the windows the original and a draw change places, so a wrong twin cannot be seen."""
    trial, rng = judged(stiffness=1.3), np.random.default_rng(4)
    assert tell_apart(trial, rng).p < 0.01
    for field in (trial.readings, trial.z, trial.e, trial.log_likelihood):
        order = np.random.default_rng(9).permuted(np.tile(np.arange(5), (len(trial), 1)), axis=1)
        shape = (*order.shape, *([1] * (field.ndim - 2)))
        field[:] = np.take_along_axis(field, order.reshape(shape), 1)
    assert tell_apart(trial, rng).p > 0.05


def test_too_short_a_period_is_refused_with_what_would_do():
    with pytest.raises(Invalid, match="give 220 samples"):
        judged(k=200)
    with pytest.raises(Invalid, match="no constant 'mass'"):
        plant.twin().wrong("mass", 0.1)


def test_the_companions_of_a_right_twin_are_in_their_bands_and_of_a_wrong_one_are_not():
    right = companions(judged(), ("place",))["place"]
    assert right.nis_band[0] < right.nis < right.nis_band[1]
    assert right.pit_p > 0.01
    assert set(right.skill) == {1, 8, 16}
    assert right.skill[8] > 0.3
    wrong = companions(judged(stiffness=1.5), ("place",))["place"]
    assert wrong.nis > wrong.nis_band[1]
    assert wrong.skill[8] < right.skill[8]


def test_crps_of_draws_agrees_with_its_closed_form_for_a_normal_distribution():
    """Gneiting, Raftery 2007, equation 5, for N(0, 1)."""
    rng = np.random.default_rng(0)
    y = np.array([-1.0, 0.0, 0.7])
    density, below = np.exp(-0.5 * y**2) / np.sqrt(2 * np.pi), np.array([0.158655254, 0.5, 0.758036348])
    exact = y * (2 * below - 1) + 2 * density - 1 / np.sqrt(np.pi)
    assert np.abs(crps(rng.standard_normal((3, 40_000)), y) - exact).max() < 0.01
