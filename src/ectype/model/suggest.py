"""What a wrong name was probably meant to be."""

from collections.abc import Mapping
from difflib import get_close_matches


def suggest(wrong: str, names: Mapping[str, object] | list[str]) -> str:
    """`; did you mean 'x'?` if one of `names` is close to `wrong`, else what there is."""
    close = get_close_matches(wrong[:140], list(names)[:2000], n=1, cutoff=0.7)
    if close:
        return f"; did you mean {close[0]!r}?"
    listed = ", ".join(sorted(names)[:12])
    return f"; there is {listed}{', …' if len(names) > 12 else ''}" if listed else "; there is none yet"
