"""Alarms of twins that are followed: told once, at the right moment, and the same however rows come."""

import numpy as np
import pytest

from ectype.alarms.live import LiveAlarms
from ectype.alarms.settings import DETECTORS, Sensitivity
from ectype.alarms.watch import watch
from ectype.errors import Invalid
from ectype.estimate.following import Following
from ectype.values.block import Block
from tests.alarms.plants import Plant, Tracked, events_of, follow, kernel_of

NAMES = ("pump", "level", "gauge", "outflow")
FALSE_EVERY_S = 1e6


def rows_of(events, first, stop, twin="it", names=NAMES):
    """Events [k, event_size] as rows, one for each reading."""
    part = events[first:stop]
    at = np.round(part[:, 0] * 1e9).astype(np.int64)
    series = np.tile(np.arange(len(names), dtype=np.int32), len(part))
    return Block(
        tuple(f"{twin}.{n}" for n in names), series, np.repeat(at, len(names)), part[:, 2 : 2 + len(names)].ravel()
    )


class Live:
    """A fleet that is followed, and all that was told of it."""

    def __init__(self, behaviour=Plant, twins=("it",), saved=None, **sensitivity):
        self.behaviour, self.twins = behaviour, twins
        graph, _ = kernel_of(behaviour)
        self.alarms = LiveAlarms(graph, {t: sensitivity.get(t, Sensitivity(FALSE_EVERY_S)) for t in twins})
        constants = np.array([[p.value] * len(twins) for p in behaviour.layout.constants]).reshape(-1, len(twins))
        self.following = Following(
            behaviour, twins, constants, companions=self.alarms.companions, snapshot=saved[0] if saved else None
        )
        if saved:
            self.alarms.restore(saved[1])
        self.told = []

    def advance(self, block):
        step = self.following.advance(block)
        told = self.alarms.tell(self.following, step)
        self.alarms.counts(self.following, step)
        self.told += told
        return told

    def saved(self):
        return self.following.snapshot(), self.alarms.save()


def leaking(k=380, at=300, seed=0):
    return events_of(Plant, k, after={"outlet": 0.09}, at=at, seed=seed)[:, :, 0]


def in_blocks(live, events, size, first=0):
    for i in range(first, len(events), size):
        live.advance(rows_of(events, i, min(i + size, len(events))))
    return live.told


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_live_says_what_the_record_says_whatever_the_blocks(size):
    events = leaking()
    offline = watch(follow(Plant, events), false_every_s=FALSE_EVERY_S)
    told = [t for t in in_blocks(Live(), events, size) if t.name == "deviation"]
    assert [t.change for t in told if t.change != "updated"] == ["raised"]
    (alarm,) = offline
    assert told[-1].since_ns == alarm.since_ns
    assert told[0].raised_ns == alarm.raised_ns
    assert told[0].why["by"] == "cusum"
    assert told[-1].why["causes"][0]["name"] == "outlet"
    assert {(n["by"], n["about"]) for n in told[-1].why["noticed"]} == {(n.by, n.about) for n in alarm.noticed}


def test_it_is_raised_with_the_reading_that_shows_it():
    live, events = Live(), leaking()
    for i in range(len(events)):
        if told := live.advance(rows_of(events, i, i + 1)):
            assert told[0].raised_ns == round(events[i, 0] * 1e9)
            assert told[0].change == "raised"
            assert 300 <= i < 320
            break
    else:
        pytest.fail("no alarm")


def test_a_better_reason_is_told_but_not_the_same_one_again():
    told = [t for t in in_blocks(Live(), leaking(), 1) if t.name == "deviation"]
    reasons = [t.text for t in told]
    assert len(set(reasons)) == len(reasons) <= 6
    assert "outlet 0.1 → 0.0" in reasons[-1]


def test_a_right_twin_is_left_in_peace():
    told = in_blocks(Live(), events_of(Plant, 600, seed=4)[:, :, 0], 50)
    assert told == []


def test_what_is_over_is_told_as_over():
    live = Live()
    broken = events_of(Plant, 700, seed=2)[:, :, 0]
    broken[300:360, 3] += 0.5  # the level gauge sticks out for a minute
    told = [t for t in in_blocks(live, broken, 10) if t.name == "deviation"]
    assert [told[0].change, told[-1].change] == ["raised", "cleared"]
    assert told[0].why["sensors"]["faulty"] == "level"
    t = broken[:, 0] * 1e9
    assert t[295] <= told[-1].since_ns <= t[302]
    assert t[360] <= told[-1].until_ns < t[480]
    assert live.advance(rows_of(broken, 699, 700)) == []


def test_an_alarm_that_came_and_went_in_one_block_is_told_once_as_over():
    broken = events_of(Plant, 700, seed=2)[:, :, 0]
    broken[300:360, 3] += 0.5
    (told,) = [t for t in in_blocks(Live(), broken, 1000) if t.name == "deviation"]
    assert told.change == "cleared"
    assert told.until_ns > told.raised_ns > told.since_ns
    assert told.why["causes"][0]["kind"] == "sensor"


def test_a_restart_at_any_point_neither_loses_nor_repeats():
    events = leaking()
    whole = in_blocks(Live(), events, 5)
    assert whole
    for cut in (300, 320):
        live = Live()
        before = in_blocks(live, events[:cut], 5)
        again = Live(saved=live.saved())
        assert again.saved() == live.saved()
        assert before + in_blocks(again, events, 5, first=cut) == whole


def test_late_readings_can_take_an_alarm_back():
    """A gauge's readings were wrong, and come again, corrected, after the alarm."""
    events = events_of(Plant, 340, seed=6)[:, :, 0]
    wrong = events.copy()
    wrong[300:312, 3] += 0.5
    live = Live()
    told = in_blocks(live, wrong[:312], 12)
    assert [t.change for t in told] == ["raised"]
    back = live.advance(rows_of(events, 300, 312))
    assert [(t.name, t.change) for t in back] == [("deviation", "cleared")]
    assert "Late readings have taken it back" in back[0].text
    assert back[0].until_ns >= back[0].since_ns
    assert len(in_blocks(live, events, 10, first=312)) == 2


def test_a_drift_is_told_as_itself():
    events = events_of(Tracked, 700, after={"outlet": 0.14}, at=200)[:, :, 0]
    live = Live(Tracked)
    for i in range(0, 700, 10):
        live.advance(rows_of(events, i, i + 10, names=("pump", "level")))
    told = [t for t in live.told if t.name == "deviation"][-1]
    assert ("drift", "outlet") in [(n["by"], n["about"]) for n in told.why["noticed"]]
    assert "outlet has left what its prior allows" in told.text
    assert told.why["sensors"] is None


def test_a_twin_that_can_be_told_from_its_original_is_said_to_be():
    """Noise that is 1.6 times what the sensor declares: nothing shifts."""
    events = events_of(Plant, 900, seed=8)[:, :, 0]
    rng = np.random.default_rng(0)
    events[400:, 3] += 0.062 * rng.standard_normal(500)
    told = [t for t in in_blocks(Live(), events, 1) if t.name == "fidelity"]
    assert told[0].change == "raised"
    assert told[0].why["about"] == "level"
    assert events[300, 0] <= told[0].since_ns / 1e9 < events[520, 0]
    assert events[400, 0] < told[0].raised_ns / 1e9 < events[800, 0]
    assert "can be told from its original by level" in told[0].text


def test_the_count_of_a_twin_that_cannot_be_told_goes_on_by_the_hour():
    events = events_of(Plant, 3000, seed=3)[:, :, 0]
    live = Live()
    out = []
    for i in range(0, 3000, 100):
        step = live.following.advance(rows_of(events, i, i + 100))
        out += list(live.alarms.counts(live.following, step).rows())
    first, later = out[:2], out[2:]
    names = ["it.indistinguishable@estimated", "it.indistinguishableReadings@estimated"]
    assert [name for name, *_ in first] == [name for name, *_ in later] == names
    assert later[0][1] // (3600 * 10**9) == first[0][1] // (3600 * 10**9) + 1
    seconds = (later[0][1] - round(events[50, 0] * 1e9)) / 1e9
    assert later[0][2] == pytest.approx(seconds / 86400)
    assert later[1][2] == 3 * (seconds + 1)


def test_a_storm_is_told_at_once_and_explained_by_and_by():
    twins = tuple(f"t{i}" for i in range(30))
    events = events_of(Plant, 340, twins=30, after={"outlet": 0.08}, at=300)
    live = Live(twins=twins)

    def block(first, stop):
        return Block.concat([rows_of(events[:, :, i], first, stop, twin) for i, twin in enumerate(twins)])

    live.advance(block(0, 315))
    assert {t.twin for t in live.told if t.name == "deviation"} == set(twins)
    assert sum("causes" in t.why for t in live.told) == 20
    live.advance(block(315, 316))
    explained = {t.twin for t in live.told if "causes" in t.why}
    assert explained == set(twins)


def test_what_was_saved_of_something_else_is_refused():
    with pytest.raises(Invalid, match="which alarms"):
        Live().alarms.restore(b"\xc1")


def test_twins_are_as_sensitive_as_each_is_set_and_one_without_detectors_says_nothing():
    twins = ("at_once", "later", "never")
    each = {"at_once": Sensitivity(1e3), "later": Sensitivity(1e12), "never": Sensitivity(1e3, DETECTORS)}
    live, events = Live(twins=twins, **each), leaking()
    for i in range(0, len(events), 20):
        blocks = [rows_of(events, i, i + 20, twin) for twin in twins]
        live.advance(Block.concat(blocks))
    raised = {t.twin: t.raised_ns for t in live.told if (t.change, t.name) == ("raised", "deviation")}
    assert set(raised) == {"at_once", "later"}
    assert raised["at_once"] < raised["later"]
    assert {t.twin for t in live.told} == {"at_once", "later"}


@pytest.mark.parametrize("off", [("cusum", "nis"), ("fidelity",)])
def test_a_detector_that_is_switched_off_ends_its_alarm_with_the_next_reading_and_nothing_is_folded_again(off):
    live, events = Live(), leaking(600)
    in_blocks(live, events[:400], 50)
    name = "fidelity" if off == ("fidelity",) else "deviation"
    assert [t.change for t in live.told if t.name == name][-1] in ("raised", "updated")
    quiet = Live(saved=live.saved(), it=Sensitivity(FALSE_EVERY_S, off))
    assert [(t.change, t.name) for t in quiet.advance(rows_of(events, 400, 401))] == [("cleared", name)]
    told = in_blocks(quiet, events, 50, first=401)
    assert not [t for t in told if t.name == name and t.change != "cleared"]
    again = Live(saved=quiet.saved())
    told = in_blocks(again, events, 50, first=600)
    told += again.advance(rows_of(leaking(601), 600, 601))
    assert "raised" in [t.change for t in told if t.name == name]


def test_another_rate_holds_from_the_next_reading_on():
    events = leaking(340)
    strict = Live(it=Sensitivity(1e300))
    in_blocks(strict, events[:330], 50)
    ready = Live(saved=strict.saved(), it=Sensitivity(1e3))
    assert "deviation" not in [t.name for t in strict.told]
    assert ("raised", "deviation") in [(t.change, t.name) for t in ready.advance(rows_of(events, 330, 331))]
