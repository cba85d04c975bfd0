"""The same commands of a twin that a node follows: what they say is what they say of the recording of it."""

import asyncio
import json
import subprocess
import sys
import urllib.request

import numpy as np
import pyarrow as pa
import pytest

from ectype.cli.main import dispatch
from ectype.client.space import Space
from ectype.clock import to_iso
from ectype.errors import Invalid, Misconfigured, NotFound, Unavailable
from ectype.node.node import Node, Settings
from ectype.node.write import Draft
from ectype.trust.access import LOCAL_USER
from tests.foresee.plants import Tank, followed

MODEL = {
    "@id": Tank.model,
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;3",
    "contents": [{"@type": "Property", "name": name, "schema": "double"} for name in ("pump", "level", "outlet")],
}


@pytest.fixture(scope="module")
def record():
    rng = np.random.default_rng(2)
    pump = 3.0 + np.repeat(rng.choice([-1.0, 0.0, 1.0], 20), 20)
    return followed(Tank, np.column_stack([pump, np.ones(400)]))


@pytest.fixture(scope="module")
def recording(record, tmp_path_factory):
    rows = [f"tank-1,{to_iso(int(t))},{e[2]},{e[4]}" for t, e in zip(record.at_ns, record.events, strict=True)]
    path = tmp_path_factory.mktemp("recording") / "tank.csv"
    path.write_text("\n".join(["who,when,pump,level", *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def node(record, tmp_path_factory):
    """The address of a node with tank-1 and its readings, tank-2 and tank-3 without any."""
    path = tmp_path_factory.mktemp("node") / "plant.space"
    table = {"time": pa.array(record.at_ns, pa.timestamp("ns"))}
    table |= {"tank-1.pump": record.events[:, 2], "tank-1.level": record.events[:, 4]}
    asyncio.run(filled(path, pa.table(table)))
    words = ["serve", str(path), "--port", "0", "--mqtt-port", "0", "--no-estimate", "--json"]
    process = subprocess.Popen([sys.executable, "-m", "ectype.cli.main", *words], stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.communicate(timeout=30)


async def filled(path, table: pa.Table) -> None:
    node = await Node.start(path, Settings(mqtt_port=None, estimate=False))
    try:
        view = node.view(LOCAL_USER)
        await view.write(Draft("model.put", f"model:{Tank.model}", MODEL))
        for name in ("tank-1", "tank-2", "tank-3"):
            body = {"$dtId": name, "$metadata": {"$model": Tank.model}}
            await view.write(Draft("twin.put", f"twin:{name}", body))
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        await view.push(bytearray(sink.getvalue().to_pybytes()), "arrow", None, "", None)
    finally:
        await node.close()


def asked(capsys, command, *more, twin="tank-1"):
    dispatch([command, "tests.foresee.plants:Tank", *map(str, more), "--twin", twin, "--json"])
    return json.loads(capsys.readouterr().out.splitlines()[-1])


FILE = ("--id", "who", "--time", "when")


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("forecast", ["--ahead", "30 s"]),
        ("forecast", ["--ahead", "30 s", "--start", "2023-11-14T22:16:00Z", "--at", "2023-11-14T22:18:00Z"]),
        ("forecast", ["--ahead", "30 s", "--set", "outlet=0.12"]),
        ("whatif", ["--ahead", "60 s", "--if", "pump = 5", "--goal", "level >= 9 by 50 s"]),
        ("steer", ["--ahead", "60 s", "--by", "pump=0..10", "--goal", "level >= 9 by 50 s"]),
        ("life", ["--ahead", "60 s", "--until", "h <= 2"]),
        ("calibrate", ["--stop", "2023-11-14T22:16:00Z"]),
    ],
)
def test_a_command_says_of_a_node_what_it_says_of_the_recording(node, recording, capsys, command, more):
    assert asked(capsys, command, node, *more) == asked(capsys, command, recording, *FILE, *more)


def test_a_node_tells_the_parameters_too(node, recording, capsys, tmp_path):
    assert Space(node).calibration("tank-2") is None
    out = tmp_path / "tank.json"
    asked(capsys, "calibrate", node, "--out", out)
    document = json.loads(out.read_text())
    before = asked(capsys, "forecast", node, "--ahead", "30 s", "--inputs", "held")
    Space(node).calibrated("tank-1", document)
    assert Space(node).calibration("tank-1") == document
    after = asked(capsys, "forecast", node, "--ahead", "30 s", "--inputs", "held")
    given = ["--ahead", "30 s", "--inputs", "held", "--calibration", out]
    assert after == asked(capsys, "forecast", recording, *FILE, *given) != before


def test_a_property_of_the_twin_stands_for_a_parameter(node, capsys):
    patch = json.dumps([{"op": "add", "path": "/outlet", "value": 0.2}]).encode()
    request = urllib.request.Request(f"{node}/api/twins/tank-2", patch, method="PATCH")
    request.add_header("Content-Type", "application/json-patch+json")
    urllib.request.urlopen(request, timeout=20).close()
    assert Space(node).twin("tank-2")["outlet"] == 0.2
    rows = [
        {"twin": "tank-2", "property": name, "value": 3.0, "t": 1.7e9 + k}
        for k in range(3)
        for name in ("pump", "level")
    ]
    push = urllib.request.Request(f"{node}/api/push", json.dumps(rows).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(push, timeout=20).close()
    ahead = ("--ahead", "5 s", "--every", "1 s", "--inputs", "held")
    own = asked(capsys, "forecast", node, *ahead, twin="tank-2")
    same = asked(capsys, "forecast", node, *ahead, "--set", "outlet=0.2", twin="tank-2")
    assert own["quantiles"] == same["quantiles"]
    declared = asked(capsys, "forecast", node, *ahead, "--set", "outlet=0.1", twin="tank-2")
    assert own["quantiles"] != declared["quantiles"]


def test_what_does_not_fit_is_told_with_the_way_out(node, recording, capsys):
    with pytest.raises(Misconfigured, match="--id is for files"):
        asked(capsys, "forecast", node, *FILE, "--ahead", "30 s")
    with pytest.raises(Misconfigured, match="say with --id and --time"):
        asked(capsys, "forecast", recording, "--ahead", "30 s")
    with pytest.raises(Invalid, match=r"no reading of pump, valve, level of 'tank-9'.*some of: tank-1"):
        asked(capsys, "forecast", node, "--ahead", "30 s", twin="tank-9")
    with pytest.raises(Invalid, match=r"no reading .* of 'tank-1' in that time"):
        asked(capsys, "forecast", node, "--ahead", "30 s", "--start", "2030-01-01T00:00:00Z")
    rows = [{"twin": "tank-3", "property": "level", "value": 3.0, "t": 1.7e9 + k} for k in range(20)]
    push = urllib.request.Request(f"{node}/api/push", json.dumps(rows).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(push, timeout=20).close()
    for command, more in (("forecast", ()), ("whatif", ("--if", "pump = 3"))):
        with pytest.raises(Invalid, match="nothing is known of pump, so"):
            asked(capsys, command, node, "--ahead", "5 s", "--inputs", "held", *more, twin="tank-3")
    with pytest.raises(Unavailable, match="does not answer"):
        asked(capsys, "forecast", "http://127.0.0.1:9", "--ahead", "30 s")
    with pytest.raises(NotFound, match="ectype calibrate"):
        Space(node)._get("/api/calibrations/tank-2")
