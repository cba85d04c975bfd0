"""CUSUM and NIS windows: as often wrong as they say, and as quick as published."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.alarms.cusum import K, run_length, shifts, threshold
from ectype.alarms.windows import bursts
from ectype.errors import Invalid


@pytest.mark.parametrize(("h", "arl"), [(4, 168), (5, 465)])
def test_the_run_length_is_the_published_one(h, arl):
    """Montgomery, Introduction to Statistical Quality Control, table 9.3: k = 1/2, two-sided, no shift."""
    assert run_length(h) == pytest.approx(arl, rel=0.01)


def test_false_alarms_come_as_often_as_asked():
    rng = np.random.default_rng(0)
    h = threshold(300)
    lengths = []
    for _ in range(400):
        found = shifts(rng.standard_normal(3000), h)
        lengths.append(found[0].noticed + 1 if found else 3000)
    assert 255 < np.mean(lengths) < 345


def test_a_shift_of_one_standard_deviation_is_noticed_after_about_ten_readings():
    """Montgomery, the same table: h = 5, shift 1: 10.4 readings."""
    rng = np.random.default_rng(1)
    lengths = [shifts(rng.standard_normal(300) + 1.0, 5.0)[0].noticed + 1 for _ in range(500)]
    assert np.mean(lengths) == pytest.approx(10.4, abs=0.7)


def test_it_says_since_when_and_when_it_is_over():
    e = np.concatenate([np.zeros(100), np.full(50, -2.0), np.full(100, 0.0)])
    (found,) = shifts(e, 5.0)
    assert not found.up
    assert found.since == 100
    assert found.noticed == 103
    assert 150 <= found.over <= 165
    assert shifts(e[:150], 5.0)[0].over is None


@given(st.lists(st.floats(-6, 6), min_size=1, max_size=60), st.floats(1, 8))
def test_cusum_is_the_textbook_recursion(values, h):
    up = down = 0.0
    first = None
    for i, x in enumerate(values):
        x = min(max(x, -4.0), 4.0)
        up, down = max(0.0, up + x - K), max(0.0, down - x - K)
        if first is None and max(up, down) > h:
            first = i
    found = shifts(np.array(values), h)
    assert (found[0].noticed if found else None) == first


def test_one_wild_reading_is_no_alarm():
    e = np.zeros(100)
    e[50] = 1000.0
    assert not shifts(e, threshold(500))


def test_windows_of_a_right_twin_are_too_loud_as_often_as_asked():
    rng = np.random.default_rng(2)
    e = rng.standard_normal((200_000, 2))
    loud = sum(b.last - b.first + 1 for b in bursts(e, np.ones_like(e), 50, 0.01)) / 50
    assert 20 < loud < 62, "40 of 4,000 are due"
    assert bursts(1.6 * e[:1000], np.ones((1000, 2)), 50, 0.01)[0].nis == pytest.approx(2.56, rel=0.1)


def test_windows_that_follow_each_other_are_one_burst():
    e = np.concatenate([np.zeros((100, 1)), np.full((100, 1), 3.0), np.zeros((100, 1))])
    (found,) = bursts(e, np.ones_like(e), 25, 0.001)
    assert (found.first, found.last, found.nis) == (100, 199, pytest.approx(9.0))


def test_rates_that_make_no_sense_are_refused():
    with pytest.raises(Invalid, match="ten readings or more"):
        threshold(3)
    with pytest.raises(Invalid, match="between 0 and 1"):
        bursts(np.zeros((10, 1)), np.ones((10, 1)), 5, 1.5)
