"""Sessions as they lie in a file, in MessagePack:

    92 │ a list of `Record`, the session that was left first before the others │ ce, CRC-32 of the list's bytes

Instants are seconds since 1970, so that time passes while the node does not run, too.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import final
from zlib import crc32

import msgspec

from ectype.errors import Misconfigured
from ectype.sources.mqtt.fields import Broken
from ectype.sources.mqtt.filters import is_sound
from ectype.sources.mqtt.outbox import Outbox, Owed
from ectype.sources.mqtt.packets import Will
from ectype.sources.mqtt.properties import MESSAGE_EXPIRY, Properties, Value
from ectype.sources.mqtt.session import Session
from ectype.sources.mqtt.waiting import Waiting


class Later(msgspec.Struct, frozen=True, array_like=True):
    """A will that waits for its delay. properties: of MQTT 5, encoded, without the expiry."""

    at_s: float
    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: bytes
    expiry_s: int | None


class Record(msgspec.Struct, array_like=True, gc=False):
    """One session.

    ends_s: None for one whose client was connected. filters: with options and identifier, as in SUBSCRIBE.
    sent: PUBLISH packets as they were sent; queue: such that were not, with when they expire.
    received: ids of QoS 2 messages that the client sent.
    """

    user: str
    client_id: str
    version: int
    expiry_s: int
    ends_s: float | None
    filters: dict[str, tuple[int, int]]
    last_id: int
    sent: tuple[bytes, ...]
    released: tuple[int, ...]
    queue: Sequence[tuple[bytes, float | None]]
    received: tuple[int, ...]
    will: Later | None


_PAIR, _LIST, _NUMBER = b"\x92", b"\xdd", b"\xce"  # the last two with four bytes behind them


@final
class Copy:
    """A file in the making: `add` takes a session as it is now, cheaply; `pieces` are made later, by any thread.

    ahead_s: what the file's clock is ahead of the sessions'. received: with the QoS 2 ids that clients have used.
    """

    def __init__(self, ahead_s: float, received: bool) -> None:
        self._ahead_s = ahead_s
        self._received = received
        self._records: list[Record] = []
        self._queues: list[tuple[Waiting, ...]] = []

    def add(self, session: Session) -> None:
        """This one comes next. Few objects are made, as there may be ten thousand sessions."""
        owed = session.outbox.owed()
        ends_s = None if session.connection is not None else session.ends_s + self._ahead_s
        ids = tuple(session.exactly_once) if self._received else ()
        will = None if session.will is None else _later(session.will, session.will_at_s + self._ahead_s)
        self._records.append(
            Record(
                *session.key,
                owed.version,
                session.expiry_s,
                ends_s,
                session.filters.copy(),
                owed.last_id,
                owed.sent,
                owed.released,
                (),
                ids,
                will,
            )
        )
        self._queues.append(owed.queue)

    def pieces(self) -> Iterator[bytes]:
        """The file's bytes."""
        head = _LIST + len(self._records).to_bytes(4, "big")
        crc = crc32(head)
        yield _PAIR + head
        for record, queue in zip(self._records, self._queues, strict=True):
            record.queue = [(w.data, None if w.expires_s is None else w.expires_s + self._ahead_s) for w in queue]
            piece = msgspec.msgpack.encode(record)
            crc = crc32(piece, crc)
            yield piece
        yield _NUMBER + crc.to_bytes(4, "big")


def _later(will: Will, at_s: float) -> Later:
    said = will.properties
    return Later(at_s, will.topic, will.payload, will.qos, will.retain, said.forwarded, said.expiry_s)


def read(
    path: Path, ahead_s: float, now_s: float, monotonic: Callable[[], float]
) -> list[tuple[Session, dict[str, tuple[int, int]]]]:
    """The sessions in the file, all away, each with the filters it is still to be given. None if there is no file.

    ahead_s: what the file's clock is ahead of theirs; now_s: on theirs. Who was connected, as the file has it, has all
    its time to come back. Misconfigured if it is no such file, or damaged.
    """
    try:
        data = path.read_bytes()
        if crc32(data[1:-5]) != int.from_bytes(data[-4:], "big"):
            raise Broken("it is damaged: its checksum is another one")
        records, _ = msgspec.msgpack.decode(data, type=tuple[list[Record], int])
        return [(_session(record, ahead_s, now_s, monotonic), record.filters) for record in records]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, msgspec.MsgspecError, Broken) as error:
        raise Misconfigured(
            f"{path}: the MQTT sessions cannot be read ({error}); remove the file to go on without them"
        ) from error


def _session(record: Record, ahead_s: float, now_s: float, monotonic: Callable[[], float]) -> Session:
    for pattern, (options, _) in record.filters.items():
        if not is_sound(pattern, options):
            raise Broken(f"{pattern!r} is no shared subscription")
    queue = tuple(
        Waiting.again(packet, None if expires_s is None else expires_s - ahead_s, record.version)
        for packet, expires_s in record.queue
    )
    owed = Owed(record.version, record.last_id, record.sent, record.released, queue)
    session = Session((record.user, record.client_id), Outbox.owing(owed, monotonic), record.expiry_s)
    session.ends_s = now_s + record.expiry_s if record.ends_s is None else record.ends_s - ahead_s
    session.exactly_once = set(record.received)
    if record.will is not None:
        later = record.will
        values: dict[int, Value] = {} if later.expiry_s is None else {MESSAGE_EXPIRY: later.expiry_s}
        properties = Properties(values, later.properties)
        session.will = Will(later.topic, later.payload, later.qos, later.retain, properties)
        session.will_at_s = later.at_s - ahead_s
    return session
