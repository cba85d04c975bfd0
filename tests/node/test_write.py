"""Decisions that are on their way to the disk count for those that come after them."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectype.errors import Conflict, Invalid, NotFound, Unavailable
from ectype.graph.fold import Graph
from ectype.log.fold import catch_up
from ectype.model.schema import JSON
from ectype.node.node import Node, Settings
from ectype.node.write import Draft, PreconditionFailed
from ectype.trust.access import LOCAL_USER
from tests.graph.making import everything, put_edge, put_twin, put_types
from tests.node.conftest import play, space

__all__ = ["space"]


async def begun(path: Path) -> Node:
    node = await Node.start(path, Settings(mqtt_port=None, estimate=False))
    if node.log.size == 0:
        await node.writer.write_all(LOCAL_USER, [Draft(*each) for each in put_types()])
    return node


def value(number: int) -> Draft:
    return Draft("twin.patch", "twin:a", [{"op": "add", "path": "/power", "value": number}])


def test_writes_of_one_twin_share_flushes_and_keep_their_order(space: Path) -> None:
    async def scene() -> None:
        node = await begun(space)
        await node.writer.write(LOCAL_USER, Draft(*put_twin("a")))
        written = await asyncio.gather(*(node.writer.write(LOCAL_USER, value(n)) for n in range(200)))
        assert [each.index for each in written] == list(range(written[0].index, written[0].index + 200))
        assert node.graph.twin("a").properties["power"] == 199
        frames = [frame async for frame in _frames(node, written[0].index)]
        assert len(frames) < 100
        await node.close()

    play(scene)


async def _frames(node: Node, start: int):
    async for frame in node.log.tail(start):
        yield frame
        if frame.next == node.log.size:
            return


def test_what_is_not_on_the_disk_yet_can_be_relied_on(space: Path) -> None:
    async def scene() -> None:
        node = await begun(space)
        drafts = [put_twin("a"), put_twin("b"), put_edge("a", "e", "neighbours", "b")]
        await asyncio.gather(*(node.writer.write(LOCAL_USER, Draft(*each)) for each in drafts))
        assert [edge.target for edge in node.graph.relationships("a")] == ["b"]
        results = await asyncio.gather(
            node.writer.write(LOCAL_USER, Draft("relationship.delete", "relationship:a/e", {})),
            node.writer.write(LOCAL_USER, Draft("twin.delete", "twin:b", {})),
            node.writer.write(LOCAL_USER, Draft(*put_edge("a", "e", "neighbours", "b"))),
            return_exceptions=True,
        )
        assert isinstance(results[2], NotFound)
        assert node.graph.find_twin("b") is None
        assert node.graph.rejected() == []
        await node.close()

    play(scene)


def test_of_many_with_the_same_etag_one_wins(space: Path) -> None:
    async def scene() -> None:
        node = await begun(space)
        first = await node.writer.write(LOCAL_USER, Draft(*put_twin("a")), if_none=True)
        results = await asyncio.gather(
            *(node.writer.write(LOCAL_USER, value(n), first.index) for n in range(20)), return_exceptions=True
        )
        assert sum(isinstance(each, PreconditionFailed) for each in results) == 19
        with pytest.raises(PreconditionFailed):
            await node.writer.write(LOCAL_USER, Draft(*put_twin("a")), if_none=True)
        with pytest.raises(Conflict):
            await node.writer.write(LOCAL_USER, value(1), 'W/"-"')
        await node.writer.write(LOCAL_USER, value(1), node.graph.twin("a").etag)
        await node.close()

    play(scene)


def test_of_several_at_once_none_is_written_if_one_cannot_be(space: Path) -> None:
    async def scene() -> None:
        node = await begun(space)
        size = node.log.size
        with pytest.raises(Invalid):
            await node.writer.write_all(LOCAL_USER, [Draft(*put_twin("a")), Draft(*put_twin("b", colour="red"))])
        assert node.log.size == size
        with pytest.raises(NotFound):
            await node.writer.write(LOCAL_USER, value(1))
        await node.close()

    play(scene)


def test_after_a_full_disk_nothing_that_was_refused_is_relied_on(space: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        node = await begun(space)
        await node.writer.write(LOCAL_USER, Draft(*put_twin("a")))
        store = node.log._store
        append = store.append

        def full(first: int, data: bytes) -> None:
            monkeypatch.setattr(store, "append", append)
            raise Unavailable("the disk is full")

        monkeypatch.setattr(store, "append", full)
        results = await asyncio.gather(
            node.writer.write(LOCAL_USER, Draft(*put_twin("b"))),
            node.writer.write(LOCAL_USER, Draft(*put_edge("a", "e", "neighbours", "b"))),
            return_exceptions=True,
        )
        assert all(isinstance(each, Unavailable) for each in results)
        with pytest.raises(NotFound):
            await node.writer.write(LOCAL_USER, Draft(*put_edge("a", "e", "neighbours", "b")))
        await node.writer.write(LOCAL_USER, Draft(*put_twin("b")))
        await node.writer.write(LOCAL_USER, Draft(*put_edge("a", "e", "neighbours", "b")))
        assert node.graph.rejected() == []
        await node.close()

    play(scene)


_names = st.sampled_from(["a", "b", "c"])
_drafts = st.one_of(
    st.builds(lambda n, v: put_twin(n, power=v), _names, st.integers(0, 3)),
    st.builds(lambda n: ("twin.delete", f"twin:{n}", {}), _names),
    st.builds(lambda n, v: ("twin.patch", f"twin:{n}", [{"op": "replace", "path": "/power", "value": v}]), _names,
              st.integers(0, 9)),
    st.builds(lambda s, t: put_edge(s, "e", "neighbours", t), _names, _names),
    st.builds(lambda s: ("relationship.delete", f"relationship:{s}/e", {}), _names),
    st.just(("graph.clear", "delete:x", {})),
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.lists(_drafts, min_size=1, max_size=25))
def test_what_was_judged_on_its_way_is_what_the_fold_alone_would_say(drafts: list[tuple[str, str, JSON]]) -> None:
    """All at once through the writer, then the log folded anew by a graph that foresaw nothing."""
    import tempfile

    async def scene() -> None:
        with tempfile.TemporaryDirectory() as folder:
            node = await begun(Path(folder) / "x.space")
            await asyncio.gather(
                *(node.writer.write(LOCAL_USER, Draft(*each)) for each in drafts), return_exceptions=True
            )
            anew = Graph.open()
            catch_up(anew, node.log)
            assert anew.rejected() == []
            assert everything(anew) == everything(node.graph)
            await node.close()

    play(scene)
