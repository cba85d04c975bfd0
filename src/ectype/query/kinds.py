"""Which models are of a kind: IS_OF_MODEL follows what models extend, and higher versions."""

import re
from collections.abc import Iterator

from ectype.model.models import Models

_VERSIONED = re.compile(r"(dtmi:[^;]+);([0-9]+)(?:\.([0-9]+))?", re.ASCII)


def conforming(models: Models, dtmi: str) -> frozenset[str]:
    """The models that are `dtmi` or a higher version of it, and all that extend one of those."""
    bases = set(_versions(models, dtmi))
    return frozenset(each.id for each in models if not bases.isdisjoint(each.ancestors))


def _versions(models: Models, dtmi: str) -> Iterator[str]:
    yield dtmi
    wanted = _VERSIONED.fullmatch(dtmi)
    if wanted is None:
        return
    least = (int(wanted[2]), int(wanted[3] or 0))
    for each in models:
        found = _VERSIONED.fullmatch(each.id)
        if found is not None and found[1] == wanted[1] and (int(found[2]), int(found[3] or 0)) >= least:
            yield each.id
