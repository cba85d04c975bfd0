import asyncio
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Unavailable
from ectype.ingest import ingest as module
from ectype.ingest.ingest import Ingest
from ectype.log.entry import Entry, check_entry
from ectype.log.log import Log
from ectype.log.stores.memory import MemoryStore
from ectype.sources.base import Message
from ectype.trust.keys import Signer
from ectype.values.arrow import from_arrow

SIGNER = Signer.generate()


def anything(twin: str, name: str) -> None:
    return None


class Gate:
    """A log whose appends wait until they are let through, or fail."""

    def __init__(self) -> None:
        self.appended: list[list[Entry]] = []
        self.open = asyncio.Event()
        self.error: Exception | None = None

    async def append(self, entries: Sequence[Entry], *, expected=None) -> range:
        self.appended.append(list(entries))
        await self.open.wait()
        if self.error:
            raise self.error
        return range(len(entries))


def rows(entries: Sequence[Entry]) -> list:
    return [row for e in entries if e.kind == "measured" for row in from_arrow(e.body or b"").rows()]


async def turns(n: int = 5) -> None:
    for _ in range(n):
        await asyncio.sleep(0)


def test_messages_are_signed_entries_of_a_real_log_when_deliver_returns():
    async def main():
        log = await Log.open(MemoryStore(), SIGNER, origin="example.org/test")
        ingest = Ingest(log, SIGNER, anything, clock=lambda: 77)
        await ingest.deliver([Message("f/p", b'{"a":1,"b":2}', 5, "gw"), Message("f/p", b"??", 6, "gw")])
        entries = [entry for _, entry in log.read(0)]
        assert [(e.kind, e.subject, e.author, e.at_ns) for e in entries] == [
            ("measured", "block:mqtt", SIGNER.key_id, 77),
            ("set-aside", "set-aside:mqtt", SIGNER.key_id, 77),
        ]
        assert rows(entries) == [("p.a", 5, 1.0, None), ("p.b", 5, 2.0, None)]
        assert json.loads(entries[1].body or b"")["items"][0]["payload_b64"] == "Pz8="
        for entry in entries:
            check_entry(entry)
        stats = ingest.stats()
        assert (stats.messages, stats.samples, stats.set_aside, stats.entries) == (1, 2, 1, 2)
        assert (stats.waiting, stats.last_seen_ns) == (0, {"gw": 6})
        assert stats.reasons[0].topic == "f/p"
        await ingest.close()
        await log.close()

    asyncio.run(main())


def test_what_comes_while_an_append_is_under_way_shares_the_next_entry():
    async def main():
        gate = Gate()
        ingest = Ingest(gate, SIGNER, anything)
        tasks = [asyncio.ensure_future(ingest.deliver([Message("f/p/a", b"0", 0)]))]
        await turns()
        tasks += [asyncio.ensure_future(ingest.deliver([Message("f/p/a", b"%d" % k, k)])) for k in range(1, 50)]
        await turns()
        assert len(gate.appended) == 1
        assert not any(t.done() for t in tasks)
        gate.open.set()
        await asyncio.gather(*tasks)
        assert [len(entries) for entries in gate.appended] == [1, 1]
        assert rows([e for entries in gate.appended for e in entries]) == [
            ("p.a", k, float(k), None) for k in range(50)
        ]

    asyncio.run(main())


def test_a_failed_append_fails_its_batches_and_the_next_is_tried():
    async def main():
        gate = Gate()
        gate.error = Unavailable("no space left on the disk")
        gate.open.set()
        ingest = Ingest(gate, SIGNER, anything)
        with pytest.raises(Unavailable, match="no space"):
            await ingest.deliver([Message("f/p/a", b"1", 1)])
        gate.error = None
        await ingest.deliver([Message("f/p/a", b"2", 2)])
        assert ingest.stats().messages == 1
        assert ingest.stats().waiting == 0

    asyncio.run(main())


@given(st.lists(st.integers(1, 60), min_size=1, max_size=25))
def test_a_slow_disk_bounds_what_waits_and_keeps_the_order(sizes):
    async def main():
        gate = Gate()
        ingest = Ingest(gate, SIGNER, anything)
        at = 0
        tasks = []
        for size in sizes:
            batch = [Message("f/p/a", b"1", at + k) for k in range(size)]
            at += size
            tasks.append(asyncio.ensure_future(ingest.deliver(batch)))
            await asyncio.sleep(0)
        await turns()
        assert ingest.stats().waiting <= 100 + 60
        gate.open.set()
        await asyncio.gather(*tasks)
        assert [row[1] for row in rows([e for es in gate.appended for e in es])] == list(range(at))
        assert all(len(from_arrow(e.body or b"")) <= 30 for es in gate.appended for e in es)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_WAITING", 100)
        patch.setattr(module, "ROWS_PER_ENTRY", 30)
        asyncio.run(main())


def test_a_caller_that_gives_up_while_waiting_lets_the_next_one_in(monkeypatch):
    monkeypatch.setattr(module, "_WAITING", 1)

    async def main():
        gate = Gate()
        ingest = Ingest(gate, SIGNER, anything)
        tasks = [
            asyncio.ensure_future(ingest.deliver([Message("f/p/a", b"1", k), Message("f/p/a", b"1", k)]))
            for k in range(4)
        ]
        await turns()
        tasks[1].cancel()
        gate.open.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(f) for f in found] == [type(None), asyncio.CancelledError, type(None), type(None)]
        assert [row[1] for row in rows([e for es in gate.appended for e in es])] == [0, 0, 2, 2, 3, 3]

    asyncio.run(main())


def test_closing_waits_for_what_is_on_its_way_and_takes_nothing_more():
    async def main():
        gate = Gate()
        ingest = Ingest(gate, SIGNER, anything)
        task = asyncio.ensure_future(ingest.deliver([Message("f/p/a", b"1", 1)]))
        await turns()
        closing = asyncio.ensure_future(ingest.close())
        await turns()
        assert not closing.done()
        with pytest.raises(Unavailable):
            await ingest.deliver([Message("f/p/a", b"2", 2)])
        gate.open.set()
        await closing
        await task

    asyncio.run(main())


def test_a_flood_of_sources_is_remembered_only_in_part():
    async def main():
        gate = Gate()
        gate.open.set()
        ingest = Ingest(gate, SIGNER, anything)
        await ingest.deliver([Message("f/p/a", b"1", k, f"client-{k}") for k in range(12_000)])
        seen = ingest.stats().last_seen_ns
        assert len(seen) == 10_000
        assert "client-11999" in seen

    asyncio.run(main())
