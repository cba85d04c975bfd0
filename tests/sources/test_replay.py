import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.cli.main import run
from ectype.errors import Invalid, Misconfigured, Refused, Unavailable
from ectype.sources.base import Message
from ectype.sources.mqtt.endpoint import MqttEndpoint
from ectype.sources.replay import Control, Progress, Replay, _Pace, read_control, replay
from tests.sources.mqtt_bed import Disk
from tests.sources.mqtt_wire import free_port

PATIENCE_S = 30


@pytest.fixture
def farm(tmp_path) -> Path:
    """Two turbines, ten minutes apart, for 300 times."""
    n = 300
    path = tmp_path / "farm.parquet"
    rows = pa.table(
        {
            "turbine": ["R1", "R2"] * n,
            "t": pa.array([600_000 * (k // 2) for k in range(2 * n)], pa.timestamp("ms")),
            "power": [float(k) for k in range(2 * n)],
        }
    )
    pq.write_table(rows, path)
    return path


def how(path: Path, port: int, **settings) -> Replay:
    return Replay(path, "turbine", "t", port=port, **{"speed": 1e8, "prefix": "farm", **settings})


def powers(messages: Sequence[Message]) -> list[float]:
    return [json.loads(m.payload)["power"] for m in messages]


class Watch:
    """A disk, and `until`: wait for what it holds without polling."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.news = asyncio.Condition()
        self.fail_after: int | None = None

    async def deliver(self, messages: Sequence[Message]) -> None:
        if self.fail_after is not None and len(self.messages) >= self.fail_after:
            raise Unavailable("the disk is full")
        self.messages += messages
        async with self.news:
            self.news.notify_all()

    async def until(self, condition) -> None:
        async with asyncio.timeout(PATIENCE_S), self.news:
            await self.news.wait_for(lambda: condition(self.messages))


def test_every_row_arrives_once_in_order_and_is_counted_when_acknowledged(farm):
    async def body() -> None:
        disk = Disk()
        endpoint = await MqttEndpoint.start("127.0.0.1", 0, disk.deliver)
        seen: list[Progress] = []
        done = await asyncio.to_thread(replay, how(farm, endpoint.port), seen.append)
        await endpoint.close()
        assert powers(disk.messages) == [float(k) for k in range(600)]
        assert [m.topic for m in disk.messages[:2]] == ["farm/R1", "farm/R2"]
        assert json.loads(disk.messages[-1].payload)["t"] == "1970-01-03T01:50:00Z"
        assert (done.sent, done.acknowledged, done.at_ns) == (600, 600, 299 * 600 * 10**9)
        assert seen[-1].acknowledged == 600
        counts = [p.acknowledged for p in seen]
        assert counts == sorted(counts)

    asyncio.run(body())


def test_a_part_may_be_chosen(farm):
    async def body() -> None:
        disk = Disk()
        endpoint = await MqttEndpoint.start("127.0.0.1", 0, disk.deliver)
        part = how(farm, endpoint.port, start_ns=600 * 10**9, stop_ns=1800 * 10**9, columns={"power": "power"})
        await asyncio.to_thread(replay, part)
        assert powers(disk.messages) == [2.0, 3.0, 4.0, 5.0]
        with pytest.raises(Misconfigured, match="it goes from 1970-01-01T00:00:00Z to 1970-01-03T01:50:00Z"):
            await asyncio.to_thread(replay, how(farm, endpoint.port, start_ns=10**18))
        await endpoint.close()

    asyncio.run(body())


def test_speed_and_pause_are_told_through_topics_and_rows_wait_for_their_time(farm):
    async def body() -> None:
        disk = Watch()
        endpoint = await MqttEndpoint.start("127.0.0.1", 0, disk.deliver)
        endpoint.publish("ectype/replay/paused", b"true")
        control = Control()
        seen: list[Progress] = []
        slow = how(farm, endpoint.port, speed=1e-3, fast_until_ns=6000 * 10**9)
        task = asyncio.create_task(asyncio.to_thread(replay, slow, seen.append, control))
        endpoint.publish("ectype/replay/speed", b"nonsense")
        endpoint.publish("ectype/replay/paused", b"false")
        await disk.until(lambda m: len(m) >= 22)  # ten times at once, and the first paced one, which is due at once
        assert len(disk.messages) == 22
        endpoint.publish("ectype/replay/speed", b"1e8")
        await task
        await endpoint.close()
        assert powers(disk.messages) == [float(k) for k in range(600)]
        assert {p.speed for p in seen} == {1e-3, 1e8}

    asyncio.run(body())


def test_a_loop_moves_the_time_on(farm):
    async def body() -> None:
        disk = Watch()
        endpoint = await MqttEndpoint.start("127.0.0.1", 0, disk.deliver)
        control = Control()
        short = how(farm, endpoint.port, loop=True, stop_ns=1200 * 10**9)
        task = asyncio.create_task(asyncio.to_thread(replay, short, None, control))
        await disk.until(lambda m: len(m) >= 12)
        control.stop()
        done = await task
        await endpoint.close()
        assert done.lap >= 2
        assert [json.loads(m.payload)["t"] for m in disk.messages[:12:2]] == [
            f"1970-01-01T00:{minute:02d}:00Z" for minute in (0, 10, 20, 30, 40, 50)
        ]

    asyncio.run(body())


def test_after_a_lost_connection_it_goes_on_and_nothing_is_missing(farm):
    async def body() -> None:
        disk = Watch()
        disk.fail_after = 250
        first = await MqttEndpoint.start("127.0.0.1", 0, disk.deliver)
        port = first.port
        seen: list[Progress] = []
        lost = asyncio.Event()
        loop = asyncio.get_running_loop()

        def progress(p: Progress) -> None:
            seen.append(p)
            if p.acknowledged and not p.connected:
                loop.call_soon_threadsafe(lost.set)

        task = asyncio.create_task(asyncio.to_thread(replay, how(farm, port), progress))
        async with asyncio.timeout(PATIENCE_S):
            await lost.wait()
        await first.close()
        assert 250 <= len(disk.messages) < 600
        disk.fail_after = None
        second = await MqttEndpoint.start("127.0.0.1", port, disk.deliver)
        done = await task
        await second.close()
        assert done.acknowledged == 600
        assert sorted(set(powers(disk.messages))) == [float(k) for k in range(600)]

    asyncio.run(body())


def test_nobody_there_is_told_at_once(farm):
    with pytest.raises(Unavailable, match="start 'ectype serve' first"):
        replay(how(farm, free_port()))


def test_a_wrong_password_is_told(farm):
    async def body() -> None:
        endpoint = await MqttEndpoint.start("127.0.0.1", 0, Disk().deliver, lambda user, password: password == "right")
        with pytest.raises(Refused, match="does not let the replay in"):
            await asyncio.to_thread(replay, how(farm, endpoint.port, username="u", password="wrong"))
        done = await asyncio.to_thread(replay, how(farm, endpoint.port, username="u", password="right"))
        assert done.acknowledged == 600
        await endpoint.close()

    asyncio.run(body())


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf")])
def test_an_impossible_speed_is_told(farm, speed):
    with pytest.raises(Misconfigured, match="speed"):
        replay(how(farm, 1, speed=speed))


def test_a_file_of_authorities_that_is_not_there_is_told(farm):
    with pytest.raises(Misconfigured, match=r"none\.pem"):
        replay(how(farm, 1, cafile="none.pem"))


def test_controls_are_read_strictly():
    assert read_control("ectype/replay/speed", b"2") == ("speed", 2.0)
    assert read_control("ectype/replay/paused", b"1") == ("paused", True)
    assert read_control("ectype/replay/paused", b"false") == ("paused", False)
    for name, payload in [("speed", b"0"), ("speed", b"true"), ("speed", b"x"), ("paused", b"2"), ("paused", b"null")]:
        with pytest.raises(Invalid, match=name):
            read_control(f"ectype/replay/{name}", payload)


@given(st.lists(st.tuples(st.floats(0.01, 50), st.floats(0.1, 1000), st.booleans()), max_size=10), st.floats(0.1, 1000))
def test_pace_is_the_sum_of_what_passed_at_each_speed(changes, speed):
    pace = _Pace(speed)
    pace.due_in_s(0, 0.0)
    now_s = data_s = 0.0
    paused = False
    for dt_s, new_speed, pause in changes:
        now_s += dt_s
        data_s += 0 if paused else dt_s * speed
        speed, paused = new_speed, pause
        pace.change(now_s, speed, paused)
    at_ns = int((data_s + 100) * 1e9)
    due_s = pace.due_in_s(at_ns, now_s)
    assert due_s is None if paused else due_s == pytest.approx(100 / speed, rel=1e-3)


@pytest.mark.parametrize("way", ["SIGTERM", "SIGINT", "stdin"])
def test_the_process_ends_cleanly_when_it_is_told_to(farm, way):
    async def body() -> None:
        disk = Watch()
        endpoint = await MqttEndpoint.start("127.0.0.1", 0, disk.deliver)
        words = [
            "-m",
            "ectype.cli.main",
            "replay",
            "--json",
            str(farm),
            "--id",
            "turbine",
            "--time",
            "t",
            "--port",
            str(endpoint.port),
        ]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *words, "--until-eof", "--fast-until", "1970-01-01T01:00:00Z", "--columns", "power=kW",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        await disk.until(lambda m: len(m) >= 14)
        if way == "stdin":
            assert process.stdin is not None
            process.stdin.close()
        else:
            process.send_signal(getattr(signal, way))
        async with asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate() if way != "stdin" else (await process.stdout.read(), b"")
            await process.wait()
        assert (process.returncode, err) == (0, b"")
        last = json.loads(out.splitlines()[-1])
        assert (last["sent"], last["acknowledged"], last["at"]) == (14, 14, "1970-01-01T01:00:00Z")
        assert json.loads(disk.messages[3].payload) == {"t": "1970-01-01T00:10:00Z", "kW": 3.0}
        await endpoint.close()

    asyncio.run(body())


def test_waiting_costs_nothing(farm):
    async def body() -> None:
        disk = Watch()
        endpoint = await MqttEndpoint.start("127.0.0.1", 0, disk.deliver)
        control = Control()
        task = asyncio.create_task(asyncio.to_thread(replay, how(farm, endpoint.port, speed=1e-3), None, control))
        await disk.until(lambda m: len(m) >= 2)
        before = time.process_time()
        asyncio.get_running_loop().call_later(0.5, control.stop)
        await task
        assert time.process_time() - before < 0.2
        await endpoint.close()

    asyncio.run(body())


def test_the_command_line_tells_what_is_wrong(farm, capsys):
    def asked(*words: str) -> int:
        with pytest.raises(SystemExit) as end:
            run(["replay", str(farm), "--id", "turbine", *words])
        return end.value.code

    assert asked("--time", "when", "--port", "1") == 2
    assert "no column 'when'" in capsys.readouterr().err
    assert asked("--time", "t", "--start", "yesterday") == 2
    assert "--start: 'yesterday' is not a time" in capsys.readouterr().err
    assert asked("--time", "t", "--port", "1") == 1  # nobody is there
