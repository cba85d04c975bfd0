"""Is a certificate only given when the test was awake?"""

import json

import numpy as np
import pytest

from ectype.fidelity.certificate import _most, certify  # pyright: ignore[reportPrivateUsage]
from ectype.fidelity.controls import caught, real_vs_real, stand_ins
from ectype.fidelity.trial import Cut, trials
from ectype.values.canonical import canonical
from tests.fidelity import plant

pytest.importorskip("sklearn", reason="scikit-learn is not installed (pip install 'ectype[fidelity]')")
CUT = Cut(horizon=16, warm_up=60)


def test_a_twin_that_is_off_is_certified_as_distinguishable_and_the_same_seed_gives_the_same_document():
    events = plant.period(1200, 5)
    one, two = (certify(plant.twin(damping=0.5), events, cut=CUT, tried=3, shares=(0.3,)) for _ in range(2))
    assert one.claim == "distinguishable"
    assert "tells the twin from the original" in one.sentence
    document = one.document()
    assert canonical(document) == canonical(two.document())
    assert json.loads(json.dumps(document))["controls"]["noise x 1.2"]["tried"] == 3
    assert len({one.data, one.model, one.panel}) == 3


def test_no_claim_is_made_for_a_right_twin_on_a_short_period():
    found = certify(plant.twin(), plant.period(500, 6), cut=CUT, tried=3, shares=(0.01,))
    assert found.claim == "no claim"
    assert found.resolution == {"stiffness": None, "damping": None}


def test_what_obeys_the_twin_passes_and_a_late_twin_is_caught():
    twin, rng = plant.twin(), np.random.default_rng(1)
    originals = stand_ins(twin, plant.period(1500, 7), 6, rng)
    assert caught(twin, originals, CUT, rng).caught <= _most(6)
    assert caught(plant.twin(stiffness=1.3), originals, CUT, rng).power == 1.0


def test_the_original_against_itself_passes_at_its_level():
    rng = np.random.default_rng(2)
    twin = plant.twin()
    p = [real_vs_real(trial, rng) for trial in trials(twin, stand_ins(twin, plant.period(1500, 8), 12, rng), CUT, rng)]
    assert sum(x <= 0.05 for x in p) <= _most(12)


def test_chance_alone_gives_that_many_false_alarms():
    """Against the binomial distribution."""
    from scipy.stats import binom

    for tried in (1, 6, 20, 100):
        assert _most(tried) == int(binom.ppf(0.99, tried, 0.05))
