"""From DTDL documents to a set of interfaces whose references all lead somewhere."""

from collections.abc import Callable, Iterable, Sequence
from typing import final

from ectype.errors import Invalid
from ectype.model.build import Builder
from ectype.model.language.finding import Finding, told_once
from ectype.model.language.structure import tell_structure
from ectype.model.language.walk import Walk, unresolved
from ectype.model.models import Models
from ectype.model.schema import JSON

__all__ = ["InvalidModel", "parse"]


@final
class InvalidModel(Invalid):
    """Documents that are not valid DTDL. `errors` holds everything; the message names the first five."""

    def __init__(self, errors: Sequence[Finding]) -> None:
        told = told_once(errors)
        more = f"; and {len(told) - 5} more" if len(told) > 5 else ""
        super().__init__("; ".join(map(str, told[:5])) + more)
        self.errors = tuple(errors)


def parse(
    documents: Iterable[JSON],
    known: Models | None = None,
    *,
    resolver: Callable[[list[str]], Iterable[JSON]] | None = None,
    undefined: bool | None = True,
) -> Models:
    """The interfaces in `documents` (each one, or a list of them) together with those already `known`.

    resolver: asked for the documents of ids that are referred to and neither given nor known.
    undefined: may contexts that nobody here knows bring terms (None: only in v2, as the reference parser does)?
    Raises InvalidModel, whose `.errors` lists everything that is wrong, also for an id that is known already.
    """
    before = (known or Models()).interfaces
    walk = Walk(undefined=undefined, newest=4, tolerant=False)
    walk.take(documents)
    given = [id_ for id_, node in walk.nodes.items() if node.kind == "Interface"]
    for id_ in given:
        if id_ in before:
            text = "exists already; give a changed model a higher version"
            walk.tell("duplicateDefinition", walk.nodes[id_], "", id_, text)
    asked: set[str] = set()
    while not walk.found and (missing := [id_ for id_ in unresolved(walk) if id_ not in asked]):
        asked.update(missing)
        walk.take([dict(before[id_].document) for id_ in missing if id_ in before])
        elsewhere = [id_ for id_ in missing if id_ not in before]
        if resolver is not None and elsewhere:
            walk.take(resolver(elsewhere))
    if all(each.tenable for each in walk.found):
        walk.found.clear()
        tell_structure(walk)
    if walk.found:
        raise InvalidModel(walk.found)
    builder = Builder(walk.nodes, before)
    for id_, node in walk.nodes.items():
        if node.kind == "Interface":
            builder.interface(id_)
    return Models(builder.made)
