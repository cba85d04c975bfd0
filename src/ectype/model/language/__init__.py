"""Is a text DTDL? Everything that keeps it from being so, each with its place and what to do."""

from collections.abc import Callable, Sequence

from ectype.model.language.finding import Finding, told_once
from ectype.model.language.layers import tell_layers
from ectype.model.language.structure import tell_structure
from ectype.model.language.walk import Walk, unresolved
from ectype.model.language.where import located

__all__ = ["Finding", "check", "located", "told_once"]


def check(
    texts: Sequence[str],
    *,
    undefined: bool | None = None,
    resolver: Callable[[list[str]], Sequence[str]] | None = None,
    newest: int = 4,
    tolerant: bool = False,
) -> list[Finding]:
    """Everything that keeps these JSON texts, together, from being DTDL.

    undefined: may unknown contexts bring unknown terms (None: only in v2, as the reference parser does).
    resolver: asked for the texts that define ids which are referred to and not in `texts`.
    newest: the latest version of DTDL to take. tolerant: pass ids in reserved places, and references in objects.
    """
    walk = Walk(undefined=undefined, newest=newest, tolerant=tolerant)
    walk.read(texts)
    asked: set[str] = set()
    while resolver is not None and not walk.found:
        missing = [id_ for id_ in unresolved(walk) if id_ not in asked]
        if not missing:
            break
        asked.update(missing)
        walk.read(resolver(missing))
    tell_layers(walk)
    if all(each.tenable for each in walk.found):
        walk.found.clear()
        tell_structure(walk)
    return walk.found
