import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Doc, Text, UndoManager, create_update_message

from ectype.collab import wire
from ectype.collab.room import Goodbye
from ectype.errors import Damaged, Invalid, Unavailable
from tests.collab.browser import Browser, Log, awareness_states


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 20))


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(12):
        await asyncio.sleep(0)


def test_what_one_writes_the_other_reads() -> None:
    async def play() -> None:
        log = Log()
        room = log.room()
        ada, bob = await Browser().enter(room, "ada"), await Browser().enter(room, "bob")
        ada.note.insert(0, "oil change")
        await settle()
        bob.pump()
        bob.note.insert(0, "bob: ")
        await settle()
        ada.pump()
        assert ada.says() == bob.says() == log.text() == "bob: oil change"
        assert log.authors == ["ada", "bob"]

    run(play())


def test_a_latecomer_gets_everything_and_so_does_a_new_node() -> None:
    async def play() -> None:
        log = Log()
        ada = await Browser().enter(log.room())
        ada.note.insert(0, "vibration at 12 m/s")
        await settle()
        assert ada.member is not None
        assert (await Browser().enter(ada.member._room)).says() == "vibration at 12 m/s"
        assert (await Browser().enter(log.room())).says() == "vibration at 12 m/s"

    run(play())


def test_nobody_sees_a_change_that_is_not_in_the_log() -> None:
    async def play() -> None:
        log = Log()
        on_disk = asyncio.Event()
        log.gate = lambda: _wait(on_disk)
        room = log.room()
        ada, bob = await Browser().enter(room, "ada"), await Browser().enter(room, "bob")
        ada.note.insert(0, "not yet")
        await settle()
        bob.pump()
        assert bob.says() == ""
        assert (await Browser().enter(room, "cyd")).says() == ""
        assert not room.idle
        on_disk.set()
        await settle()
        bob.pump()
        assert bob.says() == "not yet"

    run(play())


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


def test_the_author_hears_its_change_back_once_it_is_kept() -> None:
    async def play() -> None:
        log = Log()
        ada = await Browser().enter(log.room())
        ada.heard.clear()
        ada.note.insert(0, "a")
        ada.pump()
        assert ada.heard == []
        await settle()
        ada.pump()
        assert ada.heard == [wire.update(log.updates[0])]

    run(play())


def test_the_changes_of_one_tick_are_one_entry_per_author() -> None:
    async def play() -> None:
        log = Log()
        room = log.room()
        ada, bob = await Browser().enter(room, "ada"), await Browser().enter(room, "bob")
        for letter in "abc":
            ada.note.insert(len(ada.says()), letter)
        for letter in "xyz":
            bob.note.insert(len(bob.says()), letter)
        await settle()
        assert log.authors == ["ada", "bob"]
        assert sorted(log.text()) == list("abcxyz")

    run(play())


def test_what_comes_while_the_disk_is_busy_waits_and_follows_as_one() -> None:
    async def play() -> None:
        log = Log()
        on_disk = asyncio.Event()
        log.gate = lambda: _wait(on_disk)
        ada = await Browser().enter(log.room())
        for letter in "turbine":
            ada.note.insert(len(ada.says()), letter)
            await settle()
        on_disk.set()
        await settle()
        assert log.text() == "turbine"
        assert len(log.updates) == 2

    run(play())


def test_a_repeat_is_not_logged_again() -> None:
    async def play() -> None:
        log = Log()
        room = log.room()
        ada = await Browser().enter(room)
        ada.note.insert(0, "abc")
        del ada.note[0:1]
        await settle()
        entries = len(log.updates)
        assert ada.member is not None
        ada.member.receive(create_update_message(ada.doc.get_update()))
        ada.member.leave()
        await ada.enter(room)
        await settle()
        assert len(log.updates) == entries

    run(play())


def test_a_failed_append_sends_everybody_away_and_loses_nothing() -> None:
    async def play() -> None:
        log = Log()
        room = log.room()
        ada, bob = await Browser().enter(room, "ada"), await Browser().enter(room, "bob")

        async def full() -> None:
            raise Unavailable("the disk is full")

        log.gate = full
        ada.note.insert(0, "precious")
        await settle()
        for page in (ada, bob):
            page.pump()
            assert page.member is not None
            assert page.member.goodbye == Goodbye(1013, "not saved: the disk is full")
        assert bob.says() == log.text() == ""
        assert room.idle
        log.gate = None
        await bob.enter(room, "bob")
        await ada.enter(room, "ada")
        await settle()
        bob.pump()
        assert bob.says() == log.text() == "precious"

    run(play())


def test_a_change_that_is_refused_for_good_says_so() -> None:
    async def play() -> None:
        log = Log()
        ada = await Browser().enter(log.room())

        async def refuse() -> None:
            raise Invalid("too large for an entry")

        log.gate = refuse
        ada.note.insert(0, "x")
        await settle()
        assert ada.member is not None
        assert ada.member.goodbye == Goodbye(1011, "not saved: too large for an entry")

    run(play())


def test_a_reader_reads_and_is_told_that_its_change_is_not_taken() -> None:
    async def play() -> None:
        log = Log()
        room = log.room()
        ada, eve = await Browser().enter(room), await Browser().enter(room, "eve", may_write=False)
        ada.note.insert(0, "kept")
        await settle()
        eve.pump()
        assert eve.says() == "kept"
        assert not any(message[0] == 2 for message in eve.heard)
        eve.note.insert(0, "graffiti ")
        await settle()
        eve.pump()
        assert eve.heard[-1] == wire.denied("eve may read note-R80711, not write in it")
        assert eve.member is not None
        assert eve.member.goodbye is None
        assert log.text() == "kept"

    run(play())


def test_a_slow_reader_is_sent_away_and_catches_up_when_it_returns() -> None:
    async def play() -> None:
        log = Log()
        room = log.room()
        ada, slow = await Browser().enter(room), await Browser().enter(room, "slow")
        for _ in range(600):
            ada.note.insert(len(ada.says()), "x")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            ada.pump()
        await settle()
        assert slow.member is not None
        assert slow.member.goodbye is not None
        assert slow.member.goodbye.code == 1013
        assert ada.member is not None
        assert ada.member.goodbye is None
        await slow.enter(room, "slow")
        assert slow.says() == ada.says() == "x" * 600

    run(play())


def test_presence_passes_by_the_log_and_leaves_with_its_page() -> None:
    async def play() -> None:
        log = Log()
        room = log.room()
        ada, bob = await Browser(1).enter(room, "ada"), await Browser(2).enter(room, "bob")
        assert ada.member is not None
        ada.member.receive(wire.awareness([wire.Presence(1, 0, '{"cursor":4}')]))
        bob.pump()
        assert awareness_states(bob.heard[-1]) == [(1, 0, '{"cursor":4}')]
        late = await Browser(3).enter(room, "cyd")
        assert [awareness_states(m) for m in late.heard if m[0] == 1] == [[(1, 0, '{"cursor":4}')]]
        late.heard.clear()
        assert late.member is not None
        late.member.receive(b"\x03")
        late.pump()
        assert [awareness_states(m) for m in late.heard] == [[(1, 0, '{"cursor":4}')]]
        ada.member.leave()
        bob.pump()
        assert awareness_states(bob.heard[-1]) == [(1, 0, "null")]
        assert log.updates == []

    run(play())


@pytest.mark.parametrize(
    "nonsense",
    [b"", b"\x07", b"\x00\x02\x03\x01\x02\x03", b"\x00\x00\x02\xff\xff", b"\x00\x02\x80\x80\x80\x01", b"\x01\x01\x01"],
)
def test_nonsense_ends_that_connection_alone(nonsense: bytes) -> None:
    async def play() -> None:
        log = Log()
        room = log.room()
        ada, mallory = await Browser().enter(room), await Browser().enter(room, "mallory")
        ada.note.insert(0, "still ")
        assert mallory.member is not None
        mallory.member.receive(nonsense)
        assert mallory.member.goodbye is not None
        assert mallory.member.goodbye.code == 1007
        ada.note.insert(6, "here")
        await settle()
        ada.pump()
        assert log.text() == ada.says() == "still here"
        mallory.member.receive(wire.update(Doc().get_update()))

    run(play())


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_after_any_damaged_update_the_room_still_says_what_the_log_says(data: st.DataObject) -> None:
    async def play() -> None:
        log = Log()
        room = log.room()
        ada, mallory = await Browser(1).enter(room), await Browser(2).enter(room, "mallory")
        ada.note.insert(0, "wind turbine")
        await settle()
        good = bytearray(ada.doc.get_update())
        for _ in range(data.draw(st.integers(1, 3))):
            good[data.draw(st.integers(0, len(good) - 1))] ^= data.draw(st.integers(1, 255))
        assert mallory.member is not None
        mallory.member.receive(wire.update(bytes(good)))
        ada.note.insert(0, "!")
        await settle()
        assert ada.member is not None
        assert ada.member.goodbye is None
        fresh = await Browser(3).enter(log.room())
        late = await Browser(4).enter(room)
        assert fresh.says() == late.says() == log.text()
        late.note.insert(0, "?")
        await settle()
        assert log.text() == late.says()

    run(play())


def test_an_update_too_large_is_refused() -> None:
    async def play() -> None:
        ada = await Browser().enter(Log().room())
        ada.note.insert(0, "x" * (1 << 20))
        assert ada.member is not None
        assert ada.member.goodbye is not None
        assert "at most 1048576" in ada.member.goodbye.reason

    run(play())


def test_an_update_that_waits_for_an_earlier_one_is_kept_with_it() -> None:
    async def play() -> None:
        log = Log()
        room = log.room()
        source: Doc[Any] = Doc()
        updates: list[bytes] = []
        watch = source.observe(lambda event: updates.append(event.update))
        text = source.get("note", type=Text)
        text.insert(0, "first ")
        text.insert(6, "second")
        del watch
        member = await room.join("ada", True)
        member.receive(wire.update(updates[1]))
        await settle()
        assert log.updates == []
        member.receive(wire.update(updates[0]))
        await settle()
        assert log.text() == "first second"

    run(play())


def test_a_log_that_makes_no_document_is_named() -> None:
    async def play() -> None:
        log = Log()
        log.updates = [Doc().get_update(), b"\x09\x09"]
        with pytest.raises(Damaged, match="document note-R80711: update 1"):
            await log.room().join("ada", True)

    run(play())


def test_closing_waits_for_what_was_written_and_says_to_come_back() -> None:
    async def play() -> None:
        log = Log()
        room = log.room()
        ada = await Browser().enter(room)
        ada.note.insert(0, "last words")
        await room.close()
        assert ada.member is not None
        assert ada.member.goodbye is not None
        assert ada.member.goodbye.code == 1012
        assert log.text() == "last words"
        with pytest.raises(Unavailable, match="closing"):
            await room.join("bob", True)

    run(play())


def test_a_seat_joins_with_its_own_rights() -> None:
    async def play() -> None:
        member = await Log().room().seat("eve", may_write=False).join()
        assert (member.who, member.may_write) == ("eve", False)

    run(play())


def test_messages_end_when_the_member_leaves() -> None:
    async def play() -> None:
        room = Log().room()
        member = await room.join("ada", True)
        assert await member.messages() == [wire.step_1(b"\x00")]
        reader = asyncio.create_task(member.messages())
        await settle()
        assert not reader.done()
        member.leave()
        assert await reader == []

    run(play())


edits = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["insert", "delete", "undo", "sync"]), st.integers(0, 20)), max_size=40
)


@settings(max_examples=80, deadline=None)
@given(edits)
def test_pages_that_edit_and_undo_at_once_end_up_equal(script: list[tuple[int, str, int]]) -> None:
    async def play() -> None:
        log = Log()
        room = log.room()
        pages = [await Browser(n + 1).enter(room, f"page {n}") for n in range(3)]
        undo = [UndoManager(scopes=[page.note], capture_timeout_millis=0) for page in pages]
        for own in undo:
            own.include_origin("me")
        for who, act, at in script:
            page = pages[who]
            length = len(page.says())
            if act == "insert":
                with page.doc.transaction(origin="me"):
                    page.note.insert(min(at, length), chr(97 + at))
            elif act == "delete" and length:
                with page.doc.transaction(origin="me"):
                    del page.note[at % length]
            elif act == "undo":
                undo[who].undo()
            elif act == "sync":
                await settle()
                page.pump()
        for _ in range(2):
            await settle()
            for page in pages:
                page.pump()
        fresh = await Browser(9).enter(log.room())
        assert {page.says() for page in pages} == {fresh.says()} == {log.text()}

    run(play())


def test_undo_takes_back_ones_own_words_only() -> None:
    async def play() -> None:
        log = Log()
        room = log.room()
        ada, bob = await Browser(1).enter(room, "ada"), await Browser(2).enter(room, "bob")
        undo = UndoManager(scopes=[ada.note])
        undo.include_origin("me")
        with ada.doc.transaction(origin="me"):
            ada.note.insert(0, "ada")
        await settle()
        bob.pump()
        bob.note.insert(3, " and bob")
        await settle()
        ada.pump()
        undo.undo()
        await settle()
        bob.pump()
        assert bob.says() == ada.says() == log.text() == " and bob"

    run(play())
