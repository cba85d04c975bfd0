from hypothesis import given
from hypothesis import strategies as st

from ectype.sources.mqtt.outbox import Outbox
from ectype.sources.mqtt.writer import topic_field
from tests.sources import mqtt_wire as wire


class Pipe:
    """A socket that takes what it is told to take."""

    def __init__(self) -> None:
        self.buffer = b""
        self.sent = b""

    def write(self, data: bytes, /) -> None:
        self.buffer += data

    def get_write_buffer_size(self) -> int:
        return len(self.buffer)

    def drain(self) -> None:
        self.sent += self.buffer
        self.buffer = b""

    def read(self) -> list[tuple[str, bytes, int, bool]]:
        return [wire.published(*p) for p in wire.split(self.sent + self.buffer)]


T = topic_field("t")


def test_messages_of_one_flush_are_one_write():
    pipe = Pipe()
    writes = []
    pipe.write = writes.append  # type: ignore[method-assign]
    outbox = Outbox(pipe)
    for k in range(3):
        outbox.add(T, b"%d" % k, k % 2)
    assert writes == []
    outbox.flush()
    outbox.flush()
    assert writes == [wire.publish("t", b"0") + wire.publish("t", b"1", 1, 1) + wire.publish("t", b"2")]


def test_qos_0_is_dropped_and_counted_where_there_is_no_room():
    pipe = Pipe()
    outbox = Outbox(pipe, socket_limit=50)
    for _ in range(100):
        outbox.add(T, b"x" * 10, 0)
        outbox.flush()
    assert outbox.dropped == 100 - len(pipe.read())
    assert len(pipe.buffer) <= 50 + 20
    pipe.drain()
    outbox.add(T, b"y", 0)
    outbox.flush()
    assert pipe.read()[-1][1] == b"y"


def test_qos_1_waits_for_room_and_comes_in_order():
    pipe = Pipe()
    outbox = Outbox(pipe, socket_limit=50, window=1000)
    for k in range(100):
        outbox.add(T, b"%02d" % k, 1)
    outbox.flush()
    assert outbox.queued_bytes
    while outbox.queued_bytes:
        pipe.drain()
        outbox.refill()
        assert len(pipe.buffer) <= 50 + 20
    assert [m[1] for m in pipe.read()] == [b"%02d" % k for k in range(100)]


def test_beyond_its_limit_an_outbox_keeps_nothing_more():
    pipe = Pipe()
    outbox = Outbox(pipe, window=1, limit=10_000)
    for _ in range(10_000):
        outbox.add(T, b"x" * 100, 1)
    assert outbox.too_far_behind
    assert outbox.queued_bytes < 10_000 + 400


@given(st.lists(st.one_of(st.none(), st.integers(0, 5)), max_size=200), st.integers(1, 4))
def test_ids_are_never_used_twice_at_a_time_and_everything_arrives(steps, window):
    """None: one more message; a number: the subscriber acknowledges the n-th it has not yet."""
    pipe = Pipe()
    outbox = Outbox(pipe, window=window)
    outbox._id = 65_530  # so that ids wrap
    sent = 0
    open_ids: list[int] = []
    seen = 0
    for step in [*steps, *[0] * len(steps)]:
        if step is None:
            outbox.add(T, b"%d" % sent, 1)
            outbox.flush()
            sent += 1
        elif open_ids:
            outbox.acknowledged([open_ids.pop(step % len(open_ids))])
        got = pipe.read()
        for _, _, ident, _ in got[seen:]:
            assert 1 <= ident <= 65_535
            assert ident not in open_ids
            open_ids.append(ident)
        seen = len(got)
        assert len(open_ids) <= window
    while open_ids:
        outbox.acknowledged(open_ids)
        open_ids = [m[2] for m in pipe.read()[seen:]]
        seen = len(pipe.read())
    assert [m[1] for m in pipe.read()] == [b"%d" % k for k in range(sent)]
    pipe.drain()
    assert outbox.idle


def test_an_acknowledgement_of_nothing_changes_nothing():
    pipe = Pipe()
    outbox = Outbox(pipe)
    outbox.acknowledged([1, 2, 3])
    assert outbox.idle
