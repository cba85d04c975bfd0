"""What the equations lack is learned, and nothing is made up where the twin has never been."""

import functools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectype.calibrate.calibration import calibrate
from ectype.calibrate.hybrid import Learned, hybrid, taught
from ectype.calibrate.likelihood import Likelihood
from ectype.errors import Invalid, Misconfigured
from ectype.estimate.behaviour import Behaviour, Input, LogNormal, Parameter, Sensor, State
from ectype.estimate.emit_numpy import NumpyKernel
from ectype.estimate.maths import maximum, sqrt
from ectype.estimate.trace import trace
from tests.calibrate.plants import recorded


class Told(Behaviour, model="dtmi:test:Vessel;1"):
    """What the engineer wrote: Torricelli's outlet."""

    h = State("cm", init=(9, 1), q="0.01 cm/sqrt(s)", low=0.01)
    inflow = Parameter("cm/(V*s)", prior=LogNormal(0.1, 0.2))
    outlet = Parameter("cm^0.5/s", prior=LogNormal(0.1, 0.3))
    pump = Input("V", max_age="20 s")
    level = Sensor("cm", sigma="0.05 cm")

    def derivative(self, t):
        return {self.h: self.inflow * self.pump - self.outlet * sqrt(self.h)}

    def observe(self, t):
        return {self.level: self.h}

    def health(self, t):
        return {"full": self.h}


class Real(Behaviour, model="dtmi:test:Vessel;1"):
    """What stands there: above 9 cm it overflows."""

    h = State("cm", init=(9, 1), q="0.01 cm/sqrt(s)", low=0.01)
    inflow = Parameter("cm/(V*s)", prior=LogNormal(0.1, 0.2))
    outlet = Parameter("cm^0.5/s", prior=LogNormal(0.1, 0.3))
    pump = Input("V", max_age="20 s")
    level = Sensor("cm", sigma="0.05 cm")

    def derivative(self, t):
        return {self.h: self.inflow * self.pump - self.outlet * sqrt(self.h) - 0.05 * maximum(self.h - 9, 0)}

    def observe(self, t):
        return {self.level: self.h}


def record_of(behaviour, seed, k=400):
    return recorded(behaviour, [0.1, 0.1], k=k, dt=2.0, level=3.2, seed=seed, hold=29)[0]


@functools.cache
def trained():
    return hybrid(calibrate(Told, record_of(Real, 0)), {"h": "0.02 cm/s"}, ["h"], centres=8)


def test_what_is_learned_tells_a_later_record_better():
    h, later = trained(), record_of(Real, 1)
    of = [Likelihood(f.coordinates, [later])(f.z).cost for f in (h.physics, h.calibration)]
    assert of[0] - of[1] > 20, "log-likelihood of a record that nothing was trained on"
    assert h.gain > 20
    assert "Learned on top of the physics" in h.sentence


def test_what_is_learned_is_the_overflow():
    h = trained()
    at = np.array([9.3, 9.8, 10.3, 10.8])  # it has been up to 11
    got, wanted = (
        f(at)
        for f in (
            lambda x: (
                h.learned.residual({"h": x, **h.calibration.values})["h"]
                - (h.calibration.values["outlet"] - 0.1) * np.sqrt(x)
                + (h.calibration.values["inflow"] - 0.1) * 3.2
            ),
            lambda x: -0.05 * np.maximum(x - 9, 0),
        )
    )
    np.testing.assert_allclose(got, wanted, atol=0.015)


@settings(deadline=None, max_examples=200)
@given(st.floats(-1e6, 1e6))
def test_it_is_bounded_everywhere_and_fades_away_from_where_it_was_trained(level):
    h = trained()
    learned, values = h.learned, h.calibration.values
    r = float(learned.residual({"h": level, **values})["h"])
    nearest = np.abs((level - learned.shift[0]) / learned.scale[0] - learned.centres[:, 0]).min()
    weights = sum(abs(values[w]) for w in learned.weights("h"))
    assert abs(r) <= 3 * 0.02 + 1e-12
    assert abs(r) <= weights * np.exp(-(nearest**2) / (2 * learned.width**2)) + 1e-12
    if nearest > 6 * learned.width:
        assert abs(r) < 1e-6 * weights


def test_where_the_equations_suffice_little_is_learned():
    right = hybrid(calibrate(Told, record_of(Told, 0)), {"h": "0.02 cm/s"}, ["h"], centres=8)
    wrong = trained()
    assert right.gain < 15 < wrong.gain
    assert right.slopes["h"] < 0.5 * wrong.slopes["h"]


def test_the_share_of_the_output_is_that_of_two_simulations():
    h = trained()
    assert 0.05 < h.outputs["level"] < 2.0
    assert 0.05 < h.slopes["h"] < 0.7


def test_the_result_runs_in_any_filter_and_tells_what_is_learned():
    h, later = trained(), record_of(Real, 2)
    graph = trace(h.behaviour)
    constants = np.array([[p.value] for p in h.behaviour.layout.constants])
    belief, out = NumpyKernel(graph).fold(graph.initial(1), constants, later[:, :, None], np.ones((len(later), 1)))
    assert np.mean(out[:, graph.belief_size + 2]) == pytest.approx(1.0, abs=0.25)
    told = h.behaviour.bind({"h": float(belief[0, 0]), "pump": 3.0}).health(0.0)
    assert told["full"] == pytest.approx(float(belief[0, 0]))
    assert 0 < float(told["learned_support"]) <= 1
    assert abs(float(told["learned_h"])) <= 0.06
    assert float(h.behaviour.bind({"h": 1e4, "pump": 3.0}).health(0.0)["learned_support"]) == 0.0


def test_names_that_are_not_there_are_told():
    with pytest.raises(Misconfigured, match="no 'level'; on: h"):
        hybrid(trained().physics, {"level": "1 cm/s"}, ["h"])
    with pytest.raises(Misconfigured, match="no 'temperature'"):
        hybrid(trained().physics, {"h": "1 cm/s"}, ["temperature"])


def test_what_was_learned_comes_back_from_its_document():
    h = trained()
    document = json.loads(json.dumps({**h.calibration.document(), "learned": h.document()}))
    fixed = {name: Parameter(p["unit"], fixed=p["value"]) for name, p in document["parameters"].items()}
    again = taught(Told, Learned.read(document["learned"]), fixed)
    assert trace(again).digest == trace(h.behaviour).digest
    assert [p.value for p in again.layout.constants] == [p.value for p in h.behaviour.layout.constants]
    with pytest.raises(Invalid, match="nothing that was learned"):
        Learned.read({"of": ["h"]})
    with pytest.raises(Invalid, match="do not go with 2 names"):
        Learned.read({**document["learned"], "of": ["h", "pump"]})
