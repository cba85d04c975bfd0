"""Texts, numbers and flags in DTDL: written plainly, in an array of one, or as JSON-LD value objects."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ectype.model.dtmi import is_dtmi
from ectype.model.metamodel import Prop
from ectype.model.schema import JSON

_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9_]*[A-Za-z0-9])?", re.ASCII)
_TAG = re.compile(r"[a-z]{2,4}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?", re.ASCII)
_DURATION = re.compile(r"-?P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?", re.ASCII)
_XSD = "http://www.w3.org/2001/XMLSchema#"
TYPES: dict[str, type] = {"string": str, "boolean": bool, "integer": int}
_WRITTEN = {"duration": "string", "iri": "string", "id": "identifier"}
_KEYWORDS = {"@context": "Context", "@graph": "Graph", "@id": "Id", "@type": "Type"}


_KINDS = {"string": "a text", "boolean": "true or false", "integer": "a whole number", "numeric": "a number"}


class Wrong(NamedTuple):
    """Something wrong with a value: id of the error, the value, what to do."""

    id: str
    value: JSON
    text: str


def literal(raw: JSON, key: str, prop: Prop, *, lenient: bool) -> Iterator[Wrong]:
    """What is wrong with one value of a literal property. lenient: unknown keywords pass, as in v2."""
    kind = _WRITTEN.get(prop.kind, prop.kind)
    wanted = (str, int) if kind == "value" else (int, float) if kind == "numeric" else (TYPES.get(kind, str),)
    value, named = raw, ""
    if isinstance(raw, dict):
        yield from _object(raw, kind, lenient=lenient)
        if "@value" not in raw:
            return
        value, declared = raw["@value"], raw.get("@type")
        if isinstance(declared, list) and len(declared) == 1:
            declared = declared[0]
        if "@type" in raw:
            if isinstance(declared, list):
                yield Wrong("literalTypeNotSingular", declared, "name one type")
                return
            short = str(declared).removeprefix(_XSD).removeprefix("xsd:")
            if short == declared or short not in TYPES or (kind in TYPES and short != kind):
                yield Wrong(f"{kind}TypeNot{kind.title()}", declared, f"the type of this is xsd:{kind}")
                return
            named = short
    if named and type(value) is not TYPES[named]:
        yield Wrong(f"{named}ValueNot{named.title()}", value, f"must be a {named}")
        if kind == "value":
            yield Wrong("literalNotValid", value, f"must be a {named}")
    elif kind == "value" and type(value) not in wanted:
        yield Wrong("literalNotValid", value, "must be a text or a whole number")
    elif type(value) not in wanted:
        within = "Value" if isinstance(raw, dict) else ""
        yield Wrong(f"{kind}{within}Not{kind.title()}", value, f"must be {_KINDS.get(kind, kind)}")
    else:
        yield from _content(value, key, prop)


def _object(raw: dict[str, JSON], kind: str, *, lenient: bool) -> Iterator[Wrong]:
    if "@value" not in raw:
        yield Wrong(f"{kind}ObjectNoValue", raw, "write the value alone")
    for key, value in raw.items():
        if key in ("@value", "@type"):
            continue
        if key in ("@context", "@graph", "@id", "@language"):
            yield Wrong(f"valueObject{key[1:].title()}", value, f"remove {key}")
        elif not key.startswith("@"):
            yield Wrong("valueObjectInvalidProp", key, f"remove {key}")
        elif not lenient:
            yield Wrong("valueObjectKeyword", key, f"remove {key}")


def _content(value: JSON, key: str, prop: Prop) -> Iterator[Wrong]:
    """Length, form and range of a value of the right kind."""
    if isinstance(value, str):
        if prop.kind == "duration" and not _DURATION.fullmatch(value):
            yield Wrong("durationInvalid", value, "write one like PT15S")
        elif len(value) > prop.longest:
            yield Wrong("stringTooLong", value, f"{len(value)} characters are more than {prop.longest}; shorten it")
        elif key == "name" and not _NAME.fullmatch(value):
            yield Wrong("stringInvalid", value, "use letters, digits and _, a letter first")
        elif prop.pattern and not re.fullmatch(prop.pattern, value):
            yield Wrong("stringInvalid", value, "has characters that cannot be here, or none")
    elif type(value) is int and prop.kind == "integer":
        if key == "minMultiplicity" and value != 0:
            yield Wrong("valueNotExact", value, "must be 0")
        if prop.lowest is not None and value < prop.lowest:
            yield Wrong("valueBelowMin", value, f"must be {prop.lowest} or more")
            if value < 0 and key == "maxMultiplicity":
                yield Wrong("valueBelowRange", value, f"must be {prop.lowest} or more")
        if prop.highest is not None and value > prop.highest:
            yield Wrong("valueAboveRange", value, f"must be at most {prop.highest}")


def words(raw: JSON, longest: int, *, lenient: bool) -> Iterator[Wrong]:
    """What is wrong with text in several languages."""
    seen: set[str] = set()
    pairs = list(_listed(raw, lenient=lenient) if isinstance(raw, list) else _mapped(raw))
    for tag, text, wrong in pairs:
        if wrong is not None:
            yield wrong
            continue
        if not _TAG.fullmatch(tag):
            yield Wrong("langStringElementInvalidCode", tag, "write a tag like de-AT")
        elif tag in seen:
            yield Wrong("langStringElementCodeNotUnique", tag, "is given twice")
        elif len(text) > longest:
            yield Wrong("langStringValueTooLong", text, f"{len(text)} characters are more than {longest}; shorten it")
        seen.add(tag)


def _mapped(raw: JSON) -> Iterator[tuple[str, str, Wrong | None]]:
    if isinstance(raw, str):
        yield "en", raw, None
    elif not isinstance(raw, dict):
        yield "", "", Wrong("langStringValueNotString", raw, "write a text")
    elif raw and raw.keys() <= {"@value", "@language"}:
        yield "", "", Wrong("langTagValueInLangMap", raw, 'write {"en": "…"}')
    else:
        for tag, text in raw.items():
            if tag.startswith("@"):
                yield tag, "", Wrong("langMapObjKeyword", tag, f"remove {tag}")
            elif not isinstance(text, str):
                yield tag, "", Wrong("langStringValueNotString", text, "write a text")
            else:
                yield tag, text, None


def _listed(raw: list[JSON], *, lenient: bool) -> Iterator[tuple[str, str, Wrong | None]]:
    for value in raw:
        if isinstance(value, str):
            yield "en", value, None
            continue
        if not isinstance(value, dict):
            yield "", "", Wrong("langStringElementNotStringOrObject", value, "write a text, or one with its language")
            continue
        for key in value.keys() - {"@value", "@language"}:
            known = key.startswith("@")
            if known and key not in _KEYWORDS and lenient:
                continue
            id_ = _KEYWORDS.get(key, "Keyword") if known else "InvalidProp"
            yield "", "", Wrong(f"langStringElement{id_}", key, f"remove {key}")
        text, tag = value.get("@value"), value.get("@language", "en")
        if "@value" not in value:
            yield "", "", Wrong("langStringElementNoValue", value, 'write {"@language": "en", "@value": "…"}')
        elif not isinstance(text, str):
            yield "", "", Wrong("langStringElementValueNotString", text, "write a text")
        elif not isinstance(tag, str):
            yield "", "", Wrong("langStringElementCodeNotString", tag, "write a tag like de-AT")
            yield "", "", Wrong("langStringElementInvalidCode", tag, "write a tag like de-AT")
        else:
            yield tag, text, None


def identifier(raw: JSON, *, plain: bool) -> Iterator[Wrong]:
    """What is wrong with the identifier of something that need not be defined."""
    if isinstance(raw, dict) and raw.keys() == {"@id"}:
        raw = raw["@id"]
    if not isinstance(raw, str):
        yield Wrong("identifierNotString", raw, "write the DTMI of an interface")
    elif not is_dtmi(raw, plain=plain):
        yield Wrong("identifierNotDtmi", raw, "write the DTMI of an interface")


def null(key: str, prop: Prop, tell: Callable[[str, JSON, str], None]) -> None:
    """A property whose value is null."""
    tell("propertyValueNull", "null", "leave it out, or give a value")
    if prop.kind in TYPES:
        tell(f"{prop.kind}Not{prop.kind.title()}", None, f"must be a {prop.kind}")
        if prop.least:
            tell("missingLiteralProperty", None, f"give it {key}")
