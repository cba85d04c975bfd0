"""Many messages at once: most of them look alike, and those stay the bytes they came as.

A busy source sends one topic again and again. Such a run is kept as the piece of the socket's read that it is,
with the place of each packet; a `Message` of its own is made only for whoever asks for one. So a message that
nobody has to look at singly costs no object at all.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import final, overload

import numpy as np

from ectype.sources.base import Message
from ectype.values.block import Int64s

_SPACE, _NEWLINE = 0x20, 0x0A


@final
class Alike:
    """Messages of one topic whose packets lie one behind the other.

    data: the packets; starts: [n + 1] where each begins in `data`, and the end of the last;
    body: how many bytes of each packet come before its payload, the same for all.
    """

    __slots__ = ("at_ns", "body", "data", "source", "starts", "topic")

    def __init__(self, topic: str, source: str, at_ns: int, data: bytes, starts: Int64s, body: int) -> None:
        self.topic = topic
        self.source = source
        self.at_ns = at_ns
        self.data = data
        self.starts = starts
        self.body = body

    def __len__(self) -> int:
        return len(self.starts) - 1

    def payloads(self) -> list[bytes]:
        """Each message's payload."""
        edges = self.starts.tolist()
        data, body = self.data, self.body
        return [data[a + body : b] for a, b in pairwise(edges)]

    def messages(self) -> list[Message]:
        """The messages one by one."""
        topic, at_ns, source = self.topic, self.at_ns, self.source
        return [Message(topic, payload, at_ns, source) for payload in self.payloads()]

    def largest(self) -> int:
        """Bytes of the longest payload."""
        return int(np.diff(self.starts).max()) - self.body

    def lines(self) -> bytes:
        """All payloads, each after a newline and some spaces that stand where its packet's head was."""
        text = np.frombuffer(self.data, np.uint8).copy()
        heads = self.starts[:-1, None] + np.arange(self.body)
        text[heads] = _SPACE
        text[self.starts[:-1]] = _NEWLINE
        return text.tobytes()

    def edges(self) -> tuple[bytes, bytes]:
        """The first byte of each payload, and the last of each; empty payloads give a byte of their head."""
        text = np.frombuffer(self.data, np.uint8)
        firsts = np.minimum(self.starts[:-1] + self.body, self.starts[1:] - 1)
        return text[firsts].tobytes(), text[self.starts[1:] - 1].tobytes()


@final
class Batch(Sequence[Message]):
    """Messages in order, of which some lie together as `Alike`. A sequence of messages like any other."""

    __slots__ = ("_n", "parts")

    def __init__(self) -> None:
        self.parts: list[list[Message] | Alike] = []
        self._n = 0

    def add(self, alike: Alike) -> None:
        """These come next."""
        self.parts.append(alike)
        self._n += len(alike)

    def extend(self, messages: Sequence[Message]) -> None:
        """These come next."""
        if not messages:
            return
        last = self.parts[-1] if self.parts else None
        if isinstance(last, list):
            last += messages
        else:
            self.parts.append(list(messages))
        self._n += len(messages)

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[Message]:
        for part in self.parts:
            yield from part if isinstance(part, list) else part.messages()

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> list[Message]: ...
    def __getitem__(self, index: int | slice) -> Message | list[Message]:
        return list(self)[index]


def parts_of(batches: Iterable[Sequence[Message]]) -> Iterator[list[Message] | Alike]:
    """The parts of all these, in order."""
    for batch in batches:
        if isinstance(batch, Batch):
            yield from batch.parts
        elif batch:
            yield batch if isinstance(batch, list) else list(batch)
