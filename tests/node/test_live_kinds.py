"""Plants in the estimator's process: whose group what is told belongs to, and what one of them does to the others."""

import json
from pathlib import Path

import numpy as np
import pytest

from ectype.estimate.plant import plants_of
from ectype.node.behaviours import in_file
from ectype.node.estimator_followed import Followed
from ectype.node.estimator_live import Live
from ectype.node.pipe import Begin, Draft, Kind, TwinRecord
from ectype.values.arrow import from_arrow, from_arrow_with_metadata
from ectype.values.block import Block
from tests.node.test_live_plants import MODEL, TANK

S = 10**9
METER = """
from ectype.estimate.behaviour import Behaviour, Input, Sensor, State

class Meter(Behaviour, model="dtmi:demo:Meter;1"):
    total = State("m^3", init=(0, 1), q="0.001 m^3/sqrt(s)")
    flow = Input("m^3/s", max_age="1 min", default=0.1, along="of.outflow")
    count = Sensor("m^3", sigma="0.01 m^3")

    def derivative(self, t):
        return {self.total: self.flow}

    def observe(self, t):
        return {self.count: self.total}
"""
FAN = """
from ectype.estimate.behaviour import Behaviour, Sensor, State

class Fan(Behaviour, model="dtmi:demo:Fan;1"):
    speed = State("1/s", init=(1, 1), q="0.1 1/s/sqrt(s)")
    turns = Sensor("1/s", sigma="0.1 1/s")

    def derivative(self, t):
        return {self.speed: 0.0 * self.speed}

    def observe(self, t):
        return {self.turns: self.speed}
"""
KINDS = {
    MODEL: Kind([MODEL], {"level": None}),
    "dtmi:demo:Meter;1": Kind(["dtmi:demo:Meter;1"], {"count": None}),
    "dtmi:demo:Fan;1": Kind(["dtmi:demo:Fan;1"], {"turns": None}),
}
TWINS = [
    TwinRecord("fan", "dtmi:demo:Fan;1", {}, []),
    TwinRecord("meter", "dtmi:demo:Meter;1", {}, []),
    TwinRecord("tank", MODEL, {}, []),
    TwinRecord("other", MODEL, {}, []),
]
OF = ("meter", "of", "tank")
TANKS, METERS, FANS = (f"block:estimator/{model}" for model in (MODEL, "dtmi:demo:Meter;1", "dtmi:demo:Fan;1"))


@pytest.fixture
def begin(tmp_path: Path):
    """What the child is told: the behaviours in files of their own."""

    def told(links=(OF,), tank: str = TANK, **more) -> Begin:
        for name, text in (("tank.py", tank), ("meter.py", METER), ("fan.py", FAN)):
            (tmp_path / name).write_text(text)
        return Begin(
            TWINS, None, str(tmp_path / "cache"), behaviours=str(tmp_path), kinds=KINDS, links=list(links), **more
        )

    return told


def rows(first: int, stop: int) -> Block:
    values = {"fan.turns": 1.0, "meter.count": 0.1, "other.level": 2.0}
    return Block.of(
        [(name, k * S, value * (1 + 0.01 * k)) for k in range(first, stop) for name, value in values.items()]
    )


def through(drafts: list[Draft]) -> dict[str, list[str]]:
    """By group, what its estimates say was seen."""
    out: dict[str, list[str]] = {}
    for d in drafts:
        if d.subject == d.group:
            out.setdefault(d.group, []).append(from_arrow_with_metadata(d.body)[1]["through"])
    return out


def estimates(drafts: list[Draft]) -> dict[str, set[str]]:
    """By group, whose levels were told."""
    out: dict[str, set[str]] = {}
    for d in drafts:
        if d.subject == d.group:
            names = {name.partition(".")[0] for name in from_arrow(d.body).names}
            out[d.group] = out.get(d.group, set()) | names
    return out


def test_what_is_told_of_a_twin_belongs_to_its_own_behaviour_whatever_it_stands_in(begin) -> None:
    live = Live(begin(), {})
    assert live.plants == [["tank", "meter"]]
    assert set(live.groups) == {TANKS, METERS, FANS}
    drafts, late = live.advance(rows(0, 5), 7)
    assert late == 0
    assert estimates(drafts) == {TANKS: {"tank", "other"}, METERS: {"meter"}, FANS: {"fan"}}
    assert through(drafts) == {TANKS: ["7"], METERS: ["7"], FANS: ["7"]}
    apart = Live(begin(links=()), {})
    assert set(apart.groups) == set(live.groups)
    assert estimates(apart.advance(rows(0, 5), 7)[0]) == {TANKS: {"other"}, METERS: {"meter"}, FANS: {"fan"}}


def test_the_entry_that_says_that_all_was_seen_is_the_last_of_its_group(begin) -> None:
    """A node that is killed between two frames then tells the rest again; else what came behind it would be lost."""
    live = Live(begin(), {})
    drafts, _ = live.advance(rows(0, 20), 20)
    assert any(d.kind == "predicted" for d in drafts)
    for group in live.groups:
        mine = [d for d in drafts if d.group == group]
        assert [d.subject == group for d in mine].index(True) == len(mine) - 1


def test_who_is_not_in_a_plant_goes_on_from_the_snapshot_when_one_forms(begin) -> None:
    before = Live(begin(links=()), {})
    before.advance(rows(0, 5), 5)
    live = Live(begin(position=5), before.snapshots())
    assert live.fresh
    again, _ = live.advance(rows(0, 5), 5)
    assert set(estimates(again)) == {TANKS, METERS}, "fans have been followed so far"
    assert set(estimates(live.advance(rows(5, 6), 6)[0])) == {TANKS, METERS, FANS}
    same = Live(begin(position=6), live.snapshots())
    assert not same.fresh
    assert same.advance(rows(6, 9), 9) == live.advance(rows(6, 9), 9)
    assert same.snapshots() == live.snapshots()


def test_a_plant_whose_code_breaks_leaves_the_others_alone(begin) -> None:
    breaks = TANK + (
        "    def health(self, t):\n        if getattr(self.h, 'shape', (0, 0))[1:] == (1,):\n"
        "            raise RuntimeError('out of luck')\n        return {}\n"
    )
    live = Live(begin(tank=breaks), {})
    drafts, _ = live.advance(rows(0, 2), 2)
    assert set(estimates(drafts)) == {FANS}
    where = {t.where: t.text for t in live.troubles()}
    assert where["meter.py + tank.py"].startswith("tank + meter are not followed any more: line")
    assert "out of luck" in where["tank.py"]


def test_a_plant_that_ended_the_process_is_followed_one_by_one(begin) -> None:
    live = Live(begin(skip={"meter.py + tank.py": "it ended the process again and again"}), {})
    assert live.plants == []
    assert sorted(live.twins) == ["fan", "meter", "other", "tank"]
    assert live.troubles()[0].text == "its twins make no plants: it ended the process again and again"


def test_a_plant_is_an_ensemble_where_a_component_is_one(begin) -> None:
    many = TANK.replace(f'model="{MODEL}"', f'model="{MODEL}", filter="etkf"')
    live = Live(begin(tank=many), {})
    assert live.plants == [["tank", "meter"]]
    drafts, _ = live.advance(rows(0, 12), 12)
    assert estimates(drafts) == {TANKS: {"tank", "other"}, METERS: {"meter"}, FANS: {"fan"}}
    assert live.troubles() == []
    again = Live(begin(tank=many, position=12), live.snapshots())
    assert again.advance(rows(12, 14), 14) == live.advance(rows(12, 14), 14)


def test_twins_of_a_plant_have_each_its_own_luck_in_forecasts(tmp_path: Path) -> None:
    (tmp_path / "tank.py").write_text(TANK)
    (tank,) = in_file(tmp_path / "tank.py")
    (kind,) = plants_of({"a": tank, "b": tank}, [("a", "feeds", "b")])
    twins = {name: TwinRecord(name, MODEL, {}, []) for name in ("a", "b")}
    calibration = {"behaviour": MODEL, "parameters": {"k": {}}, "z": [-2.0], "covariance": [[0.01]]}
    begin = Begin([*twins.values()], None, str(tmp_path), calibrations=dict.fromkeys(twins, calibration))
    (drawn,) = Followed(kind, "tank.py", twins, begin, None, []).forecasts.posterior
    assert drawn.shape[0] == 2
    assert abs(np.corrcoef(drawn)[0, 1]) < 0.3


def test_how_long_a_twin_of_a_plant_still_has_is_told_by_its_own_name(begin, tmp_path: Path) -> None:
    told = begin()
    ends = METER.replace('model="dtmi:demo:Meter;1"', 'model="dtmi:demo:Meter;1", end_of_life="total >= 9 within 2 h"')
    (tmp_path / "meter.py").write_text(ends)
    live = Live(told, {})
    assert live.plants == [["tank", "meter"]]
    drafts, _ = live.advance(rows(0, 12), 12)
    (life,) = [d for d in drafts if d.kind == "life.put"]
    assert (life.subject, life.group) == ("life:meter", METERS)
    body = json.loads(life.body)
    assert (body["twin"], body["until"]) == ("meter", "total >= 9")
    assert 20 < body["life_s"]["0.5"] < 400, "the tank gives some 0.1 m^3/s"
