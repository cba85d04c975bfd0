"""What the tests of the history are made of: entries with blocks, a log that only has a size and a root, an oracle."""

from collections.abc import Iterator
from hashlib import sha256

from ectype.log.entry import Entry
from ectype.values.arrow import MEDIA_TYPE, to_arrow
from ectype.values.block import Block

Row = tuple[str, int, float, float]


class Steps:
    """A log as folds need it, without keys or disk: entries in a list."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    @property
    def size(self) -> int:
        return len(self.entries)

    def read(self, start: int, stop: int | None = None) -> Iterator[tuple[int, Entry]]:
        yield from enumerate(self.entries[start:stop], start)

    def root(self, size: int | None = None) -> bytes:
        parts = (entry.header for entry in self.entries[:size])
        return sha256(b"".join(parts)).digest()


def block_entry(
    kind: str, rows: list[Row], metadata: dict[str, str] | None = None, number: int = 0, at_ns: int = 0
) -> Entry:
    body = to_arrow(Block.of(rows), metadata)
    return Entry(
        f"{kind} {number} {sha256(body).hexdigest()}".encode(),
        b"s" * 16,
        body,
        kind,
        "block:test",
        "author",
        at_ns,
        MEDIA_TYPE,
    )


class Oracle:
    """The history as a dictionary per series: the last appended wins."""

    def __init__(self) -> None:
        self.series: dict[str, dict[int, tuple[float, float]]] = {}

    def add(self, rows: list[Row]) -> None:
        for name, at_ns, value, std in rows:
            self.series.setdefault(name, {})[at_ns] = (value, std)

    def range(self, name: str, from_ns: int, to_ns: int) -> list[tuple[int, float, float]]:
        rows = self.series.get(name, {})
        return [(at, *rows[at]) for at in sorted(rows) if from_ns <= at <= to_ns]

    def last(self, name: str) -> tuple[int, float, float] | None:
        rows = self.series.get(name)
        return (max(rows), *rows[max(rows)]) if rows else None
