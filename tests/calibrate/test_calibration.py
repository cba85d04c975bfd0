"""Known plants: are the parameters found, and are the intervals as wide as they should be?"""

import numpy as np
import pytest
import scipy.optimize

from ectype.calibrate.calibration import calibrate
from ectype.calibrate.climb import climb
from ectype.calibrate.coordinates import Coordinates
from ectype.calibrate.likelihood import Likelihood
from ectype.calibrate.shooting import shoot
from ectype.errors import Invalid, Misconfigured
from ectype.estimate.behaviour import Behaviour, LogNormal, Parameter, Sensor, State
from ectype.estimate.emit_numpy import NumpyKernel
from ectype.estimate.trace import trace
from tests.calibrate.plants import Cart, Tank, recorded


@pytest.mark.parametrize("behaviour", [Cart, Tank])
def test_gradient_and_hessian_agree_with_differences(behaviour):
    c = Coordinates.of(behaviour)
    record = recorded(behaviour, [p.value for p in behaviour.layout.constants], k=60, level=2.0)
    likelihood = Likelihood(c, record)
    z, h = c.mean + 0.1, 1e-5
    told = likelihood(z)
    unit = h * np.eye(len(z))
    gradient = [(likelihood(z + e).cost - likelihood(z - e).cost) / (2 * h) for e in unit]
    hessian = [(likelihood(z + e).gradient - likelihood(z - e).gradient) / (2 * h) for e in unit]
    np.testing.assert_allclose(told.gradient, gradient, rtol=1e-6, atol=1e-6 * np.abs(gradient).max())
    np.testing.assert_allclose(likelihood.hessian(z), hessian, rtol=1e-6, atol=1e-6 * np.abs(hessian).max())


@pytest.mark.parametrize("behaviour", [Cart, Tank])
def test_the_likelihood_is_that_of_the_filter_that_runs_live(behaviour):
    graph, c = trace(behaviour), Coordinates.of(behaviour)
    record = recorded(behaviour, [p.value for p in behaviour.layout.constants], k=80, level=2.0)[0]
    told = Likelihood(c, [record])(c.mean)
    constants = c.constants(c.mean)[:, None]
    _, out = NumpyKernel(graph).fold(graph.initial(1), constants, record[:, :, None], np.ones((80, 1)))
    v, s = out[:, graph.belief_size, 0], out[:, graph.belief_size + 1, 0]
    assert told.cost == pytest.approx(0.5 * np.sum(v**2 / s + np.log(2 * np.pi * s)), rel=1e-10)
    np.testing.assert_allclose(told.innovations[0][0], v, rtol=1e-8, atol=1e-10)


def test_several_records_are_the_sum_of_each():
    c = Coordinates.of(Cart)
    two = [recorded(Cart, [1.2, 0.3], k=k, seed=k)[0] for k in (40, 70)]
    both = Likelihood(c, two)(c.mean)
    alone = [Likelihood(c, [r])(c.mean) for r in two]
    assert both.cost == pytest.approx(sum(a.cost for a in alone))
    np.testing.assert_allclose(both.information, sum(a.information for a in alone))


def test_the_truth_is_inside_the_intervals_as_often_as_they_say():
    """Truths drawn from the prior: the squared distance in the posterior's measure is chi-squared of 2."""
    rng = np.random.default_rng(5)
    c, distance, inside = Coordinates.of(Cart), [], []
    for seed in range(60):
        z = c.mean + c.spread * rng.standard_normal(2)
        z[1] = max(z[1], 0.02)
        record = recorded(Cart, c.constants(z), k=150, seed=seed)
        found = calibrate(Cart, record)
        assert found.converged
        off = found.z - z
        distance.append(off @ np.linalg.solve(found.cov, off))
        inside += list(np.abs(off) <= 1.959964 * np.sqrt(np.diag(found.cov)))
    assert abs(np.mean(distance) - 2) < 3 * 2 / np.sqrt(60)  # chi-squared of 2: variance 4
    assert 0.89 <= np.mean(inside) <= 0.99


@pytest.mark.parametrize(("true", "start", "dt"), [(9.0, 0.1, 0.2), (4.0, 30.0, 0.5)])
def test_shooting_arrives_from_where_climbing_alone_does_not(true, start, dt):
    record = recorded(Cart, [true, 0.2], k=300, dt=dt)
    c = Coordinates.of(Cart)
    z = c.at({"stiffness": start, "damping": 0.3})
    alone = climb(c, Likelihood(c, record), z)
    assert c.values(alone.z)["stiffness"] > 3 * true
    found = calibrate(Cart, record, start={"stiffness": start, "damping": 0.3})
    assert found.estimates["stiffness"].low < true < found.estimates["stiffness"].high


def test_a_state_without_process_noise_is_never_torn_between_windows():
    class Decay(Behaviour, model="dtmi:test:Decay;1"):
        level = State("m", init=(3, 1), q="0 m/sqrt(s)")
        rate = Parameter("1/s", prior=LogNormal(0.1, 1))
        seen = Sensor("m", sigma="0.05 m")

        def derivative(self, t):
            return {self.level: -self.rate * self.level}

        def observe(self, t):
            return {self.seen: self.level}

    rng = np.random.default_rng(0)
    at = 0.5 * np.arange(1, 101)
    made = 2.5 * np.exp(-0.03 * at) + 0.05 * rng.standard_normal(100)
    record = np.stack([at, np.full(100, 0.5), made, np.ones(100)], axis=1)
    c = Coordinates.of(Decay)
    shot = shoot(c, [record], Likelihood(c, [record])(c.mean).means, c.mean, window=10)
    curve = scipy.optimize.curve_fit(lambda t, a, b: a * np.exp(-b * t), at, made, p0=(2, 0.1))
    assert shot.windows == 10
    assert c.values(shot.z)["rate"] == pytest.approx(curve[0][1], rel=0.01)
    found = calibrate(Decay, record).estimates["rate"]
    assert (found.high - found.low) / 3.92 == pytest.approx(np.sqrt(curve[1][1, 1]), rel=0.15)


def test_wild_readings_are_set_aside():
    clean = recorded(Tank, [5.0, 40.0, 0.12], k=200, dt=2.0, level=3.0)[0]
    dirty = clean.copy()
    wild = np.arange(10, 200, 23)
    dirty[wild, 3] += 5.0
    found, expected = calibrate(Tank, dirty), calibrate(Tank, clean)
    assert found.set_aside == len(wild)
    assert found.values["outlet"] == pytest.approx(expected.values["outlet"], rel=0.02)
    assert dirty[wild[0], 4] == 1.0, "what was given is not written to"


def test_noise_is_found_as_a_factor():
    record = recorded(Cart, [1.0, 0.3], k=600, seed=3)[0]
    rng = np.random.default_rng(1)
    record[:, 3] += 0.1 * rng.standard_normal(600)  # sigma is sqrt(0.05^2 + 0.1^2) then
    found = calibrate(Cart, record, noises=["place"])
    e = found.estimates["noise of place"]
    assert e.low < np.hypot(0.05, 0.1) / 0.05 < e.high
    assert found.nis["place"] == pytest.approx(1.0, abs=0.05)
    assert calibrate(Cart, record).nis["place"] > 2


def test_draws_have_the_posterior_s_moments():
    found = calibrate(Cart, recorded(Cart, [1.4, 0.2]))
    drawn = found.draw(4000, np.random.default_rng(0))
    np.testing.assert_allclose(np.log(drawn[0]).std(), np.sqrt(found.cov[0, 0]), rtol=0.05)
    assert drawn[1].mean() == pytest.approx(found.values["damping"], abs=0.01)


def test_what_cannot_be_calibrated_is_told():
    record = recorded(Cart, [1.4, 0.2], k=20)[0]
    record[:, 4] = 0.0
    with pytest.raises(Invalid, match="no reading of place"):
        calibrate(Cart, record)
    with pytest.raises(Misconfigured, match="no noise of 'speed'; it has: x, v, place"):
        calibrate(Cart, record, noises=["speed"])


def test_the_document_names_data_and_model_and_stays_the_same():
    record = recorded(Cart, [1.4, 0.2], k=60)[0]
    one, two = (calibrate(Cart, record).document() for _ in range(2))
    assert one == two
    assert one["behaviour"] == "dtmi:test:Cart;1"
    record[3, 3] += 0.01
    assert calibrate(Cart, record).document()["data"] != one["data"]
