"""How long the history keeps what, said in `SPACE/retention.toml`. Without the file it keeps everything.

    [[rule]]                          # the first one that fits a series counts
    series = "*.vibration_*"          # TWIN.PROPERTY, with * and ? for some characters and for one
    raw = "30d"                       # each sample for so long; "forever" if not said
    tiers = [{ every = "1min", keep = "2y" }, { every = "1h" }]

    [[rule]]
    type = "dtmi:ectype:WindTurbine;1"  # twins of this type
    series = "*@estimated"            # estimates are series of their own: "*.power" does not mean them
    raw = "90d"                       # no tiers: what is older is not kept

A tier has, of each stretch of `every` since 1970 (UTC), the first, lowest, highest and last sample as they were, the
count and the mean. Age counts from the newest sample of the space, but never from a time that had not come yet when
the newest entry was appended: a clock that runs ahead makes nothing old. So what is kept follows from the log.
"""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import final

import msgspec

from ectype.errors import Invalid, Misconfigured
from ectype.ids import split_series

NAME = "retention.toml"
_LENGTH = re.compile(r"(\d{1,9})\s*(ms|s|min|h|d|w|y)")
_UNITS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": 31_536_000_000}


@final
class TierRule(msgspec.Struct, frozen=True):
    """A tier: how long its stretches are, and how long it is kept (None: for ever)."""

    every_ns: int
    keep_ns: int | None = None


@final
class Rule(msgspec.Struct, frozen=True):
    """What is kept of a series: each sample for raw_ns (None: for ever), and tiers, the finest first."""

    raw_ns: int | None = None
    tiers: tuple[TierRule, ...] = ()
    series: str = "*"
    type: str | None = None

    @property
    def align_ns(self) -> int:
        """What bounds between samples and tiers are whole multiples of."""
        return self.tiers[-1].every_ns if self.tiers else 1


EVERYTHING = Rule()


@final
@dataclass(frozen=True, slots=True)
class Retention:
    """The rules of a space. model_of: a twin's type, None if there is no such twin."""

    rules: tuple[Rule, ...] = ()
    model_of: Callable[[str], str | None] = lambda _: None

    def of(self, series: str) -> Rule:
        """The rule that counts for a series."""
        for rule in self.rules:
            if fnmatchcase(series, rule.series) and (
                rule.type is None or rule.type == self.model_of(split_series(series)[0])
            ):
                return rule
        return EVERYTHING

    def widths(self) -> tuple[int, ...]:
        """The lengths of all tiers, ascending."""
        return tuple(sorted({tier.every_ns for rule in self.rules for tier in rule.tiers}))

    def digest(self) -> bytes:
        """Another one for other rules."""
        return msgspec.json.encode(self.rules) if self.rules else b""


ALL = Retention()


class _Tier(msgspec.Struct, forbid_unknown_fields=True):
    every: str
    keep: str = "forever"


class _Rule(msgspec.Struct, forbid_unknown_fields=True):
    series: str = "*"
    type: str | None = None
    raw: str = "forever"
    tiers: list[_Tier] = []


class _File(msgspec.Struct, forbid_unknown_fields=True):
    rule: list[_Rule] = []


def read_retention(space: Path, model_of: Callable[[str], str | None] = lambda _: None) -> Retention:
    """What `SPACE/retention.toml` says; nothing if there is none. Misconfigured, with the place, if it is wrong."""
    path = space / NAME
    try:
        told = msgspec.convert(tomllib.loads(path.read_text("utf-8")), _File)
    except FileNotFoundError:
        return Retention((), model_of)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Misconfigured(f"{path}: {error}") from error
    rules: list[Rule] = []
    for number, rule in enumerate(told.rule, 1):
        try:
            rules.append(_checked(rule))
        except Invalid as error:
            raise Misconfigured(f"{path}, rule {number}: {error}") from error
    return Retention(tuple(rules), model_of)


def length_ns(text: str) -> int | None:
    """A length of time like 10min, 30d or 2y (365 days each); None for "forever". Raises Invalid."""
    if text == "forever":
        return None
    found = _LENGTH.fullmatch(text)
    length = int(found[1]) * _UNITS[found[2]] * 10**6 if found else 0
    if not 0 < length < 2**62:
        raise Invalid(f"{text[:40]!r} is no length of time; write one like 10s, 1min, 1h, 30d, 2y, or forever")
    return length


def _checked(told: _Rule) -> Rule:
    tiers: list[TierRule] = []
    for tier in told.tiers:
        every_ns = length_ns(tier.every)
        if every_ns is None:
            raise Invalid("a tier's 'every' is a length of time like 1min")
        tiers.append(TierRule(every_ns, length_ns(tier.keep)))
    for finer, coarser in pairwise(tiers):
        if coarser.every_ns <= finer.every_ns or coarser.every_ns % finer.every_ns:
            raise Invalid("each tier's 'every' is a whole multiple of that of the one before")
    kept = [length_ns(told.raw), *(tier.keep_ns for tier in tiers)]
    for shorter, longer in pairwise(kept):
        if longer is not None and shorter is not None and longer <= shorter:
            raise Invalid("each tier is kept longer than the one before, and the first one longer than 'raw'")
    return Rule(kept[0], tuple(tiers), told.series, told.type)
