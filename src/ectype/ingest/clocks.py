"""How far the clock of each source is from ours, and how fast it goes astray, judged by what it sends.

A reading says when it was measured and we know when it came. Between lie the way here, which is never negative, and
the error of its clock. So the reading that seems least late tells the clock's offset, up to the shortest way; how
that changes from one ten seconds to the next tells its drift (least squares over the last ten minutes).
"""

from collections import deque
from dataclasses import dataclass
from typing import final

_WINDOW_NS = 10_000_000_000
_WINDOWS = 60
_RECENT = 6
_FOR_DRIFT = 6
_SOURCES = 10_000


@final
@dataclass(frozen=True, slots=True)
class ClockError:
    """offset_ns: how far its clock is ahead of ours (behind, if negative), less the shortest way here;
    drift_ppm: how much it gains in a million, None until a minute has been seen; readings: messages judged.
    """

    offset_ns: int
    drift_ppm: float | None
    readings: int


@final
class _Heard:
    __slots__ = ("readings", "windows")

    def __init__(self) -> None:
        self.readings = 0
        self.windows: deque[tuple[int, int]] = deque(maxlen=_WINDOWS)  # (which ten seconds, the most it was ahead)


@final
class Clocks:
    """The clocks of all sources that say when they measured. Bounded: the longest silent are forgotten first."""

    def __init__(self) -> None:
        self._of: dict[str, _Heard] = {}

    def heard(self, source: str, arrived_ns: int, measured_ns: int, readings: int = 1) -> None:
        """`readings` messages came, the newest of which says it was measured at `measured_ns`."""
        heard = self._of.get(source)
        if heard is None:
            if len(self._of) >= _SOURCES:
                del self._of[next(iter(self._of))]
            heard = self._of[source] = _Heard()
        heard.readings += readings
        window, ahead = arrived_ns // _WINDOW_NS, measured_ns - arrived_ns
        windows = heard.windows
        if windows and windows[-1][0] >= window:
            if ahead > windows[-1][1]:
                windows[-1] = windows[-1][0], ahead
        else:
            windows.append((window, ahead))

    def judged(self) -> dict[str, ClockError]:
        """What is known of each source's clock."""
        return {source: _judge(heard) for source, heard in self._of.items()}


def _judge(heard: _Heard) -> ClockError:
    windows = list(heard.windows)
    offset_ns = max(ahead for _, ahead in windows[-_RECENT:])
    drift_ppm = None
    if len(windows) >= _FOR_DRIFT:
        first, base = windows[0]
        times = [(window - first) * (_WINDOW_NS / 1e9) for window, _ in windows]
        errors = [(ahead - base) / 1e3 for _, ahead in windows]  # us, so that a slope is in parts per million
        mean_t, mean_e = sum(times) / len(times), sum(errors) / len(errors)
        spread = sum((t - mean_t) ** 2 for t in times)
        drift_ppm = sum((t - mean_t) * (e - mean_e) for t, e in zip(times, errors, strict=True)) / spread
    return ClockError(offset_ns, drift_ppm, heard.readings)
