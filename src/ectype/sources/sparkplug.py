"""Sparkplug B payloads: the protocol buffer of a birth, a death or data, as the values in it. Bytes in, values out.

    Payload   1 timestamp (ms)   2 metric*   3 seq   4 uuid   5 body
    Metric    1 name   2 alias   3 timestamp   4 datatype   5 is_historical   7 is_null
              10 int   11 long   12 float   13 double   14 boolean   15 string   16 bytes   (others are not read)

Eclipse Sparkplug 3.0.0, 6.4. Written by hand: a schema of two messages does not need a library of megabytes, and
here every length is checked before anything is made of it.
"""

import struct
from typing import final

from msgspec import Struct

from ectype.errors import Invalid

PREFIX = "spBv1.0/"
MOST_METRICS = 100_000

INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64, FLOAT, DOUBLE, BOOLEAN, STRING, DATETIME, TEXT, UUID = range(
    1, 16
)
_SIGNED = {INT8: 8, INT16: 16, INT32: 32, INT64: 64}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_NONE = -1

Value = float | int | bool | str | None


@final
class Metric(Struct, frozen=True, gc=False):
    """One value. name is "" and alias -1 where they are not sent; at_ms: None without a time of its own.

    value: None when it is null, or of a kind that is not read (bytes, data sets, templates).
    """

    name: str
    alias: int
    at_ms: int | None
    datatype: int
    value: Value
    historical: bool


@final
class Payload(Struct, frozen=True):
    """What one message says. seq: -1 where there is none."""

    at_ms: int | None
    seq: int
    metrics: tuple[Metric, ...]


@final
class Topic(Struct, frozen=True):
    """spBv1.0/group/KIND/node[/device]."""

    group: str
    kind: str
    node: str
    device: str


def read_topic(topic: str) -> Topic:
    """The parts of a Sparkplug topic. Invalid if it is none."""
    levels = topic.split("/")
    if not (4 <= len(levels) <= 5 and levels[0] == "spBv1.0" and all(levels)):
        raise Invalid(f"the topic '{topic[:100]}' is not spBv1.0/group/kind/node or …/node/device")
    return Topic(levels[1], levels[2], levels[3], levels[4] if len(levels) == 5 else "")


def read_payload(data: bytes) -> Payload:
    """The payload in `data`. Invalid, with the place, if it is none."""
    at_ms: int | None = None
    seq = _NONE
    metrics: list[Metric] = []
    for field, kind, number, start, stop in _fields(data, 0, len(data)):
        if field == 1 and kind == _VARINT:
            at_ms = number
        elif field == 3 and kind == _VARINT:
            seq = number
        elif field == 2 and kind == _BYTES:
            if len(metrics) >= MOST_METRICS:
                raise Invalid(f"a payload has more than {MOST_METRICS} metrics")
            metrics.append(_metric(data, start, stop))
    return Payload(at_ms, seq, tuple(metrics))


def rebirth() -> bytes:
    """The payload of the NCMD that asks an edge node for its birth certificate (6.4.17)."""
    name = b"Node Control/Rebirth"
    metric = b"\x0a" + bytes((len(name),)) + name + b"\x20" + bytes((BOOLEAN,)) + b"\x70\x01"
    return b"\x12" + bytes((len(metric),)) + metric


def _metric(data: bytes, at: int, end: int) -> Metric:
    name, alias, datatype = "", _NONE, 0
    at_ms: int | None = None
    value: Value = None
    null = historical = False
    for field, kind, number, start, stop in _fields(data, at, end):
        if kind == _VARINT:
            if field == 2:
                alias = number
            elif field == 3:
                at_ms = number
            elif field == 4:
                datatype = number
            elif field == 5:
                historical = number != 0
            elif field == 7:
                null = number != 0
            elif field in (10, 11):
                value = number
            elif field == 14:
                value = number != 0
        elif kind == _BYTES and field == 1:
            name = _text(data, start, stop)
        elif kind == _BYTES and field == 15:
            value = _text(data, start, stop)
        elif kind == _FIXED32 and field == 12:
            value = struct.unpack_from("<f", data, start)[0]
        elif kind == _FIXED64 and field == 13:
            value = struct.unpack_from("<d", data, start)[0]
    return Metric(name, alias, at_ms, datatype, None if null else typed(value, datatype), historical)


def typed(value: Value, datatype: int) -> Value:
    """`value` as a metric of that type means it: signed ones travel as unsigned, in as many bits or in more."""
    bits = _SIGNED.get(datatype)
    if bits is None or type(value) is not int:
        return bool(value) if datatype == BOOLEAN and type(value) is int else value
    low = value & (1 << bits) - 1
    return low - (1 << bits) if low >> bits - 1 else low


def _fields(data: bytes, at: int, end: int):
    """(field, wire kind, number, start, stop) of each field between `at` and `end`."""
    while at < end:
        key, at = _varint(data, at, end)
        field, kind = key >> 3, key & 7
        if not field:
            raise Invalid(f"byte {at}: a field has number 0")
        number, start = 0, at
        if kind == _VARINT:
            number, at = _varint(data, at, end)
        elif kind == _BYTES:
            length, start = _varint(data, at, end)
            at = start + length
        elif kind == _FIXED64:
            at += 8
        elif kind == _FIXED32:
            at += 4
        else:
            raise Invalid(f"byte {at}: wire type {kind} is not known")
        if at > end:
            raise Invalid(f"byte {start}: field {field} is longer than what it is in; the payload is cut off")
        yield field, kind, number, start, at


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    number = shift = 0
    while at < end:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number & (1 << 64) - 1, at
        shift += 7
        if shift > 63:
            raise Invalid(f"byte {at}: a number is longer than ten bytes")
    raise Invalid(f"byte {at}: the payload ends within a number")


def _text(data: bytes, start: int, stop: int) -> str:
    try:
        return data[start:stop].decode()
    except UnicodeDecodeError as error:
        raise Invalid(f"byte {start}: a text is not UTF-8") from error
