"""What holds between elements: references lead somewhere fitting, nothing contains itself, limits."""

import math
from collections.abc import Callable, Iterator

from ectype.model.language.node import Node
from ectype.model.language.siblings import tell_siblings
from ectype.model.language.walk import Walk
from ectype.model.metamodel import GEOSPATIAL


def tell_structure(walk: Walk) -> None:
    """Tell what is wrong between the elements that have been read."""
    before = len(walk.found)
    for node, key, wanted, prop in walk.wanted:
        found = walk.nodes.get(wanted)
        if found is None:
            reserved = wanted.startswith(("dtmi:dtdl:", "dtmi:standard:", "dtmi:iotcentral:"))
            id_ = "undefinedReservedId" if reserved else "unresolved"
            walk.tell(id_, node, key, wanted, "is defined nowhere; add its definition")
        elif found.kind not in prop.classes:
            walk.tell("incompatibleType", node, key, wanted, f"is a {found.kind}; use {' or '.join(prop.classes)}")
        elif found.kind != "Interface" and found.partition != node.partition:
            text = f"is a part of {found.partition}; copy it into this interface"
            walk.tell("crossPartitionReference", node, key, wanted, text)
        elif found.scope.version.number > node.scope.version.number:
            text = f"is of version {found.scope.version.number}; use one of version {node.scope.version.number}"
            walk.tell("disallowedVersionReference", node, key, wanted, text)
        else:
            node.links.append((key, wanted))
    if len(walk.found) > before:
        return
    graph = Structure(walk)
    for node in list(walk.nodes.values()):
        graph.tell(node)


class Structure:
    """The elements and the ways from one to the next."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.nodes = walk.nodes
        self._lengths: dict[str, dict[str, float]] = {}
        self._ring = ""

    def tell(self, node: Node) -> None:
        """Tell what is wrong with what hangs on this element."""
        version = node.scope.version
        limit = node.scope.limit.schema_depth
        if node.kind == "Interface":
            self._depth(node, self._bases, version.extends_depth, "extends")
            if self._longest(node.id, self._bases) != math.inf:
                self._inherited(node)
                self._parts_of(node)
                tell_siblings(node, self.contents(node.id), self.walk)
        elif node.kind == "Property" and not version.array_in_property:
            where = node.given.get("schema")
            point = isinstance(where, str) and where.rpartition(":")[2].partition(";")[0] in GEOSPATIAL
            if point or any(self._holds_array(made) for made in self.linked(node.id, "schema")):
                self.walk.tell("excludedType", node, "schema", "", "v2 has no arrays in properties; use a Map")
        elif node.kind in ("Array", "Map", "Object"):
            self._depth(node, self._inner, (limit or version.schema_depth) - 1, "")
            self._members(node)
            self._distinct(node, "fields")
        elif node.kind == "Enum":
            self._distinct(node, "enumValues")

    def linked(self, id_: str, *keys: str) -> list[str]:
        """The elements in these properties of an element."""
        return [made for key, made in self.nodes[id_].links if key in keys]

    def contents(self, id_: str) -> list[Node]:
        """The contents of an interface, with those it inherits."""
        chain = dict.fromkeys([id_, *self._reach(id_, "extends")])
        return [self.nodes[made] for each in chain for made in self.linked(each, "contents")]

    def _bases(self, id_: str) -> list[str]:
        return self.linked(id_, "extends")

    def _components(self, id_: str) -> list[str]:
        """The interfaces of the components of an interface, inherited ones too."""
        made = [each for each in self.contents(id_) if each.kind == "Component"]
        return [each for component in made for each in self.linked(component.id, "schema")]

    def _parts_of(self, node: Node) -> None:
        if self._longest(node.id, self._components) == math.inf:
            text = f"has itself as a part: {self._ring}; break the circle"
            self.walk.tell("recursiveStructureNarrow", node, "contents", "", text)
            self.walk.tell("excludedType", node, "contents", "", text)
            return
        self._distinct(node, "contents")
        for part in self._components(node.id):
            if self._components(part):
                self.walk.tell("excludedType", node, "contents", part, "a component cannot have components")
                return

    def _holds_array(self, id_: str, depth: int = 0) -> bool:
        return self.nodes[id_].kind == "Array" or (
            depth < 12 and any(self._holds_array(each, depth + 1) for each in self._inner(id_))
        )

    def _inner(self, id_: str) -> list[str]:
        """The schemas directly in a schema."""
        named = self.linked(id_, "mapValue", "fields")
        return self.linked(id_, "elementSchema") + [each for name in named for each in self.linked(name, "schema")]

    def _solid(self, id_: str) -> list[str]:
        """Those that are in it always: an array or a map may be empty."""
        return self._inner(id_) if self.nodes[id_].kind == "Object" else []

    def _inherited(self, node: Node) -> None:
        names: dict[str, str] = {}
        for each in self.contents(node.id):
            if each.name and names.setdefault(each.name, each.id) != each.id:
                text = f"comes from {self.nodes[names[each.name]].partition} and {each.partition}; drop one of them"
                self.walk.tell("nonUniqueImportedPropertyValue", node, "contents", each.name, text)

    def _members(self, node: Node) -> None:
        """What supplemental types ask of the fields of an object."""
        fields = [self.nodes[each] for each in self.linked(node.id, "fields")]
        for each in node.types:
            for field in fields if each.members else []:
                if not any(field.has(name) for name in each.members):
                    text = f"a field of a {each.name} is {' or '.join(each.members)}"
                    self.walk.tell("notRequiredType", field, "@type", field.name, text)
        seen: set[str] = set()
        for field in fields:
            for each in field.types:
                if each.parent and not any(node.has(name) for name in each.parent):
                    text = f"is in an object that is {' or '.join(each.parent)}; add that type there"
                    self.walk.tell("parentMissingCotype", node, "fields", each.name, text)
                elif each.alone and each.name in seen:
                    self.walk.tell("siblingDuplicatesCotype", node, "fields", each.name, "one field may be that")
                seen.add(each.name)

    def _distinct(self, node: Node, key: str) -> None:
        """Values of supplemental properties that siblings may not share."""
        seen: set[tuple[str, str]] = set()
        for made in self.linked(node.id, key):
            inner = self.nodes[made]
            for name in (name for each in inner.types for name, prop in each.properties.items() if prop.distinct):
                value = (name, str(inner.given.get(name)))
                if value in seen:
                    self.walk.tell("nonUniquePropertyValue", node, key, value[1], f"{name} is used twice; change one")
                seen.add(value)

    def _reach(self, start: str, key: str) -> Iterator[str]:
        seen: set[str] = set()
        todo = [start]
        while todo:
            for via, made in self.nodes[todo.pop()].links:
                if via == key and made not in seen:
                    seen.add(made)
                    todo.append(made)
                    yield made

    def _depth(self, start: Node, onward: Callable[[str], list[str]], most: int, key: str) -> None:
        longest = self._longest(start.id, onward)
        width = "Narrow" if key else "Wide"
        if longest == math.inf:
            free = start.scope.version.recursive and start.kind != "Interface"
            if not free or self._longest(start.id, self._solid) == math.inf:
                self.walk.tell(
                    f"recursiveStructure{width}", start, key, "", f"leads in a circle: {self._ring}; break it"
                )
        elif longest > most and not (key and start.scope.limit.schema_depth):
            self.walk.tell(f"excessiveDepth{width}", start, key, longest, f"goes {longest:.0f} deep; go at most {most}")

    def _longest(self, start: str, onward: Callable[[str], list[str]]) -> float:
        """Steps on the longest way from `start`; inf if it leads into a circle. Linear in the ways, as all are kept."""
        known = self._lengths.setdefault(onward.__name__, {})
        path = [start]
        open_: dict[str, list[str]] = {}
        while path:
            here = path[-1]
            if here in known:
                path.pop()
                continue
            if here not in open_:
                open_[here] = onward(here)
            waiting = [each for each in open_[here] if each not in known]
            if any(each in open_ for each in waiting):
                met = next(each for each in waiting if each in open_)
                ring = list(open_)
                self._ring = " -> ".join([*ring[ring.index(met) :], met])
                known.update(dict.fromkeys(open_, math.inf))
                return known.get(start, math.inf)
            if waiting:
                path.append(waiting[0])
            else:
                known[here] = 1 + max((known[each] for each in open_[here]), default=-1.0)
                del open_[here]
                path.pop()
        return known[start]
