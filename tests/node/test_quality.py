"""Readings that cannot be trusted: seen by whoever asks, and kept from the estimator."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.cli.main import dispatch
from ectype.clock import to_iso
from ectype.errors import Refused
from ectype.log.entry import seal
from ectype.log.frame import Frame
from ectype.node.masked import trusted
from ectype.node.node import Node
from ectype.server.app import create_app
from ectype.trust.access import LOCAL_USER, Principal
from ectype.trust.keys import Signer
from ectype.values.arrow import MEDIA_TYPE, from_arrow, to_arrow
from ectype.values.block import Block
from tests.node.conftest import STEP_NS, T0_NS, message, play, running
from tests.node.test_estimator import TICKS, estimated, recorded
from tests.server.fake import asked_of, views_of

LIMITS = '[type."dtmi:ectype:WindTurbine;1".power]\nlow = -50\nhigh = 2500\nrate_per_s = 1\n'
SERIES = "R80711.power"
SIGNER = Signer.generate()


def limited(path: Path) -> Path:
    path.mkdir()
    (path / "quality.toml").write_text(LIMITS)
    return path


async def spiked(node: Node, first: int, stop: int, *, left_out: bool = False) -> None:
    """The farm's record, with a power of 9000 kW now and then; or with nothing there."""
    for number, each in enumerate(recorded(first, stop)):
        body = json.loads(each.payload)
        if "power" in body and number % 7 == 3:
            body |= {"power": 9000.0}
            if left_out:
                del body["power"]
        await node.ingest.deliver([type(each)(each.topic, json.dumps(body).encode(), each.at_ns, each.source)])


def test_estimates_are_those_of_a_run_without_the_bad_readings_bit_for_bit(tmp_path: Path) -> None:
    async def run(name: str, *, left_out: bool) -> list[tuple]:
        async with running(limited(tmp_path / name), estimate=True) as node:
            await spiked(node, 0, TICKS, left_out=left_out)
            found = await estimated(node, TICKS - 2)
            assert (node.ingest.stats().bad > 0) != left_out
            return found

    async def broken() -> list[tuple]:
        path = limited(tmp_path / "broken.space")
        async with running(path, estimate=True) as node:
            await spiked(node, 0, TICKS // 2)
            await estimated(node, TICKS // 2 - 2)
        async with running(path, estimate=True) as node:
            assert node.estimator is not None
            await spiked(node, TICKS // 2, TICKS)
            if node.estimator.child is not None:
                node.estimator.child.kill()
            return await estimated(node, TICKS - 2)

    async def believed() -> list[tuple]:
        async with running(tmp_path / "believed.space", estimate=True) as node:
            await spiked(node, 0, TICKS)
            return await estimated(node, TICKS - 2)

    async def work() -> None:
        marked, without = await run("marked.space", left_out=False), await run("without.space", left_out=True)
        assert _sorted(marked) == _sorted(without)
        assert _sorted(await believed()) != _sorted(without), "the spikes would not have mattered"

    async def killed() -> None:
        # `recorded` numbers its messages anew in each part, so the parts are spiked at other places than the whole.
        async with running(limited(tmp_path / "parts.space"), estimate=True) as node:
            await spiked(node, 0, TICKS // 2, left_out=True)
            await spiked(node, TICKS // 2, TICKS, left_out=True)
            without = await estimated(node, TICKS - 2)
        assert _sorted(await broken()) == _sorted(without)

    play(work)
    play(killed)


def _sorted(rows: list[tuple]) -> list[tuple]:
    return sorted(rows, key=lambda row: row[:2])


rows_of = st.lists(
    st.tuples(st.sampled_from(["p.x", "p.y"]), st.integers(0, 3), st.sampled_from([1.0, 2.0, np.inf])), max_size=8
)


@given(
    st.lists(rows_of, min_size=1, max_size=3),
    st.lists(
        st.tuples(
            st.sampled_from(["p.x", "p.y", "q.z"]),
            st.integers(0, 3),
            st.sampled_from([1.0, 2.0, None]),
            st.sampled_from(["bad", "suspect"]),
        )
    ),
)
def test_of_a_frame_exactly_the_bad_readings_are_left_out(blocks, said) -> None:
    entries = [
        seal(SIGNER, kind="measured", subject="block:a", body=to_arrow(Block.of(rows)), media=MEDIA_TYPE, at_ns=0)
        for rows in blocks
    ]
    items = [
        {"series": series, "at_ns": str(at), "value": value, "quality": quality, "reasons": []}
        for series, at, value, quality in said
    ]
    body = json.dumps({"items": items}).encode()
    entries.insert(1, seal(SIGNER, kind="quality", subject="quality:a", body=body, at_ns=0))
    bad = {(series, at, np.inf if value is None else value) for series, at, value, quality in said if quality == "bad"}
    expected = [[row for row in rows if row not in bad] for rows in blocks]
    found = [[row[:3] for row in from_arrow(each).rows()] for each in trusted(Frame(0, tuple(entries)))]
    assert [rows for rows in found if rows] == [rows for rows in expected if rows]
    if not any(row in bad for rows in blocks for row in rows):
        assert list(trusted(Frame(0, tuple(entries)))) == [e.body for e in entries if e.kind == "measured"]


def test_a_block_and_what_is_said_of_it_are_in_one_frame_however_much_that_is(space: Path, tmp_path: Path) -> None:
    async def work() -> None:
        async with running(limited(tmp_path / "a.space")) as node:
            start = node.log.size
            batch = [message("R80711", k, power=9000.0 + k, windSpeed=5.0) for k in range(12_000)]
            await node.ingest.deliver(batch)
            count = 0
            for frame in node.log._store.read(start):
                kinds = [entry.kind for entry in frame.entries]
                assert kinds.count("measured") <= kinds.count("quality")
                left = [row for body in trusted(frame) for row in from_arrow(body).rows()]
                assert {name for name, *_ in left} <= {"R80711.windSpeed"}
                count += len(left)
            assert count == 12_000

    play(work)


class OnePowerAlone:
    """Whoever is not the local user sees the power of one turbine."""

    def may(self, who: Principal, verb: str, resource: str) -> bool:
        return who == LOCAL_USER or resource in ("feed", f"series:{SERIES}", "space")


def test_whoever_asks_sees_what_is_not_good_and_why(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(limited(tmp_path / "a.space"), rights=OnePowerAlone()) as node:
            view, guest = node.view(LOCAL_USER), node.view(Principal("guest"))
            start = node.log.size
            for step, power in enumerate([800.0, 9000.0, 810.0, 1500.0, 9100.0, 9200.0]):
                await node.ingest.deliver([message("R80711", step, power=power)])
            await node.ingest.deliver([message("R80721", 1, power=-900.0)])
            await node.follower.reach(node.log.size)

            (column,) = view.history([SERIES], 0, 2**62, None, quality=True).columns
            assert column.quality == ("good", "bad", "suspect", "suspect", "bad", "bad")
            assert column.why is not None
            assert column.why[1][0] == "range: 9000 is above 2500"
            assert column.why[0] == ()
            kept = {"good": [800.0], "usable": [800.0, 810.0, 1500.0], None: column.value.tolist()}
            for only, expected in kept.items():
                (some,) = view.history([SERIES], 0, 2**62, None, only=only).columns
                assert some.value.tolist() == expected
            at = np.array([T0_NS + 5 * STEP_NS])
            assert view.on_clock(SERIES, at, STEP_NS, "last", 10**15, "usable").value.tolist() == [1500.0]

            told = view.quality((), 100)
            assert [(r.series, r.now, r.bad) for r in told.rows] == [(SERIES, "bad", 3), ("R80721.power", "bad", 1)]
            mine = told.rows[0]
            assert (mine.since_ns, mine.at_ns) == (T0_NS + 1 * STEP_NS, T0_NS + 5 * STEP_NS)
            assert view.not_good() == {SERIES: "bad", "R80721.power": "bad"}

            assert [row.series for row in guest.quality((), 100).rows] == [SERIES]
            assert guest.not_good() == {SERIES: "bad"}
            with pytest.raises(Refused):
                guest.quality(["R80721.power"], 100)

            for asker, expected in ((view, {SERIES, "R80721.power"}), (guest, {SERIES})):
                seen = set[str]()
                async for frame in asker.feed(start):
                    seen |= {item.series for marks in frame.marks for item in marks.items}
                    assert not any(entry.kind == "quality" for entry in frame.entries)
                    if frame.next == node.log.size:
                        break
                assert seen == expected

        async with running(tmp_path / "a.space") as node:
            assert node.view(LOCAL_USER).quality((), 100) == told

    play(work)


def test_http_gives_it_as_json_arrow_and_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = limited(tmp_path / "a.space")
    got: dict[str, object] = {}

    async def work() -> None:
        async with running(path) as node:
            for step, power in enumerate([800.0, 9000.0]):
                await node.ingest.deliver([message("R80711", step, power=power)])
            await node.follower.reach(node.log.size)
            app = create_app(views_of(node.view(LOCAL_USER)), allowed_hosts=["127.0.0.1"], static=None)  # type: ignore[arg-type]
            asked = (
                f"/api/history?series={SERIES}&quality=1",
                f"/api/history?series={SERIES}&quality=1&format=csv",
                f"/api/history?series={SERIES}&quality=1&format=arrow",
                f"/api/history?series={SERIES}&only=good",
                f"/api/history?series={SERIES}&every=10min&only=good",
                f"/api/history?series={SERIES}&every=10min&quality=1",
                f"/api/history?series={SERIES}&only=nothing",
                "/api/quality",
                f"/api/quality?now=1&series={SERIES}",
                "/api/last?quality=1",
            )
            got.update({each: await asked_of(app, each) for each in asked})

    play(work)
    (json_, csv, arrow, good, clocked, refused, unknown, quality, now, last) = got.values()
    column = json_.json()["series"][SERIES]
    assert column["quality"] == ["good", "bad"]
    assert column["why"][0] is None
    assert column["why"][1].startswith("range: 9000 is above 2500; rate: ")
    assert csv.text.splitlines()[0] == '"series","at","value","std","quality","why"'
    assert pa.ipc.open_stream(arrow.content).read_all()["quality"].to_pylist() == ["good", "bad"]
    assert good.json()["series"][SERIES]["v"] == [800.0]
    assert "quality" not in good.json()["series"][SERIES]
    assert clocked.json()["series"][SERIES] == [800.0, 800.0]
    assert (refused.status_code, unknown.status_code) == (400, 400)
    assert "only=good" in refused.text
    told = quality.json()
    assert (told["bad"], told["suspect"]) == (1, 0)
    (row,) = told["series"]
    assert row["now"] == "bad"
    assert row["since_ms"] == (T0_NS + STEP_NS) // 10**6
    assert row["last"]["v"] == 9000.0
    assert now.json()["series"] == told["series"]
    assert last.json()["not_good"] == {SERIES: "bad"}

    assert dispatch(["quality", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == row  # from the folder as over HTTP
    assert dispatch(["quality", str(path)]) == 0
    shown = capsys.readouterr().out
    assert SERIES in shown
    assert "range: 9000 is above 2500" in shown
    assert to_iso(T0_NS + STEP_NS) in shown
