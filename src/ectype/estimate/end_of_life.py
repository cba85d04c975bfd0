"""Where a twin's useful life ends, as its behaviour declares it: `end_of_life="wear >= 0.8 within 90 day"`.

`name` is a state, a tracked parameter, a sensor or a number of `health`; the value is in its unit. Beyond `within`
nobody looks.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self, final

from ectype.errors import Invalid
from ectype.model.suggest import suggest
from ectype.units import quantity

_END = re.compile(r"\s*(\w+)\s*(>=|<=)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s+within\s+(.+?)\s*")


@final
@dataclass(frozen=True, slots=True)
class EndOfLife:
    """When `name` is first at least (or at most) `value`, looked for within `ahead_s` seconds."""

    name: str
    at_least: bool
    value: float
    ahead_s: float

    @classmethod
    def of(cls, text: str, owner: str, names: Collection[str], derived: bool) -> Self:
        """As it is written in the class `owner`, which declares `names`. derived: it has `health`, whose names are not
        known yet. Raises Invalid, with what to write.
        """
        match = _END.fullmatch(text)
        if match is None:
            raise Invalid(
                f"{owner}: end_of_life='{text}' is no end; write it like end_of_life='wear >= 0.8 within 90 day'"
            )
        if match[1] not in names and not derived:
            told = f"{owner}: end_of_life='{text}' speaks of '{match[1]}', which is not declared"
            raise Invalid(f"{told}{suggest(match[1], list(names))}")
        ahead_s = quantity(match[4], "s", f"{owner}: end_of_life='{text}', within")
        if not ahead_s > 0:
            raise Invalid(f"{owner}: end_of_life='{text}': look ahead by more than no time, like 'within 90 day'")
        return cls(match[1], match[2] == ">=", float(match[3]), ahead_s)

    @property
    def threshold(self) -> str:
        """As `ectype life --until` takes it."""
        return f"{self.name} {'>=' if self.at_least else '<='} {self.value:g}"
