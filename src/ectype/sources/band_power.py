"""Power of a signal in the classical bands of the electroencephalogram, window by window, as it streams in.

Bands after the IFCN glossary (Kane et al. 2017, Clin. Neurophysiol. Pract. 2:170-185), gamma cut at 45 Hz below the
mains. Power is the integral of Welch's estimate (IEEE Trans. Audio Electroacoust. 15:70, 1967) over the band, in the
signal's unit squared: three half-overlapping Hann segments a window.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from ectype.clock import NS_PER_S
from ectype.errors import Misconfigured
from ectype.sources.base import Message
from ectype.sources.connector import Opening, sample

BANDS = {"delta": (0.5, 4.0), "theta": (4.0, 8.0), "alpha": (8.0, 13.0), "beta": (13.0, 30.0), "gamma": (30.0, 45.0)}

Signal = NDArray[np.float64]


def band_powers(window: Signal, rate_hz: float) -> dict[str, Signal]:
    """The power of each band in `window` [n, channels] sampled at `rate_hz`, one number a channel."""
    size = len(window) // 2
    hann = np.hanning(size + 1)[:-1]
    scale = 1.0 / (rate_hz * (hann @ hann))
    density = np.zeros((size // 2 + 1, window.shape[1]))
    for start in (0, size // 2, len(window) - size):
        segment = window[start : start + size]
        spectrum = np.fft.rfft((segment - segment.mean(0)) * hann[:, None], axis=0)
        density += np.abs(spectrum) ** 2 * scale / 3
    density[1 : -1 if size % 2 == 0 else None] *= 2  # one-sided
    frequency = np.fft.rfftfreq(size, 1 / rate_hz)
    return {
        name: density[(frequency >= low) & (frequency < high)].sum(0) * rate_hz / size
        for name, (low, high) in BANDS.items()
    }


@final
@dataclass(frozen=True, slots=True)
class _Wanted:
    band: str | None
    channel: int | None
    series: str


@final
class SignalPicker:
    """Messages out of a sampled signal, as an opening binds them.

        "alpha"   = "operator.alphaPower"      the mean over channels      "alpha:2"  one channel
        "raw:0"   = "operator.electrode0"      every sample of a channel

    A window of `window_s` ends every `step_s`; its power counts for its last instant.
    """

    def __init__(self, opening: Opening, window_s: float, step_s: float) -> None:
        if not 0 < step_s <= window_s:
            raise Misconfigured(f"source {opening.name}: 0 < step_s <= window_s must hold")
        self._opening = opening
        self._wanted = [_wanted(opening.name, said, series) for said, series in opening.bound().items()]
        self._window_s, self._step_s = window_s, step_s
        self._held: Signal | None = None
        self._fresh = 0

    def check(self, channels: int) -> None:
        """Raise Misconfigured if a channel is bound that the signal does not have."""
        for wanted in self._wanted:
            if wanted.channel is not None and wanted.channel >= channels:
                raise Misconfigured(
                    f"source {self._opening.name}: channel {wanted.channel} is bound, but there are 0 to {channels - 1}"
                )

    def messages(self, chunk: Signal, at_ns: NDArray[np.int64], rate_hz: float, arrived_ns: int) -> Iterator[Message]:
        """What `chunk` [n, channels], measured at `at_ns` [n], comes to."""
        for wanted in self._wanted:
            if wanted.band is None:
                for value, at in zip(chunk[:, wanted.channel or 0].tolist(), at_ns.tolist(), strict=True):
                    yield sample(self._opening, wanted.series, value, arrived_ns, at)
        size = max(8, round(self._window_s * rate_hz))
        step = max(1, round(self._step_s * rate_hz))
        held = chunk if self._held is None else np.concatenate([self._held, chunk])
        first = len(held) - len(chunk)
        end = first - self._fresh + step
        while end <= len(held):
            if end >= size:
                yield from self._powers(held[end - size : end], rate_hz, arrived_ns, int(at_ns[end - 1 - first]))
            end += step
        self._fresh = len(held) - (end - step)
        self._held = held[-(size + step) :]

    def restart(self) -> None:
        """Forget what is held: after a gap a window would be of two times."""
        self._held, self._fresh = None, 0

    def _powers(self, window: Signal, rate_hz: float, arrived_ns: int, at_ns: int) -> Iterator[Message]:
        powers = band_powers(window, rate_hz)
        for wanted in self._wanted:
            if wanted.band is not None:
                power = powers[wanted.band]
                value = float(power.mean() if wanted.channel is None else power[wanted.channel])
                yield sample(self._opening, wanted.series, value, arrived_ns, at_ns)


def nanoseconds(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Unix seconds [n] as nanoseconds, without what multiplying a double would add."""
    whole = np.floor(seconds)
    return whole.astype(np.int64) * NS_PER_S + np.rint((seconds - whole) * 1e9).astype(np.int64)


def _wanted(name: str, said: str, series: str) -> _Wanted:
    what, colon, channel = said.partition(":")
    if (what not in BANDS and not (what == "raw" and colon)) or (colon and not channel.isdecimal()):
        raise Misconfigured(
            f"source {name}: '{said}' is no signal; write a band ({', '.join(BANDS)}), a band of a channel like "
            "alpha:2, or raw:2"
        )
    return _Wanted(None if what == "raw" else what, int(channel) if colon else None, series)
