"""History as people ask for it: from Python, on the command line, from Grafana, of a real node."""

import asyncio
import json
import math
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager

import pyarrow as pa
import pytest

import ectype
from ectype.cli.main import dispatch
from ectype.client.space import period
from ectype.errors import Invalid, Misconfigured, Refused, Unavailable
from ectype.node.exposure import Exposure, expose
from ectype.node.node import Node, Settings
from ectype.node.write import Draft
from ectype.server.serve import serve
from ectype.trust.access import LOCAL_USER

MODEL = {
    "@id": "dtmi:test:Pump;1",
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;3",
    "contents": [
        {"@type": "Property", "name": "power", "schema": "double"},
        {"@type": "Property", "name": "level", "schema": "double"},
    ],
}
HOUR = 3600 * 10**9
START = 1_393_632_000 * 10**9  # 2014-03-01T00:00:00Z


async def filled(node: Node) -> None:
    view = node.view(LOCAL_USER)
    await view.write(Draft("model.put", f"model:{MODEL['@id']}", MODEL))
    await view.write(Draft("twin.put", "twin:p1", {"$dtId": "p1", "$metadata": {"$model": MODEL["@id"]}}))
    at = [START + k * HOUR // 4 for k in range(4 * 48)]
    rows = {"time": pa.array(at, pa.timestamp("ns")), "p1.power": [float(k % 4) for k in range(len(at))]}
    await push(view, pa.table(rows))
    await push(view, pa.table({"time": pa.array([START + HOUR + 1], pa.timestamp("ns")), "p1.level": [7.5]}))
    await node.follower.reach(node.log.size)


async def push(view, table: pa.Table) -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    await view.push(bytearray(sink.getvalue().to_pybytes()), "arrow", None, "", None)


@contextmanager
def serving(path, exposure: Exposure):
    """A node in a thread of its own, and its address."""
    ready, stop, at, failed = threading.Event(), asyncio.Event(), [], []

    async def run() -> None:
        node = await Node.start(path, Settings(exposure=exposure))
        try:
            await filled(node)
            web = await serve(node, exposure, 0)
            at.extend([web.url, asyncio.get_running_loop()])
            ready.set()
            await stop.wait()
            await web.close()
        finally:
            await node.close()

    def work() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001 - told to the test below
            failed.append(error)
            ready.set()

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait(30)
    try:
        assert not failed, failed
        yield at[0]
    finally:
        if len(at) == 2:
            at[1].call_soon_threadsafe(stop.set)
        thread.join(30)
    assert not failed, failed


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("served") / "space", expose("127.0.0.1", None, None, None)) as url:
        yield url


def test_an_hourly_month_is_a_frame_of_pandas(url):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = ectype.open(url).history(["p1.power", "p1.level"], "2014-03", every="1h", how="last")
    assert list(frame.columns) == ["p1.power", "p1.level"]
    assert frame.index[0] == pandas.Timestamp("2014-03-01T00:00:00Z")
    assert frame["p1.power"].iloc[0] == 0.0
    assert math.isnan(frame["p1.level"].iloc[1])  # it spoke a nanosecond after that tick
    assert frame["p1.level"].iloc[2] == 7.5
    assert math.isnan(frame["p1.level"].iloc[26])  # a last value is held for a day
    held = ectype.open(url).history("p1.level", "2014-03", every="1h", max_age="2d")
    assert held["p1.level"].iloc[26] == 7.5


def test_what_happened_between_ticks_can_be_asked_for(url):
    space = ectype.open(url)
    told = {
        how: space.history("p1.power", "2014-03-01", every="1h", how=how, frame="arrow")["p1.power"][5].as_py()
        for how in ("mean", "min", "max", "count")
    }
    assert told == {"mean": 1.5, "min": 0.0, "max": 3.0, "count": 4.0}


def test_samples_are_as_they_were_in_polars_and_arrow_too(url):
    space = ectype.open(url)
    table = space.history("p1.power", start="2014-03-01T00:00:00Z", stop="2014-03-01T01:00:00Z", frame="arrow")
    assert table.column_names == ["series", "at", "value", "std"]
    assert table["value"].to_pylist() == [0.0, 1.0, 2.0, 3.0, 0.0]
    assert table["at"].cast(pa.int64()).to_pylist()[1] == START + HOUR // 4
    assert table["std"].null_count == 5
    assert space.history("p1.power", points=20, frame="arrow").num_rows <= 20
    polars = pytest.importorskip("polars", reason="polars is not installed")
    assert isinstance(space.history("p1.level", frame="polars"), polars.DataFrame)
    assert space.series() == ["p1.level", "p1.power"]
    assert space.last()["p1.level"][1] == 7.5


def test_what_is_asked_wrongly_is_told(url):
    space = ectype.open(url)
    with pytest.raises(Invalid, match="no length of time"):
        space.history("p1.power", every="often")
    with pytest.raises(Invalid, match="none of last, mean"):
        space.history("p1.power", every="1h", how="sum")
    with pytest.raises(Invalid, match="take a longer 'every'"):
        space.history("p1.power", every="1us")
    with pytest.raises(Invalid, match="not both"):
        space.history("p1.power", "2014", start="2014-01-01")
    with pytest.raises(Invalid, match="none of pandas"):
        space.history("p1.power", frame="excel")
    with pytest.raises(Misconfigured, match="no address of a node"):
        ectype.open("plant.space")
    with pytest.raises(Unavailable, match="does not answer"):
        ectype.open("http://127.0.0.1:9").history("p1.power")
    assert ectype.open(url).history("nobody.knows", frame="arrow").num_rows == 0


def test_a_node_that_wants_a_token_is_asked_with_one(tmp_path):
    token = tmp_path / "token"
    token.write_text("a-token-of-some-length-0123456789", "utf-8")
    with serving(tmp_path / "space", expose("127.0.0.1", token, None, None)) as url:
        with pytest.raises(Refused):
            ectype.open(url).series()
        assert ectype.open(url, token=token.read_text("utf-8")).series() == ["p1.level", "p1.power"]


def test_a_period_is_all_of_it():
    assert period("2014") == ("2014-01-01T00:00:00Z", "2014-12-31T23:59:59.999999999Z")
    assert period("2016-02") == ("2016-02-01T00:00:00Z", "2016-02-29T23:59:59.999999999Z")
    assert period("2014-12") == ("2014-12-01T00:00:00Z", "2014-12-31T23:59:59.999999999Z")
    assert period("2014-12-31") == ("2014-12-31T00:00:00Z", "2014-12-31T23:59:59.999999999Z")
    for wrong in ("march", "2014-13", "2014-02-30", "0000"):
        with pytest.raises(Invalid, match="is no period"):
            period(wrong)


def test_the_command_prints_csv_and_writes_files(url, tmp_path, capsys):
    given = ["history", "p1.power", "--url", url, "--when", "2014-03-01"]
    dispatch([*given, "--every", "12h", "--how", "mean"])
    _, *rows = capsys.readouterr().out.splitlines()
    assert rows == ["2014-03-01 00:00:00.000000000Z,1.5", "2014-03-01 12:00:00.000000000Z,1.5"]
    for kind in ("csv", "arrow", "parquet"):
        dispatch([*given, "--out", str(tmp_path / f"day.{kind}")])
        assert "wrote 96 rows" in capsys.readouterr().err
    assert pa.ipc.open_file(tmp_path / "day.arrow").read_all().num_rows == 96
    with pytest.raises(Misconfigured, match=r"\.csv, \.arrow or \.parquet"):
        dispatch([*given, "--out", "day.xls"])


def test_csv_over_http_says_instants_in_iso(url):
    asked = f"{url}/api/history?series=p1.power&every=1d&how=max&format=csv&to=2014-03-01T00:00:00Z"
    with urllib.request.urlopen(asked) as answer:
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.read().decode().splitlines() == ['"at","p1.power"', '"2014-03-01T00:00:00Z",3']
    with urllib.request.urlopen(f"{url}/api/history?series=p1.power&every=1d&how=count") as answer:
        assert json.load(answer)["series"] == {"p1.power": [96.0, 96.0]}


def test_grafana_finds_series_and_draws_them(url):
    def post(path, body):
        as_json = {"content-type": "application/json"}
        request = urllib.request.Request(f"{url}{path}", json.dumps(body).encode(), as_json)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    with urllib.request.urlopen(f"{url}/grafana") as answer:
        assert answer.status == 200
    assert post("/grafana/metrics", {"metric": "POW"}) == [{"label": "p1.power", "value": "p1.power"}]
    assert post("/grafana/search", {"target": ""}) == ["p1.level", "p1.power"]
    asked = {
        "range": {"from": "2014-03-01T00:00:00.000Z", "to": "2014-03-01T00:45:00.000Z"},
        "intervalMs": 1000,
        "maxDataPoints": 300,
        "targets": [{"refId": "A", "target": "p1.power", "type": "timeserie"}, {"target": "p1.level", "hide": True}],
    }
    (panel,) = post("/grafana/query", asked)
    assert panel["target"] == "p1.power"
    assert panel["datapoints"] == [[float(k), START // 10**6 + k * 900_000] for k in range(4)]
    with pytest.raises(urllib.error.HTTPError) as refused:
        post("/grafana/query", {"targets": []})
    with refused.value:
        assert refused.value.code == 400


def test_a_type_of_a_running_node_is_drawn(url, capsys):
    assert [each["@id"] for each in ectype.open(url).models()] == ["dtmi:test:Pump;1"]
    assert dispatch(["model", "show", "dtmi:test:Pump;1", "--url", url]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown == ["dtmi:test:Pump;1", "├─ level: double · Property", "└─ power: double · Property"]
    assert dispatch(["model", "show", "--url", url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"id": "dtmi:test:Pump;1", "extends": []}
