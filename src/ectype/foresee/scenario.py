"""What-if: the same twin, at the same instant, with the same luck, and something changed.

`pump = 8`, `pump += 1`, `pump *= 0.9`, `valve = open`; of an input also from when: `pump = 8 from 10 min`.
A parameter (`outlet *= 1.1`) is changed on every draw of its posterior, a state (`h -= 2`) at the beginning. Nothing of
the twin itself is touched: a scenario is a branch that is drawn and thrown away.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self, final

import numpy as np

from ectype.errors import Invalid
from ectype.estimate.behaviour import Mode
from ectype.foresee.fan import Fan, Start, draw
from ectype.units import quantity
from ectype.values.block import Float64s

_CHANGE = re.compile(r"\s*(\w+)\s*([-+*]?=)\s*([^\s,]+)(?:\s+from\s+(.+?))?\s*")


@final
@dataclass(frozen=True, slots=True)
class Change:
    """One name, what is done to it, with what, and from when (seconds; inputs alone)."""

    name: str
    how: str
    value: str
    from_s: float

    @classmethod
    def of(cls, text: str) -> Self:
        """As it is written. Raises Invalid, with an example."""
        match = _CHANGE.fullmatch(text)
        if match is None:
            raise Invalid(f"'{text}' changes nothing; write 'pump = 8', 'outlet *= 1.1' or 'pump += 1 from 10 min'")
        from_s = 0.0 if match[4] is None else quantity(match[4], "s", f"'{text}' from")
        return cls(match[1], match[2], match[3], from_s)

    def applied(self, start: Start) -> Start:
        """The start with it. Raises Invalid for a name or a value that the behaviour has not."""
        layout = start.followed.graph.layout
        inputs = [u.name for u in layout.inputs]
        if self.name in inputs:
            row = inputs.index(self.name)
            first = max(0, int(np.ceil(self.from_s / start.every_s - 1e-9)))
            changed = start.inputs.copy()
            declared = layout.inputs[row]
            changed[first:, row] = self._on(changed[first:, row], declared if isinstance(declared, Mode) else None)
            return replace(start, inputs=changed)
        rows = {p.name: i for i, p in enumerate(layout.constants)}
        states = {name: i for i, name in enumerate(layout.belief_names)}
        if self.name not in rows and self.name not in states:
            raise Invalid(
                f"nothing to change is called '{self.name}'; there are: {', '.join([*inputs, *states, *rows])}"
            )
        if self.from_s:
            raise Invalid(f"'{self.name}' is no input: it is changed from the beginning on, without 'from'")
        if self.name in rows:
            constants = start.constants.copy()
            constants[rows[self.name]] = self._on(constants[rows[self.name]], None)
            return replace(start, constants=constants)
        begin = start.first.copy()
        begin[states[self.name]] = self._on(begin[states[self.name]], None)
        return replace(start, first=begin)

    def _on(self, before: Float64s, mode: Mode | None) -> Float64s:
        if mode is not None:
            if self.how != "=" or self.value not in mode.names:
                raise Invalid(f"'{self.name}' is a mode; write {self.name} = one of {', '.join(mode.names)}")
            return np.full_like(before, float(mode.names.index(self.value)))
        try:
            value = float(self.value)
        except ValueError as error:
            raise Invalid(f"'{self.value}' is no number; write {self.name} {self.how} NUMBER") from error
        ways = {"=": np.full_like(before, value), "+=": before + value, "-=": before - value, "*=": before * value}
        return ways[self.how]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """A fan with some changes, beside the one without."""

    text: str
    start: Start
    fan: Fan
    without: Fan

    def effect(self, name: str, levels: tuple[float, ...] = (0.05, 0.5, 0.95)) -> Float64s:
        """[levels, steps]: quantiles of the difference that the changes make, draw by draw."""
        return np.quantile(self.fan.of(name) - self.without.of(name), levels, axis=1)


def scenarios(start: Start, texts: Sequence[str]) -> tuple[Fan, tuple[Scenario, ...]]:
    """The fan as things are, and one for each text (changes apart by commas)."""
    without = draw(start)
    out: list[Scenario] = []
    for text in texts:
        changed = start
        for part in text.split(","):
            changed = Change.of(part).applied(changed)
        out.append(Scenario(text, changed, draw(changed), without))
    return without, tuple(out)
