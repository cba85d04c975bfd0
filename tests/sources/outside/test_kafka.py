"""Kafka. A broker is named by ECTYPE_KAFKA (host:port); without one the tests of what comes in are skipped."""

import asyncio
import os
import uuid

import pytest

from ectype.clock import system_clock
from ectype.errors import Misconfigured, Unavailable
from ectype.sources.connector import open_connector
from tests.sources.outside.bed import first, free_port, opening, payload, play, understood, values

aiokafka = pytest.importorskip("aiokafka", reason="aiokafka is not installed: pip install 'ectype[kafka]'")
BROKER = os.environ.get("ECTYPE_KAFKA")
needs_broker = pytest.mark.skipif(BROKER is None, reason="no Kafka broker: set ECTYPE_KAFKA=host:port of one")


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


@needs_broker
def test_what_was_not_kept_comes_again() -> None:
    topic = f"t{uuid.uuid4().hex}"
    told = opening(f"kafka://{BROKER}", {f"{topic}#/t/c": "oven.temperature"}, begin="earliest", group=topic)

    async def work() -> None:
        producer = aiokafka.AIOKafkaProducer(bootstrap_servers=BROKER)
        await producer.start()
        for k in range(5):
            await producer.send_and_wait(topic, payload(t={"c": k}))
        await producer.stop()
        batches = open_connector(told, system_clock).batches()
        once = understood(await anext(aiter(batches)))
        await batches.aclose()  # type: ignore[attr-defined]
        assert once
        again = await asyncio.wait_for(first(told, lambda came: len(came) >= 5), 30)
        assert values(again)["oven.temperature"] == [0, 1, 2, 3, 4]

    play(work)
