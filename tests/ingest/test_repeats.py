"""What came before is left out, and nothing else."""

import asyncio
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Unavailable
from ectype.ingest.ingest import Ingest
from ectype.ingest.repeats import Repeats
from ectype.log.log import Log
from ectype.log.stores.memory import MemoryStore
from ectype.sources.base import Message
from ectype.trust.keys import Signer
from ectype.values.block import Block

ARRIVED = {3, 2}
rows = st.tuples(st.sampled_from(["p.x", "p.y", "q.x"]), st.integers(-3, 3), st.sampled_from([0.0, -0.0, 1.0, np.inf]))


def key(value: float) -> bytes:
    return np.float64(value).tobytes()


@given(st.lists(st.tuples(st.lists(rows, max_size=10), st.booleans()), max_size=8), st.sampled_from([3, 18]))
def test_exactly_what_was_last_said_of_an_instant_is_left_out(blocks, bits):
    repeats, said, count = Repeats(bits), dict[tuple[str, int], bytes](), 0
    for each, durable in blocks:
        block = Block.of(each)
        now, expected = dict(said), []
        for name, at, value in each:
            if at in ARRIVED or now.get((name, at)) != key(value):
                expected.append((name, at, key(value)))
            now[name, at] = key(value)
        fresh = repeats.fresh(block, ARRIVED)
        found = [(name, at, key(value)) for name, at, value, _ in fresh.rows()]
        count += len(each) - len(found)
        if durable:
            repeats.remember(fresh, ARRIVED)
            said = now
        if bits == 18:
            assert found == expected
        else:  # a small table forgets: then more is kept, never less, and what it means is the same
            assert {**said, **{row[:2]: row[2] for row in found}}.items() >= {row[:2]: row[2] for row in found}.items()
            kept = iter(found)
            assert all(row in kept for row in expected)
    assert repeats.count == count


def message(t: int | None, value: float) -> Message:
    body = {"x": value} if t is None else {"t": t, "x": value}
    return Message("plant/p", json.dumps(body).encode(), 7, "c")


@pytest.mark.parametrize("together", [True, False])
def test_a_message_that_comes_again_is_acknowledged_and_in_the_log_once(together):
    async def work():
        log = await Log.open(MemoryStore(), Signer.generate(), origin="test")
        ingest = Ingest(log, Signer.generate(), lambda twin, name: None)
        messages = [message(1, 5.0), message(2, 6.0), message(1, 5.0), message(2, 7.0), message(2, 6.0)]
        messages += [message(None, 1.0), message(None, 1.0)]  # each a reading of its own
        for batch in [messages] if together else [[each] for each in messages]:
            await ingest.deliver(batch, redelivers=True)
        stats = ingest.stats()
        assert (stats.messages, stats.samples, stats.repeats) == (7, 6, 1)
        await ingest.close()
        await log.close()

    asyncio.run(work())


def test_what_did_not_reach_the_disk_is_no_repeat_when_it_is_sent_again():
    class Full:
        size = 0
        full = True
        entries = 0

        async def append(self, entries, *, expected=None):
            if self.full:
                raise Unavailable("the disk is full")
            self.entries += len(entries)
            return range(len(entries))

    async def work():
        log = Full()
        ingest = Ingest(log, Signer.generate(), lambda twin, name: None)
        with pytest.raises(Unavailable):
            await ingest.deliver([message(1, 5.0)], redelivers=True)
        log.full = False
        await ingest.deliver([message(1, 5.0)], redelivers=True)
        assert log.entries == 1
        await ingest.deliver([message(1, 5.0)], redelivers=True)
        assert log.entries == 1
        assert ingest.stats().repeats == 1

    asyncio.run(work())
