"""Part of a Parquet footer: one that speaks of a few row groups, made from the bytes of one that speaks of thousands.

pyarrow parses a footer whole, and what it makes of it takes a few kilobytes a row group: at a billion samples a
hundred megabytes, held only so that a question can read two row groups of a file. So of a footer we keep where the
text of each row group begins, and hand pyarrow a footer with those alone. Nothing is decoded here, only stepped over.

    FileMetaData  1 version, 2 schema, 3 num_rows, 4 row_groups, 5 key_value_metadata, …   (parquet.thrift)

in Thrift's compact protocol (thrift-compact-protocol.md): a field's header is its distance from the last field in the
upper half of a byte and its type in the lower; whole numbers are varints; a list says how long it is and of what.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

MAGIC = b"PAR1"
_ROW_GROUPS = 4
_BINARY, _LIST, _SET, _MAP, _STRUCT = 8, 9, 10, 11, 12


@final
@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are in a footer: what precedes the list of row groups ends at `head`; row group g is the bytes
    from groups[g] to groups[g+1].
    """

    head: int
    groups: tuple[int, ...]


def layout(footer: bytes) -> Layout:
    """Of a whole footer. Raises ValueError if it is none."""
    try:
        at, field = 0, 0
        while footer[at]:
            kind = footer[at] & 15
            field, at = _field(footer, at, field)
            if field == _ROW_GROUPS and kind == _LIST:
                head = at
                count, element, at = _list(footer, at)
                if count > len(footer) - at:
                    break
                groups = [at]
                for _ in range(count):
                    groups.append(_skip(footer, groups[-1], element))
                return Layout(head, tuple(groups))
            at = _skip(footer, at, kind)
    except IndexError:
        pass
    raise ValueError("this is no footer of a Parquet file")


def file_of(head: bytes, groups: Sequence[bytes], rest: bytes = b"\x00") -> bytes:
    """A Parquet file without pages whose footer speaks of these row groups alone. rest: what follows their list; by
    default nothing, so it has no key-value metadata.
    """
    count = len(groups)
    header = bytes([count << 4 | _STRUCT]) if count < 15 else bytes([15 << 4 | _STRUCT]) + _varint(count)
    footer = b"".join((head, header, *groups, rest))
    return b"".join((MAGIC, footer, len(footer).to_bytes(4, "little"), MAGIC))


def _field(data: bytes, at: int, last: int) -> tuple[int, int]:
    """The number of the field whose header is at `at`, and where its value begins."""
    distance = data[at] >> 4
    if distance:
        return last + distance, at + 1
    return 0, _past_varint(data, at + 1)  # its number is written out: none of those that we look for


def _list(data: bytes, at: int) -> tuple[int, int, int]:
    """How many elements, of what type, and where the first is."""
    count, element, at = data[at] >> 4, data[at] & 15, at + 1
    if count < 15:
        return count, element, at
    count, at = _number(data, at)
    return count, element, at


def _skip(data: bytes, at: int, kind: int) -> int:
    """Where what begins at `at` ends."""
    if kind <= 2:  # true and false are in the field's header
        return at
    if kind <= 6:
        return at + 1 if kind == 3 else _past_varint(data, at)
    if kind == 7:
        return at + 8
    if kind == _BINARY:
        length, at = _number(data, at)
        return at + length
    if kind in (_LIST, _SET):
        count, element, at = _list(data, at)
        if count > len(data) - at:  # an element takes a byte at least
            raise IndexError
        for _ in range(count):
            at = at + 1 if element <= 2 else _skip(data, at, element)
        return at
    if kind == _STRUCT:
        while data[at]:
            inner = data[at] & 15
            at = _skip(data, at + 1 if data[at] >> 4 else _past_varint(data, at + 1), inner)
        return at + 1
    raise ValueError(f"a Parquet footer has nothing of Thrift type {kind}")


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A varint, and where it ends."""
    number = shift = 0
    while data[at] > 127:
        number |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
    return number | data[at] << shift, at + 1


def _past_varint(data: bytes, at: int) -> int:
    while data[at] > 127:
        at += 1
    return at + 1


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)
