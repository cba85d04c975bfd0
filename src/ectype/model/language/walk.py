"""Is a text DTDL? Walks JSON by the metamodel's tables and tells everything that breaks them."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import final

from ectype.model.dtmi import is_dtmi
from ectype.model.extensions import LAYERING
from ectype.model.language import scope as contexts
from ectype.model.language import values
from ectype.model.language.finding import Finding
from ectype.model.language.node import Node, Place, Wanted, plain
from ectype.model.language.scope import CENTRAL, Scope
from ectype.model.language.supplements import Element, tell_supplements
from ectype.model.metamodel import ABSTRACT, GEOSPATIAL, Prop
from ectype.model.schema import JSON
from ectype.model.suggest import suggest

_STANDARD = re.compile(r"dtmi:(?:dtdl:instance:Schema:|standard:schema:geospatial:|iotcentral:schema:)(\w+);(\d+)")
_RESERVED = ("dtmi:dtdl:", "dtmi:standard:")
_CENTRAL_SCHEMAS = ("geopoint", "vector")
_UNIT_CLASS = re.compile(r"(dtmi:dtdl:extension:quantitativeTypes:v\d:enum:)?([A-Z]\w*Unit|Unitless)")
_ROOT = Prop("element", classes=("Interface",))


def _no_twice(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is given twice in one object")
    return found


@final
class Walk:
    """Reads texts into nodes; what is wrong with each by itself goes to `found`."""

    def __init__(self, *, undefined: bool | None, newest: int, tolerant: bool) -> None:
        self.undefined = undefined
        self.newest = newest
        self.tolerant = tolerant
        self.found: list[Finding] = []
        self.nodes: dict[str, Node] = {}
        self.wanted: list[Wanted] = []
        self._serial = 0
        self._source = 0

    def tell(self, id_: str, place: Place | Node, key: str, value: JSON, text: str, *, tenable: bool = False) -> None:
        """Note what is wrong."""
        pointer = place.pointer
        if key and isinstance(place, Node) and key in place.raw:
            pointer += "/" + key.replace("~", "~0").replace("/", "~1")
        id_ = f"dtmi:dtdl:parsingError:{id_}"
        self.found.append(Finding(id_, place.at, key, str(value)[:140], text, pointer, place.source, tenable=tenable))

    def read(self, texts: Sequence[str]) -> None:
        """Read these texts, each a model or a list of models."""
        for text in texts:
            self._source += 1
            start = Place(_ROOT, "", "", "", self._source, 0, "")
            try:
                given: JSON = json.loads(text, object_pairs_hook=_no_twice)
            except (ValueError, RecursionError) as error:
                self.tell("invalidJson", start._replace(at=f"text {self._source}"), "", "", f"is no JSON: {error}")
                continue
            self._models(given)

    def take(self, documents: Iterable[JSON]) -> None:
        """Read these documents, each a model or a list of models."""
        for document in documents:
            self._source += 1
            self._models(document)

    def _models(self, given: JSON) -> None:
        start = Place(_ROOT, "", "", "", self._source, 0, "")
        for index, one in enumerate(given if isinstance(given, list) else [given]):
            self._top(one, start._replace(pointer=f"/{index}" if isinstance(given, list) else ""))

    def _top(self, raw: JSON, place: Place) -> None:
        if not isinstance(raw, dict):
            return self.tell("notJsonObject", place, "", raw, "a model is a JSON object; write {…}")
        if "@context" not in raw:
            self.tell("missingContext", place, "@context", "", 'add "@context": "dtmi:dtdl:context;3"')
            if isinstance(raw.get("@graph"), dict):
                self.tell("topLevelGraphDisallowed", place, "@graph", "", "write the models in a list")
            return None
        self.element(raw, None, place)
        return None

    def _scope(self, raw: Mapping[str, JSON], outer: Scope | None, place: Place) -> Scope | None:
        if "@context" not in raw:
            return outer
        scope, troubles = contexts.read(raw["@context"], outer, undefined=self.undefined, newest=self.newest)
        for id_, value, text in troubles:
            self.tell(id_, place, "@context", value, text)
            if id_ == "unrecognizedContextVersion" and outer is not None and not place.prop.older:
                self.tell("disallowedVersionDefinition", place, place.key, value, "drop its context")
        return scope

    def element(self, raw: JSON, outer: Scope | None, place: Place) -> str | None:
        """The id of the node made of `raw`, or of what it refers to."""
        if not isinstance(raw, dict):
            self.tell("refNotStringOrObject", place, place.key, raw, "write an object, or the identifier of one")
            return None
        if place.depth > 200:
            self.tell("excessiveDepthWide", place, place.key, "", "is nested too deep; make it flatter")
            return None
        scope = self._scope(raw, outer, place)
        if scope is None:
            return None
        if outer is not None and scope.version is not outer.version and not place.prop.older:
            text = f"is a part of version {outer.version.number}; drop its context"
            self.tell("disallowedVersionDefinition", place, place.key, scope.version.number, text)
            return None
        if raw.keys() == {"@id"} and outer is not None:
            self.tell("idReference", place, place.key, raw["@id"], "write the identifier alone, not in an object")
            return None
        self._serial += 1
        identity = raw.get("@id")
        named = identity if isinstance(identity, str) else ""
        at = f"{place.at}/{raw.get('name') or named or _last(place.pointer)}" if place.at else named
        node = Node(
            named or f"#{self._serial}",
            "",
            raw,
            scope,
            at,
            place.pointer,
            place.source,
            place.partition,
            top=outer is None,
        )
        element = Element(node)
        self._kind(element, place)
        twice = self._identity(element, place)
        if not element.kind or twice:
            return None
        node = replace(node, kind=element.kind, partition=node.id if element.kind == "Interface" else node.partition)
        self.nodes[node.id] = node
        self._properties(element, node, place)
        return node.id

    def _identity(self, element: Element, place: Place) -> bool:
        """Tell what is wrong with the @id; is it in use already?"""
        raw, scope, kind = element.node.raw, element.node.scope, element.kind
        identity = raw.get("@id")
        longest = 128 if kind == "Interface" else 2048
        top = not place.at
        if "@id" not in raw:
            if top or kind == "Interface" or place.key == "schemas":
                id_ = "missingTopLevelId" if top else "missingRequiredId"
                self.tell(id_, place, "@id", "", "give it an identifier like dtmi:com:example:Turbine;1")
            return False
        reserved = (*_RESERVED, "dtmi:iotcentral:") if CENTRAL in scope.extensions else _RESERVED
        if not isinstance(identity, str) or not identity:
            self.tell("idNotString", place, "@id", identity, "give a DTMI")
        elif not is_dtmi(identity, plain=scope.version.number == 2):
            self.tell("invalidId", place, "@id", identity, "write one like dtmi:com:example:Turbine;1")
            if LAYERING in scope.extensions and "#" in identity and not element.layer:
                self.tell("disallowedIdFragment", place, "@id", identity, "add the type Layer, or remove the #")
        elif identity.startswith(reserved) and not (self.tolerant and scope.version.number == 2):
            self.tell("reservedId", place, "@id", identity, "is reserved for the language; choose another")
        elif len(identity) > longest:
            id_ = "idTooLongForType" if kind == "Interface" and len(identity) <= 2048 else "idTooLong"
            self.tell(id_, place, "@id", identity, f"use at most {longest} characters")
        elif identity in self.nodes:
            self.tell("duplicateDefinition", place, "@id", identity, "is defined twice; remove one")
            return True
        return False

    def _kind(self, element: Element, place: Place) -> None:
        """Find the class of an element and its supplemental types."""
        raw, scope = element.node.raw, element.node.scope
        number, classes = scope.version.number, place.prop.classes
        top = not place.at
        if "@type" not in raw:
            element.kind = place.prop.implied
            if not element.kind:
                self.tell("typeNotRootable" if top else "badType", place, "@type", "", f"add a type: {_or(classes)}")
            return
        given = raw["@type"]
        found: set[str] = set()
        doubtful: list[tuple[str, str, str]] = []
        for part in given if isinstance(given, list) else [given]:
            if not isinstance(part, str):
                self.tell("typeNotString", place, "@type", part, "a type is a text")
                return
            short = _short(part, "class", number)
            supplement = scope.supplement(part)
            if short in scope.version.classes or short in ABSTRACT:
                found.add(short)
            elif supplement is not None:
                if supplement not in element.supplements:
                    element.supplements.append(supplement)
            elif part == "Layer":
                element.layer = True
            elif part.startswith("dtmi:") and not is_dtmi(part):
                self.tell("typeInvalidDtmi", place, "@type", part, "is no valid DTMI")
            elif part.startswith("dtmi:") or scope.knows(short):
                doubtful.append(("typeIrrelevantDtmiOrTerm", part, "is no type; remove it"))
                if not scope.open and not element.supplements and not part.startswith("dtmi:") and short[0].isupper():
                    self.tell("badType", place, place.key, part, "is no type of an element; remove it")
            elif ":" in part:
                doubtful.append(("typeNotDtmiNorTerm", part, "a type is a DTMI or a term"))
            else:
                doubtful.append(("typeUndefinedTerm", part, "nothing defines this type; remove it"))
        element.strange = bool(doubtful)
        element.node.strange.extend(part for _, part, _ in doubtful)
        for id_, part, text in doubtful:
            tenable = scope.open and id_ != "typeNotDtmiNorTerm"
            if number > 2 or not found or id_ == "typeIrrelevantDtmiOrTerm":
                self.tell(id_, place, "@type", part, text, tenable=tenable or (number == 2 and "Irrel" not in id_))
        if len(found) > 1:
            self.tell("multipleMaterialTypes", place, "@type", given, "name one class of DTDL")
            return
        one = next(iter(found), "")
        if one not in classes:
            self.tell("typeNotRootable" if top else "badType", place, "@type", given, f"use {_or(classes)}")
            return
        element.kind = one

    def _properties(self, element: Element, node: Node, place: Place) -> None:
        scope, number = node.scope, node.scope.version.number
        table = scope.version.classes[node.kind]
        given = node.given
        for key, value in node.raw.items():
            short = _short(key, "property", number)
            if short in table:
                if short in given:
                    self.tell("duplicatePropertyName", node, short, "", "is given as a term and as a DTMI; remove one")
                given[short] = value
            elif key.startswith("@"):
                if key == "@graph":
                    self.tell("graphDisallowed", node, key, value, "remove this keyword")
                elif key not in ("@id", "@type", "@context") and number > 2:
                    id_ = "keywordDisallowed" if place.at else "topLevelKeywordDisallowed"
                    self.tell(id_, node, key, value, "remove this keyword")
            else:
                element.others[key] = value
        tell_supplements(element, node, self)
        for key, prop in table.items():
            if key == "description" and scope.limit.description:
                prop = replace(prop, longest=scope.limit.description)
            if key not in given:
                if prop.least:
                    missing = "missingObjectProperty" if prop.kind in ("element", "word") else "missingLiteralProperty"
                    self.tell(missing, node, key, "", f"a {node.kind} needs {key}; add it")
                    if key == "name" and place.key == "contents" and "@id" in node.raw and number:
                        self.tell("missingDictKeyPropertyValue", place, place.key, "name", "give it a name")
            elif given[key] is None:
                values.null(key, prop, lambda id_, value, text, key=key: self.tell(id_, node, key, value, text))
            else:
                self._property(node, key, prop, given, place)

    def _property(self, node: Node, key: str, prop: Prop, given: Mapping[str, JSON], place: Place) -> None:
        raw = given[key]
        number = node.scope.version.number
        if prop.kind == "words":
            for id_, value, text in values.words(raw, prop.longest, lenient=number == 2):
                self.tell(id_, node, key, value, text)
            return None
        listed = raw if isinstance(raw, list) else [raw]
        if prop.kind == "element":
            self._elements(node, key, prop, listed, isinstance(raw, list), place)
            return None
        if len(listed) > 1:
            kind = "string" if prop.kind == "value" else "object" if prop.kind in ("word", "id") else prop.kind
            return self.tell(f"{kind}MultipleValues", node, key, raw, "give one value")
        if not listed:
            if prop.least:
                id_ = "objectCountBelowMin" if prop.kind == "word" else f"{prop.kind}CountBelowMin"
                self.tell(id_, node, key, raw, f"a {node.kind} needs {key}; give it a value")
            return None
        if prop.kind == "word":
            return self._word(node, key, prop, listed[0])
        wrong = (
            values.identifier(listed[0], plain=number == 2)
            if prop.kind == "id"
            else values.literal(listed[0], key, prop, lenient=number == 2)
        )
        for id_, value, text in wrong:
            self.tell(id_, node, key, value, text)
        return None

    def _word(self, node: Node, key: str, prop: Prop, value: JSON) -> None:
        number = node.scope.version.number
        dtmi = re.fullmatch(rf"dtmi:dtdl:instance:\w+:(\w+);{number}", str(value))
        short = dtmi[1] if dtmi else value
        if isinstance(short, str) and short in prop.allowed:
            return
        ways = f"use {_or(prop.allowed)}"
        if not isinstance(short, str):
            self.tell("refNotStringOrObject", node, key, value, ways)
        elif short in node.scope.version.primitives or short in GEOSPATIAL:
            self.tell("incorrectPropertyValue", node, key, value, ways)
        elif is_dtmi(short):
            self.tell("notRequiredValue", node, key, value, ways)
        else:
            self.tell("badDtmiOrTerm", node, key, value, ways)

    def _elements(self, node: Node, key: str, prop: Prop, listed: Sequence[JSON], many: bool, place: Place) -> None:
        if len(listed) > prop.most:
            id_ = "objectMultipleValues" if prop.most == 1 else "objectCountAboveMax"
            return self.tell(id_, node, key, len(listed), f"has more than {prop.most} values")
        names: dict[str, str] = {}
        good = 0
        for index, value in enumerate(listed):
            pointer = f"{node.pointer}/{key}/{index}" if many else f"{node.pointer}/{key}"
            inner = Place(prop, key, node.at or node.id, pointer, node.source, place.depth + 1, node.partition)
            if isinstance(value, dict) and value.keys() == {"@id"} and self.tolerant and node.scope.version.number == 2:
                value = value["@id"]
                if isinstance(value, str) and not is_dtmi(value):
                    self.tell("idRefBadDtmiOrTerm", inner, key, value, "is no identifier")
                    continue
            if isinstance(value, str):
                good += self._reference(value, node, inner)
                continue
            made = self.element(value, node.scope, inner)
            if made is None:
                continue
            good += 1
            node.links.append((key, made))
            name = self.nodes[made].name if prop.unique else ""
            if name and name in names:
                self.tell("nonUniquePropertyValue", inner, key, name, "is used twice; rename one")
            names[name] = made
        if good < prop.least:
            self.tell("objectCountBelowMin", node, key, good, f"a {node.kind} needs {key}; give it a value")
        if key == "enumValues":
            self._enum(node, listed)
        return None

    def _reference(self, raw: str, node: Node, place: Place) -> bool:
        scope, prop = node.scope, place.prop
        number = scope.version.number
        standard = _STANDARD.fullmatch(raw)
        name = standard[1] if standard and int(standard[2]) == number else raw
        if prop.standard and (name in scope.version.primitives or name in GEOSPATIAL):
            return True
        if prop.standard and name in _CENTRAL_SCHEMAS and (standard or CENTRAL in scope.extensions):
            return True
        if prop.standard and _UNIT_CLASS.fullmatch(raw) and any("quantitative" in each for each in scope.extensions):
            return True
        if not is_dtmi(raw, plain=number == 2):
            hint = suggest(raw, [*scope.version.primitives, *GEOSPATIAL]) if prop.standard else ""
            self.tell("badDtmiOrTerm", place, place.key, raw, f"is neither an identifier nor a term of DTDL{hint}")
            return False
        self.wanted.append(Wanted(node, place.key, raw, prop))
        return True

    def _enum(self, node: Node, listed: Sequence[JSON]) -> None:
        wanted = str(node.raw.get("valueSchema", "")).split(":")[-1].split(";")[0]
        stored: list[JSON] = []
        for value in listed:
            part = value.get("enumValue") if isinstance(value, dict) else None
            part = plain(part)
            if not isinstance(part, str | int):
                continue
            if wanted in values.TYPES and type(part) is not values.TYPES[wanted] and type(part) is not bool:
                self.tell("nonConformantDatatype", node, "enumValues", part, f"must be of {wanted}")
            elif str(part) in stored:
                self.tell("nonUniquePropertyValue", node, "enumValues", part, "two names have one value")
            stored.append(str(part))


def _short(name: str, sort: str, number: int) -> str:
    """The term of a name of the core language, given as a term or as a DTMI."""
    head, tail = f"dtmi:dtdl:{sort}:", f";{number}"
    return name[len(head) : -len(tail)] if name.startswith(head) and name.endswith(tail) else name


def _last(pointer: str) -> str:
    """The end of a pointer, for people: `fields[0]`."""
    *_, key, tail = ["", *pointer.split("/")]
    return f"{key}[{tail}]" if tail.isdigit() else tail


def _or(names: Sequence[str]) -> str:
    return " or ".join(names)


def unresolved(walk: Walk) -> Iterator[str]:
    """The ids that are referred to and defined nowhere, each once."""
    yield from dict.fromkeys(each.id for each in walk.wanted if each.id not in walk.nodes)
