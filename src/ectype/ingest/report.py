"""How everything that sends is: its clock, whether it is alive, what it repeated or left out, and who is slow.

Outside systems that the node opens, clients of its MQTT endpoint, Sparkplug nodes and those who push tables are told
in one list, so that one question finds whoever is late.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, final

from ectype.ingest.clocks import ClockError
from ectype.ingest.ingest import IngestStats
from ectype.ingest.push import SourceCounts
from ectype.ingest.sparkplug import Sparkplug

MOST = 1000

Kind = Literal["mqtt", "sparkplug", "push"]


@final
@dataclass(frozen=True, slots=True)
class SenderStatus:
    """One who sends to us. alive: None where nothing tells; last_ns: when it was last heard; clock: None where it says
    no times; gaps: messages or tables that are missing; repeats: that came twice and were dropped.
    """

    name: str
    kind: Kind
    alive: bool | None
    last_ns: int
    clock: ClockError | None = None
    gaps: int = 0
    repeats: int = 0


@final
@dataclass(frozen=True, slots=True)
class Slow:
    """Somebody whom others wait for, or would: a sentence says why."""

    who: str
    why: str


def senders(stats: IngestStats, sparkplug: Sparkplug, pushed: Mapping[str, SourceCounts]) -> tuple[SenderStatus, ...]:
    """Everybody who was heard since the start, the last heard first, at most MOST."""
    found: list[SenderStatus] = []
    for (group, edge), node in sparkplug.nodes.items():
        for device, member in node.members.items():
            name = f"{group}/{edge}/{device}" if device else f"{group}/{edge}"
            gaps, repeats = (0, 0) if device else (node.gaps, node.repeats)
            found.append(SenderStatus(name, "sparkplug", member.alive, member.last_ns, None, gaps, repeats))
    for name, counts in pushed.items():
        if counts.tables or counts.repeated:
            found.append(SenderStatus(name, "push", None, counts.last_ns, None, counts.missed, counts.repeated))
    for name, at_ns in stats.last_seen_ns.items():
        found.append(SenderStatus(name, "mqtt", None, at_ns, stats.clocks.get(name)))
    found.sort(key=lambda each: -each.last_ns)
    return tuple(found[:MOST])


def slow(waiting: int, oldest_s: float, paused: Sequence[str], unread: Mapping[str, int]) -> tuple[Slow, ...]:
    """Who is slow now. waiting, oldest_s: messages on their way to the disk, and how long the oldest has been;
    paused: clients that send more than the disk takes; unread: bytes that wait for subscribers who do not read.
    """
    found: list[Slow] = []
    if oldest_s > 1:
        found.append(Slow("disk", f"{waiting} messages wait for it, the first for {oldest_s:.1f} s"))
    found += [Slow(name, "it sends faster than the disk takes; it is not read from just now") for name in paused]
    for name, held in sorted(unread.items(), key=lambda each: -each[1]):
        found.append(Slow(name, f"it does not read: {held} bytes wait for it"))
    return tuple(found)
