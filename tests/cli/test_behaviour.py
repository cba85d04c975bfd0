"""`ectype behaviour`: what it says of a file before it lets it into a space, and calibrations in the log."""

import asyncio
import json
from pathlib import Path

import pytest

from ectype.cli.main import run
from ectype.log.view import open_view
from ectype.node.node import Node, Settings
from ectype.node.view import Draft
from ectype.trust.access import LOCAL_USER

TANK = """
from ectype.estimate.behaviour import Behaviour, LogNormal, Parameter, Sensor, State

class Tank(Behaviour, model="dtmi:demo:Tank;1"):
    h = State("cm", init=(5, 1), q="0.03 cm/sqrt(s)", low=0)
    k = Parameter("1/s", prior=LogNormal(0.05, 0.3))
    level = Sensor("cm", sigma="0.05 cm", delay="2 s")

    def derivative(self, t):
        return {self.h: -self.k * self.h}

    def observe(self, t):
        return {self.level: self.h}
"""
TYPE = {
    "@context": ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"],
    "@id": "dtmi:demo:Tank;1",
    "@type": "Interface",
    "contents": [{"@type": ["Telemetry", "Length"], "name": "level", "schema": "double", "unit": "centimetre"}],
}
CALIBRATION = {
    "twin": "a",
    "behaviour": "dtmi:demo:Tank;1",
    "parameters": {"k": {}},
    "z": [-3.0],
    "covariance": [[1e-4]],
}


async def make(space: Path) -> None:
    node = await Node.start(space, Settings(mqtt_port=None, estimate=False))
    try:
        view = node.view(LOCAL_USER)
        await view.write(Draft("model.put", f"model:{TYPE['@id']}", TYPE))
        await view.write(Draft("twin.put", "twin:a", {"$dtId": "a", "$metadata": {"$model": "dtmi:demo:Tank;1"}}))
    finally:
        await node.close()


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "t.space"
    asyncio.run(make(path))
    return path


@pytest.fixture
def ectype(capsys: pytest.CaptureFixture[str]):
    """Run a command; (exit code, what it printed, what it complained about)."""

    def command(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            run([str(w) for w in words])
        told = capsys.readouterr()
        return int(end.value.code or 0), told.out, told.err

    return command


def written(folder: Path, text: str, name: str = "plant.py") -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_a_file_that_fits_is_put_into_the_space_and_listed(space: Path, tmp_path: Path, ectype) -> None:
    file = written(tmp_path, TANK)
    code, said, _ = ectype("behaviour", "add", space, file)
    assert code == 0
    assert "1 twins" in said
    assert "2 s behind" in said
    assert (space / "behaviours" / "plant.py").read_text() == TANK
    code, said, _ = ectype("behaviour", "list", space, "--json")
    (told,) = [json.loads(line) for line in said.splitlines()]
    assert (told["behaviour"], told["twins"], told["wrong"], told["missing"]) == ("Tank", 1, [], [])
    assert ectype("behaviour", "add", space, space / "behaviours" / "plant.py")[0] == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TANK.replace('"cm"', '"m"').replace("cm/", "m/").replace("0.05 cm", "0.05 m"), "in m, and the type tells"),
        (TANK.replace("demo:Tank", "demo:Tnak"), "no type dtmi:demo:Tnak;1"),
        (TANK.replace('delay="2 s"', 'property="levle"'), "did you mean 'level'"),
    ],
)
def test_what_does_not_fit_is_told_and_put_nowhere(space: Path, tmp_path: Path, ectype, text: str, says: str) -> None:
    code, said, _ = ectype("behaviour", "add", space, written(tmp_path, text))
    assert code == 1
    assert says in said
    assert not (space / "behaviours").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\n", "holds no behaviour"),
        ("import nothing_like_that\n", "line 1: ModuleNotFoundError"),
        ("class Tank(\n", "line 1"),
        (TANK.replace("-self.k * self.h", "self.h"), "line 9: Tank.derivative, h"),
    ],
)
def test_a_file_that_is_wrong_says_where(space: Path, tmp_path: Path, ectype, text: str, says: str) -> None:
    code, _, error = ectype("behaviour", "add", space, written(tmp_path, text))
    assert code == 1
    assert says in error
    assert error.count("\n") == 1


def test_a_broken_file_in_the_folder_is_listed_with_the_reason(space: Path, ectype) -> None:
    assert "no behaviours of its own" in ectype("behaviour", "list", space)[1]
    (space / "behaviours").mkdir()
    written(space / "behaviours", "raise SystemExit(1)\n", "bad.py")
    code, said, _ = ectype("behaviour", "list", space)
    assert code == 0
    assert "bad.py: line 1: SystemExit" in said


def test_a_calibration_becomes_an_entry_of_the_log(space: Path, tmp_path: Path, ectype) -> None:
    file = written(tmp_path, json.dumps(CALIBRATION), "cal.json")
    code, said, _ = ectype("behaviour", "calibrated", space, file, "--json")
    assert code == 0
    told = json.loads(said)
    view = open_view(space)
    ((_, entry),) = view.read(told["entry"], told["entry"] + 1)
    assert (entry.kind, entry.subject) == ("calibration.put", "calibration:a")
    assert json.loads(entry.body or b"") == CALIBRATION


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("[]", 2, "no calibration"),
        ("nonsense", 2, "cannot be read"),
        (json.dumps({**CALIBRATION, "twin": "z"}), 1, "no twin 'z'"),
        (json.dumps({"twin": "a"}), 1, "no calibration of 'a'"),
    ],
)
def test_what_is_no_calibration_is_refused(
    space: Path, tmp_path: Path, ectype, text: str, code: int, says: str
) -> None:
    found, _, error = ectype("behaviour", "calibrated", space, written(tmp_path, text, "cal.json"))
    assert found == code
    assert says in error


def test_twins_that_are_related_are_listed_as_plants_and_what_keeps_others_from_it(space: Path, ectype) -> None:
    async def relate() -> None:
        node = await Node.start(space, Settings(mqtt_port=None, estimate=False))
        try:
            view = node.view(LOCAL_USER)
            feeds = {"@type": "Relationship", "name": "feeds"}
            for name, more in (("Pipe", [*TYPE["contents"], feeds]), ("Pond", [feeds])):
                kind = {**TYPE, "@id": f"dtmi:demo:{name};1", "contents": more}
                await view.write(Draft("model.put", f"model:{kind['@id']}", kind))
            for twin, model in (("p1", "Pipe"), ("p2", "Pipe"), ("p3", "Pipe"), ("pond", "Pond")):
                body = {"$dtId": twin, "$metadata": {"$model": f"dtmi:demo:{model};1"}}
                await view.write(Draft("twin.put", f"twin:{twin}", body))
            for source, target in (("p1", "p2"), ("pond", "p3")):
                edge = {"$relationshipId": "f", "$sourceId": source, "$targetId": target, "$relationshipName": "feeds"}
                await view.write(Draft("relationship.put", f"relationship:{source}/f", edge))
        finally:
            await node.close()

    asyncio.run(relate())
    pipe = (
        TANK.replace("class Tank", "class Pipe")
        .replace("demo:Tank", "demo:Pipe")
        .replace(", Parameter", ", Input, Parameter")
    )
    pipe = pipe.replace(
        "    level =", '    inflow = Input("cm/s", max_age="1 min", default=0.0, along="^feeds.out")\n    level ='
    )
    pipe = pipe.replace("-self.k * self.h}", "self.inflow - self.k * self.h}")
    pipe += '\n    def outputs(self, t):\n        return {"out": self.k * self.h}\n'
    (space / "behaviours").mkdir()
    written(space / "behaviours", pipe)
    code, said, _ = ectype("behaviour", "list", space)
    assert code == 0
    assert "1 plant of Pipe + Pipe, each followed as one: p1 + p2" in said
    assert "along ^feeds.out" in said
    assert "no behaviour follows its source: p3 (from pond)" in said
    assert "does not declare" not in said, "what comes along the graph need not be measured"
    code, said, _ = ectype("behaviour", "list", space, "--json")
    told = [json.loads(line) for line in said.splitlines()]
    assert {"plant": ["p1", "p2"], "behaviours": ["Pipe", "Pipe"]} in told
