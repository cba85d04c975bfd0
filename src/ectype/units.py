"""Units as text: `unit("cm^0.5/s")` has a size in SI and a dimension, so mistakes show when a class is made.

Small on purpose: multiplication, division, powers, and the table below. Offsets (degC) are only
allowed for a unit that stands alone. Kernels see numbers in the author's own units, never converted.
"""

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import final

from ectype.errors import Invalid

BASES = ("m", "kg", "s", "A", "K", "mol", "EUR")
Dimension = tuple[float, ...]


def _d(**powers: float) -> Dimension:
    return tuple(powers.get(base, 0.0) for base in BASES)


_NONE = _d()
_TABLE: dict[str, tuple[float, Dimension]] = {
    "1": (1.0, _NONE),
    "%": (0.01, _NONE),
    "rad": (1.0, _NONE),
    "deg": (math.pi / 180.0, _NONE),
    "m": (1.0, _d(m=1)),
    "g": (1e-3, _d(kg=1)),
    "t": (1e3, _d(kg=1)),
    "s": (1.0, _d(s=1)),
    "min": (60.0, _d(s=1)),
    "h": (3600.0, _d(s=1)),
    "day": (86400.0, _d(s=1)),
    "A": (1.0, _d(A=1)),
    "K": (1.0, _d(K=1)),
    "degC": (1.0, _d(K=1)),
    "mol": (1.0, _d(mol=1)),
    "EUR": (1.0, _d(EUR=1)),
    "Hz": (1.0, _d(s=-1)),
    "rpm": (2 * math.pi / 60.0, _d(s=-1)),
    "N": (1.0, _d(kg=1, m=1, s=-2)),
    "Pa": (1.0, _d(kg=1, m=-1, s=-2)),
    "bar": (1e5, _d(kg=1, m=-1, s=-2)),
    "J": (1.0, _d(kg=1, m=2, s=-2)),
    "Wh": (3600.0, _d(kg=1, m=2, s=-2)),
    "W": (1.0, _d(kg=1, m=2, s=-3)),
    "V": (1.0, _d(kg=1, m=2, s=-3, A=-1)),
    "Ohm": (1.0, _d(kg=1, m=2, s=-3, A=-2)),
    "L": (1e-3, _d(m=3)),
    "l": (1e-3, _d(m=3)),
}
_PREFIXES = {"k": 1e3, "M": 1e6, "G": 1e9, "c": 1e-2, "d": 1e-1, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_WITHOUT_PREFIX = {"1", "%", "deg", "min", "h", "day", "degC", "rpm", "t", "EUR", "l"}
_TOKEN = re.compile(r"\s*(sqrt|[A-Za-z]+|%|1|\^|\*|/|\(|\)|[-+]?\d+(?:\.\d+)?)")
_QUANTITY = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*")


@final
@dataclass(frozen=True, slots=True)
class Unit:
    """What one of it is in SI (`scale`), and its dimension as powers of m, kg, s, A, K, mol, EUR."""

    text: str
    scale: float
    dimension: Dimension

    def per(self, scale_to: "Unit", what: str) -> float:
        """The factor from this unit to `scale_to`. Raises Invalid, naming `what`, if the dimensions differ."""
        if any(abs(a - b) > 1e-9 for a, b in zip(self.dimension, scale_to.dimension, strict=True)):
            raise Invalid(f"{what}: '{self.text}' does not measure the same as '{scale_to.text}'")
        return self.scale / scale_to.scale


@lru_cache(maxsize=1024)
def unit(text: str) -> Unit:
    """The unit written as `kW`, `m/s`, `cm^0.5/s`, `deg/sqrt(day)`, `cm/(V*s)`, `1`. Raises Invalid otherwise."""
    parser = _Parser(text)
    scale, dimension = parser.product()
    if parser.next is not None:
        raise Invalid(f"unit '{text}': cannot read from '{parser.next}' on")
    return Unit(text, scale, dimension)


def quantity(text: str, like: str, what: str) -> float:
    """The number in `text` (`0.03 cm/sqrt(s)`) in units of `like`. Raises Invalid, naming `what`."""
    match = _QUANTITY.fullmatch(text)
    if match is None or not match[2]:
        raise Invalid(f"{what}: '{text}' is no quantity; write a number and a unit, like '0.1 {like}'")
    return float(match[1]) * unit(match[2]).per(unit(like), what)


@final
class _Parser:
    """Recursive descent over product := power (('*'|'/') power)*, power := atom ('^' number)?"""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = []
        at = 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            if match is None:
                raise Invalid(f"unit '{text}': cannot read '{text[at:]}'")
            self.tokens.append(match[1])
            at = match.end()
        if not self.tokens:
            raise Invalid("a unit must not be empty; write '1' for a plain number")

    @property
    def next(self) -> str | None:
        return self.tokens[0] if self.tokens else None

    def take(self, expected: str | None = None) -> str:
        if not self.tokens or (expected is not None and self.tokens[0] != expected):
            raise Invalid(f"unit '{self.text}': expected {expected or 'a unit'} at '{' '.join(self.tokens)}'")
        return self.tokens.pop(0)

    def product(self) -> tuple[float, Dimension]:
        scale, dimension = self.power()
        while self.next in ("*", "/"):
            sign = 1.0 if self.take() == "*" else -1.0
            other, more = self.power()
            scale *= other**sign
            dimension = tuple(a + sign * b for a, b in zip(dimension, more, strict=True))
        return scale, dimension

    def power(self) -> tuple[float, Dimension]:
        scale, dimension = self.atom()
        if self.next == "^":
            self.take()
            try:
                exponent = float(self.take())
            except ValueError as error:
                raise Invalid(f"unit '{self.text}': after ^ comes a number") from error
            return scale**exponent, tuple(a * exponent for a in dimension)
        return scale, dimension

    def atom(self) -> tuple[float, Dimension]:
        word = self.take()
        if word in ("(", "sqrt"):
            if word == "sqrt":
                self.take("(")
            scale, dimension = self.product()
            self.take(")")
            return (scale**0.5, tuple(a / 2 for a in dimension)) if word == "sqrt" else (scale, dimension)
        if word in _TABLE:
            return _TABLE[word]
        prefix, rest = word[:1], word[1:]
        if prefix in _PREFIXES and rest in _TABLE and rest not in _WITHOUT_PREFIX:
            scale, dimension = _TABLE[rest]
            return scale * _PREFIXES[prefix], dimension
        if word == "kg":
            return 1.0, _d(kg=1)
        raise Invalid(f"unit '{self.text}': '{word}' is not a unit known here ({', '.join(sorted(_TABLE))})")


_WORDS = """
metre=m centimetre=cm millimetre=mm micrometre=um nanometre=nm kilometre=km second=s minute=min
hour=h day=day gram=g kilogram=kg tonne=t litre=L cubicMetre=m^3 cubicCentimetre=cm^3
squareMetre=m^2 squareCentimetre=cm^2 newton=N pascal=Pa kilopascal=kPa bar=bar millibar=mbar
joule=J kilojoule=kJ kilowattHour=kWh watt=W milliwatt=mW kilowatt=kW megawatt=MW volt=V
millivolt=mV kilovolt=kV ampere=A milliampere=mA ohm=Ohm hertz=Hz kelvin=K degreeCelsius=degC
radian=rad degreeOfArc=deg unity=1 percent=%
"""
_DTDL = {name: text for name, _, text in (pair.partition("=") for pair in _WORDS.split())}


def from_dtdl(name: str) -> str | None:
    """What DTDL calls `metrePerSecond`, as `unit` reads it: `m/s`. None for a name that has no counterpart here."""
    parts = [_DTDL.get(word[:1].lower() + word[1:]) for word in name.split("Per")]
    if any(part is None for part in parts):
        return None
    text = "/".join(f"({part})" if part and "/" in part else str(part) for part in parts)
    try:
        unit(text)
    except Invalid:
        return None
    return text
