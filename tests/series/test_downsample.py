"""Down-sampling: fewer samples, all of them real, no peak lost, no gap bridged."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.series.downsample import m4, min_max
from ectype.series.samples import Samples

Thin = Callable[[Samples, int], Samples]
both = pytest.mark.parametrize("thin", [min_max, m4])

instants = st.lists(st.integers(-50, 300) | st.integers(-(2**63), 2**63 - 1), max_size=120, unique=True)
values = st.floats(-1e6, 1e6) | st.just(math.nan) | st.sampled_from([0.0, 1.0, math.inf, -math.inf])


@st.composite
def sample_lists(draw: st.DrawFn) -> Samples:
    at = sorted(draw(instants))
    value = draw(st.lists(values, min_size=len(at), max_size=len(at)))
    std = np.arange(len(at), dtype=np.float64) if draw(st.booleans()) else None
    return Samples(np.array(at, np.int64), np.array(value, np.float64), std)


def rows(samples: Samples) -> list[str]:
    std = samples.std if samples.std is not None else np.full(len(samples), -1.0)
    return [repr(row) for row in zip(samples.at_ns.tolist(), samples.value.tolist(), std.tolist(), strict=True)]


def buckets(samples: Samples, points: int, per_bucket: int) -> list[list[int]]:
    """Which rows are in which bucket, one by one: an independent way to it."""
    k = per_bucket + any(math.isnan(v) for v in samples.value.tolist())
    count = max(1, (points - 2) // k)
    first, last = int(samples.at_ns[0]), int(samples.at_ns[-1])
    width = -(-(last - first + 1) // count)
    found: list[list[int]] = [[] for _ in range(count)]
    for row, at in enumerate(samples.at_ns.tolist()):
        found[(at - first) // width].append(row)
    return found


@both
@given(samples=sample_lists(), points=st.integers(0, 60))
def test_what_is_kept_are_samples_as_they_were_in_order(thin: Thin, samples: Samples, points: int) -> None:
    thinned = thin(samples, points)
    whole = rows(samples)
    places = [whole.index(row) for row in rows(thinned)]
    assert places == sorted(set(places))


@both
@given(samples=sample_lists(), points=st.integers(0, 60))
def test_it_is_not_more_than_asked_for(thin: Thin, samples: Samples, points: int) -> None:
    assert len(thin(samples, points)) <= max(points, 7)


@both
@given(samples=sample_lists(), points=st.integers(2, 60))
def test_few_samples_stay_all(thin: Thin, samples: Samples, points: int) -> None:
    if len(samples) <= points:
        assert thin(samples, points) is samples


@both
@given(samples=sample_lists(), points=st.integers(2, 60))
def test_no_peak_is_lost_in_any_bucket(thin: Thin, samples: Samples, points: int) -> None:
    if len(samples) <= points:
        return
    thinned = thin(samples, points)
    kept = set(thinned.at_ns.tolist())
    assert {int(samples.at_ns[0]), int(samples.at_ns[-1])} <= kept
    for bucket in buckets(samples, points, 2 if thin is min_max else 4):
        real = [row for row in bucket if not math.isnan(samples.value[row])]
        gaps = [row for row in bucket if math.isnan(samples.value[row])]
        needed = gaps[:1]
        if real:
            needed += [min(real, key=samples.value.__getitem__), max(real, key=samples.value.__getitem__)]
            needed += [real[0], real[-1]] if thin is m4 else []
        assert {int(samples.at_ns[row]) for row in needed} <= kept


@both
def test_a_single_spike_in_a_million_samples_stays(thin: Thin) -> None:
    value = np.zeros(1_000_000)
    value[123_457] = 9.0
    value[987_654] = -9.0
    thinned = thin(Samples(np.arange(1_000_000, dtype=np.int64) * 1000, value), 800)
    assert len(thinned) <= 800
    assert (thinned.value.max(), thinned.value.min()) == (9.0, -9.0)


@both
def test_a_gap_stays_a_gap(thin: Thin) -> None:
    value = np.sin(np.arange(5000) / 100)
    value[2000:2600] = np.nan
    thinned = thin(Samples(np.arange(5000, dtype=np.int64), value), 300)
    inside = thinned.value[(thinned.at_ns >= 2000) & (thinned.at_ns < 2600)]
    assert len(inside) > 0
    assert np.isnan(inside).all()


@both
def test_the_standard_deviation_goes_with_its_sample(thin: Thin) -> None:
    at = np.arange(1000, dtype=np.int64)
    thinned = thin(Samples(at, np.sin(at / 10), at / 7), 100)
    assert thinned.std is not None
    assert (thinned.std == thinned.at_ns / 7).all()


def test_nothing_of_nothing() -> None:
    assert len(min_max(Samples.empty(), 10)) == 0
