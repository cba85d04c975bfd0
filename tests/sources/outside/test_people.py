"""Signals of people: band powers against SciPy's Welch, BrainFlow's simulated board, a Lab Streaming Layer outlet."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
import threading

import numpy as np
import pylsl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal as scipy_signal

from ectype.sources.band_power import BANDS, SignalPicker, band_powers, nanoseconds
from tests.sources.outside.bed import first, opening, play, understood, values

RATE = 250.0


@given(st.floats(1, 44), st.floats(0.1, 100))
def test_the_power_of_a_tone_is_where_the_tone_is(frequency: float, amplitude: float) -> None:
    t = np.arange(1000) / RATE
    powers = band_powers((amplitude * np.sin(2 * np.pi * frequency * t))[:, None], RATE)

    total = sum(float(power[0]) for power in powers.values())
    (home,) = [name for name, (low, high) in BANDS.items() if low <= frequency < high]
    low, high = BANDS[home]
    if low + 1.5 < frequency < high - 1.5:  # leakage of a Hann window is two bins to each side
        assert powers[home][0] == pytest.approx(amplitude**2 / 2, rel=0.02)
    assert total <= amplitude**2 / 2 * 1.02


def test_band_powers_are_those_of_scipys_welch() -> None:
    window = np.random.default_rng(1).normal(size=(500, 3)).cumsum(axis=0)

    powers = band_powers(window, RATE)

    frequency, density = scipy_signal.welch(window, RATE, "hann", nperseg=250, noverlap=125, axis=0)
    for name, (low, high) in BANDS.items():
        inside = (frequency >= low) & (frequency < high)
        np.testing.assert_allclose(powers[name], density[inside].sum(0) * (frequency[1] - frequency[0]), rtol=1e-9)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=12))
def test_windows_do_not_depend_on_how_the_signal_is_cut_into_chunks(sizes: list[int]) -> None:
    samples = np.random.default_rng(2).normal(size=(sum(sizes), 2))
    at_ns = np.arange(len(samples), dtype=np.int64) * 4_000_000
    told = opening("lsl://x", {"alpha": "o.alpha", "beta:1": "o.beta", "raw:0": "o.raw"})

    def picked(cuts: list[int]) -> dict[str, list[tuple[int, float]]]:
        picker, start, found = SignalPicker(told, 1.0, 0.25), 0, {}
        for size in cuts:
            piece = slice(start, start + size)
            for each in understood(list(picker.messages(samples[piece], at_ns[piece], RATE, 0))):
                found.setdefault(each.name, []).append((each.at_ns, each.value))
            start += size
        return found

    assert picked(sizes) == picked([len(samples)])


def test_unix_seconds_keep_their_microseconds() -> None:
    assert nanoseconds(np.array([1_393_675_200.25, 1.0])).tolist() == [1_393_675_200_250_000_000, 1_000_000_000]


def test_the_simulated_board_streams_band_powers_and_samples() -> None:
    async def work() -> None:
        told = opening("brainflow://synthetic", {"alpha": "ann.alphaPower", "raw:0": "ann.electrode0"}, window_s=1.0)
        came = await first(told, lambda c: sum(each.name == "alphaPower" for each in c) >= 2)
        raw = [each.at_ns for each in came if each.name == "electrode0"]
        assert all(power > 0 for power in values(came)["ann.alphaPower"])
        assert len(raw) >= 250
        assert raw == sorted(raw)

    play(work)


def test_a_stream_of_the_lab_streaming_layer_is_found_and_heard() -> None:
    info = pylsl.StreamInfo("ectype-test", "EEG", 2, RATE, "float32", "ectype-test-1")
    outlet = pylsl.StreamOutlet(info)
    done = threading.Event()

    def stream() -> None:
        number = 0
        while not done.wait(0.02):
            for _ in range(5):
                outlet.push_sample([10 * np.sin(2 * np.pi * 10 * number / RATE), 0.0])
                number += 1

    thread = threading.Thread(target=stream)
    thread.start()

    async def work() -> None:
        told = opening("lsl://ectype-test", {"alpha:0": "ann.alphaPower", "theta:1": "ann.thetaPower"}, window_s=1.0)
        came = values(await first(told, lambda c: len(c) >= 6))
        assert came["ann.alphaPower"][-1] == pytest.approx(50, rel=0.05)
        assert came["ann.thetaPower"][-1] == pytest.approx(0, abs=1e-9)

    try:
        asyncio.run(asyncio.wait_for(work(), 40))
    finally:
        done.set()
        thread.join()
