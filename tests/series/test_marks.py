"""Which readings are not good: the fold of `quality` entries, against a dictionary."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.log.entry import seal
from ectype.series.judged import keep, quality_of
from ectype.series.marks import BAD, GOOD, SUSPECT, WORDS, Marks, items_of
from ectype.series.samples import Samples
from ectype.trust.keys import Signer

SIGNER = Signer.generate()


class Log:
    """Just enough of a log: entries, and a root that names them."""

    def __init__(self) -> None:
        self.entries = []

    @property
    def size(self) -> int:
        return len(self.entries)

    def root(self, size: int | None = None) -> bytes:
        return str(self.size if size is None else size).encode()

    def say(self, *items: tuple[str, int, float | None, str, list[str]]) -> None:
        keys = ("series", "at_ns", "value", "quality", "reasons")
        body = json.dumps({"items": [dict(zip(keys, (i[0], str(i[1]), *i[2:]), strict=True)) for i in items]}).encode()
        self.put("quality", body)

    def put(self, kind: str, body: bytes | None) -> None:
        self.entries.append(seal(SIGNER, kind=kind, subject=f"{kind}:mqtt", body=body or b"", at_ns=0))

    def into(self, marks: Marks) -> Marks:
        for index in range(marks.size, self.size):
            marks.apply(index, self.entries[index])
        return marks


class Past:
    """A history as a dictionary."""

    def __init__(self, rows: dict[int, float]) -> None:
        self.rows = dict(sorted(rows.items()))

    def last(self, series: str):
        return (*list(self.rows.items())[-1], None) if self.rows else None

    def range(self, series: str, from_ns: int, to_ns: int) -> Samples:
        return samples_of({at: v for at, v in self.rows.items() if from_ns <= at <= to_ns})


def samples_of(rows: dict[int, float]) -> Samples:
    return Samples(np.array(list(rows), np.int64), np.array(list(rows.values()), np.float64))


said = st.lists(
    st.tuples(
        st.sampled_from(["p.x", "p.y", "q.x"]),
        st.integers(-5, 5),
        st.sampled_from([1.0, 2.0, None]),
        st.sampled_from(["suspect", "bad"]),
        st.lists(st.sampled_from(["range: too high", "rate: too quick"]), max_size=2),
    ),
    max_size=12,
)


@given(st.lists(said, max_size=6), st.dictionaries(st.integers(-6, 6), st.sampled_from([1.0, 2.0, math.inf])))
def test_each_sample_has_the_last_mark_of_its_instant_if_it_has_its_value(groups, rows):
    log = Log()
    for group in groups:
        log.say(*group)
    marks = log.into(Marks.open())
    last = {(series, at): (value, quality, why) for group in groups for series, at, value, quality, why in group}
    samples = samples_of(dict(sorted(rows.items())))
    for series in ("p.x", "p.y", "q.x", "unknown.x"):
        expected = []
        for at, value in sorted(rows.items()):
            mark = last.get((series, at))
            fits = mark is not None and (value == mark[0] or (mark[0] is None and math.isinf(value)))
            expected.append(mark[1] if fits and mark is not None else "good")
        levels = marks.levels(series, samples)
        assert [WORDS[level] for level in levels.tolist()] == expected
        why = marks.reasons(series, samples.at_ns)
        for at, reasons in zip(samples.at_ns.tolist(), why, strict=True):
            assert list(reasons) == (last[series, at][2] if (series, at) in last else [])
        told = marks.of(series)
        mine = {at: mark for (name, at), mark in last.items() if name == series}
        assert (told is None) == (not mine)
        if told is not None:
            assert (told.suspect, told.bad) == tuple(
                sum(quality == word for _, quality, _ in mine.values()) for word in ("suspect", "bad")
            )
            assert (told.at_ns, told.value) == (max(mine), mine[max(mine)][0])
    assert set(marks.series()) == {series for series, _ in last}


def test_a_curve_of_few_samples_and_a_whole_stretch_are_judged_alike(monkeypatch):
    log = Log()
    log.say(*(("p.x", at, float(at), "bad" if at % 3 else "suspect", []) for at in range(0, 2000, 2)))
    marks = log.into(Marks.open())
    samples = samples_of({at: float(at) for at in range(2000)})
    few = marks.levels("p.x", samples)
    monkeypatch.setattr("ectype.series.marks._FEW", 10)
    assert marks.levels("p.x", samples).tolist() == few.tolist()
    assert few[:5].tolist() == [SUSPECT, GOOD, BAD, GOOD, BAD]


def test_what_was_put_right_later_is_good_again_and_what_is_said_twice_counts_once():
    log = Log()
    log.say(("p.x", 1, 9000.0, "bad", ["range"]), ("p.x", 2, 9000.0, "bad", ["range"]))
    log.say(("p.x", 1, 9000.0, "bad", ["range"]))
    marks = log.into(Marks.open())
    assert marks.levels("p.x", samples_of({1: 9000.0, 2: 5.0})).tolist() == [BAD, GOOD]
    told = marks.of("p.x")
    assert told is not None
    assert (told.bad, told.suspect) == (2, 0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff",
        b'{"items":3}',
        b'{"items":[{"series":"p.x"}]}',
        b'{"items":[{"series":"p.x","at_ns":"1e3","value":1,"quality":"bad"}]}',
        b'{"items":[{"series":"p.x","at_ns":"99999999999999999999","value":1,"quality":"bad"}]}',
        b'{"items":[{"series":"p.x","at_ns":"9223372036854775808","value":1,"quality":"bad"}]}',
        b'{"items":[{"series":"p.x","at_ns":"1","value":1,"quality":"awful"}]}',
    ],
)
def test_an_entry_that_means_nothing_only_moves_the_size(body):
    log = Log()
    log.put("quality", body)
    log.put("measured", body)
    marks = log.into(Marks.open())
    assert marks.size == 2
    assert marks.series() == []


@given(st.binary(max_size=200))
def test_no_body_can_stop_it(body):
    log = Log()
    log.put("quality", body)
    assert log.into(Marks.open()).size == 1
    assert items_of(log.entries[0]) == []


def test_a_restart_goes_on_where_it_was_saved_and_other_files_are_folded_again(tmp_path: Path):
    log = Log()
    log.say(("p.x", 1, 1.0, "bad", ["range"]))
    marks = log.into(Marks.open(tmp_path, log))
    marks.save()
    log.say(("p.y", 1, 1.0, "suspect", []))
    log.into(marks).close(save=False)
    again = Marks.open(tmp_path, log)
    assert again.size == 1
    assert log.into(again).series() == ["p.x", "p.y"]
    again.close()
    assert Marks.open(tmp_path, log).size == 2
    other = Log()
    assert Marks.open(tmp_path, other).size == 0  # the file is of a longer log
    for file in tmp_path.iterdir():
        file.write_bytes(b"not a database" * 100)
    assert log.into(Marks.open(tmp_path, log)).series() == ["p.x", "p.y"]


@given(st.dictionaries(st.integers(0, 30), st.booleans(), min_size=1), st.integers(1, 4))
def test_it_is_bad_since_the_first_of_the_unbroken_run_up_to_now(rows, look):
    log = Log()
    log.say(*(("p.x", at, 1.0, "bad", ["range"]) for at, bad in rows.items() if bad))
    marks, past = log.into(Marks.open()), Past(dict.fromkeys(rows, 1.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ectype.series.judged._FIRST_LOOK", look)
        told = quality_of(marks, past, "p.x")
    run = None
    for at, bad in sorted(rows.items()):
        run = (at if run is None else run) if bad else None
    assert (None if told is None else told.since_ns) == run
    if told is not None:
        assert told.now == ("good" if run is None else "bad")


def test_only_good_leaves_out_what_is_suspect_and_only_usable_what_is_bad():
    samples = samples_of({1: 1.0, 2: 2.0, 3: 3.0})
    levels = np.array([GOOD, SUSPECT, BAD], np.int8)
    assert keep(samples, levels, "good").value.tolist() == [1.0]
    assert keep(samples, levels, "usable").value.tolist() == [1.0, 2.0]
