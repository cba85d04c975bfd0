"""What many clients sent a little of while the loop turned once, read in one pass.

A fleet sends a message or two at a time, each from a connection of its own. Read apart, every such piece costs a run
of its own, and then a decode, a fan-out and an acknowledgement of its own; here the pieces are laid one behind the
other first. What is not the usual (PUBLISH of one QoS, 0 or 1, of a topic met before, nothing retained, no
properties) is left to the connection's own `Reader`, together with all that came after it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar, final

import numpy as np

from ectype.sources.batch import Packed
from ectype.sources.mqtt.packets import Run
from ectype.sources.mqtt.reader import pubacks_of

Who = TypeVar("Who")

SHORT = 8192  # bytes of one read; longer ones are worth reading by themselves
HEADS = b"\x30\x32"
_FEW = 4  # pieces from which on it is worth it
_MUCH = 4 << 20


@final
class Sent(Generic[Who]):
    """A run, its bytes and acknowledgements by who sent them, in the order of its messages.

    shares: (who, messages, bytes); senders: who sent what is of each origin of the run.
    """

    __slots__ = ("run", "senders", "shares")

    def __init__(self, run: Run, senders: Sequence[Who], shares: Sequence[tuple[Who, int, int]]) -> None:
        self.run = run
        self.senders = senders
        self.shares = shares


@final
class Turn(Generic[Who]):
    """Pieces as they came. topics: those met before, checked, by their bytes."""

    def __init__(self, topics: Mapping[bytes, str], max_packet: int, begun: Callable[[], object]) -> None:
        """begun: called when the first piece of a turn has come."""
        self._topics = topics
        self._max = max_packet
        self._begun = begun
        self._pieces: dict[int, list[tuple[Who, str, bytes]]] = {}
        self._kind: dict[Who, int] = {}
        self._size = 0

    def __bool__(self) -> bool:
        return bool(self._kind)

    def __contains__(self, who: Who) -> bool:
        return who in self._kind

    def add(self, who: Who, source: str, data: bytes, version: int) -> bool:
        """Take this piece; False if what is here must be read first, to keep its order or the memory small."""
        if not self._kind:
            self._begun()
        kind = data[0] << 8 | version
        if self._kind.setdefault(who, kind) != kind or self._size > _MUCH:
            return False
        self._size += len(data)
        pieces = self._pieces.get(kind)
        if pieces is None:
            pieces = self._pieces[kind] = []
        pieces.append((who, source, data))
        return True

    def read(self, at_ns: int) -> tuple[list[Sent[Who]], dict[Who, bytes], set[Who]]:
        """(what could be read together, what each connection must read by itself after it, who sends the unusual)."""
        sent: list[Sent[Who]] = []
        rest: dict[Who, bytes] = {}
        odd: set[Who] = set()
        pieces, self._pieces = self._pieces, {}
        self._kind.clear()
        self._size = 0
        for kind, of_kind in pieces.items():
            if len(of_kind) >= _FEW:
                found = self._together(of_kind, kind, at_ns, rest, odd)
                if found is not None:
                    sent.append(found)
            else:
                for who, _, data in of_kind:
                    rest[who] = rest.get(who, b"") + data
        return sent, rest, odd

    def _together(
        self,
        pieces: Sequence[tuple[Who, str, bytes]],
        kind: int,
        at_ns: int,
        rest: dict[Who, bytes],
        odd: set[Who],
    ) -> Sent[Who] | None:
        found: _Pass[Who] = _Pass(self._topics, self._max, kind >> 8, kind & 255)
        for who, source, data in pieces:
            if who in odd or who in rest:
                rest[who] = rest.get(who, b"") + data
                continue
            used = found.take(who, source, data)
            if used < len(data):
                rest[who] = data[used:]
        sent, unusual = found.sent(at_ns)
        if unusual:  # those are read by themselves after all, and the others once more
            odd |= unusual
            for who, _, _ in pieces:
                rest.pop(who, None)
            return self._together(pieces, kind, at_ns, rest, odd)
        return sent


@final
class _Pass(Generic[Who]):
    """One pass over pieces of one kind."""

    def __init__(self, topics: Mapping[bytes, str], max_packet: int, head: int, version: int) -> None:
        self._topics = topics
        self._max = max_packet
        self._head = head
        self._version = version
        self._tail = (2 if head == 0x32 else 0) + (version == 5)  # bytes between topic and payload
        self._taken: list[bytes] = []
        self._size = 0
        self._origins: list[tuple[str, str]] = []
        self._senders: list[Who] = []
        self._shares: list[tuple[Who, int, int]] = []
        self._starts: list[int] = []
        self._bodies: list[int] = []
        self._which: list[int] = []

    def take(self, who: Who, source: str, data: bytes) -> int:
        """Take the usual packets that `data` begins with, and return how many bytes they are."""
        topics, head, tail, most, base = self._topics, self._head, self._tail, self._max, self._size
        starts, bodies, which = self._starts, self._bodies, self._which
        before = len(starts)
        origin = len(self._origins) - 1
        fixed = b""
        i, n = 0, len(data)
        while i + 4 < n and data[i] == head:
            size = data[i + 1]
            at = i + 2
            if size > 127:
                if data[at] > 127:
                    break
                size = size & 127 | data[at] << 7
                at += 1
            end = at + size
            if end > n or size > most:
                break
            if not fixed or not data.startswith(fixed, at):
                field = data[at : at + 2 + (data[at] << 8 | data[at + 1])]
                topic = topics.get(field[2:])
                if topic is None:
                    break
                fixed = field
                origin += 1
                self._origins.append((topic, source))
                self._senders.append(who)
            body = at - i + len(fixed) + tail
            if i + body > end:
                break
            starts.append(base + i)
            bodies.append(body)
            which.append(origin)
            i = end
        if i:
            self._taken.append(data[:i])
            self._size += i
            self._shares.append((who, len(starts) - before, i))
        return i

    def sent(self, at_ns: int) -> tuple[Sent[Who] | None, set[Who]]:
        """(what was taken, nobody), or (None, who sent packets that are unusual after all)."""
        if not self._starts:
            return None, set()
        data = b"".join(self._taken)
        starts, bodies = np.array([*self._starts, self._size], np.int64), np.array(self._bodies, np.int64)
        unusual = np.zeros(len(bodies), bool)
        pubacks = b""
        if self._head == 0x32:
            pubacks = pubacks_of(data, starts[:-1] + bodies - self._tail)
            unusual |= np.frombuffer(pubacks, ">u2")[1::2] == 0
        if self._version == 5:  # they have properties
            unusual |= np.frombuffer(data, np.uint8)[starts[:-1] + bodies - 1] != 0
        which = np.array(self._which, np.int64)
        if unusual.any():
            return None, {self._senders[k] for k in which[unusual].tolist()}
        packed = Packed(data, starts, bodies, self._origins, which, at_ns)
        run = Run(packed, int(self._head == 0x32), pubacks, self._size, self._version)
        return Sent(run, self._senders, self._shares), set()
