"""Series on one clock agree with doing it by hand, sample by sample."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Invalid
from ectype.node.messages import HOWS
from ectype.series.clock import on_clock, ticks
from ectype.series.samples import Samples

rows = st.lists(st.tuples(st.integers(-50, 80), st.floats(-9, 9) | st.just(math.nan)), unique_by=lambda r: r[0])


def by_hand(rows, tick, every, how, max_age):
    if how == "last":
        before = [(t, v) for t, v in sorted(rows) if t <= tick]
        return before[-1][1] if before and tick - before[-1][0] <= max_age else math.nan
    own = [v for t, v in sorted(rows) if tick <= t < tick + every and not math.isnan(v)]
    if how == "count":
        return float(len(own))
    if not own:
        return math.nan
    return {"mean": sum(own) / len(own), "min": min(own), "max": max(own)}[how]


@given(rows, st.integers(-60, 60), st.integers(0, 60), st.integers(1, 30), st.sampled_from(HOWS), st.integers(1, 40))
def test_every_tick_is_what_is_found_by_hand(rows, start, length, every, how, max_age):
    rows = sorted(rows)
    samples = Samples(np.array([t for t, _ in rows], np.int64), np.array([v for _, v in rows], float))
    at_ns = ticks(start, start + length, every)
    assert at_ns.tolist() == [t for t in range(start, start + length + 1) if t % every == 0]
    found = on_clock(samples, at_ns, every, how, max_age)
    expected = [by_hand(rows, t, every, how, max_age) for t in at_ns.tolist()]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_a_clock_that_ticks_too_often_says_so():
    with pytest.raises(Invalid, match="take a longer 'every'"):
        ticks(0, 10**18, 10**9)
    assert len(ticks(5, 4, 10)) == 0
