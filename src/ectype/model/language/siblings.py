"""Annotation and Overriding: contents of an interface that say something about other contents of it."""

from collections.abc import Sequence
from typing import Protocol

from ectype.model.language.node import Node, Place
from ectype.model.schema import JSON


class Tells(Protocol):
    """Takes what is wrong."""

    def tell(self, id_: str, place: Place | Node, key: str, value: JSON, text: str, *, tenable: bool = False) -> None:
        """Note what is wrong."""
        ...


def tell_siblings(node: Node, contents: Sequence[Node], to: Tells) -> None:
    """Tell what is wrong with annotations and overrides among the contents of an interface."""
    named = {each.name: each for each in contents}
    overridden: set[tuple[str, str]] = set()
    for each in contents:
        target = str(each.given.get("annotates"))
        about = named.get(target)
        if about is None or not (each.has("ValueAnnotation") or each.has("Override")):
            continue
        if about.kind not in ("Property", "Telemetry"):
            text = f"annotates a {about.kind}; name a Property or Telemetry"
            to.tell("notSiblingRequiredType", node, "annotates", target, text)
        elif each.has("Override"):
            _override(each, about, overridden, node, to)
        elif about.has("ValueAnnotation"):
            to.tell("disallowedType", node, "annotates", target, "annotates an annotation; name what is measured")


def _override(each: Node, about: Node, overridden: set[tuple[str, str]], node: Node, to: Tells) -> None:
    key = str(each.given.get("overrides"))
    short = key.rpartition(":")[2]
    core = about.scope.version.classes[about.kind]
    if (about.name, short) in overridden:
        return to.tell("multipleReference", node, "contents", key, "is overridden twice; remove one")
    overridden.add((about.name, short))
    if short in core:
        return to.tell("matchingPropertyNotSupplemental", each, "annotates", about.name, "only an extension's property")
    owner = next((type_ for type_ in about.types if short in type_.properties), None)
    if owner is None or short not in about.given:
        return to.tell("noMatchingSupplementalProperty", each, "overrides", key, f"{about.name} has no {short}")
    if owner.unit_class:
        schema = str(each.given.get("schema")).rpartition(":")[2]
        if schema not in (owner.unit_class, f"{owner.name}Unit"):
            return to.tell("siblingPropertyMismatch", each, "schema", schema, f"must be {owner.unit_class}")
    return None
