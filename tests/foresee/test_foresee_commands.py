"""`ectype forecast`, `ectype whatif` and `ectype steer`, as they are typed."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from ectype.cli.main import dispatch
from ectype.clock import to_iso
from ectype.errors import Invalid, Misconfigured
from tests.foresee.plants import Tank, followed


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    rng = np.random.default_rng(2)
    pump = 3.0 + np.repeat(rng.choice([-1.0, 0.0, 1.0], 20), 20)
    f = followed(Tank, np.column_stack([pump, np.ones(400)]))
    rows = [f"tank-1,{to_iso(int(t))},{e[2]:.6f},{e[4]:.6f}" for t, e in zip(f.at_ns, f.events, strict=True)]
    path = tmp_path_factory.mktemp("recording") / "tank.csv"
    path.write_text("\n".join(["who,when,volts,seen", *rows]) + "\n")
    return path


def asked(command, recording, *more):
    given = ["tests.foresee.plants:Tank", str(recording), "--id", "who", "--time", "when", "--twin", "tank-1"]
    return dispatch([command, *given, "--columns", "volts=pump,seen=level", *more])


def test_a_forecast_is_told_with_its_skill_and_drawn(recording, capsys, tmp_path):
    svg = tmp_path / "fan.svg"
    asked("forecast", recording, "--ahead", "30 s", "--judge", "40", "--svg", str(svg), "--json")
    told = json.loads(capsys.readouterr().out)
    assert len(told["at"]) == len(told["quantiles"]["level"]["0.5"]) == 30
    assert all(a < b for a, b in zip(told["quantiles"]["h"]["0.05"], told["quantiles"]["h"]["0.95"], strict=True))
    assert told["skill"]["level"][-1]["steps"] == 30
    assert 0.7 < told["skill"]["level"][0]["covered"] <= 1
    assert ET.parse(svg).getroot().tag.endswith("svg")
    asked("forecast", recording, "--ahead", "30 s", "--judge", "20", "--show", "level,full")
    told = capsys.readouterr().out
    assert "in the 90 %" in told
    assert "full" in told


def test_the_same_seed_tells_the_same(recording, capsys):
    asked("forecast", recording, "--ahead", "10 s", "--json")
    one = capsys.readouterr().out
    asked("forecast", recording, "--ahead", "10 s", "--json")
    assert capsys.readouterr().out == one


def test_a_calibration_makes_a_forecast_as_sure_as_its_parameters(recording, capsys, tmp_path):
    out = tmp_path / "tank.json"
    asked("calibrate", recording, "--stop", "2023-11-14T22:14:30Z", "--out", str(out), "--json")
    capsys.readouterr()
    asked("forecast", recording, "--calibration", str(out), "--inputs", "held", "--ahead", "200 s", "--json")
    unsure = json.loads(capsys.readouterr().out)["quantiles"]["h"]
    asked("forecast", recording, "--inputs", "held", "--ahead", "200 s", "--json")
    sure = json.loads(capsys.readouterr().out)["quantiles"]["h"]
    assert unsure["0.95"][-1] - unsure["0.05"][-1] > 1.05 * (sure["0.95"][-1] - sure["0.05"][-1])
    with pytest.raises(Misconfigured, match="not both"):
        asked("forecast", recording, "--calibration", str(out), "--set", "outlet=1", "--ahead", "9 s")
    out.write_text("{}")
    with pytest.raises(Misconfigured, match="no calibration of 'tank-1'"):
        asked("forecast", recording, "--calibration", str(out), "--ahead", "9 s")


def test_what_if_tells_the_effect_and_the_chance(recording, capsys, tmp_path):
    svg = tmp_path / "fan.svg"
    more = ("--ahead", "60 s", "--goal", "h >= 12 by 50 s", "--inputs", "held", "--svg", str(svg))
    asked("whatif", recording, "--if", "pump = 9", "--if", "valve = shut, pump = 9", *more, "--json")
    told = json.loads(capsys.readouterr().out)
    chances = [told["asItIs"]["probability"], *(s["probability"] for s in told["scenarios"])]
    assert chances[0] < 0.05
    assert chances[-1] > 0.95
    assert told["scenarios"][0]["effect"]["h"]["0.5"][-1] > 1
    assert "valve = shut" in svg.read_text()
    asked("whatif", recording, "--if", "pump = 9", *more)
    assert "the goal is met with" in capsys.readouterr().out


def test_steering_tells_what_to_do(recording, capsys, tmp_path):
    more = (
        "--ahead",
        "60 s",
        "--by",
        "pump=0..10",
        "--goal",
        "h >= 11",
        "--inputs",
        "held",
        "--svg",
        str(tmp_path / "f.svg"),
    )
    asked("steer", recording, *more, "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["probability"] > 0.85
    assert len(told["controls"]["pump"]) == 60
    asked("steer", recording, *more)
    assert "h >= 11 with" in capsys.readouterr().out


def test_what_is_wrong_is_told_with_the_way_out(recording):
    for more, told in (
        (["--ahead", "soon"], "is no quantity"),
        (["--ahead", "-1 s"], "above zero"),
        (["--ahead", "0.1 s"], "0 steps"),
        (["--ahead", "9 s", "--quantiles", "0.5,2"], "between 0 and 1"),
        (["--ahead", "9 s", "--quantiles", "half"], "write numbers"),
        (["--ahead", "9 s", "--judge", "3"], "ten instants"),
    ):
        with pytest.raises(Misconfigured, match=told):
            asked("forecast", recording, *more)
    with pytest.raises(Invalid, match="nothing here is called 'money'"):
        asked("forecast", recording, "--ahead", "9 s", "--show", "money")
    with pytest.raises(Misconfigured, match=r"pump=0\.\.10"):
        asked("steer", recording, "--ahead", "9 s", "--by", "pump", "--goal", "h >= 3")
