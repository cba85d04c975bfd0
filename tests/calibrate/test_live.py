"""Parameters that drift are followed, and only those that do are said to."""

import numpy as np
import pytest

from ectype.calibrate.calibration import calibrate
from ectype.calibrate.live import drift_of, tracking
from ectype.errors import Misconfigured
from ectype.estimate.emit_numpy import NumpyKernel
from ectype.estimate.trace import trace
from tests.calibrate.plants import Cart, recorded


@pytest.fixture(scope="module")
def found():
    return calibrate(Cart, recorded(Cart, [1.4, 0.2], k=400))


def drifting(found, rate, k=1500, seed=3):
    """A cart whose stiffness walks, from the behaviour that says so: truth and record."""
    world = tracking(found, {"stiffness": f"{rate} 1/s^2/sqrt(s)"})
    return recorded(world, [found.values["damping"]], k=k, seed=seed)[0]


def test_tracking_starts_where_calibration_ended(found):
    followed = tracking(found, {"stiffness": "1 %/sqrt(h)"})
    assert [p.name for p in followed.layout.tracked] == ["stiffness"]
    (tracked,), (fixed,) = followed.layout.tracked, followed.layout.constants
    assert tracked.value == pytest.approx(found.values["stiffness"])
    assert fixed.fixed == pytest.approx(found.values["damping"])
    belief = trace(followed).initial(1)[:, 0]
    assert belief[2] == pytest.approx(found.values["stiffness"])
    assert followed.model == Cart.model


def test_a_stiffness_that_falls_is_followed_within_its_interval(found):
    """The truth falls by 40 % in the middle of the record; the filter is told to expect slow drift."""
    before = recorded(Cart, [1.4, 0.2], k=600, seed=1)[0]
    after = recorded(Cart, [0.85, 0.2], k=900, seed=2)[0]
    after[:, 0] += before[-1, 0]
    record = np.concatenate([before, after])
    followed = tracking(found, {"stiffness": "0.02 1/s^2/sqrt(s)"})
    graph = trace(followed)
    constants = np.array([[p.value] for p in followed.layout.constants])
    _, out = NumpyKernel(graph).fold(graph.initial(1), constants, record[:, :, None], np.ones((1500, 1)))
    at = graph.layout.belief_names.index("stiffness")
    mean, std = out[:, at, 0], np.sqrt(out[:, graph.variance_row(at), 0])
    assert np.mean(np.abs(mean[300:600] - 1.4) < 3 * std[300:600]) > 0.95
    assert np.mean(np.abs(mean[1000:] - 0.85) < 3 * std[1000:]) > 0.95
    assert std[-1] < 0.2


def test_a_drift_is_found_with_its_rate(found):
    walking = drift_of(found, "stiffness", "0.01 1/s^2/sqrt(s)", [drifting(found, 0.02)])
    assert walking.drifts
    assert walking.low < 0.02 < walking.high


def test_a_parameter_that_stands_still_is_rarely_said_to_drift(found):
    c = found.constants
    alarms = [
        drift_of(found, "stiffness", "0.01 1/s^2/sqrt(s)", recorded(Cart, c, seed=s)).drifts for s in range(20, 40)
    ]
    assert sum(alarms) <= 3, "5 % of 20 is one"


def test_only_what_was_calibrated_can_be_followed(found):
    with pytest.raises(Misconfigured, match="'mass' was not calibrated; it could be: stiffness, damping"):
        tracking(found, {"mass": "1 %/sqrt(day)"})
