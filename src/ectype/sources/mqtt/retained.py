"""The last retained message of each topic, for whoever subscribes later; see `shelf` for the file they are kept in."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import final

import msgspec

from ectype.errors import Misconfigured
from ectype.sources.mqtt.topics import matches

_MOST_TOPICS, _MOST_BYTES = 100_000, 64 << 20


@final
class Kept(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """properties: of MQTT 5, encoded, without the expiry; expires_s: on the clock of `Retained`, None for never."""

    topic: str
    payload: bytes
    qos: int
    properties: bytes = b""
    expires_s: float | None = None

    @property
    def size(self) -> int:
        """What it counts against the limit."""
        return len(self.topic) + len(self.payload) + len(self.properties)


@final
class Retained:
    """Held in memory, bounded.

    now_s: seconds since 1970, so that what expires does so while the node does not run, too.
    own: topics that begin so are not in copies, as the node says them anew itself.
    changes: how often what a copy holds has changed.
    max_topics, max_bytes: what would go beyond is not retained, and counted in `refused`; it still reaches
    those who are subscribed now.
    """

    def __init__(
        self,
        now_s: Callable[[], float] = lambda: 0.0,
        own: tuple[str, ...] = (),
        max_topics: int = _MOST_TOPICS,
        max_bytes: int = _MOST_BYTES,
    ) -> None:
        self._now_s = now_s
        self._own = own
        self._kept: dict[str, Kept] = {}
        self._max_topics = max_topics
        self._max_bytes = max_bytes
        self.changes = 0
        self.bytes = 0
        self.refused = 0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(
        self, topic: str, payload: bytes, qos: int, properties: bytes = b"", expiry_s: float | None = None
    ) -> None:
        """Replace what is retained for `topic`; an empty payload removes it [MQTT-3.3.1-10]."""
        expires_s = None if expiry_s is None else self._now_s() + expiry_s
        self._put(Kept(topic, payload, qos, properties, expires_s))

    def _put(self, new: Kept) -> None:
        self._drop(new.topic)
        if not new.payload:
            return
        if len(self._kept) >= self._max_topics or self.bytes + new.size > self._max_bytes:
            self.refused += 1
            return
        self._kept[new.topic] = new
        self.bytes += new.size
        self.changes += not new.topic.startswith(self._own)

    def _drop(self, topic: str) -> None:
        old = self._kept.pop(topic, None)
        if old is not None:
            self.bytes -= old.size
            self.changes += not topic.startswith(self._own)

    def find(self, pattern: str) -> list[tuple[Kept, float | None]]:
        """All that `pattern` takes, each with the seconds it is still worth; what is worth nothing is forgotten."""
        if "+" not in pattern and "#" not in pattern:
            found = [self._kept[pattern]] if pattern in self._kept else []
        else:
            found = [kept for topic, kept in self._kept.items() if matches(pattern, topic)]
        now_s = self._now_s()
        for kept in found:
            if kept.expires_s is not None and kept.expires_s <= now_s:
                self._drop(kept.topic)
        return [
            (kept, None if kept.expires_s is None else kept.expires_s - now_s)
            for kept in found
            if kept.expires_s is None or kept.expires_s > now_s
        ]

    async def copy(self) -> Iterable[bytes]:
        """All of it but the node's own topics, for `load`; encoded only when it is iterated over, by any thread."""
        taken = [kept for kept in self._kept.values() if not kept.topic.startswith(self._own)]
        return (msgspec.msgpack.encode(whole) for whole in (taken,))

    def load(self, path: Path) -> None:
        """Take in what a file holds; nothing if there is none. Misconfigured if it is anything else."""
        try:
            found = msgspec.msgpack.decode(path.read_bytes(), type=list[Kept])
        except FileNotFoundError:
            return
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            raise Misconfigured(
                f"{path}: the retained messages cannot be read ({error}); remove the file to go on without them"
            ) from error
        for kept in found:
            if kept.expires_s is None or kept.expires_s > self._now_s():
                self._put(kept)
