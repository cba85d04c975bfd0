"""How long each twin still has, where its behaviour says what ends its life: told beside the forecasts, once an hour.

    life.put life:TWIN                 threshold, the median and the 90 % interval in seconds, and the share beyond
    TWIN.remainingLife@estimated       the median in days; remainingLifeP05 and P95 are the bounds of the interval;
                                       a gap where it is beyond what is looked at

Trajectories are drawn as for the hourly forecast, and first passage is counted as `ectype life` does (alarms/life.py).
They are drawn over twice the longest of the last ones, so that the steps are as fine as what is left of life, and no
finer than readings come; at first, and where they have not all ended by then, over the whole of `within`, and again
over less until that fits.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import msgspec
import numpy as np

from ectype.alarms.life import Life, life
from ectype.clock import to_iso
from ectype.errors import EctypeError, Invalid
from ectype.estimate.end_of_life import EndOfLife
from ectype.estimate.following import Companion, Following, Step
from ectype.estimate.plant import Kind, Part
from ectype.estimate.trace import Graph
from ectype.foresee.fan import Start, draw
from ectype.foresee.followed import Followed
from ectype.foresee.goal import Goal
from ectype.ids import series_id
from ectype.node.estimator_parameters import parameters
from ectype.node.pipe import Begin, Draft
from ectype.values.arrow import MEDIA_TYPE, to_arrow
from ectype.values.block import Block
from ectype.values.canonical import JSON, canonical

SUBJECT = "block:life"
_HOUR_NS = 3600 * 10**9
_DAY_S = 86400.0
_LEVELS = {"0.05": "P05", "0.5": "", "0.95": "P95"}
_STEPS, _DRAWS, _FEWEST, _SUBSTEPS = 60, 200, 8, 60
_AT_ONCE = 4  # twins in one advance: a fleet whose hour begins must not stop the estimates; the others follow


@final
class _Saved(msgspec.Struct):
    hours: dict[str, int]
    waiting: list[int]
    ahead_s: dict[str, float]


@final
class Lasting:
    """See `estimator_watchers.Watcher`. Says nothing of a behaviour that declares no end."""

    name = "life"

    def __init__(self, kind: Kind, part: Part, graph: Graph, begin: Begin) -> None:
        self.name = part.beside("life")
        self.companions: Sequence[Companion] = ()
        self._end = kind.members[part.place].end_of_life
        self._kind, self._part = kind, part
        self._records = {} if self._end is None else {t.id: t for t in begin.twins}
        self._calibrations = begin.calibrations
        self._saved = _Saved({}, [], {})

    def tell(self, following: Following, step: Step) -> list[Draft]:
        """Of the twins whose hour it is, the first few."""
        if self._end is None:
            return []
        saved = self._saved
        columns: list[int] = step.columns.tolist()
        for column in columns:
            hour = following.newest(column) // _HOUR_NS
            twin = following.plants[column][self._part.place]
            if saved.hours.get(twin, -1) < hour and len(following.window(column)[0]) >= _FEWEST:
                saved.hours[twin] = hour
                saved.waiting.append(column)
        now, saved.waiting = saved.waiting[:_AT_ONCE], saved.waiting[_AT_ONCE:]
        return [draft for column in now for draft in self._told(following, column, self._end)]

    def save(self) -> bytes:
        """What was told so far."""
        return msgspec.msgpack.encode(self._saved)

    def restore(self, saved: bytes) -> None:
        """Go on from there."""
        try:
            self._saved = msgspec.msgpack.decode(saved, type=_Saved)
        except msgspec.MsgspecError as error:
            raise Invalid(f"this does not say of which twins the remaining life was told: {error}") from error

    def _told(self, following: Following, column: int, end: EndOfLife) -> list[Draft]:
        plant = following.plants[column]
        twin = plant[self._part.place]
        drawn = parameters(self._kind, plant, self._records, self._calibrations, "", [])[1]  # trouble is told already
        record = Followed.live(following, column, drawn)
        found: Life | None = None
        ahead_s = self._saved.ahead_s.get(twin, end.ahead_s)
        try:
            inside = replace(end, name=self._part.inside(end.name))
            found, self._saved.ahead_s[twin] = _found(record, inside, ahead_s)
            text = _sentence(found, end)
        except EctypeError as error:
            text = f"how long until {end.threshold} cannot be told: {error}"
        now = int(record.at_ns[-1])
        quantiles = {q: None if found is None else found.quantile(float(q)) for q in _LEVELS}
        told: dict[str, JSON] = {**quantiles}
        body: dict[str, JSON] = {
            "twin": twin,
            "until": end.threshold,
            "issued": to_iso(now),
            "life_s": told,
            "beyond": None if found is None else found.beyond,
            "ahead_s": end.ahead_s,
            "text": text,
        }
        return [
            Draft("life.put", f"life:{twin}", "application/json", canonical(body)),
            Draft("estimated", SUBJECT, MEDIA_TYPE, to_arrow(_block(twin, now, list(quantiles.values())))),
        ]


def _found(record: Followed, end: EndOfLife, ahead_s: float) -> tuple[Life, float]:
    """(the remaining life, how far to look the next time), looking so far at first."""
    found = _drawn(record, end, ahead_s)
    if found.beyond and ahead_s < end.ahead_s:
        ahead_s = end.ahead_s
        found = _drawn(record, end, ahead_s)
    while (fits_s := _fits(found, end, _STEPS * record.every_s)) < 0.5 * ahead_s:
        finer, ahead_s = _drawn(record, end, fits_s), fits_s
        if finer.beyond:  # with other luck
            break
        found = finer
    return found, fits_s


def _fits(found: Life, end: EndOfLife, finest_s: float) -> float:
    longest_s = found.quantile(1.0)
    return end.ahead_s if longest_s is None else min(end.ahead_s, max(2 * longest_s, finest_s))


def _drawn(record: Followed, end: EndOfLife, ahead_s: float) -> Life:
    """Raises Invalid where the trajectories become no numbers, or there is nothing of that name."""
    every_s = ahead_s / _STEPS
    start = Start.at(record, steps=_STEPS, every_s=every_s, way="held", draws=_DRAWS)
    substeps = min(_SUBSTEPS, max(1, round(every_s / record.every_s)))
    with np.errstate(all="ignore"):
        fan = draw(start, substeps=substeps)
    if not np.isfinite(fan.of(end.name)).all():
        part_s = every_s / substeps
        raise Invalid(f"in steps of {part_s:.3g} s its trajectories become no numbers; look less far with 'within'")
    return life(fan, Goal(end.name, end.at_least, end.value, None), every_s)


def _sentence(found: Life, end: EndOfLife) -> str:
    beyond = f"more than {_length(end.ahead_s)}"
    low, middle, high = (beyond if v is None else _length(v) for v in map(found.quantile, (0.05, 0.5, 0.95)))
    return f"until {end.threshold}: {middle} (90 %: {low} to {high})"


def _length(seconds: float) -> str:
    for unit, size in (("days", _DAY_S), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def _block(twin: str, at_ns: int, life_s: Sequence[float | None]) -> Block:
    names = tuple(series_id(twin, f"remainingLife{suffix}", "estimated") for suffix in _LEVELS.values())
    days = np.array([np.nan if v is None else v / _DAY_S for v in life_s])
    rows = len(names)
    return Block(names, np.arange(rows, dtype=np.int32), np.full(rows, at_ns), days, np.full(rows, np.nan))
