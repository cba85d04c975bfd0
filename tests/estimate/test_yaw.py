import numpy as np
import pytest

from ectype.errors import Invalid
from ectype.estimate import scada, yaw


def simulated(static, weeks=40, seed=0):
    """Turbines that follow the model, with a known offset each and none by wind."""
    r = np.random.default_rng(seed)
    k, n = weeks * 1008, len(static)
    w = r.uniform(3.5, 10.5, (k, n))
    vane = 6.0 * r.standard_normal((k, n))
    power = 1.6 * w**3 * np.cos(np.radians(vane - np.array(static))) ** 3 * (1 + 0.05 * r.standard_normal((k, n)))
    at = 10**18 + scada.STEP_NS * np.arange(k, dtype=np.int64)
    flat = np.full((k, n), 10.0)
    return scada.Records(tuple(f"T{i}" for i in range(n)), at, power, w, -flat / 10, vane, flat)


@pytest.mark.parametrize("pooled", [True, False])
def test_known_offsets_are_found(pooled):
    truth = np.array([-3.0, 0.0, 2.0, 5.0])
    found = yaw.calibrate(simulated(truth), pooled=pooled, resamples=0)
    mean_vane = found.mean_vane.mean(1)
    np.testing.assert_allclose(found.static + mean_vane, truth, atol=0.5)


def test_the_bootstrap_is_as_wide_as_the_scatter_of_its_own_estimates():
    truth = np.array([0.0, 3.0])
    runs = [yaw.calibrate(simulated(truth, weeks=12, seed=s), resamples=0).static for s in range(6)]
    interval = yaw.calibrate(simulated(truth, weeks=12), resamples=30).interval
    ratio = (interval[:, 1] - interval[:, 0]) / 3.92 / np.std(runs, axis=0, ddof=1)
    assert (ratio > 0.4).all()
    assert (ratio < 2.5).all()


def test_nothing_to_learn_from_is_told():
    records = simulated([0.0, 0.0], weeks=1)
    empty = records.span(0, 1)
    with pytest.raises((Invalid, IndexError)):
        yaw.calibrate(empty)
