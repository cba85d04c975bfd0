"""`kafka://host:port`: topics of Kafka, read in a group; an offset is committed when its message is on disk here.

bind: "topic", "topic#/json/pointer"; without any, a.b.turbine-1.power is the property power of turbine-1
options: topics, time, group, begin
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal, final

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from ectype.clock import Clock
from ectype.errors import Misconfigured, Unavailable
from ectype.sources.base import Message
from ectype.sources.connector import Opening
from ectype.sources.pick import Picker

_MOST = 1000
_PATIENCE_MS = 1000
_QUIET_S = 10.0  # nothing came for so long: is the cluster still there? The driver alone would ask for ever
_LONGEST_S = 10.0  # for a commit, and for taking leave
_BYTES = 8 << 20  # fetched ahead, so that memory is bounded whatever a topic holds


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """topics: what to read; time: where a payload says when it was measured; group: whose offsets are kept (one of
    this source's own); begin: where a group that is new begins.
    """

    topics: list[str] = []
    time: str | None = None
    group: str | None = None
    begin: Literal["latest", "earliest"] = "latest"


def connect(opening: Opening, clock: Clock) -> "Kafka":
    """A connector for `opening`."""
    return Kafka(opening, clock)


@final
class Kafka:
    """Reads as one member of a group. What was not committed comes again."""

    def __init__(self, opening: Opening, clock: Clock) -> None:
        self._options = opening.options_as(Options)
        host, port = opening.host_and_port(9092)
        self._server = f"{host}:{port}"
        self._opening = opening
        self._picker = Picker(opening, clock, self._options.time)
        self._topics = self._options.topics or self._picker.topics
        if not self._topics:
            raise Misconfigured(f'source {opening.name} reads nothing: bind topics, or say topics = ["plant"]')

    async def batches(self) -> AsyncIterator[Sequence[Message]]:
        """What came since the last batch."""
        consumer = AIOKafkaConsumer(
            *self._topics,
            bootstrap_servers=self._server,
            client_id=f"ectype {self._opening.name}",
            group_id=self._options.group or f"ectype-{self._opening.name}",
            auto_offset_reset=self._options.begin,
            enable_auto_commit=False,
            fetch_max_bytes=_BYTES,
            request_timeout_ms=10_000,
        )
        try:
            try:
                await consumer.start()
                yield []  # it is there, though nothing may come for long
                loop = asyncio.get_running_loop()
                heard_s = loop.time()
                while True:
                    found: dict[Any, list[Any]] = await consumer.getmany(timeout_ms=_PATIENCE_MS, max_records=_MOST)
                    records = [record for part in found.values() for record in part]
                    if records:
                        yield [m for r in records for m in self._picker.messages(self._topic(r.topic), r.value or b"")]
                        await asyncio.wait_for(consumer.commit(), _LONGEST_S)
                        heard_s = loop.time()
                    elif loop.time() - heard_s >= _QUIET_S:
                        await asyncio.wait_for(consumer.topics(), _LONGEST_S)
                        heard_s = loop.time()
            except (KafkaError, OSError) as error:
                raise Unavailable(f"{self._server}: {error or type(error).__name__}") from error
        finally:
            await _leave(consumer)

    def _topic(self, topic: str) -> str:
        return topic if self._opening.bind else topic.replace(".", "/")


async def _leave(consumer: AIOKafkaConsumer) -> None:
    """Stop it, whatever comes of that: to a broker that is lost no leave can be taken.

    In a task of its own, as a stop that meets a fetch which was just given up ends as if we had been cancelled.
    """
    leaving = asyncio.ensure_future(consumer.stop())
    await asyncio.wait({leaving}, timeout=_LONGEST_S)
    if not leaving.cancel() and not leaving.cancelled():
        leaving.exception()  # seen: it changes nothing
