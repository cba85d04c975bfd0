"""The query language once more, the slow and plain way: loops over dictionaries, in three-valued logic.

It shares the parser with the planner and nothing else. None stands for "cannot be said": what is not there, or orders
of unlike things. Only what is True is found.
"""

from collections.abc import Iterator

from ectype.graph.fold import Graph
from ectype.model import JSON
from ectype.query.read import read
from ectype.query.syntax import Aggregate, All, Among, Any, Call, Compare, Condition, Edge, Not, Path, Query, Value

Thing = dict[str, JSON]
Binding = dict[str, Thing]
MISSING = object()


class Naive:
    """A graph as dictionaries."""

    def __init__(self, graph: Graph) -> None:
        self.models = graph.models()
        self.twins = {twin.id: twin.to_dict() for twin in graph.twins()}
        self.edges = [edge.to_dict() for edge in graph.all_relationships()]

    def run(self, text: str) -> list[Thing]:
        """Every row, in any order (TOP is not looked at)."""
        query = read(text)
        bindings = [each for each in self.bindings(query) if query.where is None or self.truth(query.where, each)]
        items = query.items
        if (items is not None and any(isinstance(item.what, Aggregate) for item in items)) or query.group:
            return self.grouped(query, bindings)
        rows: list[Thing] = []
        for binding in bindings:
            if items is None:
                whole = query.relationships or len(query.nodes) == 1
                rows.append(
                    next(iter(binding.values())) if whole else {n: t for n, t in binding.items() if n[0] != "#"}
                )
                continue
            row: Thing = {}
            for item in items:
                assert isinstance(item.what, Path)
                found = self.value(binding, item.what)
                if found is not MISSING:
                    row[item.name or item.what.names[-1]] = found  # type: ignore[assignment]
            rows.append(row)
        return rows

    def grouped(self, query: Query, bindings: list[Binding]) -> list[Thing]:
        groups: dict[tuple[object, ...], list[Binding]] = {} if query.group else {(): []}
        for binding in bindings:
            key = tuple(scalar(self.value(binding, path)) for path in query.group)
            groups.setdefault(tuple((type(each).__name__ in ("bool",), each) for each in key), []).append(binding)
        rows: list[Thing] = []
        for key, members in groups.items():
            row: Thing = {}
            for item in query.items or ():
                if isinstance(item.what, Path):
                    index = [path.names for path in query.group].index(item.what.names)
                    found = key[index][1]  # type: ignore[index]
                    name = item.name or item.what.names[-1]
                else:
                    found, name = self.aggregate(item.what, members), item.name or item.what.function
                if found is not MISSING and found is not None:
                    row[name] = found  # type: ignore[assignment]
            rows.append(row)
        return rows

    def aggregate(self, what: Aggregate, members: list[Binding]) -> object:
        if what.path is None:
            return len(members)
        values = [self.value(each, what.path) for each in members]
        if what.function == "COUNT":
            return sum(value is not MISSING for value in values)
        numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
        if what.function == "SUM":
            return sum(numbers) if numbers else None
        if what.function == "AVG":
            return sum(numbers) / len(numbers) if numbers else None
        texts = [value for value in values if isinstance(value, str)]
        ordered: list[object] = [*sorted(numbers), *sorted(texts, key=lambda text: text.encode())]
        return (ordered[0] if what.function == "MIN" else ordered[-1]) if ordered else None

    # ---- FROM

    def bindings(self, query: Query) -> list[Binding]:
        names = [name or f"#t{k}" for k, name in enumerate(query.nodes)]
        if query.relationships:
            return [{names[0]: edge} for edge in self.edges]
        found: dict[tuple[object, ...], Binding] = {}
        for twin in self.twins.values():
            for used, binding in self.extended(query, names, 0, {names[0]: twin}, ()):
                keys = tuple(binding[name]["$dtId"] for name in names)
                found[keys, used] = binding
        return list(found.values())

    def extended(
        self, query: Query, names: list[str], number: int, binding: Binding, used: tuple[int, ...]
    ) -> Iterator[tuple[tuple[int, ...], Binding]]:
        if number == len(query.edges):
            yield used, binding
            return
        edge = query.edges[number]
        here = str(binding[names[edge.source]]["$dtId"])
        if (edge.low, edge.high) != (0, 1):
            for end in {end for end, length in self.trails(edge, here, ()) if length > edge.low}:
                more = {**binding, names[edge.target]: self.twins[end]}
                yield from self.extended(query, names, number + 1, more, used)
            return
        for index, end in self.steps(edge, here):
            if query.once and index in used:
                continue
            more = {**binding, names[edge.target]: self.twins[end]}
            if edge.alias is not None:
                more[edge.alias] = self.edges[index]
            yield from self.extended(query, names, number + 1, more, (*used, index))

    def steps(self, edge: Edge, here: str) -> Iterator[tuple[int, str]]:
        for index, each in enumerate(self.edges):
            if edge.names and each["$relationshipName"] not in edge.names:
                continue
            source, target = str(each["$sourceId"]), str(each["$targetId"])
            if source == here and edge.way in ">-":
                yield index, target
            elif target == here and edge.way in "<-":
                yield index, source

    def trails(self, edge: Edge, here: str, walked: tuple[int, ...]) -> Iterator[tuple[str, int]]:
        if walked:
            yield here, len(walked)
        if len(walked) < edge.high:
            for index, end in self.steps(edge, here):
                if index not in walked:
                    yield from self.trails(edge, end, (*walked, index))

    # ---- WHERE

    def truth(self, condition: Condition, binding: Binding) -> bool | None:
        match condition:
            case Not(part):
                inner = self.truth(part, binding)
                return None if inner is None else not inner
            case All(parts):
                found = [self.truth(part, binding) for part in parts]
                return False if False in found else None if None in found else True
            case Any(parts):
                found = [self.truth(part, binding) for part in parts]
                return True if True in found else None if None in found else False
            case Compare(op, left, right):
                return compare(op, self.operand(left, binding), self.operand(right, binding))
            case Among(path, values, negated):
                value = self.value(binding, path)
                if value is MISSING:
                    return None
                return any(same(value, each.value) for each in values) != negated
            case Call():
                return self.call(condition, binding)

    def call(self, call: Call, binding: Binding) -> bool | None:
        if call.name == "IS_OF_MODEL":
            return self.of_model(call, binding)
        path = call.arguments[0]
        assert isinstance(path, Path)
        value = self.value(binding, path)
        match call.name:
            case "IS_DEFINED":
                return value is not MISSING
            case "IS_NULL":
                return value is None
            case "IS_BOOL":
                return isinstance(value, bool)
            case "IS_NUMBER":
                return isinstance(value, int | float) and not isinstance(value, bool)
            case "IS_STRING":
                return isinstance(value, str)
            case "IS_OBJECT":
                return isinstance(value, dict)
            case "IS_PRIMITIVE":
                return value is None or isinstance(value, str | int | float)
            case _:
                pass
        wanted = call.arguments[1]
        assert isinstance(wanted, Value)
        if call.name == "ARRAY_CONTAINS":
            return any(same(each, wanted.value) for each in value) if isinstance(value, list) else None
        if not isinstance(value, str) or not isinstance(wanted.value, str):
            return None
        tests = {"STARTSWITH": value.startswith, "ENDSWITH": value.endswith, "CONTAINS": value.__contains__}
        return tests[call.name](wanted.value)

    def of_model(self, call: Call, binding: Binding) -> bool:
        arguments = list(call.arguments)
        exact = isinstance(arguments[-1], Path) and len(arguments) > 1
        wanted = next(each.value for each in arguments if isinstance(each, Value))
        first = arguments[0]
        twin = binding[first.names[0]] if isinstance(first, Path) else next(iter(binding.values()))
        model = twin["$metadata"]["$model"]  # type: ignore[index, call-overload]
        if exact:
            return model == wanted
        stem, _, version = str(wanted).rpartition(";")
        lineage = self.models.interface(str(model)).ancestors
        higher = [each for each in lineage if each.rpartition(";")[0] == stem]
        return any(int(each.rpartition(";")[2]) >= int(version) for each in higher)

    def operand(self, operand: Path | Value, binding: Binding) -> object:
        return operand.value if isinstance(operand, Value) else self.value(binding, operand)

    def value(self, binding: Binding, path: Path) -> object:
        names = list(path.names)
        if names[0] in binding:
            value: object = binding[names.pop(0)]
        else:
            (value,) = binding.values()
        for name in names:
            if not isinstance(value, dict) or name not in value:
                return MISSING
            value = value[name]
        return value


def scalar(value: object) -> object:
    return None if value is MISSING or isinstance(value, dict | list) else value


def sort_of(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return type(value).__name__


def same(left: object, right: object) -> bool:
    return sort_of(left) == sort_of(right) and left == right


def compare(op: str, left: object, right: object) -> bool | None:
    if left is MISSING or right is MISSING:
        return None
    if op in ("=", "!="):
        if isinstance(left, dict | list) and isinstance(right, dict | list):
            return None
        return same(left, right) == (op == "=")
    if sort_of(left) != sort_of(right) or left is None or isinstance(left, dict | list):
        return None
    low, high = (left.encode(), right.encode()) if isinstance(left, str) and isinstance(right, str) else (left, right)
    return {"<": low < high, "<=": low <= high, ">": low > high, ">=": low >= high}[op]  # type: ignore[operator]
