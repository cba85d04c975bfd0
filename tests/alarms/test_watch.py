"""What is wrong, since when, and what explains it: on plants that were broken on purpose."""

import numpy as np
import pytest

from ectype.alarms.explain import explain
from ectype.alarms.isolate import isolate
from ectype.alarms.residuals import Residuals
from ectype.alarms.watch import watch
from ectype.errors import Invalid
from tests.alarms.plants import Plant, Tracked, events_of, follow

LEVEL, GAUGE, OUTFLOW = 3, 4, 5


def test_a_right_twin_is_called_wrong_as_seldom_as_asked():
    events = events_of(Plant, 1050, twins=30)
    found = sum(len(watch(follow(Plant, events[:, :, i]), false_every_s=1000.0)) for i in range(30))
    assert 10 <= found <= 60, "30 are due"


def test_a_clogged_outlet_is_noticed_dated_and_explained():
    f = follow(Plant, events_of(Plant, 500, after={"outlet": 0.09}, at=300)[:, :, 0])
    alarm = watch(f)[0]
    since = np.searchsorted(f.at_ns, alarm.since_ns)
    assert 285 <= since <= 315
    assert np.searchsorted(f.at_ns, alarm.raised_ns) < 340
    best = alarm.reason.explained.causes[0]
    assert (best.kind, best.name) == ("parameter", "outlet")
    assert abs(best.by + 0.01) < 4 * best.std + 0.001
    assert best.share > 0.9
    assert "outlet 0.1 → 0.0" in alarm.reason.sentence
    assert "explains 9" in alarm.reason.sentence or "explains 100" in alarm.sentence


def test_a_leak_is_told_but_not_from_a_pump_that_gives_less():
    f = follow(Plant, events_of(Plant, 500, after={"leak": 0.05}, at=300)[:, :, 0])
    alarm = watch(f)[0]
    alike = [alarm.reason.explained.causes[0].name, *(c.name for c in alarm.reason.explained.alike)]
    assert {"leak", "pump"} <= set(alike)
    assert "not told apart from" in alarm.reason.sentence
    assert alarm.reason.isolated.faulty is None


@pytest.mark.parametrize(
    ("row", "name", "by"), [(LEVEL, "level", 0.3), (GAUGE, "gauge", -0.3), (OUTFLOW, "outflow", 0.03)]
)
def test_a_sensor_that_is_off_is_isolated(row, name, by):
    events = events_of(Plant, 400, twins=20, seed=row)
    events[250:, row] += by
    right = 0
    for i in range(20):
        f = follow(Plant, events[:, :, i])
        right += isolate(f, 250, 399).faulty == name
        best = explain(f, 250, 399).causes[0]
        assert (best.kind, best.name) == ("sensor", name)
        assert abs(best.by - by) < 0.2 * abs(by)
    assert right >= 19


def test_sensors_that_agree_are_all_said_to_be_right():
    f = follow(Plant, events_of(Plant, 200, seed=9)[:, :, 0])
    assert isolate(f, 50, 199).sentence == "All sensors agree with the twin."


def test_the_only_sensor_that_speaks_is_not_called_wrong_for_want_of_others():
    events = events_of(Plant, 500, after={"outlet": 0.09}, at=300)[:, :, 0]
    events[:, [7, 8]] = 0.0  # the second gauge and the flow meter are declared, and send nothing
    f = follow(Plant, events)
    with pytest.raises(Invalid, match="one sensor"):
        isolate(f, 300, 499)
    assert watch(f)[0].reason.isolated is None


def test_two_gauges_alone_cannot_tell_which_is_wrong_unless_physics_does():
    events = events_of(Plant, 300)[:, :, 0]
    events[:, 2 + 1 + 3 + 2] = 0.0  # no flow meter
    jumped, always = events.copy(), events.copy()
    jumped[200:, LEVEL] += 0.5
    assert isolate(follow(Plant, jumped), 200, 299).faulty == "level", "no level jumps like that"
    always[:, LEVEL] += 0.25
    found = isolate(follow(Plant, always), 0, 60)
    assert found.faulty is None
    assert "cannot be told which" in found.sentence


def test_a_parameter_that_leaves_its_prior_is_a_drift():
    events = events_of(Tracked, 700, after={"outlet": 0.14}, at=200)[:, :, 0]
    f = follow(Tracked, events)
    alarms = watch(f, false_every_s=1e12)
    drift = next(n for a in alarms for n in a.noticed if n.by == "drift")
    since = int(np.searchsorted(f.at_ns, drift.since_ns))
    assert drift.about == "outlet"
    assert 150 < since < 215
    mean, std = f.beliefs[:, 1], np.sqrt(f.beliefs[:, f.graph.variance_row(1)])
    assert abs(mean[since - 1] - 0.1) < 0.003 <= abs(mean[since] - 0.1)
    assert (mean - 1.96 * std)[since:].max() > 0.1 + 3.29 * 0.003
    assert "outlet has left what its prior allows" in alarms[-1].reason.sentence
    assert not watch(follow(Tracked, events[:200]), false_every_s=1e12)


def test_the_explanation_is_that_of_refitting_every_value():
    """Against a plain search over the outlet, not Gauss-Newton."""
    f = follow(Plant, events_of(Plant, 400, after={"outlet": 0.09}, at=300)[:, :, 0])
    cause = next(c for c in explain(f, 300, 399).causes if c.name == "outlet")
    grid = np.linspace(0.08, 0.1, 401)
    n = len(grid)
    constants = np.stack([grid, np.zeros(n)])
    told = Residuals.of(
        f.graph, f.kernel, np.repeat(f.beliefs[299][:, None], n, 1), constants, np.repeat(f.events[300:, :, None], n, 2)
    )
    chi2 = (told.e**2).sum((0, 1))
    assert cause.before + cause.by == pytest.approx(grid[chi2.argmin()], abs=1e-4)
    assert cause.chi2 == pytest.approx(chi2.min(), rel=1e-3)


def test_what_cannot_be_watched_is_told():
    f = follow(Plant, events_of(Plant, 40)[:, :, 0])
    with pytest.raises(Invalid, match="nothing to watch"):
        watch(f)
    with pytest.raises(Invalid, match="none of a record"):
        explain(f, 5, 80)
    with pytest.raises(Invalid, match="one sensor"):
        isolate(follow(Tracked, events_of(Tracked, 40)[:, :, 0]), 0, 39)
