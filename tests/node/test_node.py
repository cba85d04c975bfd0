"""A running space: what is written is read at once, survives a restart, and passes one door."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from ectype.errors import Conflict, EctypeError, Invalid, NotFound, Refused
from ectype.graph.fold import Graph
from ectype.log.fold import catch_up
from ectype.node.node import Node
from ectype.node.view import View
from ectype.node.write import Draft
from ectype.series.fold import History
from ectype.trust.access import LOCAL_USER, Principal
from tests.node.conftest import message, play, running

FARM = "la-haute-borne"


def price(view: View) -> object:
    return view.twin(FARM).properties["electricityPrice"]


def set_price(value: float) -> list:
    return [{"op": "replace", "path": "/electricityPrice", "value": value}]


def test_a_write_is_read_at_once(space: Path) -> None:
    async def work() -> None:
        async with running(space) as node:
            view = node.view(LOCAL_USER)
            for value in range(60, 80):
                index = await view.patch_twin(FARM, set_price(value))
                assert (price(view), view.twin(FARM).last_index) == (value, index)

    play(work)


def test_everything_is_there_after_a_restart_with_the_same_root(space: Path) -> None:
    async def work() -> None:
        async with running(space) as node:
            await node.view(LOCAL_USER).patch_twin(FARM, set_price(77))
            await node.ingest.deliver([message("R80711", i, power=100.0 + i) for i in range(50)])
            root, size, twins = node.log.root(), node.log.size, node.view(LOCAL_USER).twins()
        async with running(space) as node:
            view = node.view(LOCAL_USER)
            assert (node.log.root(), node.log.size, view.twins()) == (root, size, twins)
            (column,) = view.history(["R80711.power"], 0, 2**62, 1000).columns
            assert column.value.tolist() == [100.0 + i for i in range(50)]
            assert price(view) == 77

    play(work)


def test_two_people_changing_different_things_both_win_and_the_same_thing_is_a_conflict(space: Path) -> None:
    async def work() -> None:
        async with running(space) as node:
            ann, bob = node.view(Principal("Ann")), node.view(Principal("Bob"))
            rename = [{"op": "replace", "path": "/name", "value": "Hill"}]
            await asyncio.gather(ann.patch_twin(FARM, set_price(61)), bob.patch_twin(FARM, rename))
            assert (price(ann), bob.twin(FARM).properties["name"]) == (61, "Hill")
            seen = ann.twin(FARM).last_index
            await bob.patch_twin(FARM, set_price(90), seen)
            with pytest.raises(Conflict, match="changed since you read it"):
                await ann.patch_twin(FARM, set_price(62), seen)
            assert price(ann) == 90

    play(work)


def test_of_many_who_expect_the_same_state_exactly_one_wins(space: Path) -> None:
    async def work() -> None:
        async with running(space) as node:
            view = node.view(LOCAL_USER)
            seen = view.twin(FARM).last_index
            tries = [view.patch_twin(FARM, set_price(value), seen) for value in range(100, 120)]
            done = await asyncio.gather(*tries, return_exceptions=True)
            assert sorted(isinstance(d, Conflict) for d in done) == [False] + [True] * 19

    play(work)


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        ([{"op": "replace", "path": "/electricityPrice", "value": "cheap"}], "electricityPrice"),
        ([{"op": "add", "path": "/colour", "value": "red"}], "colour"),
        ([{"op": "test", "path": "/name", "value": "x"}], "test"),
        ([{"op": "remove", "path": "/nothing"}], "nothing"),
    ],
)
def test_a_change_that_breaks_the_type_is_refused_and_not_logged(space: Path, patch: list, says: str) -> None:
    async def work() -> None:
        async with running(space) as node:
            size = node.log.size
            with pytest.raises(Invalid, match=says):
                await node.view(LOCAL_USER).patch_twin(FARM, patch)
            assert node.log.size == size
            with pytest.raises(NotFound):
                await node.view(LOCAL_USER).patch_twin("nobody", patch)

    play(work)


def test_a_feed_resumes_at_any_index_without_gap_or_repeat(space: Path) -> None:
    async def collect(view: View, start: int, stop: int) -> list[int]:
        seen: list[int] = []
        at = start
        while at < stop:
            async for news in view.feed(at):
                assert news.first == at
                seen += [b.index for b in news.blocks] + [e.index for e in news.entries]
                at = news.next
                break  # the connection is lost after every message
        return sorted(seen)

    async def work() -> None:
        async with running(space) as node:
            view = node.view(LOCAL_USER)
            for i in range(10):
                await node.ingest.deliver([message("R80711", i, power=float(i))])
            size = node.log.size
            for start in range(0, size, 3):
                assert await collect(view, start, size) == list(range(start, size))
            late = asyncio.ensure_future(collect(view, size, size + 1))
            await asyncio.sleep(0)
            await view.patch_twin(FARM, set_price(3))
            assert await late == [size]
            with pytest.raises(Invalid, match="cannot start at"):
                await anext(view.feed(size + 100))

    play(work)


def test_what_the_feed_told_is_already_there_to_read(space: Path) -> None:
    async def work() -> None:
        async with running(space) as node:
            view = node.view(LOCAL_USER)
            feed = view.feed(node.log.size)
            first = asyncio.ensure_future(anext(feed))
            await node.ingest.deliver([message("R80736", 3, power=812.5)])
            news = await first
            assert view.last().size >= news.next
            assert {r[0]: r[2] for r in view.last().samples.rows()}["R80736.power"] == 812.5
            await feed.aclose()  # type: ignore[attr-defined]

    play(work)


def test_nonsense_is_set_aside_in_the_log_and_the_rest_goes_on(space: Path) -> None:
    async def work() -> None:
        async with running(space) as node:
            good = message("R80711", 0, power=1.0)
            bad = [
                message("nobody", 0, power=1.0),
                message("R80711", 0, colour=1.0),
                good.__class__("x/R80711", b"\xff\xfe{", 0, "x"),
            ]
            await node.ingest.deliver([*bad, good])
            stats = node.ingest.stats()
            assert (stats.set_aside, stats.samples) == (3, 1)
            assert [e.kind for _, e in node.log.read(node.log.size - 2)] == ["measured", "set-aside"]

    play(work)


class Nobody:
    """Rights under which somebody may do nothing at all."""

    def may(self, who: Principal, verb: str, resource: str) -> bool:
        return who == LOCAL_USER


EVERY_WAY_OUT: dict[str, Callable[[View], object]] = {
    "space": lambda v: v.space(),
    "models": lambda v: v.models(),
    "twin": lambda v: v.twin(FARM),
    "history": lambda v: v.history(["R80711.power"], 0, 1, 10),
    "forecast": lambda v: v.forecast(["R80711.power"]),
    "span": lambda v: v.span(),
    "entries": lambda v: v.entries(0, 1),
    "checkpoint": lambda v: v.checkpoint(),
    "verifier key": lambda v: v.verifier_key(),
    "proof": lambda v: v.proof(0),
    "consistency": lambda v: v.consistency(0, 1),
    "room": lambda v: v.room("note-R80711"),
}


@pytest.mark.parametrize("way", EVERY_WAY_OUT)
def test_every_way_out_asks_who_it_is(space: Path, way: str) -> None:
    async def work() -> None:
        async with running(space, rights=Nobody()) as node:
            EVERY_WAY_OUT[way](node.view(LOCAL_USER))
            with pytest.raises((Refused, NotFound)):
                EVERY_WAY_OUT[way](node.view(Principal("Mallory")))

    play(work)


def test_lists_and_feeds_leave_out_what_one_may_not_see(space: Path) -> None:
    async def work() -> None:
        async with running(space, rights=Nobody()) as node:
            await node.ingest.deliver([message("R80711", 0, power=1.0)])
            mallory = node.view(Principal("Mallory"))
            assert (mallory.twins().twins, mallory.relationships().relationships) == ((), ())
            assert (len(mallory.last().samples), mallory.alarms(False, 10)) == (0, ())
            with pytest.raises(Refused):
                await anext(mallory.feed(0))
            with pytest.raises(Refused):
                await mallory.write(Draft("twin.delete", "twin:R80711", None))

    play(work)


def test_a_fold_can_start_at_any_size_of_the_log(space: Path) -> None:
    async def work() -> None:
        async with running(space) as node:
            before = node.log.size
            await node.view(LOCAL_USER).patch_twin(FARM, set_price(99))
            await node.ingest.deliver([message("R80711", 0, power=5.0)])
            then, now = Graph.open(), Graph.open()
            catch_up(then, node.log, before)
            catch_up(now, node.log)
            assert then.twin(FARM).properties["electricityPrice"] == 50
            assert now.twin(FARM).properties["electricityPrice"] == 99
            past = History.open()
            catch_up(past, node.log, before)
            assert past.last_all() == {}
            for fold in (then, now, past):
                fold.close()

    play(work)


def test_a_second_node_is_told_who_has_the_space(space: Path) -> None:
    async def work() -> None:
        async with running(space, farm=False):
            with pytest.raises(Refused, match=r"in use by process \d+"):
                await Node.start(space)

    play(work)


def test_history_takes_only_questions_that_make_sense(space: Path) -> None:
    async def work() -> None:
        async with running(space) as node:
            view = node.view(LOCAL_USER)
            for series, from_ns, to_ns, points in (
                ([], 0, 1, 10),
                (["R80711.power"], 2, 1, 10),
                (["R80711.power"], 0, 1, 1),
                (["no series"], 0, 1, 10),
                (["R80711.power"] * 300, 0, 1, 10),
            ):
                with pytest.raises(EctypeError):
                    view.history(series, from_ns, to_ns, points)

    play(work)
