"""Which series may come in: a twin that exists, and a telemetry or property that its type declares.

Asked for every series name of every message, so answers are remembered until the graph changes.
"""

from typing import final

from ectype.graph.fold import Graph
from ectype.log.frame import Frame
from ectype.model.interface import Property, Telemetry


@final
class Known:
    """`known(twin, property)` is None when the series may come in, else a sentence that says why not."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.epoch = 0  # the answers hold for as long as this does
        self._answers: dict[tuple[str, str], str | None] = {}

    def __call__(self, twin: str, name: str) -> str | None:
        """Why not; None when it may."""
        key = (twin, name)
        if key not in self._answers:
            if len(self._answers) > 1_000_000:  # nonsense names must not fill the memory
                self._answers.clear()
            self._answers[key] = self._ask(twin, name)
        return self._answers[key]

    def watch(self, frame: Frame) -> None:
        """Forget what a frame may have changed."""
        if any(entry.kind.startswith(("twin.", "model.", "graph.")) for entry in frame.entries):
            self._answers.clear()
            self.epoch += 1

    def _ask(self, twin: str, name: str) -> str | None:
        found = self._graph.find_twin(twin)
        if found is None:
            return f"there is no twin '{twin}' in this space; create it first, or correct the topic"
        content = self._graph.models().interface(found.model).contents.get(name)
        if content is None:
            return f"{found.model} declares no '{name}'; add it to the type, or leave it out"
        if not isinstance(content, Telemetry | Property):
            return f"'{name}' of {found.model} is a {type(content).__name__.lower()}, which cannot be measured"
        return None
