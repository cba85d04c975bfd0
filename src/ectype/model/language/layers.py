"""Layering: one element told in several pieces, each under its id and `#` the name of a layer.

The identifiers of layers are refused in any case (`invalidId`); this tells what else the pieces get wrong, since a
model with layers is then best mended by writing them as one.
"""

from collections.abc import Iterator, Mapping

from ectype.model.extensions import Supplement
from ectype.model.language.node import Node
from ectype.model.language.walk import Walk
from ectype.model.schema import JSON

_SAID = {"string": "String", "boolean": "Boolean", "integer": "Integer", "id": "Identifier", "element": "Object"}


def tell_layers(walk: Walk) -> None:
    """Tell where layers of an element contradict each other; nothing where there is only one of each."""
    if not any("#" in id_[1:] for id_ in walk.nodes):
        return
    whole: dict[str, list[Node]] = {}
    for node in walk.nodes.values():
        _nested(node, walk)
        if not node.id.startswith("#"):
            whole.setdefault(node.id.partition("#")[0], []).append(node)
    for pieces in whole.values():
        for piece in pieces[1:]:
            _compare(pieces[0], piece, walk)


def _layer(node: Node, outer: str) -> str:
    return outer if node.id.startswith("#") else node.id.partition("#")[2]


def _nested(node: Node, walk: Walk) -> None:
    """An element in an element is of the same layer."""
    if node.kind != "Interface":
        return
    layer = node.id.partition("#")[2]
    for key, inner, owner in _within(node, walk):
        if _layer(inner, layer) != layer:
            walk.tell("mismatchedLayers", owner, key, inner.id, "is of another layer; give it the same one")


def _within(node: Node, walk: Walk) -> Iterator[tuple[str, Node, Node]]:
    for key, id_ in node.links:
        inner = walk.nodes.get(id_)
        if inner is not None:
            yield key, inner, node
            if inner.id.startswith("#"):
                yield from _within(inner, walk)


def _compare(one: Node, other: Node, walk: Walk) -> None:
    """Tell where two pieces of an element contradict each other."""
    if one.scope.version is not other.scope.version:
        return walk.tell("inconsistentContext", other, "@context", "", "is in another version of DTDL; use the same")
    if one.kind != other.kind:
        where = "incompatibleType" if "Interface" in (one.kind, other.kind) else "multipleMaterialTypes"
        return walk.tell(where, other, "@type", other.kind, f"is a {one.kind} in another layer")
    quantities = {each.name for each in (*one.types, *other.types) if "unit" in each.properties}
    if len(quantities) > 1:
        return walk.tell("conflictingSupplementalTypes", other, "unit", ", ".join(sorted(quantities)), "keep one")
    _values(one, other, walk)
    named = {walk.nodes[id_].name: walk.nodes[id_] for key, id_ in one.links if key == "contents"}
    for key, id_ in other.links:
        inner = walk.nodes[id_]
        before = named.get(inner.name) if key == "contents" else None
        if before is None or not inner.name:
            continue
        if before.id.partition("#")[0] != inner.id.partition("#")[0] and not (
            before.id.startswith("#") and inner.id.startswith("#")
        ):
            walk.tell("nonUniquePropertyValue", other, "contents", inner.name, "has another id in another layer")
        else:
            _compare(before, inner, walk)
    return None


def _values(one: Node, other: Node, walk: Walk) -> None:
    table = one.scope.version.classes[one.kind]
    for key, value in other.given.items():
        before = one.given.get(key)
        if before is None or key.startswith("@") or key in ("contents", "schemas", "fields", "enumValues", "extends"):
            continue
        prop = table.get(key) or _of(one.types, key)
        kind = prop if isinstance(prop, str) else prop.kind if prop else "element"
        if kind == "words":
            said, again = _words(before), _words(value)
            if any(said.get(tag, text) != text for tag, text in again.items()):
                walk.tell("inconsistentLangStringValues", other, key, value, "is told differently in another layer")
        elif before != value and not isinstance(before, dict | list) and not isinstance(value, dict | list):
            sort = _SAID.get(kind, "Object")
            walk.tell(f"inconsistent{sort}Values", other, key, value, "is told differently in another layer")


def _of(types: list[Supplement], key: str) -> str | None:
    kinds = [each.properties[key].kind for each in types if key in each.properties]
    return kinds[0] if kinds else None


def _words(raw: JSON) -> Mapping[str, JSON]:
    return {"en": raw} if isinstance(raw, str) else raw if isinstance(raw, dict) else {}
