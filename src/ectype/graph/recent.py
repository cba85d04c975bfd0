"""The twins that were asked for or patched last, as their rows say: who patches a twin again need not read it again.

Whoever changes a row says so here, in the same call. What is kept is shared by all who ask, as frozen as a `Twin` is.
"""

from typing import final

from ectype.graph.facts import Twin

_MOST_TWINS = 4096
_MOST_BYTES = 4 << 20  # of JSON: some ten times as much as objects


@final
class Recent:
    """Twins by id, the last kept of them, up to `most_twins` whose properties are `most_bytes` of JSON."""

    def __init__(self, most_twins: int = _MOST_TWINS, most_bytes: int = _MOST_BYTES) -> None:
        self._most_twins = most_twins
        self._most_bytes = most_bytes
        self._twins: dict[str, tuple[Twin, int]] = {}
        self._bytes = 0

    def find(self, twin_id: str) -> Twin | None:
        """That twin, if it is kept."""
        found = self._twins.get(twin_id)
        return None if found is None else found[0]

    def keep(self, twin: Twin, size: int) -> None:
        """`twin` is so now; its properties are `size` bytes of JSON."""
        self.forget(twin.id)
        self._twins[twin.id] = (twin, size)
        self._bytes += size
        while self._bytes > self._most_bytes or len(self._twins) > self._most_twins:
            self.forget(next(iter(self._twins)))

    def forget(self, twin_id: str) -> None:
        """That twin has changed, or is gone."""
        found = self._twins.pop(twin_id, None)
        if found is not None:
            self._bytes -= found[1]

    def clear(self) -> None:
        """Any twin may have changed."""
        self._twins.clear()
        self._bytes = 0
