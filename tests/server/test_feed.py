import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from ectype.errors import Refused, Unavailable
from ectype.node.messages import FeedBlock, FeedEntry, FeedMessage
from ectype.server import feed
from ectype.server.feed import Backlog, encode
from ectype.server.gate import Gate
from ectype.values.block import Block
from tests.server.fake import T0_NS, Closed, FakeView, Socket, app_of, closing, frame, views_of

T0_MS = T0_NS // 1_000_000


def play(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 20))


async def settle() -> None:
    for _ in range(12):
        await asyncio.sleep(0)


def test_a_frame_arrives_as_the_contract_says() -> None:
    async def scene() -> None:
        view = FakeView()
        async with Socket(app_of(view), "/api/feed?from=5") as socket:
            assert await socket.hear_json() == {
                "first": 5,
                "next": 5,
                "size": 17,
                "blocks": [],
                "entries": [],
                "marks": [],
            }
            view.live.put_nowait(frame(5))
            assert await socket.hear_json() == {
                "first": 5,
                "next": 7,
                "size": 7,
                "blocks": [
                    {
                        "kind": "measured",
                        "index": 5,
                        "series": ["R80711.power"],
                        "which": [0],
                        "t": [T0_MS],
                        "v": [0.0],
                        "std": None,
                    }
                ],
                "entries": [
                    {
                        "index": 6,
                        "kind": "twin.patch",
                        "subject": "twin:R80711",
                        "by": "ada",
                        "author": "key",
                        "at_ms": T0_MS,
                        "body": [{"op": "add"}],
                    }
                ],
                "marks": [],
            }
        assert view.asked[-1] == ("feed", 5)
        assert view.feeds_open == 0

    play(scene())


def test_without_from_it_starts_now_and_says_where_that_is() -> None:
    async def scene() -> None:
        view = FakeView()
        async with Socket(app_of(view), "/api/feed") as socket:
            assert (await socket.hear_json())["next"] == 17
            await settle()
        assert view.asked[-1] == ("feed", 17)

    play(scene())


@pytest.mark.parametrize(
    ("path", "says"), [("?from=x", "not a whole number"), ("?from=-1", "0 to"), ("?to=3", "takes from")]
)
def test_a_wrong_start_closes_with_its_reason(path: str, says: str) -> None:
    closed = closing(app_of(FakeView()), f"/api/feed{path}")
    assert closed.code == 4400
    assert says in closed.reason


def test_a_client_of_a_longer_log_is_told_to_read_everything_again() -> None:
    closed = closing(app_of(FakeView()), "/api/feed?from=18")
    assert closed.code == 4400
    assert "read everything again" in closed.reason


@pytest.mark.parametrize(("error", "code"), [(Refused("no more"), 1008), (Unavailable("log stopped"), 1013)])
def test_what_goes_wrong_on_the_way_closes_with_its_code(error: Exception, code: int) -> None:
    async def scene() -> None:
        view = FakeView()
        async with Socket(app_of(view), "/api/feed") as socket:
            await socket.hear()
            view.live.put_nowait(error)
            with pytest.raises(Closed) as closed:
                await socket.hear()
            assert (closed.value.code, closed.value.reason) == (code, str(error))
        assert view.feeds_open == 0

    play(scene())


def test_a_client_that_leaves_leaves_nothing_running() -> None:
    async def scene() -> None:
        view = FakeView()
        before = asyncio.all_tasks()
        async with Socket(app_of(view), "/api/feed") as socket:
            await socket.hear()
            socket.say("anything it says is not listened to")
            await settle()
            assert view.feeds_open == 1
            socket.leave()
            await socket.task
        assert view.feeds_open == 0
        assert asyncio.all_tasks() == before

    play(scene())


def test_a_client_a_little_behind_gets_frames_together_without_gap_or_repeat() -> None:
    async def scene() -> None:
        view = FakeView()
        async with Socket(app_of(view), "/api/feed?from=0") as socket:
            await socket.hear()
            socket.stop_reading()
            for n in range(100):
                view.live.put_nowait(frame(2 * n))
                await settle()
            socket.read_on()
            got = [await socket.hear_json()]
            while got[-1]["next"] < 200:
                got.append(await socket.hear_json())
        assert len(got) == 2
        assert [message["first"] for message in got] == [0, got[0]["next"]]
        assert [block["index"] for message in got for block in message["blocks"]] == list(range(0, 200, 2))
        assert [entry["index"] for message in got for entry in message["entries"]] == list(range(1, 200, 2))

    play(scene())


def impatient(view: FakeView) -> Starlette:
    return Starlette(routes=feed.routes(Gate(views_of(view)), patience_s=0))


def test_a_client_that_reads_nothing_is_closed_with_1013() -> None:
    async def scene() -> None:
        view = FakeView()
        async with Socket(impatient(view), "/api/feed") as socket:
            await socket.hear()
            socket.stop_reading()
            view.live.put_nowait(frame(17))
            await settle()
            socket.read_on()
            with pytest.raises(Closed) as closed:
                await socket.hear()
            assert closed.value.code == 1013
            assert "resume" in closed.value.reason
        assert view.feeds_open == 0

    play(scene())


@pytest.mark.parametrize(("rows", "held"), [(1, 256), (5000, 4), (30_000, 1)])
def test_a_backlog_reads_no_further_than_its_bound(rows: int, held: int) -> None:
    async def scene() -> None:
        read: list[int] = []

        async def endless():
            while True:
                read.append(1)
                yield frame(2 * len(read), rows)

        backlog = Backlog()
        filling = asyncio.create_task(backlog.fill(endless()))
        await settle()
        assert len(read) == held
        assert len(await backlog.take()) == held
        await settle()
        assert len(read) == 2 * held
        filling.cancel()

    play(scene())


samples = st.lists(
    st.tuples(
        st.sampled_from(["a.p", "b.q", "ü.x@estimated"]),
        st.integers(-(2**43), 2**43),
        st.floats(allow_infinity=False),
        st.floats(0, 1e9) | st.just(float("nan")),
    ),
    max_size=6,
)


@given(st.lists(samples, min_size=1, max_size=4))
def test_what_is_read_back_is_what_was_sent(blocks: list[list[tuple[str, int, float, float]]]) -> None:
    made = [Block.of([(name, ms * 10**6, v, std) for name, ms, v, std in rows]) for rows in blocks]
    messages = [FeedMessage(n, n + 1, 9, (FeedBlock("estimated", n, block),)) for n, block in enumerate(made)]
    told = json.loads(encode(messages))
    assert (told["first"], told["next"]) == (0, len(blocks))
    for rows, block in zip(blocks, told["blocks"], strict=True):
        stds = block["std"] or [None] * len(rows)
        back = [
            (block["series"][i], t, np.nan if v is None else v, np.nan if d is None else d)
            for i, t, v, d in zip(block["which"], block["t"], block["v"], stds, strict=True)
        ]
        np.testing.assert_equal(back, rows)


def test_a_body_goes_through_byte_for_byte() -> None:
    body = '{"a":1.10,"ü":"x"}'
    text = encode([FeedMessage(0, 1, 1, (), (FeedEntry(0, "k", "s", "a", 0, None, body.encode()),))])
    assert f'"body":{body}' in text
    assert "body" not in encode([FeedMessage(0, 1, 1, (), (FeedEntry(0, "k", "s", "a", 0),))])
