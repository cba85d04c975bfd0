"""Whether a reading can be trusted, by the limits that its type declares, or the space in `SPACE/quality.toml`.

    {"@type": "Telemetry", "name": "power", "schema": "double", "comment": "quality: low=-50, high=2200"}

    [type."dtmi:ectype:WindTurbine;1".power]
    low = -50            # below or above: bad
    high = 2200
    rate_per_s = 100     # changes faster: suspect
    spike = 800          # further from the median of the last five: suspect
    stuck_s = 3600       # the same value for longer: suspect
    gap_s = 1800         # nothing for longer before it: suspect
    drift = 300          # the mean of the last hundred further from that of the last thousand: suspect

    [twin.R80711.power]  # for one twin; the file counts before what the type says
    high = 2300

A reading is good unless a check says otherwise. Nothing is changed or left out: what a check says is an entry of its
own (kind `quality`) beside the readings, so that whoever reads them can choose. A reading that comes late is held
against its range alone, as what was measured after it is known already.
"""

import logging
import re
import tomllib
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any, final

import msgspec
import numpy as np

from ectype.errors import Misconfigured
from ectype.ids import split_series
from ectype.values.block import Block

NAME = "quality.toml"
_REMEMBERED = 100_000
_WITHOUT = 64
_said = re.compile(r"quality:\s*([^;]*)")
_log = logging.getLogger("ectype.ingest")
_FAST, _SLOW = 1 / 100, 1 / 1000
_SETTLED = 1000  # readings before a drift is told


@final
class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a property's readings keep to; None is not checked. In the property's unit, and seconds."""

    low: float | None = None
    high: float | None = None
    rate_per_s: float | None = None
    spike: float | None = None
    stuck_s: float | None = None
    gap_s: float | None = None
    drift: float | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    type: dict[str, dict[str, Limits]] = {}
    twin: dict[str, dict[str, Limits]] = {}


@final
class Verdict(msgspec.Struct, frozen=True):
    """What is wrong with one reading. quality: "suspect" or "bad"; reasons: a sentence each."""

    series: str
    at_ns: str
    value: float
    quality: str
    reasons: list[str]


@final
class Checks:
    """Judges block after block, in order. model_of: a twin's type, None if there is no such twin;
    comment_of: what a type's property has as its DTDL comment, "" for nothing.
    """

    def __init__(
        self,
        limits: _File,
        model_of: Callable[[str], str | None],
        comment_of: Callable[[str, str], str] | None = None,
    ) -> None:
        self._limits = limits
        self._comment_of = comment_of
        self._model_of = model_of
        self._of: dict[str, _Series | None] = {}
        self._without: set[tuple[str, ...]] = set()  # names of blocks in which nothing has limits
        self.judged = self.suspect = self.bad = 0
        self.worst: dict[str, int] = {}

    def judge(self, block: Block) -> list[Verdict]:
        """What is not good in `block`."""
        return [verdict for _, verdict in self.judge_rows(block)]

    def judge_rows(self, block: Block) -> list[tuple[int, Verdict]]:
        """What is not good in `block`, each with its row there, in the order of rows."""
        if not self._limits.type and not self._limits.twin and self._comment_of is None:
            return []
        if block.names in self._without:
            return []
        if len(self._of) > _REMEMBERED:
            self._of.clear()
        verdicts: list[tuple[int, Verdict]] = []
        for number, name in enumerate(block.names):
            series = self._series(name)
            if series is None:
                continue
            rows = np.flatnonzero(block.series == number)
            self.judged += len(rows)
            for row, at_ns, value in zip(
                rows.tolist(), block.at_ns[rows].tolist(), block.value[rows].tolist(), strict=True
            ):
                bad, suspect = series.check(at_ns, value)
                if bad or suspect:
                    self.bad += bool(bad)
                    self.suspect += not bad
                    self.worst[name] = self.worst.get(name, 0) + 1
                    quality = "bad" if bad else "suspect"
                    verdicts.append((row, Verdict(name, str(at_ns), value, quality, bad + suspect)))
        if len(self._without) < _WITHOUT and not any(map(self._of.get, block.names)):
            self._without.add(block.names)
        verdicts.sort(key=lambda item: item[0])
        return verdicts

    def forget(self) -> None:
        """Types have changed: look again at what they declare. The checks begin anew."""
        self._of.clear()
        self._without.clear()

    def _series(self, name: str) -> "_Series | None":
        if name not in self._of:
            twin, property_name, _ = split_series(name)
            limits = self._limits.twin.get(twin, {}).get(property_name)
            if limits is None:
                model = self._model_of(twin) or ""
                limits = self._limits.type.get(model, {}).get(property_name)
                if limits is None and model and self._comment_of is not None:
                    limits = declared(self._comment_of(model, property_name))
            self._of[name] = None if limits is None else _Series(limits)
        return self._of[name]


@final
class _Series:
    """What the checks need of one series' past."""

    __slots__ = ("at_ns", "count", "fast", "last", "limits", "same_ns", "slow", "value")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.at_ns: int | None = None
        self.value = 0.0
        self.same_ns = 0
        self.last: deque[float] = deque(maxlen=5)
        self.count = 0
        self.fast = self.slow = 0.0

    def check(self, at_ns: int, value: float) -> tuple[list[str], list[str]]:
        """(why it is bad, why it is suspect)."""
        limits = self.limits
        bad: list[str] = []
        if limits.low is not None and value < limits.low:
            bad.append(f"range: {value:g} is below {limits.low:g}")
        if limits.high is not None and value > limits.high:
            bad.append(f"range: {value:g} is above {limits.high:g}")
        if self.at_ns is not None and at_ns <= self.at_ns:
            return bad, []
        suspect = self._against_the_past(at_ns, value)
        if self.at_ns is None or value != self.value:
            self.same_ns = at_ns
        self.at_ns, self.value = at_ns, value
        self.last.append(value)
        self._average(value, count=not bad)
        return bad, suspect

    def _against_the_past(self, at_ns: int, value: float) -> list[str]:
        limits, found = self.limits, list[str]()
        if self.at_ns is None:
            return found
        after_s = (at_ns - self.at_ns) / 1e9
        if limits.gap_s is not None and after_s > limits.gap_s:
            found.append(f"gap: nothing for {after_s:g} s before it, more than {limits.gap_s:g}")
        rate = abs(value - self.value) / after_s
        if limits.rate_per_s is not None and rate > limits.rate_per_s:
            found.append(f"rate: it changed by {rate:g} a second, more than {limits.rate_per_s:g}")
        if limits.spike is not None and len(self.last) == 5:
            off = abs(value - median(self.last))
            if off > limits.spike:
                found.append(f"spike: {off:g} from the median of the five before, more than {limits.spike:g}")
        if limits.stuck_s is not None and value == self.value and (at_ns - self.same_ns) / 1e9 > limits.stuck_s:
            found.append(f"stuck: {value:g} for {(at_ns - self.same_ns) / 1e9:g} s, more than {limits.stuck_s:g}")
        if limits.drift is not None and self.count >= _SETTLED and abs(self.fast - self.slow) > limits.drift:
            found.append(f"drift: its mean moved by {self.fast - self.slow:g}, more than {limits.drift:g}")
        return found

    def _average(self, value: float, count: bool) -> None:
        if not count:
            return
        self.count += 1  # plain means at first, so that the first reading does not weigh for ever
        self.fast += (value - self.fast) * max(_FAST, 1 / self.count)
        self.slow += (value - self.slow) * max(_SLOW, 1 / self.count)


def declared(comment: str) -> Limits | None:
    """The limits in the comment of a property: `quality: low=-50, high=2200; any other text`. None without any.

    What cannot be read is told in the node's log and no limit: a type that is there already must not stop readings.
    """
    found = _said.search(comment)
    if found is None:
        return None
    try:
        parts = dict(part.split("=", 1) for part in found[1].split(",") if part.strip())
        return msgspec.convert({key.strip(): float(value) for key, value in parts.items()}, Limits)
    except (ValueError, msgspec.ValidationError) as error:
        _log.warning("the comment %r declares no limits: %s; write quality: low=0, high=10", comment[:100], error)
        return None


def checks_of(
    told: Mapping[str, Any],
    model_of: Callable[[str], str | None],
    comment_of: Callable[[str, str], str] | None = None,
) -> Checks:
    """Checks by limits as the file has them. Misconfigured if they are none."""
    try:
        return Checks(msgspec.convert(told, _File), model_of, comment_of)
    except msgspec.ValidationError as error:
        raise Misconfigured(f"{NAME}: {error}") from error


def read_checks(
    space: Path, model_of: Callable[[str], str | None], comment_of: Callable[[str, str], str] | None = None
) -> Checks:
    """The checks that a space's file asks for; none if there is no file. Misconfigured if it is no good."""
    path = space / NAME
    try:
        return checks_of(tomllib.loads(path.read_text("utf-8")), model_of, comment_of)
    except FileNotFoundError:
        return checks_of({}, model_of, comment_of)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Misconfigured(f"{path}: {error}") from error
