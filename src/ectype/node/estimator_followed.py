"""The twins of one behaviour, or plants of one structure, that are followed by one filter each, and all that is said of
them: estimates, forecasts, and what watchers say.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import final

import msgspec
import numpy as np

from ectype import __version__
from ectype.errors import Invalid
from ectype.estimate.engine import graph_of
from ectype.estimate.following import Following
from ectype.estimate.plant import Kind
from ectype.foresee.posterior import number
from ectype.node.behaviours import Wrong
from ectype.node.estimator_parameters import parameters
from ectype.node.estimator_told import Forecasts, estimates
from ectype.node.estimator_watchers import Watchers
from ectype.node.pipe import Begin, Draft, TwinRecord
from ectype.values.block import Block, Float64s


@final
class _Saved(msgspec.Struct):
    following: bytes
    forecasts: dict[str, int]
    watchers: dict[str, bytes]
    dropped: dict[str, str] = {}  # watchers, and why
    version: str = ""  # of the package that dropped them


@final
class Followed:
    """Twins, or plants, of one kind. where: whose code it is; twins: their records. fresh: it needs the log from the
    start. What of their parameters cannot be used goes into `wrong`.
    """

    def __init__(
        self,
        kind: Kind,
        where: str,
        twins: Mapping[str, TwinRecord],
        begin: Begin,
        snapshot: bytes | None,
        wrong: list[Wrong],
    ) -> None:
        self.kind, self.where = kind, where
        self.fresh = snapshot is None
        layout, graph = kind.behaviour.layout, graph_of(kind.behaviour)
        told = [parameters(kind, plant, twins, begin.calibrations, where, wrong) for plant in kind.plants]
        constants = np.stack([t[0] for t in told], 1) if told else np.empty((len(layout.constants), 0))
        tracked: dict[str, Float64s] = {}
        for p in layout.tracked:
            place, own = kind.whose(p.property)
            tracked[p.name] = np.array([number(twins[plant[place]].properties, own) for plant in kind.plants])

        saved = None if snapshot is None else msgspec.msgpack.decode(snapshot, type=_Saved)
        if saved is not None and saved.dropped and saved.version != __version__:
            saved, self.fresh = None, True  # another version may have repaired them, and they need the log
        self.watchers = Watchers(kind, graph, begin, saved.dropped if saved else {})

        def follow(state: bytes | None) -> Following:
            return Following(
                kind.behaviour,
                kind.plants,
                constants,
                parts=kind.parts,
                graph=graph,
                tracked=tracked,
                companions=self.watchers.companions,
                snapshot=state,
                cache_dir=Path(begin.cache),
            )

        self.forecasts = Forecasts(kind, [t[1] for t in told])
        try:
            self.following = follow(saved.following if saved else None)
            if saved is not None:
                self.watchers.restore(saved.watchers)
                self.forecasts.issued = saved.forecasts
        except Invalid:  # of another fleet, or of an older version: go through the log again
            self.watchers = Watchers(kind, graph, begin, {})
            self.following, self.fresh = follow(None), True
        self._lost: set[int] = set()
        self.skip_to = 0 if self.fresh else begin.position

    def advance(self, block: Block) -> tuple[list[Block], list[Draft], int]:
        """(estimates of each part's twins, what else follows, rows that were too late)."""
        step = self.following.advance(block)
        found = [*self.forecasts.due(self.following, step), *self.watchers.tell(self.following, step)]
        return estimates(self.following, step), found, step.late

    def lost(self) -> list[tuple[str, ...]]:
        """Plants whose belief has become no number since this was asked last; nothing is told of them any more."""
        columns: list[int] = np.flatnonzero(~np.isfinite(self.following.belief).all(axis=0)).tolist()
        found = [column for column in columns if column not in self._lost]
        self._lost.update(found)
        return [self.kind.plants[column] for column in found]

    def snapshot(self) -> bytes:
        """Everything that `advance` depends on."""
        following, told = self.following.snapshot(), self.watchers.save()
        saved = _Saved(following, self.forecasts.issued, told, self.watchers.dropped, __version__)
        return msgspec.msgpack.encode(saved)
