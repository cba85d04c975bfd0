"""What every source must do; a plugin imports `SourceSuite` and says how its source is made.

class TestMine(SourceSuite):
    def make(self, tmp_path): ...
"""

import asyncio
from abc import ABC, abstractmethod
from pathlib import Path

import pytest

from ectype.errors import Invalid, Misconfigured
from ectype.sources.base import Message, Source


class SourceSuite(ABC):
    @abstractmethod
    def make(self, tmp_path: Path) -> Source:
        """A source that yields at least two messages and ends or may be left."""

    @abstractmethod
    def make_wrong(self, tmp_path: Path) -> None:
        """Make the source with settings that cannot work."""

    @pytest.fixture
    def messages(self, tmp_path) -> list[Message]:
        async def first_ten() -> list[Message]:
            found: list[Message] = []
            async for message in self.make(tmp_path).messages():
                found.append(message)
                if len(found) == 10:
                    break
            return found

        return asyncio.run(first_ten())

    def test_it_is_a_source(self, tmp_path):
        assert isinstance(self.make(tmp_path), Source)

    def test_wrong_settings_are_told_before_any_message(self, tmp_path):
        with pytest.raises((Misconfigured, Invalid)):
            self.make_wrong(tmp_path)

    def test_its_messages_decode_to_readings(self, tmp_path, messages):
        source = self.make(tmp_path)
        assert len(messages) >= 2
        for message in messages:
            found = list(source.decode(message))
            assert found
            assert list(source.decode(message)) == found  # decoding keeps no state

    def test_messages_of_a_topic_come_in_the_order_of_time(self, messages):
        for topic in {m.topic for m in messages}:
            times = [m.at_ns for m in messages if m.topic == topic]
            assert times == sorted(times)

    @pytest.mark.parametrize("payload", [b"", b"\xff\xfe", b"{", b'{"a":"b"}', b"[" * 100_000])
    def test_nonsense_is_invalid_and_stops_nothing_else(self, tmp_path, messages, payload):
        source = self.make(tmp_path)
        before = list(source.decode(messages[0]))
        with pytest.raises(Invalid):
            list(source.decode(Message(messages[0].topic, payload, 1)))
        assert list(source.decode(messages[0])) == before
