"""A space listens to what its sources.toml names, says how each is, and refuses a file that cannot be meant so."""

import asyncio
from pathlib import Path

import pytest

from ectype.errors import Misconfigured, Refused
from ectype.node.sources_file import read_sources
from ectype.trust.access import LOCAL_USER, Principal
from tests.node.conftest import play, running


def say(space: Path, text: str) -> None:
    space.mkdir(exist_ok=True)
    (space / "sources.toml").write_text(text)


def test_a_folder_of_recordings_becomes_history(space: Path, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "a.csv").write_text("twin,t,power\nR80711,2014-03-01T12:00:00Z,812.5\nR80711,2014-03-01T12:10:00Z,900\n")

    async def work() -> None:
        async with running(space) as node:
            assert node.view(LOCAL_USER).sources() == ()
        say(space, f'[[source]]\nname = "inbox"\nurl = "{inbox.as_uri()}"\nevery_s = 0.05\n')
        async with running(space) as node:
            view = node.view(LOCAL_USER)
            while view.sources()[0].messages < 2:
                await asyncio.wait([node.failed], timeout=0.02)
            (status,) = view.sources()
            await node.follower.reach(node.log.size)
            (column,) = view.history(["R80711.power"], 0, 2**62, 1000).columns
            assert (status.name, status.state, status.error) == ("inbox", "live", None)
            assert column.value.tolist() == [812.5, 900]

    play(work)


def test_who_may_not_read_the_space_is_not_told_its_sources(space: Path) -> None:
    class Nobody:
        def may(self, who: Principal, verb: object, resource: str) -> bool:
            return False

    async def work() -> None:
        async with running(space, farm=False, rights=Nobody()) as node:
            with pytest.raises(Refused):
                node.view(LOCAL_USER).sources()

    play(work)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[source]\n", "sources.toml"),
        ("[source]\nname = 'a'\n", "source"),
        ("port = 5\n", "port"),
        ("[[source]]\nurl = 'http://x/'\n", "name"),
        ("[[source]]\nname = 'a b'\nurl = 'http://x/'\n", "source 1"),
        ("[[source]]\nname = 'a'\nurl = 'http://x/'\nbind = {'#/x' = 'nonsense'}\n", "nonsense"),
        ("[[source]]\nname = 'a'\nurl = 'x:'\n[[source]]\nname = 'a'\nurl = 'y:'\n", "two sources are called 'a'"),
    ],
)
def test_a_file_that_cannot_be_meant_so_is_refused_with_its_place(space: Path, text: str, said: str) -> None:
    say(space, text)
    with pytest.raises(Misconfigured, match=said):
        read_sources(space)


def test_a_space_whose_sources_cannot_work_does_not_start(space: Path) -> None:
    async def work() -> None:
        say(space, "[[source]]\nname = 'a'\nurl = 'gopher://x'\n")
        with pytest.raises(Misconfigured, match="nothing here speaks"):
            async with running(space):
                pass
        say(space, "")
        async with running(space):  # and holds no lock afterwards
            pass

    play(work)
