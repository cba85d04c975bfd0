"""Are the flights that are left foretold, with intervals that hold, by nothing that looks ahead?"""

import numpy as np
import pytest
from examples.turbofan.engines import FOLDER, Engines, read
from examples.turbofan.life import features, foretell
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'ectype[fidelity]'")
recorded = pytest.mark.skipif(not FOLDER.exists(), reason="the engines (../shared/data/cmapss) are absent")


@recorded
def test_lives_are_foretold_within_the_bar_and_the_intervals_hold():
    found = foretell(read("FD001"))
    assert len(found.told) == 100
    assert found.rms_whole < 14
    assert found.rms < found.rms_whole
    assert abs(found.rms - found.cv_rms) < 3  # what was promised on held-out engines comes true
    assert 0.8 <= found.covered <= 1.0


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 80), st.integers(0, 2**31))
def test_nothing_looks_ahead(flights, seed):
    z = np.random.default_rng(seed).standard_normal((flights, 3))
    whole = features(z)
    cut = flights // 2 + 1
    np.testing.assert_allclose(features(z[:cut]), whole[:cut], atol=1e-9)
    mean = z[max(0, cut - 5) : cut].mean(0)
    np.testing.assert_allclose(whole[cut - 1, :3], mean, atol=1e-9)
    window = z[max(0, cut - 20) : cut]
    if len(window) > 1:
        slope = np.polyfit(np.arange(len(window)), window, 1)[0]
        np.testing.assert_allclose(whole[cut - 1, 12:15], slope, atol=1e-9)


def test_simulated_wear_is_foretold():
    """Engines whose sensors bend like exp over a life that varies: errors far below a guess at the mean."""
    rng = np.random.default_rng(1)

    def engine(life: int) -> np.ndarray:
        worn = np.exp(5 * (np.arange(life) / life - 1))[:, None]
        return worn * np.array([1.0, -2.0, 0.5]) + 0.05 * rng.standard_normal((life, 3))

    train = {unit: engine(int(rng.integers(120, 250))) for unit in range(30)}
    test, left = {}, {}
    for unit in range(15):
        life = int(rng.integers(120, 250))
        cut = int(rng.integers(40, life))
        test[unit], left[unit] = engine(life)[:cut], float(life - cut)
    found = foretell(Engines(train, test, left))
    assert found.rms < 0.6 * found.true.std()
