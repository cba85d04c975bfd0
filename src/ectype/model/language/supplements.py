"""Supplemental types on an element: may they be there, are their companions, are their properties right?"""

from dataclasses import dataclass, field
from typing import Protocol, final

from ectype.model.dtmi import is_dtmi
from ectype.model.extensions import NUMERIC, Supplement, unit_of
from ectype.model.language import values
from ectype.model.language.node import Node, Place, plain
from ectype.model.metamodel import Prop
from ectype.model.schema import JSON
from ectype.model.suggest import suggest


@final
@dataclass(slots=True)
class Element:
    """An element on its way to a node. strange: it has types nobody knows; others: properties not of its class."""

    node: Node
    kind: str = ""
    strange: bool = False
    layer: bool = False
    supplements: list[Supplement] = field(default_factory=list[Supplement])
    others: dict[str, JSON] = field(default_factory=dict[str, JSON])


class Tells(Protocol):
    """Takes what is wrong."""

    def tell(self, id_: str, place: Place | Node, key: str, value: JSON, text: str, *, tenable: bool = False) -> None:
        """Note what is wrong."""
        ...


def tell_supplements(element: Element, node: Node, to: Tells) -> None:
    """Tell what is wrong with the supplemental types of an element and the properties that are not of its class."""
    named = {each.name for each in element.supplements}
    fits = [each for each in element.supplements if _may_be(each, node, named, to)]
    node.types.extend(element.supplements if fits else [])
    odd = {key for each in element.supplements if each not in fits for key in each.properties}
    quantities = [each for each in node.types if "unit" in each.properties]
    if len(quantities) > 1:
        both = ", ".join(sorted(each.name for each in quantities))
        return to.tell("conflictingSupplementalTypes", node, "unit", both, "keep one of them")
    given: dict[str, JSON] = {}
    for key, value in element.others.items():
        owner, short = _owner(key, node)
        if owner is None and short in odd:
            to.tell("noTypeThatAllows", node, key, value, "belongs to a type that cannot be here; remove it")
        elif owner is None:
            _stray(key, value, element, node, to)
        elif short in given:
            to.tell("duplicatePropertyName", node, short, "", "is given as a term and as a DTMI; remove one")
        else:
            given[short] = value
    node.given.update(given)
    for each in node.types:
        for key, prop in each.properties.items():
            if key in given:
                _value(given[key], key, prop, each, node, to)
            elif prop.least:
                sort = "Object" if prop.kind == "unit" else "Literal"
                text = f"a {each.name} needs {key}; add it"
                to.tell(f"missingSupplemental{sort}Property", node, key, "", text)
        _schema(each, node, to)
    return None


def _may_be(each: Supplement, node: Node, named: set[str], to: Tells) -> bool:
    number = node.scope.version.number
    if each.abstract:
        to.tell("abstractSupplementalType", node, "@type", each.name, "name a quantity, such as Temperature")
        return False
    fits = node.kind in each.classes
    if not fits:
        to.tell("invalidCotype", node, "@type", each.name, f"describes {' or '.join(each.classes)}; remove it here")
    if number not in each.versions:
        to.tell("invalidCotypeVersion", node, "@type", each.name, f"is not for version {number}; remove it")
        fits = False
    if each.companions and not named & set(each.companions):
        to.tell("missingCocotype", node, "@type", each.name, f"add the type {' or '.join(each.companions)}")
    for other in sorted(named & set(each.excludes)):
        if each.name < other:
            to.tell("disallowedCocotype", node, "@type", each.name, f"cannot be {other} too; remove one")
    return fits


def _owner(key: str, node: Node) -> tuple[Supplement | None, str]:
    """The supplemental type of the element that has the property `key`, given as a term or DTMI; and the term."""
    for each in node.types:
        for short in each.properties:
            tails = (f":{short}", f":property:{short};{node.scope.version.number}")
            if key == short or (key.startswith("dtmi:") and key.endswith(tails)):
                return each, short
    return None, key


def _stray(key: str, value: JSON, element: Element, node: Node, to: Tells) -> None:
    """A property that no type of the element has."""
    scope, number = node.scope, node.scope.version.number
    dtmi = key.startswith("dtmi:")
    if not element.strange:
        hint = suggest(key, [*node.scope.version.classes[node.kind], *(p for t in node.types for p in t.properties)])
        to.tell("noTypeThatAllows", node, key, value, f"a {node.kind} has no such property{hint}")
    if dtmi and not is_dtmi(key):
        if number == 2 and element.strange:
            return None
        return to.tell("propertyInvalidDtmi", node, key, value, "is no valid DTMI")
    if dtmi or scope.knows(key):
        id_, text = "propertyIrrelevantDtmiOrTerm", "is no property of it; remove it"
    elif ":" in key:
        id_, text = "propertyNotDtmiNorTerm", "a property is a DTMI or a term"
    else:
        id_, text = "propertyUndefinedTerm", "nothing defines this property; remove it"
    free = number == 2 and (element.strange or id_ == "propertyUndefinedTerm")
    tenable = scope.open and element.strange and id_ != "propertyNotDtmiNorTerm"
    if not free:
        to.tell(id_, node, key, value, text, tenable=tenable)
    return None


def _value(raw: JSON, key: str, prop: Prop, each: Supplement, node: Node, to: Tells) -> None:
    listed = raw if isinstance(raw, list) else [raw]
    number = node.scope.version.number
    if raw is None:
        return values.null(key, prop, lambda id_, value, text: to.tell(id_, node, key, value, text))
    if len(listed) > 1:
        kind = "object" if prop.kind == "unit" else "string" if prop.kind in ("duration", "iri") else prop.kind
        return to.tell(f"{kind}MultipleValues", node, key, raw, "give one value")
    if not listed:
        if prop.least:
            to.tell("objectCountBelowMin", node, key, raw, f"a {each.name} needs {key}; give it a value")
        return None
    if prop.kind == "unit":
        return _unit(listed[0], each, node, to)
    for id_, value, text in values.literal(listed[0], key, prop, lenient=number == 2):
        to.tell(id_, node, key, value, text)
    if prop.kind == "numeric" and isinstance(listed[0], float) and not listed[0].is_integer():
        schema = plain(node.given.get("schema"))
        if schema in NUMERIC - {"float", "double", "decimal"}:
            to.tell("nonConformantPropertyValue", node, key, raw, f"must be of {schema}")
    return None


def _unit(raw: JSON, each: Supplement, node: Node, to: Tells) -> None:
    number = node.scope.version.number
    if not isinstance(raw, str):
        return to.tell("refNotStringOrObject", node, "unit", raw, "write the name of a unit")
    short = unit_of(raw, number)
    if short in each.units:
        return None
    text = f"a {each.name} is in {', '.join(sorted(each.units))}"
    if node.scope.knows(short) or short in node.scope.version.terms or is_dtmi(raw):
        to.tell("notRequiredType" if number == 2 else "badType", node, "unit", raw, text)
        return to.tell("wrongParent", node, "unit", raw, text)
    return to.tell("badDtmiOrTerm", node, "unit", raw, text)


def _schema(each: Supplement, node: Node, to: Tells) -> None:
    """What a type asks of the element's schema, where that is told in place or by a term."""
    raw = plain(node.given.get("schema"))
    if not each.schemas or raw is None:
        return
    if isinstance(raw, dict):
        types = raw.get("@type")
        kinds = {
            str(part).rpartition(":")[2].partition(";")[0] for part in (types if isinstance(types, list) else [types])
        }
        right = bool(kinds & each.schemas) and (not each.schema_types or bool(kinds & set(each.schema_types)))
    else:
        short = str(raw).rpartition(":")[2].partition(";")[0] if ":" in str(raw) else str(raw)
        known = short in node.scope.version.terms or short in ("geopoint", "vector")
        right = short in each.schemas or (is_dtmi(str(raw)) and not known)
    if not right:
        exact = each.schemas <= {"vector", "geopoint"} or "point" in each.schemas
        id_ = "notRequiredValue" if exact else "notRequiredType"
        to.tell(
            id_, node, "schema", str(raw)[:80], f"the schema of a {each.name} is {' or '.join(sorted(each.schemas))}"
        )
