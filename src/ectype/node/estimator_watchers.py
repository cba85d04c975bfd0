"""What says more about a behaviour's twins than its estimates: alarms, fidelity. One that raises is left out alone.

    made ─► rides along with the filter ─► told after each step ─► saved with the belief
      └──────────────┴────────────┬──────────────┴──────────────────────┘
                        an exception: left out; estimates, forecasts and the other watchers go on

One that was left out stays so while the same package follows the same twins with the same behaviour, restarts or not:
what it missed could only be made good by going through the log again, at every start.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar, final

import msgspec
import numpy as np

from ectype.errors import Invalid
from ectype.estimate.following import Companion, Following, Step
from ectype.estimate.plant import Kind, Part
from ectype.estimate.trace import Graph
from ectype.node.behaviours import sentence
from ectype.node.estimator_alarms import Alarming
from ectype.node.estimator_life import Lasting
from ectype.node.estimator_told import group_of
from ectype.node.pipe import Begin, Draft
from ectype.values.block import Float64s, Int64s

T = TypeVar("T")
_AGAIN = "it is tried again with another version of ectype, or when its behaviour or twins change"


class Watcher(Protocol):
    """Says more about twins that are followed. One for each part of a kind of plant, made by `WATCHERS`; the names of
    those of different parts differ.

    companions: what rides along with the filter for it. `tell` gives entries, after each advance; what it has told, and
    must not tell twice, goes through `save` and `restore` (raises Invalid for what is not its own: then all begins
    anew). Whatever else it or a companion raises ends the watcher, and nothing beside it.
    """

    name: str
    companions: Sequence[Companion]

    def tell(self, following: Following, step: Step) -> list[Draft]:
        """What follows from a step."""
        ...

    def save(self) -> bytes:
        """What was told so far."""
        ...

    def restore(self, saved: bytes) -> None:
        """Go on from there."""
        ...


Make = Callable[[Kind, Part, Graph, Begin], Watcher]
WATCHERS: list[Make] = [Alarming, Lasting]
"""Makes a watcher for a kind, one of its parts, its graph, and what the process began with."""


@final
class Watchers:
    """Those of one kind. dropped: why, by name, of those that an earlier process has left out."""

    def __init__(self, kind: Kind, graph: Graph, begin: Begin, dropped: Mapping[str, str]) -> None:
        self.dropped: dict[str, str] = {}
        self._wrong: list[str] = []
        self._guarded: list[_Guarded] = []
        for part, make in ((part, make) for part in kind.components for make in WATCHERS):
            try:
                self._guarded.append(_Guarded(make(kind, part, graph, begin), group_of(kind.members[part.place])))
            except Exception as error:  # noqa: BLE001  a fault in what only watches must not cost the estimates
                name = str(getattr(make, "name", None) or getattr(make, "__name__", make))
                self._leave_out(part.beside(name), sentence(error))
        for guarded in self._guarded:
            if (why := dropped.get(guarded.name)) is not None:
                guarded.error = why
        self._look()

    @property
    def companions(self) -> list[Companion]:
        """What rides along; of one that was left out, too: the belief's snapshot has a place for it."""
        return [c for g in self._guarded for c in g.companions]

    def tell(self, following: Following, step: Step) -> list[Draft]:
        """What all of them say of a step."""
        out: list[Draft] = []
        for guarded in self._guarded:
            told = guarded.call(lambda w: w.tell(following, step)) or []
            out += [msgspec.structs.replace(d, group=guarded.group) for d in told]
        self._look()
        return out

    def save(self) -> dict[str, bytes]:
        """What was told so far, by name; nothing of those that were left out."""
        saved = {g.name: g.call(lambda w: w.save()) for g in self._guarded}
        self._look()
        return {name: each for name, each in saved.items() if each is not None}

    def restore(self, saved: Mapping[str, bytes]) -> None:
        """Go on from there. Raises Invalid if it is not of these watchers."""
        for guarded in self._guarded:
            if guarded.error is None and guarded.name not in saved:
                raise Invalid(f"nothing is known of what '{guarded.name}' has told")
            guarded.call(lambda w, name=guarded.name: w.restore(saved[name]), Invalid)
        self._look()

    def wrong(self) -> list[str]:
        """Of those that were left out since this was asked last: which, why, and what to do."""
        found, self._wrong = self._wrong, []
        return found

    def _look(self) -> None:
        """Companions fail while the filter runs, and nobody hears of it there."""
        for guarded in self._guarded:
            if guarded.error is not None and guarded.name not in self.dropped:
                self.dropped[guarded.name] = guarded.error
                self._leave_out(guarded.name, guarded.error)

    def _leave_out(self, name: str, why: str) -> None:
        self._wrong.append(
            f"the watcher '{name}' is left out, estimates and forecasts go on without it: {why}; {_AGAIN}"
        )


@final
class _Guarded:
    """A watcher, what its drafts belong to, and the first error of it or of what rides along for it. With an error it
    is not called any more.
    """

    def __init__(self, watcher: Watcher, group: str) -> None:
        self._watcher, self.group = watcher, group
        self.name = watcher.name
        self.companions = [_Riding(c, self) for c in watcher.companions]
        self.error: str | None = None

    def call(self, what: Callable[[Watcher], T], passed: type[Exception] | None = None) -> T | None:
        """What it says; None if it was or is left out. passed: what it may raise."""
        if self.error is not None:
            return None
        try:
            return what(self._watcher)
        except Exception as error:
            if passed is not None and isinstance(error, passed):
                raise
            self.error = sentence(error)
            return None


@final
class _Riding:
    """A companion whose state stays as it is from its watcher's first error on. See `estimate.following.Companion`."""

    def __init__(self, companion: Companion, of: _Guarded) -> None:
        self._companion = companion
        self._of = of
        self.name, self.size = companion.name, companion.size

    def initial(self, twins: int) -> Float64s:
        """[size, twins]: the state before the first event."""
        state = self._of.call(lambda _: _shaped(self._companion.initial(twins), (self.size, twins)))
        return np.zeros((self.size, twins)) if state is None else state

    def renewed(self, state: Float64s) -> Float64s:
        """A saved state, as all goes on from it."""
        renewed = self._of.call(lambda _: _shaped(self._companion.renewed(state), state.shape))
        return state if renewed is None else renewed

    def fold(self, state: Float64s, at_ns: Int64s, events: Float64s, out: Float64s, active: Float64s) -> Float64s:
        """The states after each event."""
        shape = (len(events), *state.shape)
        states = self._of.call(lambda _: _shaped(self._companion.fold(state, at_ns, events, out, active), shape))
        return np.broadcast_to(state, shape) if states is None else states


def _shaped(state: Float64s, shape: tuple[int, ...]) -> Float64s:
    if state.shape != shape:
        raise Invalid(f"what rides along has a state of shape {state.shape}, not {shape}")
    return state
