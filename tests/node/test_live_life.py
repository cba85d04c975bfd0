"""A bearing that wears, from its gap as it is measured to how long it still has, as people read it."""

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import invgauss

from ectype.cli.main import dispatch
from ectype.clock import from_iso
from ectype.errors import Invalid
from ectype.estimate.behaviour import Behaviour, Sensor, State
from ectype.node.estimator_live import Live
from ectype.node.exposure import expose
from ectype.node.node import Node, Settings
from ectype.node.pipe import Begin, Draft, TwinRecord
from ectype.node.view import Draft as Write
from ectype.server.serve import serve
from ectype.sources.base import Message
from ectype.trust.access import LOCAL_USER
from ectype.values.arrow import from_arrow
from ectype.values.block import Block
from tests.node.conftest import T0_NS, play
from tests.node.test_live_behaviour import until

S, HOUR = 10**9, 3600
MODEL = "dtmi:demo:Wearing;1"
RATE, Q, EVERY_S, END = 1e-6, 5e-5, 60, 1.0
BEARING = f"""
from ectype.estimate.behaviour import Behaviour, Parameter, Sensor, State

class Wearing(Behaviour, model="{MODEL}", end_of_life="wear >= {END} within 90 day"):
    wear = State("mm", init=(0.0, 0.01), q="{Q} mm/sqrt(s)")
    rate = Parameter("mm/s", fixed={RATE})
    gap = Sensor("mm", sigma="0.02 mm")

    def derivative(self, t):
        return {{self.wear: self.rate}}

    def observe(self, t):
        return {{self.gap: self.wear}}
"""
TYPE = {
    "@context": "dtmi:dtdl:context;3",
    "@id": MODEL,
    "@type": "Interface",
    "contents": [{"@type": "Telemetry", "name": "gap", "schema": "double"}],
}


def begun(path: Path, text: str, twins: tuple[str, ...], saved: dict[str, bytes] | None = None, **more: dict) -> Live:
    (path / "behaviours").mkdir(exist_ok=True)
    (path / "behaviours" / "bearing.py").write_text(text)
    records = [TwinRecord(twin, MODEL, {}, []) for twin in twins]
    return Live(Begin(records, None, str(path), 1, str(path / "behaviours"), **more), saved or {})


def gaps(minutes: range, twins: tuple[str, ...] = ("b",), wear: float = 0.0) -> Block:
    r = np.random.default_rng(minutes.start)
    return Block.of(
        [
            (f"{twin}.gap", T0_NS + k * EVERY_S * S, wear + RATE * k * EVERY_S + 0.02 * r.normal())
            for k in minutes
            for twin in twins
        ]
    )


def lives(drafts: list[Draft]) -> list[dict]:
    return [json.loads(d.body) for d in drafts if d.kind == "life.put"]


def test_it_is_first_passage_of_the_wear_and_told_once_an_hour(tmp_path: Path) -> None:
    live = begun(tmp_path, BEARING, ("b",))
    told = []
    for k in range(0, 300, 5):
        drafts, _ = live.advance(gaps(range(k, k + 5), wear=0.5), k + 2)
        told += lives(drafts)
        assert len(lives(drafts)) == len([d for d in drafts if d.subject == "block:life"])
    assert live.troubles() == []
    assert len(told) == 5
    # of Wiener wear it is the inverse Gaussian (Chhikara and Folks 1989), the steps' barrier a little farther
    last = told[-1]
    for each in told[2:]:  # before, it has not found how worn it is
        minutes = (from_iso(each["issued"]) - T0_NS) / (60 * S)
        left = END - 0.5 - RATE * minutes * EVERY_S
        mean, shape = left / RATE, (left / Q) ** 2
        for level in ("0.05", "0.5", "0.95"):
            assert each["life_s"][level] == pytest.approx(
                invgauss.ppf(float(level), mean / shape, scale=shape), rel=0.1
            )
    assert (last["until"], last["beyond"]) == ("wear >= 1", 0.0)
    assert last["text"].startswith("until wear >= 1: ")
    assert " days (90 %: " in last["text"]


def test_its_series_are_days_and_a_gap_where_nobody_looks(tmp_path: Path) -> None:
    near = begun(tmp_path, BEARING, ("b",))
    drafts, _ = near.advance(gaps(range(60), wear=0.9), 2)
    (body,) = lives(drafts)
    rows = {n: v for d in drafts if d.subject == "block:life" for n, _, v, _ in from_arrow(d.body).rows()}
    days = [rows[f"b.remainingLife{suffix}@estimated"] for suffix in ("P05", "", "P95")]
    assert days == [body["life_s"][q] / 86400 for q in ("0.05", "0.5", "0.95")]
    far = begun(tmp_path, BEARING.replace("within 90 day", "within 1 day"), ("b",))
    drafts, _ = far.advance(gaps(range(60)), 2)
    (body,) = lives(drafts)
    assert body["life_s"] == {"0.05": None, "0.5": None, "0.95": None}
    assert body["beyond"] == 1.0
    assert body["text"] == "until wear >= 1: more than 24 h (90 %: more than 24 h to more than 24 h)"
    rows = {n: v for d in drafts if d.subject == "block:life" for n, _, v, _ in from_arrow(d.body).rows()}
    assert np.isnan(list(rows.values())).all()


def test_what_is_not_known_of_a_parameter_widens_it(tmp_path: Path) -> None:
    text = BEARING.replace(f"fixed={RATE}", f"prior=LogNormal({RATE}, 0.5)").replace(
        "Parameter,", "LogNormal, Parameter,"
    )
    known = {"twin": "b", "behaviour": MODEL, "parameters": {"rate": {}}, "z": [float(np.log(RATE))]}
    widths = []
    for variance in (1e-8, 0.25):
        calibrated = {"b": {**known, "covariance": [[variance]]}}
        drafts, _ = begun(tmp_path, text, ("b",), calibrations=calibrated).advance(gaps(range(60), wear=0.5), 2)
        (body,) = lives(drafts)
        widths.append((body["life_s"]["0.95"] or 90 * 86400) - body["life_s"]["0.05"])
    assert widths[1] > 1.5 * widths[0]


def test_a_restart_neither_loses_nor_repeats_it_and_a_fleet_takes_turns(tmp_path: Path) -> None:
    twins = tuple(f"b{i}" for i in range(10))
    live = begun(tmp_path, BEARING, twins)
    told: list[dict] = []
    for k in range(6):
        drafts, _ = live.advance(gaps(range(30 + 10 * k, 40 + 10 * k), twins), k + 2)
        told += lives(drafts)
        assert len(lives(drafts)) <= 4
        live = begun(tmp_path, BEARING, twins, live.snapshots())
        assert not live.fresh
    assert sorted({each["twin"] for each in told}) == sorted(twins)
    hours = [(each["twin"], each["issued"][11:13]) for each in told]
    assert len(hours) == 20
    assert len(set(hours)) == 20


def test_one_that_cannot_be_drawn_says_so_and_what_to_do(tmp_path: Path) -> None:
    text = BEARING.replace("{self.wear: self.rate}", "{self.wear: self.rate - 0.005 * self.wear**3}").replace(
        f"{Q} mm", "0.05 mm"
    )
    drafts, _ = begun(tmp_path, text, ("b",)).advance(gaps(range(60), wear=0.9), 2)
    (body,) = lives(drafts)
    assert "cannot be told: in steps of" in body["text"]
    assert "look less far with 'within'" in body["text"]
    assert body["life_s"]["0.5"] is None


def test_without_an_end_nothing_is_said(tmp_path: Path) -> None:
    text = BEARING.replace(f', end_of_life="wear >= {END} within 90 day"', "")
    drafts, _ = begun(tmp_path, text, ("b",)).advance(gaps(range(60)), 2)
    assert drafts
    assert not [d for d in drafts if d.kind == "life.put" or d.subject == "block:life"]


@pytest.mark.parametrize(
    ("ends", "says"),
    [
        ("wear 0.8", "write it like end_of_life='wear >= 0.8 within 90 day'"),
        ("wear >= 0.8", "write it like"),
        ("wear >= 0.8 within 90", "within"),
        ("wear >= 0.8 within 3 mm", "within"),
        ("wear >= 0.8 within 0 s", "look ahead by more"),
        ("waer >= 0.8 within 90 day", "did you mean 'wear'"),
    ],
)
def test_an_end_that_is_none_is_told_when_the_class_is_made(ends: str, says: str) -> None:
    with pytest.raises(Invalid, match="Worn: end_of_life=") as caught:

        class Worn(Behaviour, model="dtmi:test:Worn;1", end_of_life=ends):
            wear = State("mm", init=(0.0, 0.01), q="0.001 mm/sqrt(s)")
            gap = Sensor("mm", sigma="0.02 mm")

            def derivative(self, t: object) -> dict:
                return {self.wear: 0 * self.wear}

            def observe(self, t: object) -> dict:
                return {self.gap: self.wear}

    assert says in str(caught.value)


def test_people_and_programs_read_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def work() -> None:
        path = tmp_path / "b.space"
        (path / "behaviours").mkdir(parents=True)
        (path / "behaviours" / "bearing.py").write_text(BEARING)
        node = await Node.start(path, Settings(estimate=True))
        web = await serve(node, expose("127.0.0.1"), 0)
        try:
            view = node.view(LOCAL_USER)
            await view.write(Write("model.put", f"model:{MODEL}", TYPE))
            for name, wear in (("b", 0.5), ("worn", 0.9)):
                body = {"$dtId": name, "$metadata": {"$model": MODEL}}
                await view.write(Write("twin.put", f"twin:{name}", body))
                for series, at_ns, value, _ in gaps(range(60), (name,), wear).rows():
                    sent = json.dumps({"t": at_ns // S, "gap": value}).encode()
                    await node.ingest.deliver([Message(f"plant/{series.split('.')[0]}", sent, T0_NS, name)])
            await until(node, lambda: sum(e.kind == "life.put" for _, e in node.log.read(0)) == 2)
            await node.follower.reach(node.log.size)
            worn = view.lives()[1]
            assert worn["twin"] == "worn"
            await asyncio.to_thread(dispatch, ["life", "live", "--url", web.url, "--json"])
            rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
            assert [row["twin"] for row in rows] == ["worn", "b"], "who has the least first"
            assert rows[0] == worn
            await asyncio.to_thread(dispatch, ["life", "live", "--url", web.url, "--twin", "b"])
            assert "b until wear >= 1: " in capsys.readouterr().out
            assert "b.remainingLife@estimated" in node.history.last_all()
            with pytest.raises(Invalid, match="a remaining life has"):
                await view.write(Write("life.put", "life:b", {"twin": "worn", "until": "", "text": ""}))
            await view.write(Write("twin.delete", "twin:worn", {}))
            assert [each["twin"] for each in view.lives()] == ["b"]
        finally:
            await web.close()
            await node.close()

    play(work)
