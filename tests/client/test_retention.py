"""What is past, as people meet it: a rule in a file, a node that keeps to it, and answers that say so."""

import json
import urllib.request

import pyarrow as pa
import pytest

import ectype
from ectype.cli.main import dispatch
from ectype.errors import Misconfigured
from ectype.node.exposure import expose
from tests.client.test_space import HOUR, START, serving

RULES = """
[[rule]]
type = "dtmi:test:Pump;1"
series = "*.power"
raw = "12h"
tiers = [{ every = "1h", keep = "36h" }, { every = "6h" }]
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    space = tmp_path_factory.mktemp("served") / "space"
    space.mkdir()
    (space / "retention.toml").write_text(RULES, "utf-8")
    with serving(space, expose("127.0.0.1", None, None, None)) as url:
        yield url


def test_means_and_extremes_are_those_of_the_samples_however_old(url):
    space = ectype.open(url)
    for every, count in (("6h", 24.0), ("12h", 48.0), ("1d", 96.0)):
        for how, value in (("count", count), ("mean", 1.5), ("min", 0.0), ("max", 3.0)):
            table = space.history("p1.power", every=every, how=how, frame="arrow")
            assert set(table["p1.power"].to_pylist()) == {value}, (every, how)
            assert table.num_rows == 96 // count * 2


def test_the_newest_are_samples_and_before_them_the_extremes_of_each_stretch(url):
    table = ectype.open(url).history("p1.power", frame="arrow")
    at = table["at"].cast("int64").to_pylist()
    last = START + 4 * 48 * HOUR // 4 - HOUR // 4
    bound = (last - 12 * HOUR) // (6 * HOUR) * (6 * HOUR)
    assert sum(each >= bound for each in at) == (last - bound) // (HOUR // 4) + 1
    # In each hour the first is the lowest and the last the highest.
    oldest = (last - 36 * HOUR) // (6 * HOUR) * (6 * HOUR)
    assert sum(oldest <= each < bound for each in at) == (bound - oldest) // HOUR * 2
    told = json.loads((table.schema.metadata or {})[b"ectype.tiers"])["p1.power"]
    ms = 1_000_000
    assert [(low, every) for low, _, every in told][-1] == (oldest // ms, HOUR // ms)
    assert told[-1][1] == (bound - 1) // ms


def test_an_answer_says_which_tier_it_was_taken_from(url):
    with urllib.request.urlopen(f"{url}/api/history?series=p1.power&series=p1.level&every=1d&how=mean") as answer:
        told = json.load(answer)
    assert told["series"]["p1.power"] == [1.5, 1.5]
    assert {every for _, _, every in told["tiers"]["p1.power"]} == {21_600_000}  # fine enough for a day
    assert told["tiers"]["p1.level"] == []
    with urllib.request.urlopen(f"{url}/api/history?series=p1.power&points=all&from=2014-03-02T12:00:00Z") as answer:
        assert json.load(answer)["series"]["p1.power"]["tiers"] == []


def test_the_command_shows_what_is_kept_and_what_is_there(url, capsys):
    dispatch(["retention", "--url", url, "--json"])
    shown = {each["series"]: each for each in map(json.loads, capsys.readouterr().out.splitlines())}
    assert shown["p1.level"]["raw_ms"] is None
    assert shown["p1.power"]["raw_ms"] == 12 * HOUR // 10**6
    assert [tier["keep_ms"] for tier in shown["p1.power"]["tiers"]] == [36 * HOUR // 10**6, None]
    assert [every for _, _, every in shown["p1.power"]["there"]] == [21_600_000, 3_600_000, None]
    dispatch(["retention", "p1.power", "--url", url])
    assert "1h for 36h, 6h for ever" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(Misconfigured, match="no such series"):
        dispatch(["retention", "p9.power", "--url", url])


def test_a_last_value_is_held_over_the_bound_between_tier_and_samples(url):
    table = ectype.open(url).history("p1.power", every="6h", how="last", frame="arrow")
    assert isinstance(table, pa.Table)
    # Each tick but the first is a sample's own instant: k % 4 == 0.
    assert set(table["p1.power"].to_pylist()) == {0.0}
