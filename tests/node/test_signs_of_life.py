"""A behaviour that hangs is ended and left out; one that is at work, however long, is not."""

import asyncio
import inspect
import sys
import threading
from pathlib import Path

import pytest

from ectype.node import signs_of_life
from ectype.node.behaviours import files_begin
from ectype.node.left_out import LeftOut
from ectype.node.node import Node, Settings
from ectype.node.signs_of_life import Beating, Listening, Sign
from ectype.node.view import Draft
from ectype.trust.access import LOCAL_USER
from tests.node.conftest import play
from tests.node.test_live_behaviour import SPECIAL, TANK, TYPE, believed, instant, sent, twin, until

TALL = TANK.replace("Tank", "TallTank")
TRACED = TALL.replace(
    "        return {self.h: 0.04", "        while True:\n            t += 1\n        return {self.h: 0.04"
)
NATIVE = TALL + (
    "    def health(self, t):\n        if getattr(t, 'shape', ()):\n            sum(range(10**18))\n        return {}\n"
)


async def hung(path: Path, tall: str) -> tuple[str, set[str]]:
    """(what is said of a behaviour that hangs, the twins that something is told of)."""
    (path / "behaviours").mkdir(parents=True)
    (path / "behaviours" / "plant.py").write_text(TANK)
    (path / "behaviours" / "tall.py").write_text(tall)
    node = await Node.start(path, Settings(estimate=True, patience_s=3.0))
    try:
        view = node.view(LOCAL_USER)
        for model in (TYPE, SPECIAL):
            await view.write(Draft("model.put", f"model:{model['@id']}", model))
        await view.write(twin("a"))
        await view.write(twin("b", "TallTank"))
        for m in sent(0, 8):
            await node.ingest.deliver([m])
        await until(node, lambda: ("a.h@estimated", instant(7)) in believed(node))
        assert node.estimator is not None
        (text,) = node.estimator.troubles["tall.py"]
        return text, {name[0] for name, _ in believed(node)}
    finally:
        await node.close()


def test_a_loop_without_end_in_a_derivative_is_ended_and_told_with_its_line(tmp_path: Path) -> None:
    async def work() -> None:
        text, told = await hung(tmp_path / "t.space", TRACED)
        lines = TRACED.splitlines()
        looping = {i for i, line in enumerate(lines, 1) if "while True" in line or "t += 1" in line}
        assert any(text.startswith(f"line {i} in derivative: ") for i in looping)
        assert "gave no sign of life for 3 s and was ended; change it" in text
        assert "a" in told

    play(work)


def test_a_native_call_that_keeps_the_interpreter_is_ended_while_rows_come(tmp_path: Path) -> None:
    async def work() -> None:
        text, told = await hung(tmp_path / "t.space", NATIVE)
        assert "gave no sign of life for 3 s" in text
        assert "a" in told

    play(work)


def test_one_that_hangs_while_it_is_imported_is_tried_again_when_its_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "t.space"

    async def work() -> None:
        (path / "behaviours").mkdir(parents=True)
        (path / "behaviours" / "tall.py").write_text("import time\ntime.sleep(10**6)\n" + TALL)
        node = await Node.start(path, Settings(estimate=True, patience_s=3.0))
        try:
            view = node.view(LOCAL_USER)
            for model in (TYPE, SPECIAL):
                await view.write(Draft("model.put", f"model:{model['@id']}", model))
            await view.write(twin("b", "TallTank"))
            assert node.estimator is not None
            await node.estimator.looked.wait()
            (text,) = node.estimator.troubles["tall.py"]
            assert text.startswith("line 2 in <module>: ")
            (path / "behaviours" / "tall.py").write_text(TALL)
            for m in sent(0, 8):
                await node.ingest.deliver([m])
            await until(node, lambda: ("b.h@estimated", instant(7)) in believed(node))
            assert "tall.py" not in node.estimator.troubles
        finally:
            await node.close()

    play(work)


@pytest.fixture
def beats(monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread: a test looks itself."""
    monkeypatch.setattr(threading.Thread, "start", lambda _: None)


def looked(beating: Beating, path: Path) -> Sign:
    beating._look()
    found = Listening(path, 60).last()
    assert found is not None
    return found


def test_every_look_is_a_sign_but_in_one_and_the_same_call_of_theirs(tmp_path: Path, beats: None) -> None:
    beating = Beating(tmp_path / "running", [__file__ + "theirs"], 1.0)
    beating.mark("plant.py")
    assert [looked(beating, tmp_path / "running").beats for _ in range(3)] == [1, 2, 3], "ours, however long"
    code = "def one():\n  return look(), look()\ndef both():\n  return look(), inner()\ndef inner():\n  return look()\n"
    theirs: dict = {"look": lambda: looked(beating, tmp_path / "running")}
    exec(compile(code, __file__ + "theirs.py", "exec"), theirs)
    first, second = theirs["one"]()
    assert (first.beats, second.beats) == (4, 4)
    assert (first.where, first.place) == ("plant.py", "line 2 in one")
    first, second = theirs["both"]()
    assert (first.beats, second.beats) == (5, 5), "another call, then one within it"
    assert second.place == "line 6 in inner"
    assert looked(beating, tmp_path / "running").beats == 6


class Clocked:
    """Looks at a file without waiting: each takes `look_s`, or what `lasts` says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path, signs: list[Sign | None], lasts: float = 1.0):
        self.now = 0.0
        rest = iter(signs)

        async def wait(_: object, timeout: float) -> None:  # noqa: ASYNC109  as asyncio's own
            self.now += lasts
            await asyncio.sleep(0)

        def last() -> Sign | None:
            found = next(rest, "over")
            if isinstance(found, str):
                self.answer.set_result(None)
                return None
            return found

        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.listening = Listening(path, 60.0)
        monkeypatch.setattr(self.listening, "last", last)
        monkeypatch.setattr(signs_of_life.asyncio, "wait", wait)
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)


def test_silence_is_counted_while_there_is_no_beat_and_only_while_the_node_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def heard(signs: list[Sign | None], lasts: float = 1.0, stage_s: float | None = None) -> str | None:
        with monkeypatch.context() as patched:
            clocked = Clocked(patched, tmp_path, signs, lasts)
            return await clocked.listening.silence(clocked.answer, stage_s)

    async def work() -> None:
        at_work = [Sign("plant.py", k // 50, str(k)) for k in range(1000)]
        assert await heard(at_work) is None
        assert await heard([Sign("plant.py", 1, str(k)) for k in range(100)]) == "gave no sign of life for 60 s"
        assert await heard([Sign("plant.py", 1)] * 50) is None
        assert await heard([None] * 100) is None, "it has not begun"
        assert await heard([Sign("plant.py", 1)] * 20, lasts=3600.0) is None, "the machine slept"
        assert await heard([None] * 400, stage_s=300.0) == "was not ready within 300 s"
        assert await heard(at_work, stage_s=300.0) == "was not ready within 300 s"
        each = [Sign(f"{k // 200}.py", k) for k in range(1000)]
        assert await heard(each, stage_s=300.0) is None

    asyncio.run(work())


def test_who_died_twice_before_the_same_row_is_left_out_and_one_who_came_past_it_is_not() -> None:
    left = LeftOut()
    left.died(Sign("a.py"), 500)
    left.passed(480)
    left.died(Sign("a.py"), 520)
    assert "again and again" in left.why["a.py"]
    left.changed()
    assert left.why == {}
    left.died(Sign("a.py"), 500)
    left.passed(501)
    left.died(Sign("a.py"), 900)
    left.died(Sign(""), 900)
    left.died(None, 900)
    assert left.why == {}


def test_files_that_hold_people_s_code_are_known(tmp_path: Path) -> None:
    starts = tuple(files_begin(tmp_path))
    assert str(tmp_path / "plant.py").startswith(starts)
    assert not (inspect.getsourcefile(Beating) or "").startswith(starts)
    assert not any(sys.executable.startswith(s) for s in starts)
