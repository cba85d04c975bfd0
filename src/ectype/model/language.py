"""Is a text DTDL? Walks JSON by the metamodel's tables and tells everything that breaks them."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from ectype.model.dtmi import is_dtmi
from ectype.model.metamodel import GEOSPATIAL, SEMANTIC, VERSIONS, Prop, Version
from ectype.model.schema import JSON
from ectype.model.units import UNITS

_CORE = re.compile(r"dtmi:dtdl:context;(\d+)(#limitless)?")
_KNOWN = re.compile(r"dtmi:(dtdl:(extension|limits):\w+;\d+(\.\d+)?|iotcentral:context;2|iotoperations:context;4)")
_STANDARD = re.compile(r"dtmi:(?:dtdl:instance:Schema:|standard:schema:geospatial:)(\w+);(\d+)")
_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9_]*[A-Za-z0-9])?", re.ASCII)
_TAG = re.compile(r"[a-z]{2,4}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?", re.ASCII)
_XSD = "http://www.w3.org/2001/XMLSchema#"
_MEASURED = ("Property", "Telemetry", "Field", "MapValue", "CommandRequest", "CommandResponse")
_TYPES: Mapping[str, type] = {"string": str, "boolean": bool, "integer": int}


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong. id: `dtmi:dtdl:parsingError:…`; element: path of names; text: what to do."""

    id: str
    element: str
    property: str
    value: str
    text: str

    def __str__(self) -> str:
        return f"{self.element or 'document'}: {self.property + ': ' if self.property else ''}{self.text}"


@final
@dataclass(frozen=True, slots=True)
class _Scope:
    """What the contexts around an element allow. open: unknown terms pass; known: it has known extensions."""

    version: Version
    open: bool
    known: bool
    limitless: bool


@final
@dataclass(frozen=True, slots=True)
class _Node:
    id: str
    kind: str
    raw: Mapping[str, JSON]
    version: Version
    limitless: bool
    links: list[tuple[str, str]]


def check(texts: Sequence[str], *, undefined: bool | None = None) -> list[Finding]:
    """Everything that keeps these JSON texts, together, from being DTDL.

    undefined: may unknown contexts bring unknown terms (None: only in v2, as the reference parser does).
    """
    return _Walk(undefined).run(texts)


def _no_twice(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is given twice in one object")
    return found


@final
class _Walk:
    def __init__(self, undefined: bool | None) -> None:
        self.undefined = undefined
        self.found: list[Finding] = []
        self.nodes: dict[str, _Node] = {}
        self.wanted: list[tuple[str, str, tuple[str, ...]]] = []
        self.serial = 0

    def tell(self, id_: str, at: str, property_: str, value: JSON, text: str) -> None:
        self.found.append(Finding(f"dtmi:dtdl:parsingError:{id_}", at, property_, str(value)[:140], text))

    def run(self, texts: Sequence[str]) -> list[Finding]:
        for number, text in enumerate(texts, 1):
            try:
                given: JSON = json.loads(text, object_pairs_hook=_no_twice)
            except (ValueError, RecursionError) as error:
                self.tell("invalidJson", f"text {number}", "", "", f"is no JSON: {error}")
                continue
            for one in given if isinstance(given, list) else [given]:
                self.top(one)
        if not self.found:
            self.follow()
        return self.found

    def top(self, raw: JSON) -> None:
        if not isinstance(raw, dict):
            return self.tell("notJsonObject", "", "", raw, "a model is a JSON object; write {…}")
        if "@context" not in raw:
            return self.tell("missingContext", "", "@context", "", 'add "@context": "dtmi:dtdl:context;3"')
        scope = self.context(raw, None)
        if scope is not None:
            self.element(raw, scope, Prop("element", classes=("Interface",)), "", "", 0)
        return None

    def context(self, raw: Mapping[str, JSON], outer: _Scope | None) -> _Scope | None:
        if "@context" not in raw:
            return outer
        given = raw["@context"]
        parts = given if isinstance(given, list) else [given]
        scope = outer
        for index, part in enumerate(parts):
            if not isinstance(part, str):
                self.tell("invalidContext", "", "@context", part, "a context is the DTMI of one; write it as a text")
                return None
            core = _CORE.fullmatch(part)
            if core:
                version = VERSIONS.get(int(core[1]))
                if version is None or (core[2] and version.number == 2):
                    self.tell("disallowedContextVersion", "", "@context", part, "use version 2, 3 or 4 of DTDL")
                    return None
                if outer is not None and version.number > outer.version.number:
                    self.tell("inconsistentContext", "", "@context", part, "a model is in one version of DTDL")
                    return None
                after = parts[index + 1] if index + 1 < len(parts) else ""
                if core[2] and not re.match(r"dtmi:dtdl:(limits:|context;)", str(after)):
                    self.tell("missingLimitContext", "", "@context", part, "name the limits right after it")
                    return None
                scope = _Scope(version, False, False, bool(core[2]))
            elif scope is None:
                id_ = "missingDtdlContext" if index == len(parts) - 1 else "dtdlContextFollowsAffiliate"
                self.tell(id_, "", "@context", part, "put dtmi:dtdl:context;N before the other contexts")
                return None
            elif part.startswith("dtmi:dtdl:context;") and "#limits" in part:
                if not scope.limitless:
                    self.tell("disallowedContextFragment", "", "@context", part, "limits follow a #limitless context")
                    return None
            elif part.startswith("dtmi:dtdl:limits:") and "#limitless" not in str(parts[index - 1]):
                self.tell("disallowedContextFragment", "", "@context", part, "limits follow a #limitless context")
                return None
            elif _KNOWN.fullmatch(part):
                scope = _Scope(scope.version, scope.open, True, scope.limitless)
            elif not is_dtmi(part):
                self.tell("nonDtmiContextSpecifier", "", "@context", part, "a context is a DTMI with a version")
                return None
            elif ";" not in part:
                self.tell("missingContextVersion", "", "@context", part, "add the version, as in ;1")
                return None
            elif self.undefined is True or (self.undefined is None and scope.version.number == 2):
                scope = _Scope(scope.version, True, scope.known, scope.limitless)
            else:
                self.tell("unresolvableContextSpecifier", "", "@context", part, "no such extension is known; remove it")
                return None
        if scope is None:
            self.tell("missingDtdlContext", "", "@context", given, 'start with "dtmi:dtdl:context;3"')
        return scope

    def element(self, raw: JSON, outer: _Scope, place: Prop, at: str, key: str, depth: int) -> str | None:
        """The id of the node made of `raw`, or of what it refers to."""
        number = outer.version.number
        if isinstance(raw, str):
            return self.reference(raw, outer, place, at, key)
        if not isinstance(raw, dict):
            self.tell("refNotStringOrObject", at, key, raw, "write an object, or the identifier of one")
            return None
        if depth > 200:
            self.tell("excessiveDepthWide", at, key, "", "is nested too deep; make it flatter")
            return None
        scope = self.context(raw, outer)
        if scope is None:
            return None
        if place.implied and scope.version is not outer.version:
            self.tell("disallowedVersionDefinition", at, key, "", f"is a part of version {number}; drop its context")
            return None
        if raw.keys() == {"@id"}:
            self.tell("idReference", at, key, raw["@id"], "write the identifier alone, not in an object")
            return None
        kind, strange = self.kind(raw, scope, place, at, key)
        identity = raw.get("@id")
        if "@id" in raw or not at:
            longest = 128 if kind == "Interface" else 2048
            if not isinstance(identity, str):
                self.tell("idNotString" if "@id" in raw else "missingTopLevelId", at, "@id", identity, "give a DTMI")
            elif not is_dtmi(identity, plain=number == 2) or re.match(r"dtmi:(dtdl|standard):", identity):
                self.tell("invalidId", at, "@id", identity, "write one like dtmi:com:example:Turbine;1")
            elif len(identity) > longest:
                self.tell("idTooLong", at, "@id", identity, f"use at most {longest} characters")
            elif identity in self.nodes:
                self.tell("duplicateDefinition", at, "@id", identity, "is defined twice; remove one")
        elif kind == "Interface" or (key == "schemas"):
            self.tell("missingRequiredId", at, "@id", "", "give it an identifier")
        if kind is None:
            return None
        self.serial += 1
        node = _Node(
            identity if isinstance(identity, str) else f"#{self.serial}", kind, raw, scope.version, scope.limitless, []
        )
        self.nodes[node.id] = node
        self.properties(node, scope, strange, f"{at}/{raw.get('name', identity)}" if at else str(identity), depth)
        return node.id

    def reference(self, raw: str, scope: _Scope, place: Prop, at: str, key: str) -> str | None:
        version = scope.version
        standard = _STANDARD.fullmatch(raw)
        name = standard[1] if standard and int(standard[2]) == version.number else raw
        if place.standard and (name in version.primitives or name in GEOSPATIAL):
            return None
        if not is_dtmi(raw, plain=version.number == 2):
            self.tell("badDtmiOrTerm", at, key, raw, "is neither an identifier nor a term of DTDL")
            return None
        self.wanted.append((at, raw, place.classes))
        return raw

    def kind(self, raw: Mapping[str, JSON], scope: _Scope, place: Prop, at: str, key: str) -> tuple[str | None, bool]:
        """The class of an element, and whether it has types nobody knows."""
        if "@type" not in raw:
            if place.implied:
                return place.implied, False
            self.tell("missingType" if at else "typeNotRootable", at, key, "", f"add a type: {place.classes}")
            return None, False
        given = raw["@type"]
        number = scope.version.number
        found: set[str] = set()
        strange = False
        quantity = ""
        for part in given if isinstance(given, list) else [given]:
            if not isinstance(part, str):
                self.tell("typeNotString", at, "@type", part, "a type is a text")
                return None, False
            suffix = f";{number}"
            short = part
            if part.startswith("dtmi:dtdl:class:") and part.endswith(suffix):
                short = part[16 : -len(suffix)]
            if part.startswith("dtmi:standard:class:") and part.endswith(suffix):
                short = part[20 : -len(suffix)]
            if short in scope.version.classes:
                found.add(short)
            elif short in SEMANTIC and (number == 2 or scope.known):
                quantity = part
            elif ":" in part and not part.startswith("dtmi:"):
                strange = True
                if number > 2:
                    self.tell("typeNotDtmiNorTerm", at, "@type", part, "a type is a DTMI or a term")
            elif part.startswith("dtmi:") and not is_dtmi(part):
                self.tell("typeInvalidDtmi", at, "@type", part, "is no valid DTMI")
            elif scope.open or scope.known:
                strange = True
            elif ":" in part or short in _terms(scope.version):
                self.tell("typeIrrelevantDtmiOrTerm", at, "@type", part, "is no type; remove it")
            else:
                strange = True
                if number > 2:
                    self.tell("typeUndefinedTerm", at, "@type", part, "nothing defines this type; remove it")
        if len(found) > 1:
            self.tell("multipleMaterialTypes", at, "@type", given, "name one class of DTDL")
            return None, strange
        one = next(iter(found), None)
        if one is None or one not in place.classes:
            self.tell("badType" if at else "typeNotRootable", at, "@type", given, f"use one of {place.classes}")
            return None, strange
        if quantity and (one not in ("Property", "Telemetry") if number == 2 else one not in _MEASURED):
            self.tell("invalidCotype", at, "@type", quantity, f"does not describe a {one}; remove it")
        return one, strange

    def properties(self, node: _Node, scope: _Scope, strange: bool, at: str, depth: int) -> None:
        number = scope.version.number
        table = scope.version.classes[node.kind]
        given: dict[str, JSON] = {}
        prefix, suffix = "dtmi:dtdl:property:", f";{number}"
        unit: JSON = None
        for key, value in node.raw.items():
            short = key[len(prefix) : -len(suffix)] if key.startswith(prefix) and key.endswith(suffix) else key
            if short in table:
                if short in given:
                    self.tell("duplicatePropertyName", at, short, "", "is given as a term and as a DTMI; remove one")
                given[short] = value
            elif key.startswith("@"):
                if key not in ("@id", "@type", "@context") and (number > 2 or key == "@graph"):
                    self.tell("keywordDisallowed", at, key, value, "remove this keyword")
            elif short == "unit" and number == 2 and node.kind in ("Property", "Telemetry"):
                unit = value
            elif scope.known:
                continue
            elif not strange:
                self.tell("noTypeThatAllows", at, key, value, f"a {node.kind} has no such property; remove it")
            elif number > 2 and key.startswith("dtmi:") and not is_dtmi(key):
                self.tell("propertyInvalidDtmi", at, key, value, "is no valid DTMI")
            elif number > 2 and ":" in key and not key.startswith("dtmi:"):
                self.tell("propertyNotDtmiNorTerm", at, key, value, "a property is a DTMI or a term")
            elif number > 2 and not scope.open:
                self.tell("propertyUndefinedTerm", at, key, value, "nothing defines this property; remove it")
        if number == 2 and node.kind in ("Property", "Telemetry"):
            self.quantity(node, given.get("schema"), unit, strange, at)
        for key, prop in table.items():
            values = self.values(given.get(key), prop) if key in given else []
            if key in given and given[key] is None:
                self.tell("propertyValueNull", at, key, None, "leave it out, or give a value")
            elif len(values) < prop.least:
                missing = "missingObjectProperty" if prop.kind == "element" else "missingLiteralProperty"
                self.tell(missing, at, key, "", f"a {node.kind} needs {key}; add it")
            elif len(values) > prop.most:
                self.tell("objectCountAboveMax", at, key, len(values), f"has more than {prop.most} values")
            elif values:
                self.property(node, scope, key, prop, values, given, at, depth)

    def quantity(self, node: _Node, schema: JSON, unit: JSON, strange: bool, at: str) -> None:
        """A semantic type of v2, its unit, and the number it describes."""
        types = node.raw.get("@type")
        short = {_short(str(each)) for each in (types if isinstance(types, list) else [types])}
        named = sorted(short & UNITS.keys())
        if len(named) > 1:
            return self.tell("conflictingSupplementalTypes", at, "@type", ", ".join(named), "keep one of them")
        if not named:
            if unit is not None and not strange:
                self.tell("noTypeThatAllows", at, "unit", unit, "add a semantic type such as Temperature")
            return None
        if _short(str(schema)) not in ("double", "float", "integer", "long"):
            self.tell("notSiblingRequiredType", at, "schema", "", f"a {named[0]} is a number; use double")
        known = UNITS[named[0]]
        one = unit[0] if isinstance(unit, list) and len(unit) == 1 else unit
        if one is None and "unit" not in node.raw:
            return None
        if not isinstance(one, str) or _short(one) not in known:
            self.tell("notRequiredValue", at, "unit", one, f"a {named[0]} is in {', '.join(sorted(known))}")
        return None

    def values(self, raw: JSON, prop: Prop) -> list[JSON]:
        if prop.kind == "words":
            return [raw]
        return raw if isinstance(raw, list) else [raw]

    def property(
        self,
        node: _Node,
        scope: _Scope,
        key: str,
        prop: Prop,
        values: list[JSON],
        given: Mapping[str, JSON],
        at: str,
        depth: int,
    ) -> None:
        match prop.kind:
            case "element":
                names: set[str] = set()
                for value in values:
                    made = self.element(value, scope, prop, at, key, depth + 1)
                    if made is not None:
                        node.links.append((key, made))
                    name = value.get(prop.unique) if prop.unique and isinstance(value, dict) else None
                    if isinstance(name, str) and name in names:
                        self.tell("nonUniquePropertyValue", at, key, name, "is used twice; rename one")
                    names.add(str(name))
                if key == "enumValues":
                    stored = [str(value.get("enumValue")) for value in values if isinstance(value, dict)]
                    if len(set(stored)) < len(stored):
                        self.tell("nonUniquePropertyValue", at, "enumValue", "", "two names have one value")
                    wanted = str(node.raw.get("valueSchema", "")).split(":")[-1].split(";")[0]
                    for value in values:
                        part = value.get("enumValue") if isinstance(value, dict) else None
                        part = part[0] if isinstance(part, list) and len(part) == 1 else part
                        part = part["@value"] if isinstance(part, dict) and "@value" in part else part
                        if wanted in _TYPES and part is not None and type(part) is not _TYPES[wanted]:
                            self.tell("nonConformantPropertyValue", at, "enumValue", part, f"must be of {wanted}")
            case "words":
                self.words(values[0], key, prop, at)
            case "id":
                if not isinstance(values[0], str) or not is_dtmi(values[0], plain=scope.version.number == 2):
                    self.tell("identifierNotDtmi", at, key, values[0], "write the DTMI of an interface")
            case "word":
                value = values[0]
                dtmi = re.fullmatch(rf"dtmi:dtdl:instance:\w+:(\w+);{scope.version.number}", str(value))
                if not isinstance(value, str) or (dtmi[1] if dtmi else value) not in prop.allowed:
                    self.tell("notRequiredValue", at, key, value, f"use one of {', '.join(prop.allowed)}")
            case _:
                self.literal(values[0], key, prop, at)

    def literal(self, raw: JSON, key: str, prop: Prop, at: str) -> None:
        value, named = raw, ""
        if isinstance(raw, dict):
            if "@value" not in raw or not raw.keys() <= {"@value", "@type"}:
                return self.tell("valueObjectInvalidProp", at, key, "", "write the value alone")
            value, declared = raw["@value"], raw.get("@type")
            if isinstance(declared, list) and len(declared) == 1:
                declared = declared[0]
            if "@type" in raw:
                named = str(declared).removeprefix(_XSD).removeprefix("xsd:")
                if named not in _TYPES or (prop.kind != "value" and named != prop.kind):
                    return self.tell(f"{prop.kind}TypeNot{prop.kind.title()}", at, key, declared, "is the wrong type")
        wanted = (str, int) if prop.kind == "value" else (_TYPES[prop.kind],)
        if type(value) not in wanted or (named and type(value) is not _TYPES[named]):
            return self.tell(f"{prop.kind}Not{prop.kind.title()}", at, key, value, f"must be a {prop.kind}")
        if isinstance(value, str) and len(value) > prop.longest:
            return self.tell("stringTooLong", at, key, value, f"use at most {prop.longest} characters")
        if key == "name" and not _NAME.fullmatch(str(value)):
            return self.tell("stringInvalid", at, key, value, "use letters, digits and _, a letter first")
        if isinstance(value, int) and key == "minMultiplicity" and value != 0:
            return self.tell("valueNotExact", at, key, value, "must be 0")
        if isinstance(value, int) and key == "maxMultiplicity" and value < 1:
            return self.tell("valueBelowMin", at, key, value, "must be 1 or more")
        return None

    def words(self, raw: JSON, key: str, prop: Prop, at: str) -> None:
        seen: set[str] = set()
        for value in raw if isinstance(raw, list) else [raw]:
            pairs: list[tuple[str, JSON]]
            if isinstance(value, str):
                pairs = [("en", value)]
            elif not isinstance(value, dict):
                return self.tell("langStringValueNotString", at, key, value, "write a text")
            elif isinstance(raw, list):
                if not value.keys() <= {"@value", "@language"} or "@value" not in value:
                    return self.tell("langStringElementInvalidProp", at, key, "", "use @value and @language")
                pairs = [(str(value.get("@language", "en")), value["@value"])]
            else:
                pairs = list(value.items())
            for tag, text in pairs:
                if not _TAG.fullmatch(tag):
                    return self.tell("langStringElementInvalidCode", at, key, tag, "write a tag like de-AT")
                if tag in seen:
                    return self.tell("langStringElementCodeNotUnique", at, key, tag, "is given twice")
                seen.add(tag)
                if not isinstance(text, str):
                    return self.tell("langStringValueNotString", at, key, text, "write a text")
                if len(text) > prop.longest:
                    return self.tell("langStringValueTooLong", at, key, text, f"at most {prop.longest} characters")
        return None

    def follow(self) -> None:
        """What holds between elements: references lead somewhere fitting, nothing contains itself, limits."""
        for at, wanted, classes in self.wanted:
            node = self.nodes.get(wanted)
            if node is None:
                self.tell("unresolved", at, "", wanted, "is defined nowhere; add its definition")
            elif node.kind not in classes:
                self.tell("incompatibleType", at, "", wanted, f"is a {node.kind}; use one of {classes}")
        if self.found:
            return
        for node in list(self.nodes.values()):
            version = node.version
            if node.kind == "Interface":
                self.depth(node, lambda id_: self.linked(id_, "extends"), version.extends_depth)
                self.inherited(node)
                if _longest(node.id, self.parts) is None:
                    self.tell("recursiveStructureWide", node.id, "contents", "", "has itself as a part")
            elif node.kind == "Property" and not version.array_in_property:
                if any(self.holds_array(made) for made in self.linked(node.id, "schema")):
                    self.tell("excludedType", node.id, "schema", "", "v2 has no arrays in properties; use a Map")
            elif node.kind in ("Array", "Map", "Object"):
                self.depth(node, self.inner, version.schema_depth - 1)

    def linked(self, id_: str, *keys: str) -> list[str]:
        return [made for key, made in self.nodes[id_].links if key in keys]

    def parts(self, id_: str) -> list[str]:
        """The interfaces of the components of an interface."""
        made = [each for each in self.linked(id_, "contents") if self.nodes[each].kind == "Component"]
        return [each for component in made for each in self.linked(component, "schema")]

    def holds_array(self, id_: str, depth: int = 0) -> bool:
        return self.nodes[id_].kind == "Array" or (
            depth < 12 and any(self.holds_array(each, depth + 1) for each in self.inner(id_))
        )

    def inner(self, id_: str) -> list[str]:
        """The schemas directly in a schema."""
        named = self.linked(id_, "mapValue", "fields")
        return self.linked(id_, "elementSchema") + [each for name in named for each in self.linked(name, "schema")]

    def solid(self, id_: str) -> list[str]:
        """Those that are in it always: an array or a map may be empty."""
        return self.inner(id_) if self.nodes[id_].kind == "Object" else []

    def inherited(self, node: _Node) -> None:
        names: dict[str, str] = {}
        for each in {node.id, *self.reach(node.id, "extends")}:
            for key, made in self.nodes[each].links:
                if key == "contents":
                    name = str(self.nodes[made].raw.get("name"))
                    if names.setdefault(name, made) != made:
                        self.tell("nonUniqueImportedPropertyValue", node.id, "contents", name, "is inherited twice")

    def reach(self, start: str, key: str) -> Iterator[str]:
        seen: set[str] = set()
        todo = [start]
        while todo:
            for via, made in self.nodes[todo.pop()].links:
                if via == key and made not in seen:
                    seen.add(made)
                    todo.append(made)
                    yield made

    def depth(self, start: _Node, onward: Callable[[str], list[str]], most: int) -> None:
        longest = _longest(start.id, onward)
        if longest is None:
            if start.kind == "Interface" or not start.version.recursive or _longest(start.id, self.solid) is None:
                self.tell("recursiveStructureNarrow", start.id, "", "", "contains itself; break the circle")
        elif longest > most and not start.limitless:
            self.tell("excessiveDepthNarrow", start.id, "", longest, f"go at most {most} deep")


def _short(name: str) -> str:
    """The term of a name of DTDL v2, given as a term or as a DTMI."""
    found = re.fullmatch(r"dtmi:(?:standard:(?:class|unit)|dtdl:instance:Schema):(\w+);2", name)
    return found[1] if found else name


def _longest(start: str, onward: Callable[[str], list[str]]) -> int | None:
    """Steps on the longest way from `start`; None if it goes in a circle (or on for ever)."""
    level, steps = {start}, 0
    while level and steps < 64:
        level = {made for each in level for made in onward(each)}
        steps += 1
    return None if level else steps - 1


def _terms(version: Version) -> set[str]:
    return {name for table in version.classes.values() for name in table} | set(version.primitives) | set(GEOSPATIAL)
