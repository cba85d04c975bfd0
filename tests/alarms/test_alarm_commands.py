"""`ectype alarms` and `ectype life`, as they are typed."""

import json

import pytest

from ectype.cli.main import dispatch
from ectype.clock import to_iso
from ectype.errors import Misconfigured
from tests.alarms.plants import Bearing, Plant, events_of


def written(path, events, columns):
    return [f"it,{to_iso(round(e[0] * 1e9))}," + ",".join(f"{v:.6f}" for v in e[2 : 2 + columns]) for e in events]


def test_a_fault_is_told_with_its_reason(tmp_path, capsys):
    path = tmp_path / "plant.csv"
    rows = written(path, events_of(Plant, 500, after={"outlet": 0.09}, at=300)[:, :, 0], 4)
    path.write_text("\n".join(["who,when,pump,level,gauge,outflow", *rows]) + "\n")
    given = ["alarms", "tests.alarms.plants:Plant", str(path), "--twin", "it", "--id", "who", "--time", "when"]
    dispatch([*given, "--json"])
    (told, *_) = map(json.loads, capsys.readouterr().out.splitlines())
    assert told["causes"][0]["name"] == "outlet"
    assert told["sensors"]["faulty"] is None
    assert "2023-11-14T22:18" in told["since"]
    dispatch(given)
    assert "explains" in capsys.readouterr().out
    path.write_text("\n".join(["who,when,pump,level,gauge,outflow", *rows[:290]]) + "\n")
    dispatch(given)
    assert "no alarm in 290 events" in capsys.readouterr().out
    with pytest.raises(Misconfigured, match="above zero"):
        dispatch([*given, "--false-every", "0 s"])


def test_what_is_left_of_a_bearing_is_told(tmp_path, capsys):
    path = tmp_path / "bearing.csv"
    rows = written(path, events_of(Bearing, 40)[:, :, 0], 1)
    path.write_text("\n".join(["who,when,gap", *rows]) + "\n")
    given = ["life", "tests.alarms.plants:Bearing", str(path), "--twin", "it", "--id", "who", "--time", "when"]
    svg = tmp_path / "life.svg"
    dispatch([*given, "--until", "wear >= 1", "--ahead", "300 s", "--svg", str(svg), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["life_s"]["0.05"] < told["life_s"]["0.5"] < told["life_s"]["0.95"]
    assert svg.read_text().startswith("<svg")
    dispatch([*given, "--until", "wear >= 1", "--ahead", "20 s"])
    assert "stay within until the end" in capsys.readouterr().out


def test_the_end_that_a_behaviour_declares_need_not_be_said(tmp_path, capsys):
    path = tmp_path / "bearing.csv"
    rows = written(path, events_of(Bearing, 40)[:, :, 0], 1)
    path.write_text("\n".join(["who,when,gap", *rows]) + "\n")
    given = ["life", "tests.alarms.plants:Ending", str(path), "--twin", "it", "--id", "who", "--time", "when", "--json"]
    dispatch(given)
    told = json.loads(capsys.readouterr().out)
    assert told["until"] == "wear >= 1"
    assert told["life_s"]["0.05"] < told["life_s"]["0.5"] < told["life_s"]["0.95"]
    dispatch([*given, "--until", "wear >= 0.9", "--ahead", "100 s"])
    assert json.loads(capsys.readouterr().out)["until"] == "wear >= 0.9"
    with pytest.raises(Misconfigured, match=r"Bearing declares no end; give --until and --ahead"):
        dispatch([word.replace("Ending", "Bearing") for word in given])
