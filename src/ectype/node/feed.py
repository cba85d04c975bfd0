"""The log's tail as messages for people and programs: what each frame brought, decoded once for all."""

from collections import OrderedDict
from typing import final

from ectype.log.entry import JSON_MEDIA, Entry
from ectype.log.frame import Frame
from ectype.node.messages import FeedBlock, FeedEntry, FeedMarks, FeedMessage
from ectype.series.marks import KIND, items_of
from ectype.values.arrow import MEDIA_TYPE, from_arrow

_SHOWN_BLOCKS = ("measured", "estimated")
_KEEP = 64


@final
class FeedMaker:
    """Turns frames into feed messages and remembers the newest, as every client wants the same ones."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[int, int], FeedMessage] = OrderedDict()

    def message(self, frame: Frame, size: int) -> FeedMessage:
        """What `frame` brought, `size` being the log's size now."""
        key = (frame.first, frame.next)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = make(frame, size)
            if len(self._made) > _KEEP:
                self._made.popitem(last=False)
        return made


def make(frame: Frame, size: int) -> FeedMessage:
    """One frame as a message. Blocks of samples and marks are decoded; other entries carry their JSON."""
    blocks: list[FeedBlock] = []
    entries: list[FeedEntry] = []
    marks: list[FeedMarks] = []
    for index, entry in enumerate(frame.entries, frame.first):
        if entry.kind in _SHOWN_BLOCKS and entry.media == MEDIA_TYPE and entry.body is not None:
            kind = "measured" if entry.kind == "measured" else "estimated"
            blocks.append(FeedBlock(kind, index, from_arrow(entry.body)))
        elif entry.kind == KIND:
            marks.append(FeedMarks(index, tuple(items_of(entry))))
        else:
            entries.append(feed_entry(index, entry))
    return FeedMessage(frame.first, frame.next, size, tuple(blocks), tuple(entries), tuple(marks))


def feed_entry(index: int, entry: Entry) -> FeedEntry:
    """An entry that is no block of samples."""
    body = entry.body if entry.media == JSON_MEDIA else None
    return FeedEntry(index, entry.kind, entry.subject, entry.author, entry.at_ns, entry.on_behalf_of, body)
