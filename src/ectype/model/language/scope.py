"""What the contexts around an element bring: a version of DTDL, extensions, limits."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, final

from ectype.model.dtmi import is_dtmi
from ectype.model.extensions import EXTENSIONS, LAYERING, LIMITS, Limit, Supplement, contexts_of, terms_of
from ectype.model.metamodel import VERSIONS, Version
from ectype.model.schema import JSON

_CORE = re.compile(r"dtmi:dtdl:context;(\d+)(#limitless|#limits)?")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+|urn:\S+")
CENTRAL = "dtmi:iotcentral:context;2"


class Trouble(NamedTuple):
    """A context that cannot be: id of the error, the value, what to do."""

    id: str
    value: JSON
    text: str


@final
@dataclass(frozen=True, slots=True)
class Scope:
    """open: unknown terms may come from an extension that nobody here knows."""

    version: Version
    open: bool = False
    limit: Limit = LIMITS[""]
    extensions: frozenset[str] = frozenset()

    def supplement(self, name: str) -> Supplement | None:
        """The supplemental type a term or DTMI stands for here."""
        core = f"dtmi:dtdl:context;{self.version.number}"
        for context in (core, *self.extensions):
            found = EXTENSIONS.get(context, {}).get(name)
            if found is not None:
                return found
        return None

    def terms(self) -> Iterator[frozenset[str]]:
        """The sets of terms that have a meaning here."""
        yield self.version.terms
        for context in (f"dtmi:dtdl:context;{self.version.number}", *self.extensions):
            yield terms_of(context)

    def knows(self, name: str) -> bool:
        """Does a term have a meaning here, of whatever kind?"""
        return any(name in terms for terms in self.terms())


def read(
    given: JSON, outer: Scope | None, *, undefined: bool | None, newest: int
) -> tuple[Scope | None, list[Trouble]]:
    """The scope that an @context makes inside `outer`, or the troubles with it."""
    parts = given if isinstance(given, list) else [given]
    local = [part for part in parts if isinstance(part, dict)]
    if local:
        return None, list(_local(parts, local))
    scope = outer
    fresh = False  # has a core context been read in this array?
    affiliate = ""
    limitless = False
    for index, part in enumerate(parts):
        if not isinstance(part, str):
            return None, [Trouble("invalidContext", part, "a context is the DTMI of one; write it as a text")]
        core = _CORE.fullmatch(part)
        after = str(parts[index + 1]) if index + 1 < len(parts) else ""
        if core:
            trouble = _core(part, int(core[1]), core[2] or "", after, outer, newest)
            if affiliate and not (affiliate == CENTRAL and core[1] == "2" and not fresh):
                trouble = Trouble("dtdlContextFollowsAffiliate", part, "put it before the contexts of extensions")
            if core[2] == "#limits" and not limitless:
                trouble = Trouble("disallowedContextFragment", part, "limits follow a #limitless context")
            if trouble:
                return None, [trouble]
            fresh, limitless = True, core[2] == "#limitless"
            known = (outer.extensions if outer else frozenset[str]()) | frozenset([affiliate] if affiliate else [])
            opened = outer.open if outer else False
            scope = Scope(VERSIONS[int(core[1])], opened, LIMITS[""], known)
            continue
        if scope is None and part != CENTRAL:
            id_ = "missingDtdlContext" if index == len(parts) - 1 else "dtdlContextFollowsAffiliate"
            return None, [Trouble(id_, part, "put dtmi:dtdl:context;N before the other contexts")]
        if scope is None:
            affiliate = part
            continue
        made = _affiliate(part, scope, undefined=undefined, limitless=limitless)
        if isinstance(made, list):
            return None, made
        scope, affiliate, limitless = made, part, False
    if scope is None or (outer is None and not fresh):
        return None, [Trouble("missingDtdlContext", given, 'start with "dtmi:dtdl:context;3"')]
    return scope, []


def _core(part: str, number: int, fragment: str, after: str, outer: Scope | None, newest: int) -> Trouble | None:
    if number not in VERSIONS:
        return Trouble("unrecognizedContextVersion", part, "use version 2, 3 or 4 of DTDL")
    if number > newest:
        return Trouble("disallowedContextVersion", part, f"use a version up to {newest}")
    if fragment and number < 4:
        return Trouble("disallowedContextFragment", part, "only version 4 is without limits; drop what follows #")
    if outer is not None and number > outer.version.number:
        return Trouble("unrecognizedContextVersion", part, f"is within version {outer.version.number}; use that one")
    if fragment == "#limitless" and not re.match(r"dtmi:dtdl:(limits:|context;\d+(#limits)?$)", after):
        return Trouble("missingLimitContext", part, "name the limits right after it")
    return None


def _affiliate(part: str, scope: Scope, *, undefined: bool | None, limitless: bool) -> Scope | list[Trouble]:
    if part.startswith("dtmi:dtdl:limits:"):
        if not limitless:
            return [Trouble("disallowedContextFragment", part, "limits follow a #limitless context")]
        if part in LIMITS:
            return replace(scope, limit=LIMITS[part])
    if not part.startswith("dtmi:"):
        return [Trouble("nonDtmiContextSpecifier", part, "a context is a DTMI with a version")]
    if not is_dtmi(part):
        return [Trouble("invalidContextSpecifier", part, "is no valid DTMI")]
    if ";" not in part:
        text = "add the version, as in ;1"
        return [Trouble("missingContextVersion", part, text), Trouble("invalidContextSpecifierForVersion", part, text)]
    if part in EXTENSIONS or part == LAYERING:
        return replace(scope, extensions=scope.extensions | {part})
    if undefined is True or (undefined is None and scope.version.number == 2):
        return replace(scope, open=True)
    stem = part.partition(";")[0]
    if versions := contexts_of(stem):
        text = f"that version is not known; use {' or '.join(versions)}"
        return [Trouble("unresolvableContextVersion", part, text)]
    return [Trouble("unresolvableContextSpecifier", part, "no such extension is known; remove it")]


def _local(parts: Sequence[JSON], local: Sequence[dict[str, JSON]]) -> Iterator[Trouble]:
    """Definitions of terms in the model itself: JSON-LD has them, DTDL does not."""
    yield Trouble("disallowedLocalContext", "", "DTDL has no local contexts; use the terms and DTMIs themselves")
    if any(isinstance(part, dict) for part in parts[:-1]):
        yield Trouble("localContextNotLast", "", "remove it")
    terms = frozenset[str]().union(*(version.terms for version in VERSIONS.values()), *map(terms_of, EXTENSIONS))
    for term, value in (item for part in local for item in part.items()):
        meant = value.get("@id") if isinstance(value, dict) else value
        if not term:
            yield Trouble("localTermEmpty", term, "remove it")
        elif term in ("dtmi", "http", "https", "urn"):
            yield Trouble("localTermSchemePrefix", term, "is the start of identifiers; remove it")
        elif term in terms and value is not None and term not in ("geopoint", "vector"):
            yield Trouble("localTermReserved", term, "has a meaning in DTDL; remove it")
        elif not isinstance(value, str | dict) and value is not None:
            yield Trouble("termDefinitionNotStringOrObject", term, "remove it")
        elif isinstance(value, dict) and not isinstance(meant, str):
            yield Trouble("termDefinitionIdPropertyNotString", term, "remove it")
        elif isinstance(meant, str) and meant.startswith("dtmi:"):
            if not is_dtmi(meant.rstrip(":")):
                yield Trouble("localTermDefinitionInvalidDtmi", meant, "remove it")
        elif isinstance(meant, str) and not _URI.fullmatch(meant):
            yield Trouble("localTermDefinitionInvalidUri", meant, "remove it")
