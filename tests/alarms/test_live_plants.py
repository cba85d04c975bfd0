"""Alarms of twins that are followed as one plant: each has its own, and names of others are theirs."""

import numpy as np
import pytest

from ectype.alarms.live import LiveAlarms
from ectype.alarms.settings import Sensitivity
from ectype.estimate.behaviour import Behaviour, Input, Normal, Parameter, Sensor, State
from ectype.estimate.following import Following
from ectype.estimate.maths import sqrt
from ectype.estimate.plant import plants_of
from ectype.estimate.trace import trace
from ectype.values.block import Block
from tests.alarms.plants import events_of

FALSE_EVERY_S = 1e6


class Tank(Behaviour, model="dtmi:test:AlarmedTank;1"):
    h = State("cm", init=(9, 0.3), q="0.02 cm/sqrt(s)", low=0.01)
    outlet = Parameter("cm^2.5/s", fixed=1.0)
    area = Parameter("cm^2", fixed=10.0)
    leak = Parameter("cm/s", prior=Normal(0.0, 0.02))
    drift = Parameter("cm/s", prior=Normal(0.0, 0.01), drift="0.00001 cm/s/sqrt(s)")
    pump = Input("cm^3/s", max_age="60 s", along="^feeds.outflow")
    level = Sensor("cm", sigma="0.05 cm")
    flow = Sensor("cm^3/s", sigma="0.05 cm^3/s")

    def outputs(self, t):
        return {"outflow": self.outlet * sqrt(self.h)}

    def derivative(self, t):
        return {self.h: (self.pump - self.outlet * sqrt(self.h)) / self.area - self.leak + self.drift}

    def observe(self, t):
        return {self.level: self.h, self.flow: self.outlet * sqrt(self.h)}


LINKS = [("up", "feeds", "low"), ("p", "feeds", "q")]
(KIND,) = plants_of(dict.fromkeys(("up", "low", "p", "q"), Tank), LINKS)
GRAPH = trace(KIND.behaviour)


class Live:
    """Both lines, and what is told of each twin."""

    def __init__(self, saved=None):
        once = Sensitivity(FALSE_EVERY_S)
        self.alarms = [
            LiveAlarms(GRAPH, {plant[part.place]: once for plant in KIND.plants}, part=part) for part in KIND.components
        ]
        constants = np.array([[p.value] * len(KIND.plants) for p in KIND.behaviour.layout.constants])
        self.following = Following(
            KIND.behaviour,
            KIND.plants,
            constants,
            parts=KIND.parts,
            companions=[c for alarms in self.alarms for c in alarms.companions],
            snapshot=saved[0] if saved else None,
        )
        for alarms, each in zip(self.alarms, saved[1] if saved else (), strict=False):
            alarms.restore(each)
        self.told = []
        self.counted = set()

    def advance(self, block):
        step = self.following.advance(block)
        for alarms in self.alarms:
            self.told += alarms.tell(self.following, step)
            self.counted |= set(alarms.counts(self.following, step).names)

    def saved(self):
        return self.following.snapshot(), [alarms.save() for alarms in self.alarms]


def rows(events, first, stop, without=()):
    names = [u.name for u in GRAPH.layout.inputs] + [s.name for s in GRAPH.layout.sensors]
    out = []
    for line, (upper, lower) in enumerate(KIND.plants):
        for k in range(first, stop):
            at = round(events[k, 0, line] * 1e9)
            for i, name in enumerate(names):
                place, own = KIND.whose(name)
                series = f"{(upper, lower)[place]}.{own}"
                if series not in without:
                    out.append((series, at, float(events[k, 2 + i, line])))
    return Block.of(sorted(out, key=lambda row: row[1]))


def broken(k=420, **after):
    """The first line is not right from the 300th event on; the other one is."""
    events = events_of(KIND.behaviour, k, twins=2, after=after, at=300)
    line = KIND.plants.index(("p", "q"))
    events[:, :, line] = events_of(KIND.behaviour, k, twins=2)[:, :, line]
    return events


def in_blocks(live, events, size, first=0, without=()):
    for i in range(first, len(events), size):
        live.advance(rows(events, i, min(i + size, len(events)), without))
    return live


def deviations(live):
    return [t for t in live.told if t.name == "deviation" and t.change != "cleared"]


def test_an_alarm_is_of_the_twin_whose_readings_show_it_by_its_own_names():
    live = in_blocks(Live(), broken(tank0_leak=0.05), 20)
    assert {t.twin for t in deviations(live)} == {"up"}
    alarm = deviations(live)[-1]
    named = [alarm.why["causes"][0]["name"], *alarm.why["alike"]]
    assert {"leak", "pump"} <= set(named), "a pump that gives less looks the same"
    assert "tank0" not in alarm.text
    assert "tank1" not in str(alarm.why)
    assert live.counted >= {f"{twin}.indistinguishable@estimated" for twin in ("up", "low", "p", "q")}


def test_a_leak_that_shows_only_downstream_is_an_alarm_there_and_explained_by_the_twin_above():
    unseen = ("up.level", "up.flow")
    events = broken(tank0_leak=0.05)
    live = in_blocks(Live(), events, 20, without=unseen)
    assert {t.twin for t in deviations(live)} == {"low"}
    alarm = deviations(live)[-1]
    named = [alarm.why["causes"][0]["name"], *alarm.why["alike"]]
    assert "up.leak" in named
    assert "tank" not in alarm.text
    assert set(alarm.why["sensors"]["without"]) == {"level", "flow"}


def test_a_gauge_that_is_off_is_named_by_both_that_notice_it():
    events = broken()
    line = KIND.plants.index(("up", "low"))
    events[300:, 2 + 1 + [s.name for s in GRAPH.layout.sensors].index("tank1_level"), line] += 0.5
    live = in_blocks(Live(), events, 20)
    faulty = {t.twin: t.why["sensors"]["faulty"] for t in deviations(live)}
    assert faulty["low"] == "level"
    assert faulty.get("up", "low.level") == "low.level"


@pytest.mark.parametrize("size", [1, 50])
def test_it_goes_on_from_what_was_saved_and_tells_nothing_twice(size):
    events = broken(tank0_leak=0.05)
    whole = in_blocks(Live(), events, size)
    half = in_blocks(Live(), events[:350], size)
    again = in_blocks(Live(half.saved()), events, size, first=350)
    assert [(t.twin, t.change, t.text) for t in half.told + again.told] == [
        (t.twin, t.change, t.text) for t in whole.told
    ]
    assert again.saved() == whole.saved()
