"""Names of things: twins, and the series that hang on their properties.

A series is one property of one twin seen one way:

    R80711.power                 measured (the plain name)
    R80711.power@predicted       the facet after the @: measured, estimated, predicted, desired
"""

import re
from typing import Literal, cast, get_args

from ectype.errors import Invalid

Facet = Literal["measured", "estimated", "predicted", "desired"]
FACETS: tuple[Facet, ...] = get_args(Facet)

_TWIN = re.compile(r"[A-Za-z0-9_\-:~*()!']{1,128}")
_PROPERTY = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_]{0,510}[A-Za-z0-9])?(?:\.[A-Za-z_][A-Za-z0-9_]*)*")


def check_twin_id(text: str) -> str:
    """`text`, if a twin can be called that; else Invalid."""
    if _TWIN.fullmatch(text):
        return text
    raise Invalid(
        f"{text[:140]!r} cannot name a twin: use 1 to 128 letters, digits or -_:~*()!' (no dots, spaces or slashes)"
    )


def series_id(twin: str, name: str, facet: Facet = "measured") -> str:
    """The series of `twin`'s property `name` in that facet."""
    plain = f"{check_twin_id(twin)}.{name}"
    return plain if facet == "measured" else f"{plain}@{facet}"


def split_series(series: str) -> tuple[str, str, Facet]:
    """(twin, property, facet) of a series id. Raises Invalid if it is none."""
    plain, at, facet = series.partition("@")
    twin, dot, name = plain.partition(".")
    if not dot or not _TWIN.fullmatch(twin) or not _PROPERTY.fullmatch(name):
        raise Invalid(f"{series[:200]!r} is not a series; write it like turbine-1.power or turbine-1.power@estimated")
    if at and facet not in FACETS:
        raise Invalid(f"{series[:200]!r}: '{facet}' is no facet; choose one of {', '.join(FACETS)}")
    return twin, name, cast(Facet, facet) if at else "measured"
