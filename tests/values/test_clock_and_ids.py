"""Time as text and back; names of twins and series."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.clock import from_iso, system_clock, to_iso
from ectype.errors import Invalid
from ectype.ids import FACETS, check_twin_id, series_id, split_series

instants = st.integers(-2_000_000_000 * 10**9, 4_000_000_000 * 10**9)


@given(instants)
def test_an_instant_reads_back_from_its_text_to_the_nanosecond(at_ns: int) -> None:
    assert from_iso(to_iso(at_ns)) == at_ns


def test_an_instant_is_written_with_as_many_decimals_as_it_needs() -> None:
    assert to_iso(0) == "1970-01-01T00:00:00Z"
    assert to_iso(1_500_000_000) == "1970-01-01T00:00:01.500Z"
    assert to_iso(1) == "1970-01-01T00:00:00.000000001Z"


def test_offsets_are_honoured_and_a_bare_time_is_utc() -> None:
    assert from_iso("2014-03-01T13:00:00+01:00") == from_iso("2014-03-01T12:00:00") == from_iso("2014-03-01T12:00:00Z")
    assert from_iso("2014-03-01T12:00:00.25+00:00") == from_iso("2014-03-01T12:00:00Z") + 250_000_000


@pytest.mark.parametrize("text", ["", "yesterday", "2014-13-01T00:00:00Z", "12"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Invalid, match="write it like"):
        from_iso(text)


def test_the_system_clock_is_now() -> None:
    assert abs(system_clock() / 1e9 - datetime.now(UTC).timestamp()) < 60


@given(st.from_regex(r"[A-Za-z0-9_\-:~]{1,20}", fullmatch=True), st.sampled_from(FACETS))
def test_a_series_id_splits_into_what_it_was_made_of(twin: str, facet: str) -> None:
    series = series_id(twin, "power", facet)  # type: ignore[arg-type]
    assert split_series(series) == (twin, "power", facet)
    assert ("@" in series) == (facet != "measured")


@pytest.mark.parametrize("twin", ["", "a b", "a.b", "a/b", "x" * 129, "é"])
def test_what_cannot_name_a_twin_is_refused(twin: str) -> None:
    with pytest.raises(Invalid, match="cannot name a twin"):
        check_twin_id(twin)


@pytest.mark.parametrize(
    "series", ["", "twin", "twin.", ".power", "a b.power", "twin.power@", "twin.power@guessed", "twin.9"]
)
def test_what_is_no_series_is_refused(series: str) -> None:
    with pytest.raises(Invalid):
        split_series(series)
