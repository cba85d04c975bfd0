"""`lsl://NAME` and `lsl://` with options: a Lab Streaming Layer stream, such as an EEG of a person at work.

    bind: bands and channels, see `band_power`; options: type, window_s, step_s, wait_s

LSL's clock is turned into UTC by what it measures of the other machine's offset.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, final

import msgspec
import numpy as np
import pylsl
from pylsl.util import LostError

from ectype.clock import Clock
from ectype.errors import Misconfigured, Unavailable
from ectype.sources.band_power import SignalPicker, nanoseconds
from ectype.sources.base import Message
from ectype.sources.connector import Opening

_CHUNK = 4096
_PULL_S = 0.1
_SILENT_S = 5.0


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """type: what kind of stream, where the URL names none; window_s, step_s: of band powers; wait_s: to look for it."""

    type: str = "EEG"
    window_s: float = 2.0
    step_s: float = 0.5
    wait_s: float = 5.0


def connect(opening: Opening, clock: Clock) -> "Lsl":
    """A connector for `opening`."""
    return Lsl(opening, clock)


@final
class Lsl:
    """Looks for the stream on the network and listens to it."""

    def __init__(self, opening: Opening, clock: Clock) -> None:
        self._options = opening.options_as(Options)
        self._stream = opening.url.partition("://")[2]
        self._clock = clock
        self._picker = SignalPicker(opening, self._options.window_s, self._options.step_s)

    async def batches(self) -> AsyncIterator[Sequence[Message]]:
        """What came since the last batch."""
        inlet = await asyncio.to_thread(self._open)
        try:
            rate: float = inlet.info().nominal_srate()
            heard = time.monotonic()
            while True:
                chunk, stamps, ahead = await asyncio.to_thread(_pull, inlet)
                if stamps:
                    heard = time.monotonic()
                    at_ns = nanoseconds(np.array(stamps) + ahead)
                    yield list(self._picker.messages(np.array(chunk, float), at_ns, rate, self._clock()))
                elif time.monotonic() - heard > _SILENT_S:
                    raise Unavailable(f"the stream has been silent for {_SILENT_S:g} s")
        except LostError as error:
            raise Unavailable("the stream is gone") from error
        finally:
            inlet.close_stream()

    def _open(self) -> Any:
        by, value = ("name", self._stream) if self._stream else ("type", self._options.type)
        found = pylsl.resolve_byprop(by, value, 1, self._options.wait_s)
        if not found:
            raise Unavailable(f"no stream with {by} '{value}' answers on this network")
        info = found[0]
        if info.nominal_srate() <= 0:
            raise Misconfigured(f"stream '{info.name()}' has no fixed rate: a band power needs one")
        self._picker.check(info.channel_count())
        self._picker.restart()
        inlet = pylsl.StreamInlet(info, max_buflen=60, recover=False)
        inlet.open_stream(self._options.wait_s)
        return inlet


def _pull(inlet: Any) -> tuple[list[list[float]], list[float], float]:
    """Samples, their LSL times, and how far UTC is ahead of those."""
    chunk, stamps = inlet.pull_chunk(_PULL_S, _CHUNK)
    return chunk, stamps, (inlet.time_correction(2.0) + time.time() - pylsl.local_clock()) if stamps else 0.0
