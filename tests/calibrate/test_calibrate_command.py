"""`ectype calibrate`, as it is typed."""

import json

import pytest

from ectype.cli.main import dispatch
from ectype.clock import to_iso
from ectype.errors import Misconfigured
from tests.calibrate.plants import Tank, recorded


@pytest.fixture
def recording(tmp_path):
    record = recorded(Tank, [5.0, 40.0, 0.12], k=200, dt=2.0, level=3.0)[0]
    short = recorded(Tank, [5.0, 42.0, 0.13], k=5, dt=2.0, level=3.0, seed=4)[0]
    rows = [
        f"{who},{to_iso(int(1.7e18 + r[0] * 1e9))},{r[2]:.6f},{r[3]:.6f}"
        for who, rows in (("tank-1", record), ("tank-2", short))
        for r in rows
    ]
    path = tmp_path / "tank.csv"
    path.write_text("\n".join(["who,when,volts,seen", *rows]) + "\n")
    return path


def asked(recording, *more):
    given = ["tests.calibrate.plants:Tank", str(recording), "--id", "who", "--time", "when", "--twin", "tank-1"]
    return dispatch(["calibrate", *given, "--columns", "volts=pump,seen=level", *more])


def test_it_finds_the_outlet_and_says_what_it_cannot_find(recording, capsys, tmp_path):
    out = tmp_path / "params.json"
    asked(recording, "--out", str(out), "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["parameters"]["outlet"]["low"] < 0.12 < told["parameters"]["outlet"]["high"]
    assert told["identifiability"]["untold"][0]["names"] == ["gain", "area"]
    assert told["experiments"][0][-1]["kind"] == "measure"
    assert json.loads(out.read_bytes()) == told


def test_people_get_a_table_and_sentences(recording, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    asked(recording, "--noise", "level")
    told = " ".join(capsys.readouterr().out.split())
    assert "noise of level" in told
    assert "The data leave 1 of 4 directions to the prior: gain with area." in told
    assert "--set outlet=0.1" in told


def test_several_twins_are_siblings(recording, capsys, tmp_path):
    out = tmp_path / "params.json"
    asked(recording, "--twin", "tank-2", "--out", str(out), "--json")
    told = {t["twin"]: t for t in map(json.loads, capsys.readouterr().out.splitlines())}
    assert list(told) == ["tank-1", "tank-2"]
    assert json.loads(out.read_bytes()) == list(told.values())
    given = ["tests.calibrate.plants:Tank", str(recording), "--id", "who", "--time", "when", "--twin", "tank-2"]
    dispatch(["calibrate", *given, "--columns", "volts=pump,seen=level", "--json"])
    alone = json.loads(capsys.readouterr().out)["parameters"]["outlet"]
    with_sibling = told["tank-2"]["parameters"]["outlet"]
    assert with_sibling["high"] - with_sibling["low"] < alone["high"] - alone["low"]
    assert abs(with_sibling["value"] - 0.13) < abs(alone["value"] - 0.13)


def test_what_the_equations_lack_is_learned_and_told(recording, capsys, monkeypatch):
    asked(recording, "--learn", "h=0.01 cm/s", "--of", "h", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["learned"]["of"] == ["h"]
    assert told["learned"]["slopes"]["h"] < 0.3, "there is nothing to learn here"
    assert "learned_h_0" in told["parameters"]
    monkeypatch.setenv("COLUMNS", "200")
    asked(recording, "--learn", "h=0.01 cm/s")
    assert "Learned on top of the physics" in capsys.readouterr().out


def test_what_is_wrong_is_told_with_the_way_out(recording):
    with pytest.raises(Misconfigured, match="one sample or more"):
        asked(recording, "--window", "0")
    with pytest.raises(Misconfigured, match="one twin at a time"):
        asked(recording, "--twin", "tank-2", "--learn", "h=1 cm/s")
    with pytest.raises(Misconfigured, match="no 'level'; on: h"):
        asked(recording, "--learn", "level=1 cm/s")
    with pytest.raises(Misconfigured, match="each twin once"):
        asked(recording, "--twin", "tank-1")
    with pytest.raises(Misconfigured, match="it has: h, level"):
        asked(recording, "--noise", "pump")
