"""From elements that have been read and checked to interfaces."""

from collections.abc import Mapping
from typing import TypedDict, final

from ectype.model.extensions import LATER_UNITS, unit_of
from ectype.model.interface import Command, Component, Content, Interface, Property, Relationship, Telemetry, Words
from ectype.model.language.node import Node, plain
from ectype.model.schema import (
    GEOSPATIAL,
    JSON,
    PRIMITIVES,
    Array,
    Enum,
    Field,
    Map,
    Object,
    Primitive,
    Recursive,
    Schema,
)

_DOUBLE = Primitive("double")
_CENTRAL = {
    "geopoint": Object(tuple(Field(name, _DOUBLE) for name in ("lat", "lon", "alt"))),
    "vector": Object(tuple(Field(name, _DOUBLE) for name in "xyz")),
}


class _Named(TypedDict):
    name: str
    owner: str
    id: str | None
    types: tuple[str, ...]
    display_name: Words
    description: Words
    comment: str


@final
class Builder:
    """Makes interfaces of nodes, each once. known: interfaces that are there already."""

    def __init__(self, nodes: Mapping[str, Node], known: Mapping[str, Interface]) -> None:
        self._nodes = nodes
        self.made: dict[str, Interface] = dict(known)
        self._schemas: dict[str, Schema] = {}
        self._open: dict[str, Recursive] = {}

    def interface(self, id_: str) -> Interface:
        """The interface of that id, made after those it extends and those of its components."""
        if id_ in self.made:
            return self.made[id_]
        node = self._nodes[id_]
        bases = [self.interface(base) for base in dict.fromkeys(self._linked(node, "extends"))]
        own = {inner.name: self._content(inner, id_) for inner in self._inner(node, "contents")}
        for content in own.values():
            if isinstance(content, Component):
                self.interface(content.schema)
        contents = {name: content for base in bases for name, content in base.contents.items()} | own
        made = Interface(
            id=id_,
            language=node.scope.version.number,
            extends=tuple(base.id for base in bases),
            own=own,
            contents=contents,
            ancestors=tuple(dict.fromkeys([id_, *(each for base in bases for each in base.ancestors)])),
            schemas={each: self._schema_of(each) for each in self._linked(node, "schemas")},
            display_name=_words(node.given.get("displayName")),
            description=_words(node.given.get("description")),
            comment=_text(node.given.get("comment")) or "",
            document=_alone(node),
        )
        self.made[id_] = made
        return made

    def _linked(self, node: Node, key: str) -> list[str]:
        return [made for via, made in node.links if via == key]

    def _inner(self, node: Node, key: str) -> list[Node]:
        return [self._nodes[each] for each in self._linked(node, key)]

    def _content(self, node: Node, owner: str) -> Content:
        given = node.given
        identity = node.raw.get("@id")
        types = (*(each.name for each in node.types), *node.strange)
        unit = _text(given.get("unit"))
        named: _Named = {
            "name": node.name,
            "owner": owner,
            "id": identity if isinstance(identity, str) else None,
            "types": types,
            "display_name": _words(given.get("displayName")),
            "description": _words(given.get("description")),
            "comment": _text(given.get("comment")) or "",
        }
        unit = unit_of(unit, node.scope.version.number) if unit else None
        match node.kind:
            case "Property":
                writable = plain(given.get("writable")) is True
                return Property(**named, unit=unit, schema=self._schema(node, "schema"), writable=writable)
            case "Telemetry":
                return Telemetry(**named, unit=unit, schema=self._schema(node, "schema"))
            case "Relationship":
                properties = [self._content(inner, owner) for inner in self._inner(node, "properties")]
                target = plain(given.get("target"))
                target = target.get("@id") if isinstance(target, dict) else target
                return Relationship(
                    **named,
                    target=_text(target),
                    properties={each.name: each for each in properties if isinstance(each, Property)},
                    writable=plain(given.get("writable")) is True,
                    min_multiplicity=_count(given.get("minMultiplicity")),
                    max_multiplicity=_count(given.get("maxMultiplicity")),
                )
            case "Component":
                return Component(**named, schema=self._linked(node, "schema")[0])
            case _:
                return Command(
                    **named, request=self._payload(node, "request"), response=self._payload(node, "response")
                )

    def _payload(self, node: Node, key: str) -> Field | None:
        inner = self._inner(node, key)
        return self._field(inner[0]) if inner else None

    def _field(self, node: Node) -> Field:
        return Field(node.name, self._schema(node, "schema"))

    def _schema(self, node: Node, key: str) -> Schema:
        linked = self._linked(node, key)
        if linked:
            return self._schema_of(linked[0])
        name = _text(node.given.get(key)) or ""
        short = name.rpartition(":")[2].partition(";")[0]
        if short in PRIMITIVES or short in GEOSPATIAL:
            return Primitive(short)
        return _CENTRAL.get(short) or Enum("string", {unit: unit for unit in sorted(LATER_UNITS[short])})

    def _schema_of(self, id_: str) -> Schema:
        """The complex schema of that id. Within itself it is Recursive."""
        if id_ in self._schemas:
            return self._schemas[id_]
        if id_ in self._open:
            return self._open[id_]
        self._open[id_] = Recursive(id_)
        node = self._nodes[id_]
        made = self._complex(node)
        self._open.pop(id_).close(made)
        self._schemas[id_] = made
        return made

    def _complex(self, node: Node) -> Schema:
        match node.kind:
            case "Array":
                return Array(self._schema(node, "elementSchema"))
            case "Map":
                return Map(self._inner(node, "mapKey")[0].name, self._field(self._inner(node, "mapValue")[0]))
            case "Object":
                return Object(tuple(self._field(inner) for inner in self._inner(node, "fields")))
            case _:
                values = {inner.name: plain(inner.given.get("enumValue")) for inner in self._inner(node, "enumValues")}
                wanted = (_text(node.given.get("valueSchema")) or "").rpartition(":")[2].partition(";")[0]
                kept = {name: value for name, value in values.items() if isinstance(value, str | int)}
                return Enum("integer" if wanted == "integer" else "string", kept)


def _text(raw: JSON) -> str | None:
    found = plain(raw)
    return found if isinstance(found, str) else None


def _count(raw: JSON) -> int | None:
    found = plain(raw)
    return found if isinstance(found, int) else None


def _words(raw: JSON) -> Words:
    """Text by language tag; English where none is told."""
    if isinstance(raw, list):
        pairs = [(part, "en") if isinstance(part, str) else _tagged(part) for part in raw]
        return {tag: text for text, tag in pairs}
    if isinstance(raw, str):
        return {"en": raw}
    return {tag: str(text) for tag, text in raw.items()} if isinstance(raw, dict) else {}


def _tagged(raw: JSON) -> tuple[str, str]:
    return (str(raw.get("@value")), str(raw.get("@language", "en"))) if isinstance(raw, dict) else ("", "en")


def _alone(node: Node) -> dict[str, JSON]:
    """The document as one that stands by itself: with its context, and others inside it named by their ids."""
    raw = dict(node.raw)
    if not node.top:
        raw["@context"] = [f"dtmi:dtdl:context;{node.scope.version.number}", *sorted(node.scope.extensions)]
    for key in raw.keys() & {"extends", "contents"}:
        value = raw[key]
        listed = value if isinstance(value, list) else [value]
        raw[key] = [_named(part, key) for part in listed]
    return raw


def _named(part: JSON, key: str) -> JSON:
    """An interface given in place, by its id alone."""
    if not isinstance(part, dict):
        return part
    if key == "extends":
        return part.get("@id")
    schema = part.get("schema")
    types = part.get("@type")
    component = "Component" in (types if isinstance(types, list) else [types])
    return {**part, "schema": schema["@id"]} if component and isinstance(schema, dict) and "@id" in schema else part
