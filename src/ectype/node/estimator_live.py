"""People's behaviours in the estimator's process: which twins each follows, and what is said of them.

    behaviours.find ─► who follows whom ─► Following.advance ─► estimates ─► forecasts ─► watchers
                                                 │
                                       an exception: this behaviour is dropped, the others go on

A twin is followed by the behaviour of its own type, or of the nearest type that it extends. Parameters are those of the
twin's calibration, else the twin's properties of the same name, else as declared.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final

import msgspec
import numpy as np

from ectype import __version__
from ectype.errors import EctypeError, Invalid
from ectype.estimate.following import Following
from ectype.estimate.models.wind_turbine import WindTurbine
from ectype.foresee.posterior import posterior_of
from ectype.node.behaviours import Found, Wrong, files_begin, find, misfits, sentence
from ectype.node.estimator_told import Forecasts, estimates
from ectype.node.estimator_watchers import Watchers
from ectype.node.pipe import Begin, Draft, Trouble, TwinRecord
from ectype.node.signs_of_life import Beating
from ectype.values.arrow import MEDIA_TYPE, to_arrow
from ectype.values.block import Block, Float64s

GROUP = "block:estimator"
_ROWS = 50_000  # of estimates in one entry: a frame of the log holds some 100,000


@final
class _Saved(msgspec.Struct):
    following: bytes
    forecasts: dict[str, int]
    watchers: dict[str, bytes]
    dropped: dict[str, str] = {}  # watchers, and why
    version: str = ""  # of the package that dropped them


@final
class Followed:
    """The twins of one behaviour, and all that is said of them. fresh: it needs the log from the start."""

    def __init__(
        self, found: Found, twins: Sequence[TwinRecord], begin: Begin, snapshot: bytes | None, wrong: list[Wrong]
    ) -> None:
        self.where, behaviour = found.where, found.behaviour
        ids = [t.id for t in twins]
        self.group = f"{GROUP}/{behaviour.model}"
        self.fresh = snapshot is None
        told = [_parameters(found, twin, begin.calibrations.get(twin.id), wrong) for twin in twins]
        constants = np.stack([t[0] for t in told], 1) if told else np.empty((len(behaviour.layout.constants), 0))
        tracked = {p.name: np.array([_number(t, p.property) for t in twins]) for p in behaviour.layout.tracked}
        saved = None if snapshot is None else msgspec.msgpack.decode(snapshot, type=_Saved)
        if saved is not None and saved.dropped and saved.version != __version__:
            saved, self.fresh = None, True  # another version may have repaired them, and they need the log
        self.watchers = Watchers(behaviour, ids, begin, saved.dropped if saved else {})

        def follow(state: bytes | None) -> Following:
            cache = Path(begin.cache)
            return Following(
                behaviour,
                ids,
                constants,
                tracked=tracked,
                companions=self.watchers.companions,
                snapshot=state,
                cache_dir=cache,
            )

        self.forecasts = Forecasts(behaviour, [t[1] for t in told])
        try:
            self.following = follow(saved.following if saved else None)
            if saved is not None:
                self.watchers.restore(saved.watchers)
                self.forecasts.issued = saved.forecasts
        except Invalid:  # of another fleet, or of an older version: go through the log again
            self.watchers = Watchers(behaviour, ids, begin, {})
            self.following, self.fresh = follow(None), True
        self._lost: set[str] = set()
        self._skip_to = 0 if self.fresh else begin.position
        self._done = self._skip_to

    def advance(self, block: Block, through: int) -> tuple[list[Draft], int]:
        """(what follows from measurements up to log index `through`, rows that were too late)."""
        if through <= self._skip_to:
            return [], 0
        step = self.following.advance(block)
        found = [
            Draft(d.kind, d.subject, d.media, d.body, self.group) for d in self.forecasts.due(self.following, step)
        ]
        watched = self.watchers.tell(self.following, step)
        found += [msgspec.structs.replace(d, group=self.group) for d in watched]
        told = estimates(self.following, step)
        if found or len(told):
            found = [*self._entries(told, through), *found]
        self._done = through
        return found, step.late

    def lost(self) -> list[str]:
        """Twins whose belief has become no number since this was asked last; nothing is told of them any more."""
        columns: list[int] = np.flatnonzero(~np.isfinite(self.following.belief).all(axis=0)).tolist()
        found = [twin for twin in map(self.following.twins.__getitem__, columns) if twin not in self._lost]
        self._lost.update(found)
        return found

    def snapshot(self) -> bytes:
        """Everything that `advance` depends on."""
        following, told = self.following.snapshot(), self.watchers.save()
        saved = _Saved(following, self.forecasts.issued, told, self.watchers.dropped, __version__)
        return msgspec.msgpack.encode(saved)

    def _entries(self, told: Block, through: int) -> list[Draft]:
        """In parts that fit; only the last says that all was seen."""
        out: list[Draft] = []
        parts = max(1, math.ceil(len(told) / _ROWS))
        for i in range(parts):
            rows = slice(i * _ROWS, (i + 1) * _ROWS)
            std = None if told.std is None else told.std[rows]
            part = Block(told.names, told.series[rows], told.at_ns[rows], told.value[rows], std)
            seen = through if i == parts - 1 else self._done
            out.append(Draft("estimated", self.group, MEDIA_TYPE, to_arrow(part, {"through": str(seen)}), self.group))
        return out


@final
class Live:
    """All of people's behaviours that follow a twin of this space."""

    def __init__(self, begin: Begin, snapshots: Mapping[str, bytes]) -> None:
        folder = None if begin.behaviours is None else Path(begin.behaviours)
        code = [] if folder is None else files_begin(folder)
        self._signs = None if begin.running is None else Beating(Path(begin.running), code, begin.beat_s)
        found, wrong = ([], []) if folder is None else find(folder, begin.skip, self._mark)
        by_model = {f.behaviour.model: f for f in found}
        theirs: dict[str, list[TwinRecord]] = {}
        for twin in begin.twins:
            kind = begin.kinds.get(twin.model)
            for model in kind.ancestors if kind else [twin.model]:
                if model == WindTurbine.model:
                    break
                if model in by_model:
                    theirs.setdefault(model, []).append(twin)
                    break
        self._troubles = [Trouble(w.where, w.text) for w in wrong]
        self._following: dict[str, Followed] = {}
        for model, twins in theirs.items():
            self._mark(by_model[model].where)
            self._begin(by_model[model], twins, begin, snapshots.get(model))
        self._mark("")

    @property
    def twins(self) -> list[str]:
        """The ids of all that are followed."""
        return [twin for f in self._following.values() for twin in f.following.twins]

    @property
    def fresh(self) -> bool:
        """Whether one of them needs the log from the start."""
        return any(f.fresh for f in self._following.values())

    @property
    def parameters(self) -> list[str]:
        """Properties that parameters are read from."""
        layouts = [f.following.graph.layout for f in self._following.values()]
        return sorted({p.property for layout in layouts for p in (*layout.constants, *layout.tracked)})

    @property
    def groups(self) -> list[str]:
        """What their drafts belong to."""
        return [f.group for f in self._following.values()]

    def advance(self, block: Block, through: int) -> tuple[list[Draft], int]:
        """(what follows from measurements up to log index `through`, rows that were too late)."""
        drafts: list[Draft] = []
        late = 0
        for model, followed in list(self._following.items()):
            self._mark(followed.where)
            try:
                told, missed = followed.advance(block, through)
            except Exception as error:  # noqa: BLE001  somebody's code may raise anything; the others go on
                del self._following[model]
                text = f"its twins are not followed any more: {sentence(error)}"
                self._troubles.append(Trouble(followed.where, text))
                continue
            drafts += told
            late += missed
            for twin in followed.lost():
                text = (
                    f"the belief of {twin} is no number any more; bound its states with low= and high=, or correct it"
                )
                self._troubles.append(Trouble(followed.where, text))
        self._mark("")
        return drafts, late

    def _mark(self, where: str) -> None:
        """Whose code runs next, should the process die of it or hang in it."""
        if self._signs is not None:
            self._signs.mark(where)

    def troubles(self) -> list[Trouble]:
        """What went wrong since this was asked last."""
        for followed in self._following.values():
            self._troubles += [Trouble(followed.where, text) for text in followed.watchers.wrong()]
        told, self._troubles = self._troubles, []
        return told

    def snapshots(self) -> dict[str, bytes]:
        """By model."""
        return {model: f.snapshot() for model, f in self._following.items()}

    def _begin(self, found: Found, twins: list[TwinRecord], begin: Begin, snapshot: bytes | None) -> None:
        wrong: list[Wrong] = []
        fit: list[TwinRecord] = []
        for model in sorted({t.model for t in twins}):
            kind = begin.kinds.get(model)
            fatal, lacking = ([], []) if kind is None else misfits(found.behaviour, kind.units)
            wrong += [Wrong(found.where, f"{model}: {text}") for text in [*fatal, *lacking]]
            fit += [] if fatal else [t for t in twins if t.model == model]
        fit.sort(key=lambda t: t.id)
        try:
            if fit:
                self._following[found.behaviour.model] = Followed(found, fit, begin, snapshot, wrong)
        except Exception as error:  # noqa: BLE001  as in advance
            wrong.append(Wrong(found.where, f"its twins are not followed: {sentence(error)}"))
        self._troubles += [Trouble(w.where, w.text) for w in wrong]


def _parameters(
    found: Found, twin: TwinRecord, calibration: Mapping[str, object] | None, wrong: list[Wrong]
) -> tuple[Float64s, Float64s]:
    """(constants [c], draws of them [c, any]) of one twin."""
    layout = found.behaviour.layout
    own = np.array([_number(twin, p.property, p.value) for p in layout.constants], np.float64)
    if calibration is None:
        return own, own[:, None]
    try:
        constants, drawn = posterior_of(found.behaviour, calibration, f"the calibration of {twin.id}", 200)
    except (EctypeError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        text = str(error) if isinstance(error, EctypeError) else f"the calibration of {twin.id} is damaged: {error}"
        wrong.append(Wrong(found.where, f"{text}; {twin.id} goes on without it"))
        return own, own[:, None]
    free = np.array([p.prior is not None for p in layout.constants], bool)
    return np.where(free, constants, own), np.where(free[:, None], drawn, own[:, None])


def _number(twin: TwinRecord, name: str, default: float = math.nan) -> float:
    value = twin.properties.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default
