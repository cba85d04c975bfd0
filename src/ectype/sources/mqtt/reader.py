"""MQTT 3.1.1 and 5 on the wire: whole TCP reads in, batches of messages out, and back.

One read of a busy connection holds some two thousand packets, so the unit here is the run: all PUBLISH
packets that follow each other become one `Publishes`, with their acknowledgements already encoded. The
rest of the packets are rare and become one small value each. No sockets, no clock: bytes in, values out.

    fixed header      byte 1: type (4 bits) flags (4 bits) | remaining length, 1 to 4 bytes, 7 bits each
    PUBLISH  3 dqqr   topic length (2) topic | packet id (2), if QoS > 0 | payload to the end

OASIS MQTT 3.1.1 and 5.0; the numbers in brackets in the messages are its normative statements.
"""

from typing import cast, final

import numpy as np

from ectype.sources.base import Message
from ectype.sources.batch import Packed
from ectype.sources.mqtt.bodies import read_connect, read_subscribe, read_unsubscribe
from ectype.sources.mqtt.fields import MAX_REMAINING, NAMES, Broken, check_flags, long_length, packet_id, utf8
from ectype.sources.mqtt.packets import (
    DUP,
    Malformed,
    Packet,
    PingReq,
    PubAcks,
    PubComp,
    Publishes,
    PubRec,
    PubRel,
    Run,
)
from ectype.sources.mqtt.packets import Disconnect as Goodbye
from ectype.sources.mqtt.properties import ALIAS, DISCONNECT, NONE, OTHER, PUBLISH, read_properties
from ectype.values.block import Int64s

TOPIC_ALIASES = 64
_CACHED_TOPIC = 256
_CACHED_TOPICS = 16_384
_WORTH_IT = 48  # packets from which on a run is read by columns
_TRIES = 3  # how often a read is searched for such a run in vain


@final
class Reader:
    """Bytes of one connection, as TCP cuts them, into packets a server may receive.

    source: goes into every message until a CONNECT names the client. topics: a cache that readers may share.
    max_packet: a longer packet is Malformed before it is read, so a reader never holds more than this plus
    one read.
    """

    def __init__(self, source: str = "", max_packet: int = 1 << 20, topics: dict[bytes, str] | None = None) -> None:
        self.source = source
        self._max = min(max_packet, MAX_REMAINING)
        self._topics: dict[bytes, str] = {} if topics is None else topics
        self.version = 4
        self._aliases: dict[int, str] = {}
        self._rest: list[bytes] = []
        self._held = 0
        self._wanted = 0
        self._over = False

    @property
    def held(self) -> int:
        """Bytes kept until the rest of their packet comes."""
        return self._held

    def feed(self, data: bytes, at_ns: int = 0) -> list[Packet]:
        """All packets that are whole now. After Malformed everything is ignored."""
        if self._over or not data:
            return []
        if self._rest:
            self._rest.append(data)
            self._held += len(data)
            if self._held < self._wanted:  # joined only once whole: a drip of single bytes stays linear
                return []
            data = b"".join(self._rest)
            self._rest.clear()
            self._held = 0
        packets: list[Packet] = []
        try:
            used = self._parse(data, at_ns, packets)
        except Broken as error:
            self._over = True
            packets.append(Malformed(str(error)))
            return packets
        if used < len(data) and not self._over:
            self._rest.append(data[used:])
            self._held = len(data) - used
        return packets

    def _parse(self, data: bytes, at_ns: int, packets: list[Packet]) -> int:
        """Append what is whole to `packets` and return how many bytes that took.

        The first half of the loop is the hot path: it meets every message, so it touches few names, makes
        one object (the message) and looks each topic up instead of decoding it.
        """
        i = start = 0
        n = len(data)
        topics, source, limit, version = self._topics, self.source, self._max, self.version
        run: Publishes | None = None
        acks: list[int] | None = None
        messages: list[Message] = []
        flags = pubacks = bytearray()
        tries = _TRIES
        while i + 2 <= n:
            head = data[i]
            length = data[i + 1]
            if (head == 0x32 or head == 0x30) and tries and n - i > _WORTH_IT * (length + 2):
                found = self._alike(data, i, n, head, at_ns)
                if found is not None:
                    packets.append(found)
                    run = acks = None
                    i += found.size
                    continue
                tries -= 1
            elif head == 0x40 and n - i > 64:
                ids, used = _pubacks(data, i)
                if used:
                    if acks is None or run is not None:
                        run = None
                        acks = []
                        packets.append(PubAcks(acks))
                    acks += ids
                    i += used
                    continue
            j = i + 2
            if length > 127:
                length, j = long_length(data, i)
                if j == 0:
                    self._wanted = 0
                    break
                if length > limit:
                    raise Broken(
                        f"a packet of {length} bytes is more than the {limit} this endpoint takes; "
                        f"send smaller messages"
                    )
            end = j + length
            if end > n:
                check_flags(head)  # now already: what is not MQTT must not be waited for
                self._wanted = end - i
                break
            if head & 0xF0 == 0x30:
                if run is None:
                    start = i
                    messages, flags, pubacks = [], bytearray(), bytearray()
                    run = Publishes(messages, flags, pubacks, [], 0)
                    packets.append(run)
                j += 2
                k = j + (data[j - 2] << 8 | data[j - 1]) if length >= 2 else end + 1
                if k > end:
                    raise Broken("a PUBLISH is shorter than its topic says [MQTT-3.3.2-1]")
                raw = data[j:k]
                topic = topics.get(raw) or ("" if version == 5 and not raw else self._topic(raw))
                qos = head & 6
                if qos:
                    j = k
                    k += 2
                    if k > end:
                        raise Broken("a PUBLISH with QoS 1 or 2 has no packet id [MQTT-2.3.1-1]")
                    packet_id = data[j:k]
                    if packet_id == b"\0\0":
                        raise Broken("a PUBLISH has packet id 0; use 1 to 65535 [MQTT-2.3.1-1]")
                    if qos == 2:
                        pubacks += b"\x40\x02" + packet_id
                    elif qos == 4:
                        run.exactly_once.append((len(messages), packet_id[0] << 8 | packet_id[1]))
                    else:
                        raise Broken("a PUBLISH asks for QoS 3; use 0, 1 or 2 [MQTT-3.3.1-4]")
                elif head & DUP:
                    raise Broken("a PUBLISH with QoS 0 claims to be a repeat [MQTT-3.3.1-2]")
                if version == 5:
                    if k >= end:
                        raise Broken("a PUBLISH of MQTT 5 has no properties, not even their length [3.3.2.3]")
                    if data[k] or not topic:
                        topic, k = self._described(run, topic, data[:end], k)
                    else:
                        k += 1
                messages.append(Message(topic, data[k:end], at_ns, source))
                flags.append(head)
                i = end
                run.size = i - start
            elif head == 0x40 and length == 2 and data[j : j + 2] != b"\0\0":
                if acks is None or run is not None:
                    run = None
                    acks = []
                    packets.append(PubAcks(acks))
                acks.append(data[j] << 8 | data[j + 1])
                i = end
            else:
                run = acks = None
                self._rare(head, data[j:end], packets)
                source, version = self.source, self.version
                i = end
                if self._over:
                    break
        else:
            self._wanted = 0
        return i

    def _alike(self, data: bytes, i: int, n: int, head: int, at_ns: int) -> Run | None:
        """The PUBLISH packets from `i` on as long as first byte, topic and size of the head are the same.

        None if they are too few, or if one is broken in any way: then the loop that names the fault reads them.
        """
        start = i
        wide = data[i + 1] > 127
        at = i + (3 if wide else 2)
        fixed = data[at : at + 2 + (data[at] << 8 | data[at + 1])]  # the topic with its length
        room = n - (at - i) - len(fixed)
        starts: list[int] = []
        add, starts_with, off = starts.append, data.startswith, at - i
        while True:
            length = data[i + 1]
            if wide:
                more = data[i + 2]
                if length < 128 or more > 127:
                    break
                length = length & 127 | more << 7
            elif length > 127:
                break
            end = i + off + length
            if end > n or not starts_with(fixed, i + off):
                break
            add(i - start)
            i = end
            if i > room or data[i] != head:
                break
        if len(starts) < _WORTH_IT:
            return None
        qos = head >> 1 & 1
        body = off + len(fixed) + 2 * qos + (self.version == 5)
        add(i - start)
        places = np.array(starts, np.int64)
        sizes = np.diff(places)
        if int(sizes.min()) < body or int(sizes.max()) > self._max:
            return None
        raw = fixed[2:]
        if self.version == 5 and (not raw or any(data[start + place + body - 1] for place in starts[:-1])):
            return None
        topic = self._topics.get(raw) or self._topic(raw)
        piece = data[start:i]
        id_at = places[:-1] + (off + len(fixed))
        pubacks = pubacks_of(piece, id_at) if qos else b""
        if qos and not _sound(pubacks):
            return None
        n_found = len(starts) - 1
        packed = Packed(
            piece, places, np.full(n_found, body), ((topic, self.source),), np.zeros(n_found, np.int64), at_ns
        )
        return Run(packed, qos, pubacks, i - start, self.version)

    def _described(self, run: Publishes, topic: str, data: bytes, at: int) -> tuple[str, int]:
        """(topic, where the payload begins) of a PUBLISH with properties: an alias gives or names its topic."""
        properties, at = read_properties(data, at, PUBLISH)
        alias = properties.values.get(ALIAS)
        if alias is not None:
            if cast(int, alias) > TOPIC_ALIASES:
                raise Broken(f"topic alias {alias} is more than the {TOPIC_ALIASES} this endpoint keeps [MQTT-3.3.2-9]")
            if topic:
                self._aliases[cast(int, alias)] = topic
            else:
                topic = self._aliases.get(cast(int, alias), "")
        if not topic:
            raise Broken("a PUBLISH has no topic, and no alias that names one [MQTT-3.3.2-8]")
        if properties.matter:
            if run.properties is None:
                run.properties = {}
            run.properties[len(run.messages)] = properties
        return topic, at

    def _topic(self, raw: bytes) -> str:
        """The topic in `raw`, checked; remembered when it is short."""
        topic = utf8(raw, "a topic")
        if not topic or "+" in topic or "#" in topic:
            raise Broken(
                f"{topic[:100]!r} is no topic to publish to: it must not be empty or hold + or # [MQTT-3.3.2-2]"
            )
        if len(raw) <= _CACHED_TOPIC:
            if len(self._topics) >= _CACHED_TOPICS:
                self._topics.clear()
            self._topics[raw] = topic
        return topic

    def _answer(self, body: bytes, kind: int) -> tuple[int, int]:
        """(packet id, reason) of PUBACK, PUBREC, PUBREL or PUBCOMP."""
        if self.version == 4 or len(body) <= 2:
            return packet_id(body, kind), 0
        end = 3 if len(body) == 3 else read_properties(body, 3, OTHER)[1]
        if end != len(body):
            raise Broken(f"{NAMES[kind]} goes on after its properties")
        return packet_id(body[:2], kind), body[2]

    def _rare(self, head: int, body: bytes, packets: list[Packet]) -> None:
        kind = head >> 4
        check_flags(head)
        match kind:
            case 1:
                connect = read_connect(body)
                packets.append(connect)
                self._over = connect.level not in (4, 5)
                self.version = 5 if connect.level == 5 else 4
                self.source = connect.client_id or self.source
            case 4:
                packets.append(PubAcks([self._answer(body, kind)[0]]))  # the usual one was met on the hot path
            case 5:
                number, reason = self._answer(body, kind)
                packets.append(PubRec(number, reason >= 0x80))
            case 6:
                packets.append(PubRel(self._answer(body, kind)[0]))
            case 7:
                packets.append(PubComp(self._answer(body, kind)[0]))
            case 8:
                packets.append(read_subscribe(body, self.version))
            case 10:
                packets.append(read_unsubscribe(body, self.version))
            case 14 if self.version == 5 and body:
                properties, at = (NONE, 1) if len(body) == 1 else read_properties(body, 1, DISCONNECT)
                if at != len(body):
                    raise Broken("DISCONNECT goes on after its properties")
                packets.append(Goodbye(body[0], properties))
                self._over = True
            case 12 | 14:
                if body:
                    raise Broken(f"{NAMES[kind]} carries {len(body)} bytes; it has none")
                packets.append(PingReq() if kind == 12 else Goodbye())
                self._over = kind == 14  # nothing may follow a goodbye [MQTT-3.14.4-2]
            case _:
                raise Broken(f"a client may not send {NAMES[kind]} here")


def pubacks_of(data: bytes, id_at: Int64s) -> bytes:
    """A PUBACK for each packet id in `data`, in order."""
    numbers = np.frombuffer(data, np.uint8)
    acks = np.empty((len(id_at), 4), np.uint8)
    acks[:, 0], acks[:, 1] = 0x40, 2
    acks[:, 2] = numbers[id_at]
    acks[:, 3] = numbers[id_at + 1]
    return acks.tobytes()


def _sound(pubacks: bytes) -> bool:
    """Whether none has packet id 0."""
    ids = np.frombuffer(pubacks, ">u2")[1::2]
    return bool(ids.all())


def _pubacks(data: bytes, i: int) -> tuple[list[int], int]:
    """The ids of the sound PUBACK packets that follow each other from `i` on, and how many bytes they took."""
    rows = np.frombuffer(data, np.uint8, count=(len(data) - i) // 4 * 4, offset=i).reshape(-1, 4)
    sound = (rows[:, 0] == 0x40) & (rows[:, 1] == 2) & ((rows[:, 2] | rows[:, 3]) != 0)
    count = len(rows) if sound.all() else int(sound.argmin())
    ids = (rows[:count, 2].astype(np.int64) << 8 | rows[:count, 3]).tolist()
    return ids, 4 * count
