"""Who wants a topic: MQTT topic filters as a tree of levels.

`+` stands for one level, `#` for all that follow (and for the level before it). Neither stands for a first
level that begins with `$` (section 4.7). A publish walks the tree once per topic; after that the answer is
remembered until somebody subscribes or leaves.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar, final

from ectype.sources.mqtt.writer import identified, topic_field

Who = TypeVar("Who")

_REMEMBERED = 16_384
_IDENTIFIER = 8  # the bit from which on a filter's subscription identifier stands
NAMED = 16


def matches(pattern: str, topic: str) -> bool:
    """Whether the topic filter `pattern` takes `topic`."""
    if topic.startswith("$") and pattern[0] in "+#":
        return False
    wanted, levels = pattern.split("/"), topic.split("/")
    for k, level in enumerate(wanted):
        if level == "#":
            return True
        if k >= len(levels) or level not in ("+", levels[k]):
            return False
    return len(wanted) == len(levels)


class _Level(Generic[Who]):
    __slots__ = ("below", "here")

    def __init__(self) -> None:
        self.below: dict[str, _Level[Who]] = {}
        self.here: dict[Who, int] = {}


@final
class Subscriptions(Generic[Who]):
    """Filters with who asked for them, at which QoS (the lowest two bits), and with what else in bits 2 and 3.

    NAMED, bit 4, says that some of the filters have a subscription identifier: see `named`.
    """

    def __init__(self) -> None:
        self._root: _Level[Who] = _Level()
        self._of: dict[Who, set[str]] = {}
        self._found: dict[str, tuple[bytes, tuple[tuple[Who, int], ...]]] = {}
        self._named: dict[tuple[str, Who], bytes] = {}

    def __bool__(self) -> bool:
        return bool(self._of)

    def add(self, who: Who, pattern: str, qos: int, identifier: int = 0) -> None:
        """`who` wants what `pattern` takes; again with another QoS replaces the first [MQTT-3.8.4-3]."""
        level = self._root
        for name in pattern.split("/"):
            level = level.below.setdefault(name, _Level())
        level.here[who] = qos | identifier << _IDENTIFIER
        self._of.setdefault(who, set()).add(pattern)
        self._forget_found()

    def remove(self, who: Who, pattern: str) -> None:
        """`who` no longer wants it; if it never did, nothing happens."""
        patterns = self._of.get(who)
        if patterns is None or pattern not in patterns:
            return
        patterns.remove(pattern)
        if not patterns:
            del self._of[who]
        path = [self._root]
        names = pattern.split("/")
        for name in names:
            path.append(path[-1].below[name])
        del path[-1].here[who]
        for name, above, level in zip(reversed(names), reversed(path[:-1]), reversed(path[1:]), strict=True):
            if level.here or level.below:
                break
            del above.below[name]
        self._forget_found()

    def forget(self, who: Who) -> None:
        """`who` has gone."""
        for pattern in tuple(self._of.get(who, ())):
            self.remove(who, pattern)

    def below(self, root: str) -> bool:
        """Whether a filter may take topics whose first level is `root`."""
        return not self._root.below.keys().isdisjoint((root, "+", "#"))

    def has(self, who: Who, pattern: str) -> bool:
        """Whether `who` has this very filter."""
        return pattern in self._of.get(who, ())

    def count(self, who: Who) -> int:
        """How many filters `who` has."""
        return len(self._of.get(who, ()))

    def find(self, topic: str) -> tuple[bytes, tuple[tuple[Who, int], ...]]:
        """(the topic as it stands in PUBLISH, who wants it with the highest QoS of their matching filters)."""
        found = self._found.get(topic)
        if found is None:
            if len(self._found) >= _REMEMBERED:
                self._forget_found()
            best: dict[Who, int] = {}
            for here in self._walk(topic):
                for who, wanted in here.items():
                    had, qos = best.get(who), wanted & 0xF
                    if wanted >> _IDENTIFIER:
                        qos |= NAMED
                        self._named[topic, who] = self._named.get((topic, who), b"") + identified(wanted >> _IDENTIFIER)
                    best[who] = qos if had is None else max(qos & 3, had & 3) | (qos | had) & ~3
            found = self._found[topic] = topic_field(topic), tuple(best.items())
        return found

    def named(self, topic: str, who: Who) -> bytes:
        """The identifiers of all filters by which `who` wants `topic`, as properties of MQTT 5 [MQTT-3.3.4-4]."""
        self.find(topic)
        return self._named.get((topic, who), b"")

    def _forget_found(self) -> None:
        self._found.clear()
        self._named.clear()

    def _walk(self, topic: str) -> Iterator[dict[Who, int]]:
        """The subscribers of each filter that takes `topic`.

        Breadth first: at most 2^levels nodes in theory, in practice as many as filters that share its prefix.
        """
        at = [self._root]
        first = True
        for name in topic.split("/"):
            wild = not (first and name.startswith("$"))
            below: list[_Level[Who]] = []
            for level in at:
                if wild and (rest := level.below.get("#")):
                    yield rest.here
                if wild and (any_ := level.below.get("+")):
                    below.append(any_)
                if same := level.below.get(name):
                    below.append(same)
            at = below
            first = False
            if not at:
                return
        for level in at:
            yield level.here
            if rest := level.below.get("#"):  # "a/#" takes "a" itself
                yield rest.here
