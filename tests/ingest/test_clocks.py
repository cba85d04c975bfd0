import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.ingest.clocks import Clocks
from ectype.ingest.decode import Decoder
from ectype.sources.base import Message

S = 1_000_000_000


@given(
    st.integers(-(10**15), 10**15),
    st.floats(-500, 500),
    st.lists(st.integers(0, 10**8), min_size=100, max_size=100),
)
def test_offset_and_drift_are_found_within_the_jitter_of_the_way(offset, ppm, delays):
    """Independent: the clock is simulated, and each tenth message comes at once."""
    clocks = Clocks()
    for k in range(100):
        sent = k * S
        measured = sent + offset + round(sent * ppm / 1e6)
        clocks.heard("gw", sent + (0 if k % 10 == 0 else delays[k]), measured)
    found = clocks.judged()["gw"]
    assert found.readings == 100
    assert found.drift_ppm == pytest.approx(ppm, abs=120)
    assert abs(found.offset_ns - offset - 99 * S * ppm / 1e6) <= 61 * 500_000 / 10 + 10**8


def test_little_is_said_of_little():
    clocks = Clocks()
    clocks.heard("gw", 10 * S, 12 * S)
    assert clocks.judged()["gw"].drift_ppm is None
    assert clocks.judged()["gw"].offset_ns == 2 * S


def test_a_flood_of_sources_is_remembered_only_in_part():
    clocks = Clocks()
    for k in range(12_000):
        clocks.heard(f"c{k}", 1, 1)
    assert len(clocks.judged()) == 10_000


def test_only_messages_that_say_when_are_judged():
    decoder = Decoder(lambda twin, name: None)
    with_t = [Message("f/p", b'{"t": 7, "a": 1}', 5 * S, "gw")] * 10
    without = [Message("f/p/a", b"1", 5 * S, "other")] * 10
    decoder.decode([with_t, without])
    decoder.decode([with_t, without])
    found = decoder.clocks.judged()
    assert set(found) == {"gw"}
    assert (found["gw"].offset_ns, found["gw"].readings) == (2 * S, 20)
