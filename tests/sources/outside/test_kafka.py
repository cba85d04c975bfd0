"""Kafka, against a cluster by others; ECTYPE_KAFKA=host:port names a real broker for what needs none of its tricks."""

import asyncio
import os
import uuid
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from ectype.clock import system_clock
from ectype.errors import Misconfigured, Unavailable
from ectype.sources.connector import open_connector
from ectype.trust.access import LOCAL_USER
from tests.node.conftest import running
from tests.sources.outside.bed import first, free_port, opening, payload, play, understood, values
from tests.sources.outside.kafka_peer import Broker, Cluster

pytest.importorskip("aiokafka", reason="aiokafka is not installed: pip install 'ectype[kafka]'")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # aiokafka leaves sockets to a lost broker behind
BROKER = os.environ.get("ECTYPE_KAFKA")


@pytest.fixture
def space(tmp_path: Path) -> Path:
    return tmp_path / "farm.space"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    yield made
    made.close()


def test_a_broker_that_is_not_there_is_unavailable() -> None:
    async def work() -> None:
        connector = open_connector(opening(f"kafka://127.0.0.1:{free_port()}", topics=["plant"]), system_clock)
        with pytest.raises(Unavailable):
            await anext(aiter(connector.batches()))

    play(work)


@pytest.mark.parametrize("options", [{}, {"topics": ["a"], "begin": "middle"}, {"topics": ["a"], "speed": 3}])
def test_settings_that_cannot_work_are_told_at_once(options: dict[str, object]) -> None:
    with pytest.raises(Misconfigured):
        open_connector(opening("kafka://127.0.0.1", **options), system_clock)


def test_topics_without_a_binding_mean_what_they_do_at_the_nodes_own_endpoint(cluster: Cluster) -> None:
    cluster.topic("plant.oven.temperature")
    cluster.produce("plant.oven.temperature", b"180.5", b"not a number", b"181.5")
    told = opening(f"kafka://{cluster.address}", topics=["plant.oven.temperature"], begin="earliest")

    async def work() -> None:
        connector = open_connector(told, system_clock)
        async with aclosing(connector.batches()) as batches:  # type: ignore[type-var]
            assert await anext(batches) == []  # connected
            batch = await anext(batches)
            assert [(m.topic, bytes(m.payload)) for m in batch] == [
                ("plant/oven/temperature", each) for each in (b"180.5", b"not a number", b"181.5")
            ]

    play(work)


def test_what_was_not_kept_comes_again_and_what_was_kept_does_not(cluster: Cluster) -> None:
    topic = f"t{uuid.uuid4().hex}"
    peer = cluster if BROKER is None else Broker(BROKER)
    peer.topic(topic)
    told = opening(f"kafka://{peer.address}", {f"{topic}#/t/c": "oven.temperature"}, begin="earliest", group=topic)

    async def work() -> None:
        peer.produce(topic, *(payload(t={"c": k}) for k in range(5)))
        async with aclosing(open_connector(told, system_clock).batches()) as batches:  # type: ignore[type-var]
            await anext(batches)
            assert understood(await anext(batches))  # taken, and lost before it was on disk
        assert await asyncio.to_thread(peer.committed, topic, topic) == 0
        again = await first(told, lambda came: len(came) >= 5)
        assert values(again)["oven.temperature"] == [0, 1, 2, 3, 4]

    play(work)


def test_a_broker_that_is_lost_is_unavailable_though_nothing_comes(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ectype.sources.kafka._QUIET_S", 0.0)
    cluster.topic("plant")

    async def work() -> None:
        connector = open_connector(opening(f"kafka://{cluster.address}", topics=["plant"]), system_clock)
        async with aclosing(connector.batches()) as batches:  # type: ignore[type-var]
            assert await anext(batches) == []
            cluster.down()
            with pytest.raises(Unavailable):
                await anext(batches)

    play(work)


def test_a_broker_that_is_lost_before_the_commit_is_unavailable(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ectype.sources.kafka._LONGEST_S", 1.0)
    cluster.topic("plant")
    cluster.produce("plant", b"1")
    told = opening(f"kafka://{cluster.address}", topics=["plant"], begin="earliest")

    async def work() -> None:
        async with aclosing(open_connector(told, system_clock).batches()) as batches:  # type: ignore[type-var]
            await anext(batches)
            assert await anext(batches)
            cluster.down()
            with pytest.raises(Unavailable):
                await anext(batches)
        cluster.up()

    play(work)


def test_a_node_goes_on_where_it_was_after_a_restart_and_after_a_loss(
    cluster: Cluster, space: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ectype.sources.kafka._QUIET_S", 1.0)
    cluster.topic("scada")
    space.mkdir()
    (space / "sources.toml").write_text(
        f'[[source]]\nname = "scada"\nurl = "kafka://{cluster.address}"\nbegin = "earliest"\ntime = "/t"\n'
        'bind = { "scada#/kw" = "R80711.power" }\n'
    )

    async def power(node, wanted: int) -> list[float]:
        view = node.view(LOCAL_USER)
        while True:
            (column,) = view.history(["R80711.power"], 0, 2**62, 1000).columns
            if len(column.value) >= wanted:
                return column.value.tolist()
            await asyncio.wait([node.failed], timeout=0.05)

    async def send(*kw: int) -> None:
        await asyncio.to_thread(cluster.produce, "scada", *(payload(t=1_400_000_000 + each, kw=each) for each in kw))

    async def state(node, wanted: str) -> None:
        while node.view(LOCAL_USER).sources()[0].state != wanted:
            await asyncio.wait([node.failed], timeout=0.05)

    async def work() -> None:
        async with running(space) as node:
            await send(1, 2, 3)
            assert await power(node, 3) == [1, 2, 3]
        await send(4, 5)
        async with running(space) as node:
            assert await power(node, 5) == [1, 2, 3, 4, 5]
            taken = node.ingest.stats().samples
            assert taken == 2, "what was committed came again"
            cluster.down()
            await state(node, "waiting")
            assert node.view(LOCAL_USER).sources()[0].error
            cluster.up()
            await state(node, "live")
            await send(5, 6)  # one of them once more, as after a loss before its acknowledgement
            assert await power(node, 6) == [1, 2, 3, 4, 5, 6]
            assert (node.view(LOCAL_USER).repeats(), node.ingest.stats().samples) == (1, 3)
        assert await asyncio.to_thread(cluster.committed, "scada", "ectype-scada") == 7

    play(work)
