import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from pycrdt import create_sync_message, create_update_message, handle_sync_message
from starlette.applications import Starlette

from ectype.errors import Unavailable
from ectype.server import rooms
from ectype.server.gate import Gate
from tests.collab.browser import Browser
from tests.server.fake import Closed, FakeView, Socket, app_of, closing, views_of

PATH = "/api/rooms/note-R80711"


def play(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 20))


async def greet(socket: Socket, page: Browser) -> None:
    """What a stock client does first: ask for what it lacks, and answer the same question."""
    socket.say(create_sync_message(page.doc))
    for _ in range(2):
        await answer(socket, page)


async def answer(socket: Socket, page: Browser) -> None:
    page.take(await socket.hear())


def test_two_pages_write_one_note() -> None:
    async def scene() -> None:
        view = FakeView()
        app = app_of(view)
        ada, bob = Browser(1), Browser(2)
        async with Socket(app, PATH) as a, Socket(app, PATH) as b:
            await greet(a, ada)
            await greet(b, bob)
            ada.note.insert(0, "gearbox is warm")
            a.say(create_update_message(ada.doc.get_update()))
            await answer(b, bob)
            assert bob.says() == "gearbox is warm" == view.notes.text()
        assert view.asked[-1] == ("room", "note-R80711")
        assert view.rooms["note-R80711"].idle

    play(scene())


def test_presence_leaves_with_its_socket() -> None:
    async def scene() -> None:
        app = app_of(FakeView())
        async with Socket(app, PATH) as b:
            assert (await b.hear())[:2] == b"\x00\x00"
            async with Socket(app, PATH) as a:
                a.say(bytes.fromhex("010701010003") + b'"a"')
                assert (await b.hear()).endswith(b'"a"')
            assert (await b.hear()).endswith(b"null")

    play(scene())


@pytest.mark.parametrize(("message", "code"), [(b"\xff", 1007), (b"\x00\x02\x02\x05\x05", 1007), ("text", 1003)])
def test_nonsense_closes_its_own_socket_alone(message: Any, code: int) -> None:
    async def scene() -> None:
        view = FakeView()
        app = app_of(view)
        ada = Browser(1)
        async with Socket(app, PATH) as a, Socket(app, PATH) as b:
            await greet(a, ada)
            await b.hear()
            b.say(message)
            with pytest.raises(Closed) as closed:
                await b.hear()
            assert closed.value.code == code
            ada.note.insert(0, "on")
            a.say(create_update_message(ada.doc.get_update()))
            await a.hear()
            assert view.notes.text() == "on"

    play(scene())


def test_a_change_that_cannot_be_kept_is_told_and_kept_after_all_later() -> None:
    async def scene() -> None:
        view = FakeView()

        async def away() -> None:
            raise Unavailable("the disk is full")

        app = app_of(view)
        ada = Browser(1)
        async with Socket(app, PATH) as a:
            await greet(a, ada)
            view.notes.gate = away
            ada.note.insert(0, "precious")
            a.say(create_update_message(ada.doc.get_update()))
            with pytest.raises(Closed) as closed:
                await a.hear()
            assert (closed.value.code, closed.value.reason) == (1013, "not saved: the disk is full")
        view.notes.gate = None
        async with Socket(app, PATH) as a:
            question = await a.hear()
            reply = handle_sync_message(question[1:], ada.doc)
            assert reply is not None
            a.say(reply)
            await a.hear()
            assert view.notes.text() == "precious"

    play(scene())


def test_a_page_that_stops_reading_is_sent_away() -> None:
    async def scene() -> None:
        view = FakeView()
        app = Starlette(routes=rooms.routes(Gate(views_of(view)), patience_s=0))
        async with Socket(app, PATH) as a:
            await a.hear()
            a.stop_reading()
            a.say(b"\x03")
            for _ in range(12):
                await asyncio.sleep(0)
            a.read_on()
            with pytest.raises(Closed) as closed:
                await a.hear()
            assert closed.value.code == 1013
        assert view.rooms["note-R80711"].idle

    play(scene())


def test_a_room_takes_no_parameters() -> None:
    assert closing(app_of(FakeView()), f"{PATH}?x=1").code == 4400
