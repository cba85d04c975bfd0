"""Payloads that Google's protobuf wrote are read as they were meant, and no bytes break the reader."""

import struct
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ectype.errors import Invalid
from ectype.sources.sparkplug import read_payload, read_topic, rebirth
from tests.sources.sparkplug_peer import Payload, payload

RANGES = {1: 8, 2: 16, 3: 32, 4: 64}


def values(datatype: int):
    if datatype in RANGES:
        half = 1 << RANGES[datatype] - 1
        return st.integers(-half, half - 1)
    if datatype in (5, 6, 7, 8, 13):
        return st.integers(0, (1 << {5: 8, 6: 16, 7: 32, 8: 64, 13: 64}[datatype]) - 1)
    return {9: st.floats(width=32, allow_nan=False), 10: st.floats(allow_nan=False), 11: st.booleans()}.get(
        datatype, st.text(max_size=20)
    )


METRICS = st.lists(
    st.integers(1, 13).flatmap(
        lambda kind: st.tuples(
            st.text(max_size=20), st.none() | st.integers(0, 2**64 - 1), st.just(kind), st.none() | values(kind)
        )
    ),
    max_size=8,
)
NUMBER = st.none() | st.integers(0, 2**64 - 1)


@given(NUMBER, NUMBER, METRICS)
def test_what_another_encoder_wrote_is_read(seq, at_ms, metrics) -> None:
    read = read_payload(payload(seq, at_ms, metrics))
    assert (read.seq, read.at_ms) == (-1 if seq is None else seq, at_ms)
    assert [(m.name, m.alias, m.datatype, m.value) for m in read.metrics] == [
        (name, -1 if alias is None else alias, datatype, value) for name, alias, datatype, value in metrics
    ]


def test_a_signed_byte_may_be_sent_in_eight_bits_or_in_more() -> None:
    for sent in (0xFF, 0xFFFF_FFFF):
        made = Payload()
        made.metrics.add(name="x", datatype=1, int_value=sent)
        assert read_payload(made.SerializeToString()).metrics[0].value == -1


def test_the_command_for_a_rebirth_reads_as_one_elsewhere() -> None:
    made = Payload.FromString(rebirth())
    assert [(m.name, m.datatype, m.boolean_value) for m in made.metrics] == [("Node Control/Rebirth", 11, True)]


@settings(max_examples=500)
@given(st.binary(max_size=200))
@example(b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f")
@example(b"\x80" * 50)
def test_no_bytes_break_it(data: bytes) -> None:
    with suppress(Invalid):
        read_payload(data)


@settings(max_examples=300)
@given(METRICS, st.data())
def test_damaged_payloads_are_refused_or_read(metrics, data) -> None:
    raw = bytearray(payload(1, 2, metrics))
    for _ in range(3):
        if raw:
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(Invalid):
        assert len(read_payload(bytes(raw)).metrics) <= len(raw)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"\x12\x05\x0a", "cut off"),
        (b"\x08", "ends within a number"),
        (b"\x08" + b"\xff" * 11, "longer than ten bytes"),
        (b"\x0b", "wire type 3"),
        (b"\x00\x00", "number 0"),
        (b"\x12\x03\x0a\x01\xff", "not UTF-8"),
        (b"\x12\x05\x65" + struct.pack("<f", 1.0)[:3], "cut off"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(raw: bytes, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        read_payload(raw)


@pytest.mark.parametrize("topic", ["spBv1.0/g/NDATA", "spBv1.0/g//n", "spBv1.0/g/DDATA/n/d/e", "a/g/NDATA/n"])
def test_other_topics_are_refused(topic: str) -> None:
    with pytest.raises(Invalid, match="is not spBv1"):
        read_topic(topic)
