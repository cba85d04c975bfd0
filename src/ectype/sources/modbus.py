"""`modbus://host:port/UNIT`: registers and bits of a Modbus TCP device, read again and again.

bind: "holding:100", "holding:100:float32", "input:7:int16:0.1", "coil:3", "discrete:3"
      that is table:address[:type[:scale]]; addresses count from 0; types int16 uint16 int32 uint32 int64 uint64
      float32 float64 (big-endian words, or option word_order = "little")
options: every_s, word_order, timeout_s
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import msgspec
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from ectype.clock import Clock
from ectype.errors import Misconfigured, Unavailable
from ectype.sources.base import Message
from ectype.sources.connector import Opening, sample

_FORMATS = {
    "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q",
    "float32": "f", "float64": "d",
}  # fmt: skip
_TABLES = ("holding", "input", "coil", "discrete")
_AT_ONCE = {"holding": 120, "input": 120, "coil": 1900, "discrete": 1900}
_GAP = 8  # reading a few registers in between costs less than another question


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """every_s: how long from reading to reading; word_order: which register of a long value comes first."""

    every_s: float = 1.0
    word_order: Literal["big", "little"] = "big"
    timeout_s: float = 3.0


@final
@dataclass(frozen=True, slots=True)
class Point:
    """One bound value: `words` registers (or one bit) of `table` from `address` on."""

    table: str
    address: int
    words: int
    format: str | None
    scale: float
    series: str


def connect(opening: Opening, clock: Clock) -> "Modbus":
    """A connector for `opening`."""
    return Modbus(opening, clock)


@final
class Modbus:
    """Reads the bound registers, neighbours in one question, and gives each its time of reading."""

    def __init__(self, opening: Opening, clock: Clock) -> None:
        self._options = opening.options_as(Options)
        if self._options.every_s <= 0:
            raise Misconfigured(f"source {opening.name}: every_s is seconds above 0")
        self._opening = opening
        self._clock = clock
        self._host, self._port = opening.host_and_port(502)
        unit = opening.at.path.strip("/") or "1"
        if not unit.isdecimal() or int(unit) > 255:
            raise Misconfigured(f"source {opening.name}: the unit in {opening.shown} is a number from 0 to 255")
        self._unit = int(unit)
        points = [_point(opening.name, said, series) for said, series in opening.bound().items()]
        self._runs = runs(points)

    async def batches(self) -> AsyncIterator[Sequence[Message]]:
        """One batch a reading."""
        client = AsyncModbusTcpClient(
            self._host, port=self._port, timeout=self._options.timeout_s, retries=1, reconnect_delay=0
        )
        try:
            if not await client.connect():
                raise Unavailable(f"no Modbus device answers at {self._host}:{self._port}")
            while True:
                began = time.monotonic()
                yield [message for run in self._runs for message in await self._read(client, run)]
                await asyncio.sleep(max(0.0, began + self._options.every_s - time.monotonic()))
        except (OSError, ModbusException) as error:
            raise Unavailable(f"the device does not answer: {error}") from error
        finally:
            client.close()

    async def _read(self, client: AsyncModbusTcpClient, run: list[Point]) -> list[Message]:
        table, first = run[0].table, run[0].address
        count = max(p.address + p.words for p in run) - first
        ask: Any = {
            "holding": client.read_holding_registers,
            "input": client.read_input_registers,
            "coil": client.read_coils,
            "discrete": client.read_discrete_inputs,
        }[table]
        answer = await ask(first, count=count, device_id=self._unit)
        at_ns = self._clock()
        if answer.isError():
            raise Unavailable(f"the device refuses {count} of '{table}' from {first} on: {answer}")
        held: list[Any] = answer.bits if table in ("coil", "discrete") else answer.registers
        return [
            sample(self._opening, p.series, self._value(p, held[p.address - first :][: p.words]), at_ns, at_ns)
            for p in run
        ]

    def _value(self, point: Point, held: list[Any]) -> float | bool | None:
        """A number from its registers; None where a device says NaN."""
        if point.format is None:
            return bool(held[0])
        words = held if self._options.word_order == "big" else held[::-1]
        raw = struct.unpack(f">{point.format}", struct.pack(f">{len(words)}H", *words))[0]
        value = raw if point.scale == 1 else raw * point.scale
        return value if value == value and abs(value) != float("inf") else None


def runs(points: Sequence[Point]) -> list[list[Point]]:
    """Points that are read in one question: of one table, near each other, no more than a device gives at once."""
    found: list[list[Point]] = []
    for point in sorted(points, key=lambda p: (p.table, p.address)):
        last = found[-1] if found else []
        if (
            last
            and last[0].table == point.table
            and point.address - max(p.address + p.words for p in last) <= _GAP
            and point.address + point.words - last[0].address <= _AT_ONCE[point.table]
        ):
            last.append(point)
        else:
            found.append([point])
    return found


def _point(name: str, said: str, series: str) -> Point:
    table, *rest = said.split(":")
    try:
        if table not in _TABLES or not 1 <= len(rest) <= 3:
            raise ValueError
        address = int(rest[0])
        bit = table in ("coil", "discrete")
        kind = None if bit else _FORMATS[rest[1] if len(rest) > 1 else "uint16"]
        scale = float(rest[2]) if len(rest) > 2 else 1.0
        if not 0 <= address <= 65_535 or (bit and len(rest) > 1):
            raise ValueError
    except (ValueError, KeyError) as error:
        raise Misconfigured(
            f"source {name}: '{said}' is no register; write table:address[:type[:scale]] like holding:100:float32, "
            f"with a table of {', '.join(_TABLES)} and a type of {', '.join(_FORMATS)}"
        ) from error
    return Point(table, address, 1 if kind is None else struct.calcsize(kind) // 2, kind, scale, series)
