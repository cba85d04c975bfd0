"""Reads one DTDL document into elements; what it cannot read it reports and goes on.

References to other interfaces are kept as ids: `parse` follows them.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, final

from ectype.model.dtmi import is_dtmi
from ectype.model.interface import Command, Component, Content, Property, Relationship, Telemetry, Words
from ectype.model.models import suggest
from ectype.model.schema import GEOSPATIAL, JSON, PRIMITIVES, Array, Enum, Field, Map, Object, Primitive, Schema


@final
@dataclass(frozen=True, slots=True)
class Language:
    """The limits of one version of DTDL."""

    version: int
    name: int
    display_name: int
    contents: int
    extends: int
    extends_depth: int
    schema_depth: int
    array_properties: bool


LANGUAGES = {
    2: Language(2, 64, 64, 300, 2, 10, 5, array_properties=False),
    3: Language(3, 512, 512, 100_000, 1024, 10, 8, array_properties=True),
}


@final
@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a document: the interface, the place in it, and a clause with the way out."""

    element: str
    property: str
    text: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.element, self.property, self.text) if part)


Lookup: TypeAlias = Callable[[str], JSON | Schema]
"""What a schema's id stands for: its JSON, the schema itself, or None if nobody declares it."""

_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9_]*[A-Za-z0-9])?", re.ASCII)
_STANDARD = re.compile(r"dtmi:(?:dtdl:instance:Schema|standard:schema:geospatial):([A-Za-z]+);[2-4]")
_CLASS = re.compile(r"dtmi:dtdl:class:([A-Za-z]+);[2-4]")
_COMMON = frozenset({"@id", "@type", "name", "displayName", "description", "comment"})
_KEYS = {
    "Property": _COMMON | {"schema", "unit", "writable"},
    "Telemetry": _COMMON | {"schema", "unit"},
    "Relationship": _COMMON | {"target", "minMultiplicity", "maxMultiplicity", "properties", "writable"},
    "Component": _COMMON | {"schema"},
    "Command": _COMMON | {"request", "response", "commandType"},
    "Interface": (_COMMON - {"name"}) | {"@context", "contents", "extends", "schemas"},
    "Enum": (_COMMON - {"name"}) | {"valueSchema", "enumValues"},
    "Object": (_COMMON - {"name"}) | {"fields"},
    "Map": (_COMMON - {"name"}) | {"mapKey", "mapValue"},
    "Array": (_COMMON - {"name"}) | {"elementSchema"},
}
_TEXT = 512
_NAMED = _COMMON | {"schema"}
_KINDS = ("Property", "Telemetry", "Relationship", "Component", "Command")
_COMPLEX = ("Array", "Enum", "Map", "Object")
_UNREAD = Primitive("string")  # stands in for a schema that has a problem, so that reading can go on


@final
class Reader:
    """Reads the document of one interface. `open_terms`: an unread extension may add terms of its own."""

    def __init__(self, owner: str, language: Language, *, open_terms: bool, lookup: Lookup, problems: list[Problem]):
        self.owner = owner
        self.language = language
        self._open = open_terms
        self._lookup = lookup
        self._problems = problems

    def problem(self, where: str, text: str) -> None:
        """Note what is wrong at `where` in this document."""
        self._problems.append(Problem(self.owner, where, text))

    def known_keys(self, element: Mapping[str, JSON], keys: frozenset[str], where: str) -> None:
        """Report keys that the language does not have there."""
        if not self._open:
            for key in element.keys() - keys:
                self.problem(where, f"there is no {key[:80]!r} here{suggest(key, sorted(keys))}")

    def interface_keys(self, document: Mapping[str, JSON]) -> None:
        """Report keys that an interface cannot have."""
        self.known_keys(document, _KEYS["Interface"], "")

    def contents(self, raw: JSON) -> dict[str, Content]:
        """The declared contents by name."""
        found: dict[str, Content] = {}
        listed = listing(raw)
        if len(listed) > self.language.contents:
            self.problem("contents", f"{len(listed)} elements are more than the {self.language.contents} allowed")
            return found
        for index, part in enumerate(listed):
            content = self._content(part, index)
            if content is not None and content.name in found:
                self.problem(f"contents {content.name!r}", "is declared twice; rename one")
            elif content is not None:
                found[content.name] = content
        return found

    def schemas(self, raw: JSON) -> dict[str, Schema]:
        """The schemas an interface declares for use by their ids."""
        found: dict[str, Schema] = {}
        for part in listing(raw):
            if not isinstance(part, dict) or not isinstance(part.get("@id"), str):
                self.problem("schemas", 'each one is an object with an "@id"')
            else:
                found[str(part["@id"])] = self.schema(part, f"schemas {part['@id']!r}")
        return found

    def words(self, raw: JSON, where: str, limit: int = _TEXT) -> Words:
        """Text for people: one text (English), or texts by language."""
        if raw is None:
            return {}
        words = {"en": raw} if isinstance(raw, str) else raw
        if not isinstance(words, dict) or not all(isinstance(text, str) for text in words.values()):
            self.problem(where, 'must be a text, or texts by language like {"en": "Speed"}')
            return {}
        for text in words.values():
            if len(str(text)) > limit:
                self.problem(where, f"{len(str(text))} characters are more than {limit}; shorten it")
        return {tag: str(text) for tag, text in words.items()}

    def text(self, raw: JSON, where: str) -> str:
        """A plain text or nothing."""
        if raw is not None and not isinstance(raw, str):
            self.problem(where, "must be a text")
        elif raw is not None and len(raw) > _TEXT:
            self.problem(where, f"{len(raw)} characters are more than {_TEXT}; shorten it")
        return raw if isinstance(raw, str) else ""

    def schema(self, raw: JSON, where: str, depth: int = 1) -> Schema:
        """A schema given by short name, by id or in place."""
        if isinstance(raw, str):
            return self._schema_of(raw, where, depth)
        if not isinstance(raw, dict):
            self.problem(where, f"needs a schema; write one of {', '.join(PRIMITIVES)}")
            return _UNREAD
        if depth > self.language.schema_depth:
            self.problem(where, f"schemas nest more than {self.language.schema_depth} deep; make it flatter")
            return _UNREAD
        kind, _ = self._kind(raw, _COMPLEX, where)
        if kind is None:
            return _UNREAD
        self._identity(raw, where)
        self.known_keys(raw, _KEYS[kind], where)
        match kind:
            case "Enum":
                return self._enum(raw, where)
            case "Array":
                return Array(self.schema(raw.get("elementSchema"), f"{where} elementSchema", depth + 1))
            case "Map":
                key = self._field(raw.get("mapKey"), f"{where} mapKey", depth + 1)
                if key.schema != Primitive("string"):
                    self.problem(where, 'the schema of "mapKey" must be "string"')
                return Map(key.name, self._field(raw.get("mapValue"), f"{where} mapValue", depth + 1))
            case _:
                fields = [self._field(part, f"{where} fields", depth + 1) for part in listing(raw.get("fields"))]
                if len({field.name for field in fields}) < len(fields):
                    self.problem(where, "two fields have the same name; rename one")
                return Object(tuple(fields))

    def _schema_of(self, name: str, where: str, depth: int) -> Schema:
        standard = _STANDARD.fullmatch(name)
        short = standard[1] if standard else name
        if short in PRIMITIVES or short in GEOSPATIAL:
            return Primitive(short)
        found = self._lookup(name)
        if isinstance(found, dict | str | list):
            return self.schema(found, where, depth)
        if isinstance(found, Primitive | Enum | Object | Map | Array):
            return found
        what = 'is declared nowhere; add it to the interface\'s "schemas"' if is_dtmi(name) else "is no schema"
        self.problem(where, f"{name[:140]!r} {what}{'' if is_dtmi(name) else suggest(name, list(PRIMITIVES))}")
        return _UNREAD

    def _enum(self, raw: dict[str, JSON], where: str) -> Schema:
        wanted = raw.get("valueSchema")
        if wanted not in ("integer", "string"):
            self.problem(where, 'an Enum needs a "valueSchema": "integer" or "string"')
            return _UNREAD
        values: dict[str, int | str] = {}
        for part in listing(raw.get("enumValues")):
            if not isinstance(part, dict):
                self.problem(where, 'each of "enumValues" is an object with "name" and "enumValue"')
                continue
            self.known_keys(part, _COMMON | {"enumValue"}, f"{where} enumValues")
            name = self._name(part, f"{where} enumValues")
            value = part.get("enumValue")
            if isinstance(value, bool) or not isinstance(value, int if wanted == "integer" else str):
                self.problem(where, f'the "enumValue" of {name!r} must be of the schema {wanted}')
            elif name in values or value in values.values():
                self.problem(where, f"the name or value of {name!r} is used twice; change one")
            else:
                values[name] = value
        return Enum("integer" if wanted == "integer" else "string", values)

    def _field(self, raw: JSON, where: str, depth: int) -> Field:
        if not isinstance(raw, dict):
            self.problem(where, 'must be an object with "name" and "schema"')
            return Field("", _UNREAD)
        self.known_keys(raw, _NAMED, where)
        self._identity(raw, where)
        name = self._name(raw, where)
        return Field(name, self.schema(raw.get("schema"), f"{where} {name!r}", depth))

    def _payload(self, raw: JSON, where: str) -> Field | None:
        return None if raw is None else self._field(raw, where, 1)

    def _name(self, raw: Mapping[str, JSON], where: str) -> str:
        name = raw.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > self.language.name:
            shown = "has no name" if name is None else f"{str(name)[:80]!r} is no name"
            self.problem(where, f"{shown}; use up to {self.language.name} letters, digits and _, a letter first")
            return ""
        return name

    def _identity(self, raw: Mapping[str, JSON], where: str) -> str | None:
        found = raw.get("@id")
        if found is not None and (not isinstance(found, str) or not is_dtmi(found)):
            self.problem(where, f"'@id' {str(found)[:140]!r} is not an identifier like dtmi:com:example:Turbine;1")
        return found if isinstance(found, str) else None

    def _kind(self, raw: Mapping[str, JSON], kinds: tuple[str, ...], where: str) -> tuple[str | None, tuple[str, ...]]:
        """Which of `kinds` this element is, and its other, semantic types."""
        types = [str(part) for part in listing(raw.get("@type"))]
        short = [match[1] if (match := _CLASS.fullmatch(part)) else part for part in types]
        found = [part for part in short if part in kinds]
        if len(found) != 1:
            self.problem(where, f'its "@type" must name one of {", ".join(kinds)}')
            return None, ()
        return found[0], tuple(part for part in short if part not in kinds)

    def _flag(self, raw: JSON, where: str) -> bool:
        if raw is not None and not isinstance(raw, bool):
            self.problem(where, "must be true or false")
        return raw is True

    def _count(self, raw: JSON, where: str) -> int | None:
        if raw is not None and (isinstance(raw, bool) or not isinstance(raw, int) or raw < 0):
            self.problem(where, "must be a whole number, 0 or more")
            return None
        return raw if isinstance(raw, int) else None

    def _content(self, raw: JSON, index: int) -> Content | None:
        where = f"contents[{index}]"
        if not isinstance(raw, dict):
            self.problem(where, "must be an object")
            return None
        kind, types = self._kind(raw, _KINDS, where)
        if kind is None:
            return None
        name = self._name(raw, where)
        if not name:
            return None
        return self._element(kind, name, types, raw, f"contents {name!r}")

    def _element(self, kind: str, name: str, types: tuple[str, ...], raw: dict[str, JSON], where: str) -> Content:
        self.known_keys(raw, _KEYS[kind], where)
        identity = self._identity(raw, where)
        display = self.words(raw.get("displayName"), f"{where} displayName", self.language.display_name)
        description = self.words(raw.get("description"), f"{where} description")
        comment = self.text(raw.get("comment"), f"{where} comment")
        unit = self.text(raw.get("unit"), f"{where} unit") or None
        match kind:
            case "Property":
                return Property(
                    name=name, owner=self.owner, id=identity, types=types, display_name=display,
                    description=description, comment=comment, unit=unit,
                    schema=self._property_schema(raw.get("schema"), where),
                    writable=self._flag(raw.get("writable"), f"{where} writable"),
                )  # fmt: skip
            case "Telemetry":
                return Telemetry(
                    name=name, owner=self.owner, id=identity, types=types, display_name=display,
                    description=description, comment=comment, unit=unit,
                    schema=self.schema(raw.get("schema"), where),
                )  # fmt: skip
            case "Relationship":
                return Relationship(
                    name=name, owner=self.owner, id=identity, types=types, display_name=display,
                    description=description, comment=comment,
                    target=self._reference(raw.get("target"), f"{where} target"),
                    properties=self._edge_properties(raw.get("properties"), where),
                    writable=self._flag(raw.get("writable"), f"{where} writable"),
                    min_multiplicity=self._count(raw.get("minMultiplicity"), f"{where} minMultiplicity"),
                    max_multiplicity=self._count(raw.get("maxMultiplicity"), f"{where} maxMultiplicity"),
                )  # fmt: skip
            case "Component":
                part = raw.get("schema")
                inline = part.get("@id") if isinstance(part, dict) else part
                schema = self._reference(inline, f"{where} schema")
                if schema is None:
                    self.problem(where, "a component's schema is the id of an interface")
                return Component(
                    name=name, owner=self.owner, id=identity, types=types, display_name=display,
                    description=description, comment=comment, schema=schema or "",
                )  # fmt: skip
            case _:
                return Command(
                    name=name, owner=self.owner, id=identity, types=types, display_name=display,
                    description=description, comment=comment,
                    request=self._payload(raw.get("request"), f"{where} request"),
                    response=self._payload(raw.get("response"), f"{where} response"),
                )  # fmt: skip

    def _property_schema(self, raw: JSON, where: str) -> Schema:
        schema = self.schema(raw, where)
        if not self.language.array_properties and holds_array(schema):
            self.problem(where, "DTDL v2 has no arrays in properties; use version 3, or a Map")
        return schema

    def _edge_properties(self, raw: JSON, where: str) -> dict[str, Property]:
        found: dict[str, Property] = {}
        for index, part in enumerate(listing(raw)):
            place = f"{where} properties[{index}]"
            kind, types = self._kind(part, ("Property",), place) if isinstance(part, dict) else (None, ())
            name = self._name(part, place) if isinstance(part, dict) and kind else ""
            if not isinstance(part, dict) or not name:
                self.problem(place, "must be a Property with a name")
            elif name in found:
                self.problem(place, f"{name!r} is declared twice; rename one")
            else:
                element = self._element("Property", name, types, part, place)
                if isinstance(element, Property):
                    found[name] = element
        return found

    def _reference(self, raw: JSON, where: str) -> str | None:
        if raw is None:
            return None
        if isinstance(raw, str) and is_dtmi(raw):
            return raw
        self.problem(where, f"{str(raw)[:140]!r} is not an identifier like dtmi:com:example:Turbine;1")
        return None


def listing(raw: JSON) -> list[JSON]:
    """JSON-LD's reading of a value: nothing, one, or a list of them."""
    if raw is None:
        return []
    return raw if isinstance(raw, list) else [raw]


def holds_array(schema: Schema) -> bool:
    """Is there an Array anywhere in `schema`?"""
    match schema:
        case Array():
            return True
        case Object(fields):
            return any(holds_array(field.schema) for field in fields)
        case Map(_, value):
            return holds_array(value.schema)
        case _:
            return False
