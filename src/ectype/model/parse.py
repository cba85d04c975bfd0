"""From DTDL documents to a set of interfaces whose references all lead somewhere."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from ectype.errors import Invalid
from ectype.model.dtmi import is_dtmi
from ectype.model.interface import Component, Content, Interface, Words
from ectype.model.models import Models
from ectype.model.read import LANGUAGES, Language, Problem, Reader, listing
from ectype.model.schema import JSON, Schema

__all__ = ["InvalidModel", "Problem", "parse"]

_CONTEXT = re.compile(r"dtmi:dtdl:context;(\d+)(?:#\w+)?")
_QUANTITIES = "dtmi:dtdl:extension:quantitativeTypes;"


@final
class InvalidModel(Invalid):
    """Documents that are not valid DTDL. `errors` holds every problem; the message names the first five."""

    def __init__(self, errors: Sequence[Problem]) -> None:
        more = f"; and {len(errors) - 5} more" if len(errors) > 5 else ""
        super().__init__("; ".join(map(str, errors[:5])) + more)
        self.errors = tuple(errors)


@final
@dataclass(frozen=True, slots=True)
class _Document:
    """An interface as JSON, with the language its own or an enclosing context sets."""

    id: str
    language: Language
    open_terms: bool
    raw: dict[str, JSON]


@final
@dataclass(frozen=True, slots=True)
class _Draft:
    """An interface whose references have not been followed yet."""

    document: _Document
    extends: tuple[str, ...]
    own: Mapping[str, Content]
    schemas: Mapping[str, Schema]
    display_name: Words
    description: Words
    comment: str

    def needs(self) -> Iterator[tuple[str, str]]:
        """(where, id) of each interface this one cannot be without."""
        yield from (("extends", base) for base in self.extends)
        for name, content in self.own.items():
            if isinstance(content, Component) and content.schema:
                yield f"contents {name!r}", content.schema


def parse(documents: Iterable[JSON], known: Models | None = None) -> Models:
    """The interfaces in `documents` (each one, or a list of them) together with those already `known`.

    Raises InvalidModel, whose `.errors` lists everything that is wrong, also for an id that is known already.
    """
    before = (known or Models()).interfaces
    problems: list[Problem] = []
    found = _collect(documents, before, problems)
    named: dict[str, JSON | Schema] = {}
    for interface in before.values():
        named.update(interface.schemas)
    for document in found.values():
        for part in listing(document.raw.get("schemas")):
            if isinstance(part, dict) and isinstance(part.get("@id"), str):
                named[str(part["@id"])] = part
    drafts = {document.id: _draft(document, named, problems) for document in found.values()}
    made = _assemble(drafts, before, problems)
    if problems:
        raise InvalidModel(problems)
    return Models(made)


def _collect(
    documents: Iterable[JSON], before: Mapping[str, Interface], problems: list[Problem]
) -> dict[str, _Document]:
    found: dict[str, _Document] = {}

    def take(raw: JSON, where: str, outer: _Document | None) -> None:
        if not isinstance(raw, dict) or "Interface" not in listing(raw.get("@type")):
            problems.append(Problem("", where, 'a model is an object with "@type": "Interface"'))
            return
        identity = raw.get("@id")
        if not isinstance(identity, str):
            problems.append(Problem("", where, 'has no "@id"; write one like "dtmi:com:example:Turbine;1"'))
            return
        context = _language(raw, identity, outer, problems)
        if context is None:
            return
        if not is_dtmi(identity, plain=context[0].version == 2) or len(identity) > 128:
            problems.append(Problem(identity[:140], "@id", "is not an identifier like dtmi:com:example:Turbine;1"))
            return
        document = _Document(identity, *context, raw)
        if identity in before:
            problems.append(Problem(identity, "", "exists already; give a changed model a higher version"))
            return
        if identity in found:
            if outer is None or raw != found[identity].raw:
                problems.append(Problem(identity, "", "is given twice; remove one"))
            return
        found[identity] = document
        for inner in listing(raw.get("extends")):
            if isinstance(inner, dict):
                take(inner, f"{identity}: extends", document)
        for content in listing(raw.get("contents")):
            if isinstance(content, dict) and "Component" in listing(content.get("@type")):
                inner = content.get("schema")
                if isinstance(inner, dict):
                    take(inner, f"{identity}: contents", document)

    for index, given in enumerate(documents):
        for one in listing(given):
            take(one, f"document {index + 1}", None)
    return found


def _language(
    raw: Mapping[str, JSON], identity: str, outer: _Document | None, problems: list[Problem]
) -> tuple[Language, bool] | None:
    contexts = listing(raw.get("@context"))
    if not contexts and outer is not None:
        return outer.language, outer.open_terms
    versions = [match[1] for part in contexts if (match := _CONTEXT.fullmatch(str(part)))]
    if len(versions) != 1 or not contexts or versions[0] not in str(contexts[0]):
        hint = 'write "@context": "dtmi:dtdl:context;3" (further contexts after it, in a list)'
        problems.append(Problem(identity[:140], "@context", hint))
        return None
    language = LANGUAGES.get(int(versions[0]))
    if language is None:
        problems.append(Problem(identity[:140], "@context", f"DTDL v{versions[0]} is not read; use version 2 or 3"))
        return None
    return language, any(not str(part).startswith(_QUANTITIES) for part in contexts[1:])


def _draft(document: _Document, named: Mapping[str, JSON | Schema], problems: list[Problem]) -> _Draft:
    raw = document.raw
    reader = Reader(document.id, document.language, open_terms=document.open_terms, lookup=named.get, problems=problems)
    reader.interface_keys(raw)
    extends: list[str] = []
    for part in listing(raw.get("extends")):
        base = part.get("@id") if isinstance(part, dict) else part
        if isinstance(base, str) and is_dtmi(base):
            extends.append(base)
        else:
            reader.problem("extends", f"{str(base)[:140]!r} is not an identifier like dtmi:com:example:Turbine;1")
    if len(extends) > document.language.extends:
        reader.problem("extends", f"{len(extends)} interfaces are more than the {document.language.extends} allowed")
    return _Draft(
        document,
        tuple(dict.fromkeys(extends)),
        reader.contents(raw.get("contents")),
        reader.schemas(raw.get("schemas")),
        reader.words(raw.get("displayName"), "displayName", document.language.display_name),
        reader.words(raw.get("description"), "description"),
        reader.text(raw.get("comment"), "comment"),
    )


def _assemble(
    drafts: Mapping[str, _Draft], before: Mapping[str, Interface], problems: list[Problem]
) -> dict[str, Interface]:
    """Every draft after what it needs: an iterative depth-first walk, so that no chain is too long for it."""
    made = dict(before)
    open_: dict[str, Iterator[tuple[str, str]]] = {}
    failed: set[str] = set()
    for start in drafts:
        path = [start] if start not in made and start not in failed else []
        while path:
            here = path[-1]
            waiting = open_.setdefault(here, drafts[here].needs())
            where, need = next(waiting, ("", ""))
            if not need:
                path.pop()
                del open_[here]
                if here not in failed:
                    made[here] = _interface(drafts[here], made, problems)
            elif need in open_:
                circle = " -> ".join([*path[path.index(need) :], need])
                problems.append(Problem(here, where, f"leads in a circle: {circle}; break it"))
                failed.add(here)
            elif need not in made and need not in drafts:
                problems.append(Problem(here, where, f"{need!r} is neither given nor known; give that model too"))
                failed.add(here)
            elif need in failed:
                failed.add(here)
            elif need not in made:
                path.append(need)
    return made


def _interface(draft: _Draft, made: Mapping[str, Interface], problems: list[Problem]) -> Interface:
    document = draft.document
    ancestors = [document.id]
    contents: dict[str, Content] = {}
    depth_first = [made[base] for base in draft.extends if base in made]
    for base in depth_first:
        ancestors.extend(base.ancestors)
        for name, content in base.contents.items():
            if name in contents and contents[name].owner != content.owner:
                both = f"{contents[name].owner} and {content.owner}"
                problems.append(Problem(document.id, "extends", f"inherits {name!r} from {both}; drop one of them"))
            contents[name] = content
    for name, content in draft.own.items():
        if name in contents:
            text = f"is inherited from {contents[name].owner} already; rename it"
            problems.append(Problem(document.id, f"contents {name!r}", text))
        contents[name] = content
    if _depth(draft.extends, made) > document.language.extends_depth:
        problems.append(Problem(document.id, "extends", f"goes more than {document.language.extends_depth} deep"))
    return Interface(
        id=document.id,
        language=document.language.version,
        extends=draft.extends,
        own=draft.own,
        contents=contents,
        ancestors=tuple(dict.fromkeys(ancestors)),
        schemas=draft.schemas,
        display_name=draft.display_name,
        description=draft.description,
        comment=draft.comment,
        document=_alone(document),
    )


def _alone(document: _Document) -> dict[str, JSON]:
    """The document as one that stands by itself: with its context, and others inside it named by their ids."""
    raw = dict(document.raw)
    raw.setdefault("@context", f"dtmi:dtdl:context;{document.language.version}")
    if "extends" in raw:
        raw["extends"] = [part.get("@id") if isinstance(part, dict) else part for part in listing(raw["extends"])]
    if "contents" in raw:
        raw["contents"] = [_with_named_interface(part) for part in listing(raw["contents"])]
    return raw


def _with_named_interface(content: JSON) -> JSON:
    if not isinstance(content, dict) or "Component" not in listing(content.get("@type")):
        return content
    schema = content.get("schema")
    return {**content, "schema": schema["@id"]} if isinstance(schema, dict) and "@id" in schema else content


def _depth(extends: tuple[str, ...], made: Mapping[str, Interface]) -> int:
    """How many levels of interfaces stand above one that extends these."""
    level, depth = set(extends), 0
    while level:
        depth += 1
        level = {base for above in level if above in made for base in made[above].extends}
    return depth
