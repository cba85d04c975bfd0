"""A Kafka cluster to test against: the one that librdkafka brings for such tests, which speaks the protocol over TCP.

It comes with the package `confluent-kafka` and was written by those who wrote the client that most programs use. Its
broker can be taken down and up again at the same address, which only its C interface offers.
"""

import ctypes
from collections.abc import Sequence
from pathlib import Path

import pytest

confluent_kafka = pytest.importorskip("confluent_kafka", reason="pip install confluent-kafka")

_HERE = Path(confluent_kafka.__file__).parent


def _library() -> ctypes.CDLL:
    found = sorted((_HERE.parent / "confluent_kafka.libs").glob("librdkafka*.so*"))
    found += sorted((_HERE / ".dylibs").glob("librdkafka*.dylib"))
    if not found:
        pytest.skip("this confluent-kafka was built against a librdkafka elsewhere")
    library = ctypes.CDLL(str(found[0]))
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for name, result, *arguments in (
        ("rd_kafka_conf_new", pointer),
        ("rd_kafka_new", pointer, number, pointer, text, ctypes.c_size_t),
        ("rd_kafka_destroy", None, pointer),
        ("rd_kafka_mock_cluster_new", pointer, pointer, number),
        ("rd_kafka_mock_cluster_destroy", None, pointer),
        ("rd_kafka_mock_cluster_bootstraps", text, pointer),
        ("rd_kafka_mock_group_initial_rebalance_delay_ms", None, pointer, ctypes.c_int32),
        ("rd_kafka_mock_topic_create", number, pointer, text, number, number),
        ("rd_kafka_mock_broker_set_down", number, pointer, ctypes.c_int32),
        ("rd_kafka_mock_broker_set_up", number, pointer, ctypes.c_int32),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class Broker:
    """A broker that is there at `address`, and a client of it that is none of ours."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._producer = confluent_kafka.Producer({"bootstrap.servers": self.address, "log_level": 0})

    def topic(self, name: str) -> None:
        """Make a topic: a real broker does so when somebody writes to it."""

    def produce(self, topic: str, *payloads: bytes) -> None:
        """Return when the broker has them all."""
        for each in payloads:
            self._producer.produce(topic, each)
        assert self._producer.flush(20) == 0

    def committed(self, topic: str, group: str) -> int:
        """Up to which offset `group` has acknowledged, as another client is told."""
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.address, "group.id": group, "log_level": 0})
        asked: Sequence[object] = [confluent_kafka.TopicPartition(topic, 0)]
        (told,) = consumer.committed(asked, timeout=20)
        consumer.close()
        return max(told.offset, 0)

    def close(self) -> None:
        """Leave it."""
        del self._producer


class Cluster(Broker):
    """One broker of our own. Topics have one partition, so that their messages have one order."""

    def __init__(self) -> None:
        self._library = _library()
        why = ctypes.create_string_buffer(256)
        self._client = self._library.rd_kafka_new(0, self._library.rd_kafka_conf_new(), why, 256)
        assert self._client, why.value
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, 1)
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)  # a group begins at once
        super().__init__(self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode())

    def topic(self, name: str) -> None:
        """Make a topic."""
        assert self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), 1, 1) == 0

    def down(self) -> None:
        """Nobody is served, and nobody can connect."""
        assert self._library.rd_kafka_mock_broker_set_down(self._cluster, 1) == 0

    def up(self) -> None:
        """There again, with all that it had."""
        assert self._library.rd_kafka_mock_broker_set_up(self._cluster, 1) == 0

    def close(self) -> None:
        """Gone for good."""
        super().close()
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._client)
