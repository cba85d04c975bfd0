"""A fleet: is a twin with little data better off with its siblings than alone?"""

import numpy as np
import pytest

from ectype.calibrate.calibration import calibrate
from ectype.calibrate.coordinates import Coordinates
from ectype.calibrate.siblings import calibrate_fleet, pool
from ectype.errors import Invalid
from tests.calibrate.plants import Cart, recorded

CENTRE, SPREAD = np.array([np.log(1.5), 0.25]), np.array([0.05, 0.02])


def fleet_of(twins, seed, k=6):
    """Carts that are alike: z ~ N(CENTRE, SPREAD^2), far narrower than the declared prior."""
    rng = np.random.default_rng(seed)
    c = Coordinates.of(Cart)
    z = CENTRE + SPREAD * rng.standard_normal((twins, 2))
    constants = np.stack([c.constants(row) for row in z], axis=1)
    records = recorded(Cart, constants, k=k, twins=twins, seed=seed)
    return z, {f"cart-{i}": record for i, record in enumerate(records)}


def test_siblings_together_are_nearer_to_the_truth_than_each_alone():
    z, measured = fleet_of(30, seed=2)
    fleet = calibrate_fleet(Cart, measured)
    alone = np.array([fleet.alone[t].z for t in measured]) - z
    together = np.array([fleet.twins[t].z for t in measured]) - z
    rms = [np.sqrt((off**2).mean(0)) for off in (alone, together)]
    assert (rms[1] < 0.75 * rms[0]).all()
    assert np.abs(fleet.mean - CENTRE).max() < 0.1
    sure = np.array([np.sqrt(np.diag(fleet.twins[t].cov)) for t in measured])
    assert 0.85 <= (np.abs(together) <= 1.96 * sure).mean() <= 1.0


def test_a_twin_with_much_data_is_left_alone_and_one_with_little_moves():
    _, measured = fleet_of(8, seed=3, k=20)
    rich = recorded(Cart, [1.9, 0.4], k=2000, seed=9)[0]
    poor = recorded(Cart, [1.5, 0.25], k=4, seed=8)[0]
    fleet = calibrate_fleet(Cart, {**measured, "rich": rich, "poor": poor})
    moved = {t: np.abs(fleet.twins[t].z - fleet.alone[t].z) for t in ("rich", "poor")}
    assert moved["rich"].max() < 0.01
    assert fleet.twins["poor"].cov[0, 0] < 0.3 * fleet.alone["poor"].cov[0, 0]


def test_the_fleet_s_mean_and_covariance_are_the_top_of_their_own_posterior():
    """Against an independent way: the marginal likelihood of the summaries, differentiated numerically."""
    _, measured = fleet_of(6, seed=4, k=20)
    alone = [calibrate(Cart, record) for record in measured.values()]
    mean, cov = pool(alone)
    inverse = [np.linalg.inv(a.information) for a in alone]
    tops = [
        i @ (a.information @ a.z + a.coordinates.precision @ (a.z - a.coordinates.mean))
        for i, a in zip(inverse, alone, strict=True)
    ]
    declared = np.linalg.inv(alone[0].coordinates.precision)

    def cost(m, t):
        out = 0.5 * np.trace(declared @ np.linalg.inv(t)) + 0.5 * np.linalg.slogdet(t)[1]
        for i, z in zip(inverse, tops, strict=True):
            s = i + t
            out += 0.5 * (z - m) @ np.linalg.solve(s, z - m) + 0.5 * np.linalg.slogdet(s)[1]
        return out

    here, h = cost(mean, cov), 1e-3
    for e in np.eye(2):
        assert cost(mean + h * e, cov) > here
        assert cost(mean - h * e, cov) > here
    for d in (np.diag([1.0, 0]), np.diag([0, 1.0]), np.array([[0, 1.0], [1, 0]])):
        step = 0.02 * d * np.sqrt(np.outer(np.diag(cov), np.diag(cov)))
        assert cost(mean, cov + step) > here - 1e-4
        assert cost(mean, cov - step) > here - 1e-4


def test_the_fleet_is_the_prior_of_the_next_twin():
    _, measured = fleet_of(12, seed=5)
    fleet = calibrate_fleet(Cart, measured)
    fresh = recorded(Cart, [1.5, 0.25], k=4, seed=77)[0]
    borrowed, alone = calibrate(Cart, fresh, coordinates=fleet.prior()), calibrate(Cart, fresh)
    assert borrowed.cov[0, 0] < 0.5 * alone.cov[0, 0]


def test_one_twin_has_no_siblings():
    with pytest.raises(Invalid, match="no siblings"):
        calibrate_fleet(Cart, {"cart": recorded(Cart, [1.0, 0.3])[0]})
