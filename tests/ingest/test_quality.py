import asyncio
import json
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Misconfigured
from ectype.ingest.ingest import Ingest
from ectype.ingest.quality import Limits, checks_of, declared, read_checks
from ectype.log.log import Log
from ectype.log.stores.memory import MemoryStore
from ectype.sources.base import Message
from ectype.trust.keys import Signer
from ectype.values.block import Block

S = 1_000_000_000
MODEL = "dtmi:test:Pump;1"


def model_of(twin: str) -> str | None:
    return MODEL if twin.startswith("p") else None


def verdicts(limits: dict, rows, name: str = "p.x") -> list[tuple[float, str, list[str]]]:
    checks = checks_of({"type": {MODEL: {"x": limits}}}, model_of)
    found = checks.judge(Block.of([(name, round(t * S), v) for t, v in rows]))
    return [(int(v.at_ns) / S, v.quality, [reason.partition(":")[0] for reason in v.reasons]) for v in found]


@pytest.mark.parametrize(
    ("limits", "rows", "expected"),
    [
        ({"low": 0, "high": 10}, [(1, 0), (2, 10), (3, -1), (4, 11)], [(3, "bad", ["range"]), (4, "bad", ["range"])]),
        ({"rate_per_s": 2}, [(1, 0), (2, 2), (3, 5), (4, 5)], [(3, "suspect", ["rate"])]),
        ({"stuck_s": 3}, [(1, 7), (3, 7), (4, 7), (5, 7), (6, 8)], [(5, "suspect", ["stuck"])]),
        ({"gap_s": 2}, [(1, 0), (3, 0), (6, 0)], [(6, "suspect", ["gap"])]),
        ({"spike": 5}, [(k, k % 2) for k in range(6)] + [(7, 9), (8, 1)], [(7, "suspect", ["spike"])]),
        ({"high": 5, "rate_per_s": 1}, [(1, 0), (2, 9)], [(2, "bad", ["range", "rate"])]),
        ({"high": 5, "rate_per_s": 1}, [(5, 0), (4, 9), (3, 1)], [(4, "bad", ["range"])]),  # late: range alone
        ({}, [(1, 1e9)], []),
    ],
)
def test_each_check_finds_what_it_is_for_and_nothing_else(limits, rows, expected):
    assert verdicts(limits, rows) == expected


def test_a_slow_drift_is_found_and_noise_is_not():
    noise = [(k, (k * 37 % 11) / 11) for k in range(3000)]
    assert verdicts({"drift": 2}, noise) == []
    moved = noise + [(3000 + k, 0.01 * k) for k in range(1500)]
    found = verdicts({"drift": 2}, moved)
    assert found
    assert all(reasons == ["drift"] for _, _, reasons in found)
    assert 3000 + 200 < found[0][0] < 3000 + 600


def test_other_twins_and_properties_are_not_judged():
    assert verdicts({"high": 0}, [(1, 9)], "q.x") == verdicts({"high": 0}, [(1, 9)], "p.y") == []


def test_the_limits_of_a_twin_stand_before_those_of_its_type():
    told = {"type": {MODEL: {"x": {"high": 1}}}, "twin": {"p2": {"x": {"high": 5}}}}
    found = checks_of(told, model_of).judge(Block.of([("p1.x", 1, 3.0), ("p2.x", 1, 3.0)]))
    assert [v.series for v in found] == ["p1.x"]


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(-20, 20)), max_size=60), st.integers(1, 59))
def test_blocks_may_be_cut_anywhere_and_a_plain_loop_agrees(steps, cut):
    at, rows = 0, []
    for step, value in steps:
        at += step
        rows.append((at, float(value)))
    limits = {"low": -15, "rate_per_s": 9, "spike": 12, "gap_s": 4}
    checks = checks_of({"type": {MODEL: {"x": limits}}}, model_of)
    blocks = [Block.of([("p.x", t * S, v) for t, v in part]) for part in (rows[:cut], rows[cut:])]
    found = {int(v.at_ns) // S for block in blocks for v in checks.judge(block)}
    expected = set()
    for k, (t, v) in enumerate(rows):
        before = rows[:k]
        if (
            v < -15
            or (before and abs(v - before[-1][1]) / (t - before[-1][0]) > 9)
            or (len(before) >= 5 and abs(v - median(b[1] for b in before[-5:])) > 12)
            or (before and t - before[-1][0] > 4)
        ):
            expected.add(t)
    assert found == expected
    assert checks.suspect + checks.bad == len(expected)


@pytest.mark.parametrize("text", ["= x", "[type.m.p]\nhigh = 'no'", "[type.m.p]\nhi = 1", "[types.m.p]\nhigh = 1"])
def test_a_file_that_is_no_good_is_told_at_once(tmp_path, text):
    (tmp_path / "quality.toml").write_text(text)
    with pytest.raises(Misconfigured):
        read_checks(tmp_path, model_of)


def test_what_is_not_good_is_an_entry_beside_its_readings(tmp_path):
    (tmp_path / "quality.toml").write_text(f'[type."{MODEL}".x]\nhigh = 5')

    async def main():
        signer = Signer.generate()
        log = await Log.open(MemoryStore(), signer, origin="example.org/test")
        ingest = Ingest(log, signer, lambda twin, name: None, checks=read_checks(tmp_path, model_of))
        await ingest.deliver([Message("f/p/x", b"9", 1), Message("f/p/x", b"1", 2)])
        entries = [entry for _, entry in log.read(0)]
        assert [(e.kind, e.subject) for e in entries] == [("measured", "block:mqtt"), ("quality", "quality:mqtt")]
        (item,) = json.loads(entries[1].body or b"")["items"]
        assert (item["series"], item["at_ns"], item["value"], item["quality"]) == ("p.x", "1", 9, "bad")
        assert ingest.stats().bad == 1
        await ingest.close()
        await log.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("comment", "limits"),
    [
        ("quality: low=-50, high=2200", Limits(low=-50, high=2200)),
        ("At the nacelle; quality: stuck_s=3600; ISO 1234", Limits(stuck_s=3600)),
        ("quality:", Limits()),
        ("what quality is", None),
        ("quality: low=much", None),
        ("quality: lowest=3", None),
    ],
)
def test_a_type_declares_limits_in_its_comment(comment: str, limits: Limits | None) -> None:
    assert declared(comment) == limits


def test_what_the_space_says_counts_before_the_type_and_a_changed_type_is_read_again() -> None:
    said = {"power": "quality: high=10"}
    checks = checks_of({"twin": {"R2": {"power": {"high": 20}}}}, lambda _: "m", lambda _, name: said.get(name, ""))
    rows = Block.of([("R1.power", 1, 15.0), ("R2.power", 1, 15.0), ("R1.speed", 1, 15.0)])
    assert [v.series for v in checks.judge(rows)] == ["R1.power"]
    said["speed"] = said.pop("power")
    checks.forget()
    assert [v.series for v in checks.judge(rows)] == ["R1.speed"]
