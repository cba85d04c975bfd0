"""`brainflow://BOARD`: a biosensing board that BrainFlow speaks to; `brainflow://synthetic` is its simulated one.

bind: bands and channels, see `band_power`; options: serial_port, mac_address, ip_address, window_s, step_s
BOARD is BrainFlow's name of it, small and without _BOARD: synthetic, cyton, ganglion, muse_2, …
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, final

import msgspec
import numpy as np
from brainflow.board_shim import BoardIds, BoardShim, BrainFlowError, BrainFlowInputParams

from ectype.clock import Clock
from ectype.errors import Misconfigured, Unavailable
from ectype.sources.band_power import SignalPicker, nanoseconds
from ectype.sources.base import Message
from ectype.sources.connector import Opening

_EVERY_S = 0.1
_SILENT = 50


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """serial_port, mac_address, ip_address: where the board is; window_s, step_s: of band powers."""

    serial_port: str = ""
    mac_address: str = ""
    ip_address: str = ""
    window_s: float = 2.0
    step_s: float = 0.5


def connect(opening: Opening, clock: Clock) -> "BrainFlow":
    """A connector for `opening`."""
    return BrainFlow(opening, clock)


@final
class BrainFlow:
    """Streams the board's EEG channels, in microvolts."""

    def __init__(self, opening: Opening, clock: Clock) -> None:
        options = opening.options_as(Options)
        named = (opening.at.hostname or "").upper()
        boards = {each.name.removesuffix("_BOARD"): each.value for each in BoardIds}
        if named not in boards:
            raise Misconfigured(
                f"source {opening.name}: BrainFlow has no board '{named.lower()}'; it has "
                f"{', '.join(sorted(boards)).lower()}"
            )
        self._board_id: int = boards[named]
        self._parameters = BrainFlowInputParams()
        self._parameters.serial_port = options.serial_port
        self._parameters.mac_address = options.mac_address
        self._parameters.ip_address = options.ip_address
        self._clock = clock
        self._picker = SignalPicker(opening, options.window_s, options.step_s)
        try:
            self._channels: list[int] = list(BoardShim.get_eeg_channels(self._board_id))
            self._stamps: int = BoardShim.get_timestamp_channel(self._board_id)
            self._rate = float(BoardShim.get_sampling_rate(self._board_id))
        except BrainFlowError as error:
            raise Misconfigured(f"source {opening.name}: board '{named.lower()}' has no EEG: {error}") from error
        self._picker.check(len(self._channels))

    async def batches(self) -> AsyncIterator[Sequence[Message]]:
        """What came since the last batch."""
        BoardShim.disable_board_logger()
        board: Any = BoardShim(self._board_id, self._parameters)
        self._picker.restart()
        silent = 0
        try:
            await asyncio.to_thread(board.prepare_session)
            board.start_stream()
            while silent < _SILENT:
                data = board.get_board_data()
                silent = 0 if data.shape[1] else silent + 1
                if data.shape[1]:
                    at_ns = nanoseconds(np.asarray(data[self._stamps], float))
                    signal = np.ascontiguousarray(data[self._channels].T, float)
                    yield list(self._picker.messages(signal, at_ns, self._rate, self._clock()))
                await asyncio.sleep(_EVERY_S)
            raise Unavailable(f"the board has been silent for {_SILENT * _EVERY_S:g} s")
        except BrainFlowError as error:
            raise Unavailable(f"the board does not answer: {error}") from error
        finally:
            if board.is_prepared():
                await asyncio.to_thread(board.release_session)
