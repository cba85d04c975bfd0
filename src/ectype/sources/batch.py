"""Many messages at once: most of them look alike, and those stay the bytes they came as.

A busy source sends one topic again and again, and a fleet of sources sends a little each. Such messages are kept as
the bytes that the sockets gave, with the place of each packet; a `Message` of its own is made only for whoever asks
for one. So a message that nobody has to look at singly costs no object at all.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import final, overload

import numpy as np

from ectype.sources.base import Message
from ectype.values.block import Int64s

_SPACE, _NEWLINE = 0x20, 0x0A


@final
class Packed:
    """Messages whose packets lie one behind the other.

    data: the packets; starts: [n + 1] where each begins in `data`, and the end of the last;
    bodies: [n] how many bytes of each packet come before its payload; origins: (topic, source), which: [n] of which
    origin each message is; at_ns: when all of them arrived.
    """

    __slots__ = ("at_ns", "bodies", "data", "origins", "starts", "which")

    def __init__(
        self,
        data: bytes,
        starts: Int64s,
        bodies: Int64s,
        origins: Sequence[tuple[str, str]],
        which: Int64s,
        at_ns: int,
    ) -> None:
        self.data = data
        self.starts = starts
        self.bodies = bodies
        self.origins = origins
        self.which = which
        self.at_ns = at_ns

    def __len__(self) -> int:
        return len(self.bodies)

    def payloads(self) -> list[bytes]:
        """Each message's payload."""
        data = self.data
        firsts, ends = (self.starts[:-1] + self.bodies).tolist(), self.starts[1:].tolist()
        return [data[a:b] for a, b in zip(firsts, ends, strict=True)]

    def messages(self) -> list[Message]:
        """The messages one by one."""
        origins, at_ns = self.origins, self.at_ns
        which: list[int] = self.which.tolist()
        found: list[Message] = []
        for payload, k in zip(self.payloads(), which, strict=True):
            topic, source = origins[k]
            found.append(Message(topic, payload, at_ns, source))
        return found

    def of(self, origins: Sequence[int]) -> Int64s:
        """Which messages are of one of these, in order."""
        wanted = np.zeros(len(self.origins), bool)
        wanted[list(origins)] = True
        return np.flatnonzero(wanted[self.which])

    def chosen(self, rows: Int64s) -> "Packed":
        """Some of them, in the order of `rows`."""
        if len(rows) == len(self):
            return self
        data = self.data
        firsts, ends = self.starts[:-1][rows], self.starts[1:][rows]
        piece = b"".join([data[a:b] for a, b in zip(firsts.tolist(), ends.tolist(), strict=True)])
        starts = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(ends - firsts, out=starts[1:])
        return Packed(piece, starts, self.bodies[rows], self.origins, self.which[rows], self.at_ns)

    def sizes(self) -> Int64s:
        """Bytes of each payload."""
        return np.diff(self.starts) - self.bodies

    def lines(self) -> bytes:
        """All payloads, each after a newline and some spaces that stand where its packet's head was."""
        text = np.frombuffer(self.data, np.uint8).copy()
        heads = np.repeat(self.starts[:-1] - np.cumsum(self.bodies) + self.bodies, self.bodies)
        text[heads + np.arange(len(heads))] = _SPACE
        text[self.starts[:-1]] = _NEWLINE
        return text.tobytes()

    def edges(self) -> tuple[bytes, bytes]:
        """The first byte of each payload, and the last of each; empty payloads give a byte of their head."""
        text = np.frombuffer(self.data, np.uint8)
        firsts = np.minimum(self.starts[:-1] + self.bodies, self.starts[1:] - 1)
        return text[firsts].tobytes(), text[self.starts[1:] - 1].tobytes()


@final
class Batch(Sequence[Message]):
    """Messages in order, of which some lie together as `Packed`. A sequence of messages like any other.

    resent: which of `parts` their senders have sent before, as they say.
    """

    __slots__ = ("_n", "parts", "resent")

    def __init__(self) -> None:
        self.parts: list[list[Message] | Packed] = []
        self.resent: set[int] = set()
        self._n = 0

    def add(self, packed: Packed) -> None:
        """These come next."""
        self.parts.append(packed)
        self._n += len(packed)

    def extend(self, messages: Sequence[Message], resent: bool = False) -> None:
        """These come next. resent: all of them, or none."""
        if not messages:
            return
        last = self.parts[-1] if self.parts else None
        if resent:
            self.resent.add(len(self.parts))
            self.parts.append(list(messages))
        elif isinstance(last, list) and len(self.parts) - 1 not in self.resent:
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


def stretches(batches: Sequence[Sequence[Message]]) -> list[tuple[list[Sequence[Message]], bool]]:
    """All these in order, cut where what is sent again begins or ends; each stretch with whether it is."""
    if not any(isinstance(batch, Batch) and batch.resent for batch in batches):
        return [(list(batches), False)]
    found: list[tuple[list[Sequence[Message]], bool]] = []
    for batch in batches:
        parts = batch.parts if isinstance(batch, Batch) else [list(batch)]
        resent = batch.resent if isinstance(batch, Batch) else set[int]()
        for k, part in enumerate(parts):
            piece = Batch()
            if isinstance(part, list):
                piece.extend(part)
            else:
                piece.add(part)
            if found and found[-1][1] == (k in resent):
                found[-1][0].append(piece)
            else:
                found.append(([piece], k in resent))
    return found


def parts_of(batches: Iterable[Sequence[Message]]) -> Iterator[list[Message] | Packed]:
    """The parts of all these, in order."""
    for batch in batches:
        if isinstance(batch, Batch):
            yield from batch.parts
        elif batch:
            yield batch if isinstance(batch, list) else list(batch)
