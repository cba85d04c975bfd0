"""Conditions as SQL.

A condition is turned so that NOT stands nowhere: each leaf has its contrary. What is not there satisfies neither a
comparison nor its contrary (`T.x > 5` and `NOT T.x > 5` both leave out twins without x); so does a value of another
type, for an order. `!=`, NIN and the IS_… functions go by what the value is, whatever its type.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import final

from ectype.graph.columns import FALSE, TRUE, Column, literal
from ectype.query.cells import NOTHING, Cell, Place, Scope
from ectype.query.errors import Unparsable
from ectype.query.read import instant_ns
from ectype.query.syntax import All, Among, Any, Call, Compare, Comparison, Condition, Not, Operand, Path, Scalar, Value

Bound = str | int | float | bytes
_CONTRARY: dict[Comparison, Comparison] = {"=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_TURNED: dict[Comparison, Comparison] = {"=": "=", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_KINDS = {
    "IS_BOOL": "'true','false'",
    "IS_NUMBER": "'integer','real'",
    "IS_STRING": "'text'",
    "IS_OBJECT": "'object'",
    "IS_PRIMITIVE": "'integer','real','text','true','false','null'",
    "IS_NULL": "'null'",
}
_TEXTS = {"STARTSWITH", "ENDSWITH", "CONTAINS", "STARTS_WITH", "ENDS_WITH"}
FUNCTIONS = sorted({*_KINDS, *_TEXTS, "IS_DEFINED", "IS_OF_MODEL", "ARRAY_CONTAINS"} - {"STARTS_WITH", "ENDS_WITH"})


@final
@dataclass(frozen=True, slots=True)
class Term:
    """One condition as SQL.

    places: the collections it speaks of; driver: the same, so worded that an index leads to what satisfies it, None
    if none does; columns: the indexes that would make a driver of it; unique: the driver finds a few at most;
    ordered: it finds them in the order of their keys; equal: it is about one value or a few.
    """

    sql: str
    places: frozenset[Place]
    driver: str | None = None
    columns: tuple[Column, ...] = ()
    unique: bool = False
    ordered: bool = False
    equal: bool = False


@final
@dataclass(slots=True)
class Terms:
    """Turns the conditions of one query into SQL; what they compare with goes into `bound`, by name.

    indexed: the columns that have an index (see Columns.known); of_model: the keys of the models that are one.
    """

    scope: Scope
    indexed: Mapping[Column, str]
    of_model: Callable[[str, bool], Collection[int]]
    bound: dict[str, Bound | None] = field(default_factory=dict[str, Bound | None])

    def conjuncts(self, condition: Condition | None) -> list[Term]:
        """Terms that must all be true."""
        if condition is None:
            return []
        if isinstance(condition, All):
            return [term for part in condition.parts for term in self.conjuncts(part)]
        return [self.term(condition)]

    def bind(self, value: Bound | None) -> str:
        """The name of a parameter that is `value`."""
        name = f"p{len(self.bound)}"
        self.bound[name] = value
        return f":{name}"

    def term(self, condition: Condition, negated: bool = False) -> Term:
        """`condition`, or its contrary."""
        match condition:
            case Not(part):
                return self.term(part, not negated)
            case All(parts) | Any(parts):
                return self._joined([self.term(part, negated) for part in parts], isinstance(condition, All) != negated)
            case Compare():
                return self._compare(condition, negated)
            case Among(path, values, nin, _):
                return self._among(path, values, nin != negated)
            case Call():
                return self._call(condition, negated)

    @staticmethod
    def _joined(parts: list[Term], conjunction: bool) -> Term:
        places = frozenset[Place]().union(*(part.places for part in parts))
        sql = _balanced([part.sql for part in parts], " AND " if conjunction else " OR ")
        if conjunction:
            return Term(sql, places)
        columns = tuple(column for part in parts for column in part.columns)
        drivers = [part.driver for part in parts if part.driver is not None]
        if len(drivers) == len(parts):
            return Term(sql, places, _balanced(drivers, " OR "), columns)
        wanted = all(part.driver is not None or part.columns for part in parts)
        return Term(sql, places, None, columns if wanted else ())

    # ---- comparisons

    def _compare(self, compare: Compare, negated: bool) -> Term:
        op, left, right = compare.op, compare.left, compare.right
        if isinstance(left, Value):
            op, left, right = _TURNED[op], right, left
        if isinstance(left, Value):
            raise self._wrong("compare a property with a value; here are two values", compare.at)
        if negated:
            op = _CONTRARY[op]
        place, cell = self.scope.cell(left)
        if isinstance(right, Path):
            other, second = self.scope.cell(right)
            return Term(_two(op, cell, second), frozenset((place, other)))
        return self._with_value(op, place, cell, right.value)

    def _with_value(self, op: Comparison, place: Place, cell: Cell, value: Scalar) -> Term:
        places = frozenset((place,))
        if cell.at_ns is not None and isinstance(value, str) and (at := instant_ns(value)) is not None:
            return Term(f"{cell.at_ns} {'<>' if op == '!=' else op} {self.bind(at)}", places)
        if value is None:
            sql = {"=": f"{cell.kind} = 'null'", "!=": f"{cell.kind} <> 'null'"}.get(op, "0")
            return Term(sql, places)
        if op == "!=":
            return Term(f"({cell.kind} IS NOT NULL AND {cell.value} IS NOT {self.bind(_bound(value))})", places)
        if op == "=" and cell.key is not None:
            column, keys = cell.key
            sql = f"{column} IN ({keys.format(ids=self.bind(_bound(value)))})"
            return Term(_plain(sql), places, sql, unique=True)
        sql = f"{cell.value} {op} {self.bind(_bound(value))}"
        # The order of types in a column: an order holds within one type alone.
        if op in (">", ">=") and not isinstance(value, bool):
            sql = f"({sql} AND {cell.value} < {'x' * isinstance(value, str)}'')"
        elif op in ("<", "<=") and isinstance(value, bool | str):
            sql = f"({sql} AND {cell.value} >= {'x' * isinstance(value, bool)}'')"
        return self._driven(sql, place, cell, unique=op == "=", ordered=op == "=")

    def _driven(self, sql: str, place: Place, cell: Cell, *, unique: bool = False, ordered: bool = False) -> Term:
        """`sql` about the value of `cell`, led to by an index if there is one."""
        places = frozenset((place,))
        if cell.column is None:
            return Term(sql, places, sql if cell.value.endswith(".id") and place.twins else None, unique=unique)
        among = self.indexed.get(cell.column)
        if among is None:
            return Term(sql, places, None, (cell.column,), equal=unique)
        driver = f"({among.format(alias=cell.alias + '.')} AND {sql})"
        return Term(sql, places, driver, (cell.column,), ordered=ordered)

    def _among(self, path: Path, values: tuple[Value, ...], negated: bool) -> Term:
        place, cell = self.scope.cell(path)
        places = frozenset((place,))
        null = any(each.value is None for each in values)
        bound = [_bound(each.value) for each in values if each.value is not None]
        listed = ",".join(self.bind(each) for each in bound)
        if negated:
            sql = f"({cell.kind} IS NOT NULL AND ({cell.value} IS NULL OR {cell.value} NOT IN ({listed})))"
            return Term(f"({sql} AND {cell.kind} <> 'null')" if null else sql, places)
        if null:
            return Term(f"({cell.value} IN ({listed}) OR {cell.kind} = 'null')", places)
        if cell.key is not None:
            column, keys = cell.key
            sql = f"{column} IN ({keys.format(ids=listed)})"
            return Term(_plain(sql), places, sql, unique=True)
        return self._driven(f"{cell.value} IN ({listed})", place, cell, unique=True)

    # ---- functions

    def _call(self, call: Call, negated: bool) -> Term:
        name = call.name
        if name == "IS_OF_MODEL":
            return self._is_of_model(call, negated)
        if name in _KINDS or name == "IS_DEFINED":
            place, cell = self.scope.cell(self._path(call, 1))
            if name == "IS_DEFINED":
                if negated:
                    return Term(f"{cell.kind} IS NULL", frozenset((place,)))
                return self._by_kind(f"{cell.kind} IS NOT NULL", place, cell)
            if negated:
                return Term(f"coalesce({cell.kind},'') NOT IN ({_KINDS[name]})", frozenset((place,)))
            return self._by_kind(f"{cell.kind} IN ({_KINDS[name]})", place, cell)
        if name in _TEXTS:
            place, cell = self.scope.cell(self._path(call, 2))
            wanted = call.arguments[1]
            if not isinstance(wanted, Value) or not isinstance(wanted.value, str):
                raise self._wrong(f"{name} compares with a text in quotes", wanted.at)
            return self._text(name, place, cell, wanted.value, negated)
        if name == "ARRAY_CONTAINS":
            return self._array_contains(call, negated)
        raise self._wrong(f"there is no function {name[:40]}; there are {', '.join(FUNCTIONS)}", call.at)

    def _by_kind(self, sql: str, place: Place, cell: Cell) -> Term:
        if cell.column is None:
            return Term(sql, frozenset((place,)))
        column = Column(cell.column.table, cell.column.path, "kind")
        among = self.indexed.get(column)
        driver = None if among is None else f"({among.format(alias=cell.alias + '.')} AND {sql})"
        return Term(sql, frozenset((place,)), driver, (column,))

    def _text(self, name: str, place: Place, cell: Cell, wanted: str, negated: bool) -> Term:
        value, places = cell.value, frozenset((place,))
        if name.startswith("START"):
            low, high = self.bind(wanted), _after(wanted)
            upper = "x''" if high is None else self.bind(high)
            sql = f"({value} >= {low} AND {value} < {upper})"
            if negated:
                return Term(f"(typeof({value}) = 'text' AND NOT {sql})", places)
            return self._driven(sql, place, cell)
        # As bytes: SQLite's functions of texts end at a NUL.
        whole, part = f"CAST({value} AS BLOB)", self.bind(wanted.encode())
        length = len(wanted.encode())
        if name == "CONTAINS":
            found = f"instr({whole},{part}) > 0" if length else "1"
        else:
            found = f"(length({whole}) >= {length} AND substr({whole},-{length}) = {part})" if length else "1"
        return Term(f"(typeof({value}) = 'text' AND {'NOT ' * negated}{found})", places)

    def _array_contains(self, call: Call, negated: bool) -> Term:
        path = self._path(call, 2)
        place, cell = self.scope.cell(path)
        wanted = call.arguments[1]
        if not isinstance(wanted, Value):
            raise self._wrong("ARRAY_CONTAINS looks for a text, a number, true, false or null", wanted.at)
        if cell is NOTHING or cell.column is None:
            return Term("0", frozenset((place,)))
        from_ = f"json_each({cell.alias}.properties,{literal(cell.column.path)}) e"
        match wanted.value:
            case None:
                test = "e.type = 'null'"
            case bool():
                test = f"e.type = '{str(wanted.value).lower()}'"
            case str():
                test = f"e.type = 'text' AND e.value = {self.bind(wanted.value)}"
            case number:
                test = f"e.type IN ('integer','real') AND e.value = {self.bind(number)}"
        found = f"{'NOT ' * negated}EXISTS (SELECT 1 FROM {from_} WHERE {test})"
        return Term(f"({cell.kind} = 'array' AND {found})", frozenset((place,)))

    def _is_of_model(self, call: Call, negated: bool) -> Term:
        arguments = list(call.arguments)
        exact = len(arguments) > 1 and _is_exact(arguments[-1])
        if exact:
            arguments.pop()
        place = None
        if arguments and isinstance(arguments[0], Path):
            place = self.scope.collection(arguments[0])
            if place is None or not place.twins:
                raise self._wrong(f"{'.'.join(arguments[0].names)[:80]!r} is no collection of twins", arguments[0].at)
            arguments.pop(0)
        if len(arguments) != 1 or not isinstance(arguments[0], Value) or not isinstance(arguments[0].value, str):
            raise self._wrong(
                "write IS_OF_MODEL(collection, 'dtmi:…;1', exact); the first and the last may go", call.at
            )
        if place is None:
            place = self.scope.only
        if place is None or not place.twins:
            raise self._wrong("IS_OF_MODEL needs the collection of twins it is about as its first argument", call.at)
        keys = ",".join(str(key) for key in sorted(self.of_model(arguments[0].value, exact)))
        sql = f"{place.alias}.model {'NOT ' * negated}IN ({keys})"
        return Term(f"+{sql}", frozenset((place,)), None if negated else sql)

    def _path(self, call: Call, count: int) -> Path:
        if len(call.arguments) != count:
            raise self._wrong(f"{call.name} takes {count} argument{'s' * (count > 1)}", call.at)
        first = call.arguments[0]
        if not isinstance(first, Path):
            raise self._wrong(f"the first argument of {call.name} is a property", first.at)
        return first

    def _wrong(self, message: str, at: int) -> Unparsable:
        return Unparsable(message, self.scope.text, at)


def _is_exact(argument: Operand) -> bool:
    return isinstance(argument, Path) and [name.lower() for name in argument.names] == ["exact"]


def _two(op: Comparison, left: Cell, right: Cell) -> str:
    a, b = left.value, right.value
    if op == "!=":
        return f"({left.kind} IS NOT NULL AND {right.kind} IS NOT NULL AND {a} IS NOT {b})"
    if op == "=":
        return f"{a} = {b}"
    same = " AND ".join(f"(typeof({a}) = '{each}') = (typeof({b}) = '{each}')" for each in ("text", "blob"))
    return f"({a} {op} {b} AND {same})"


def _bound(value: Scalar) -> Bound | None:
    if isinstance(value, bool):
        return TRUE if value else FALSE
    return value


def _plain(sql: str) -> str:
    """The same, which no index leads to."""
    return f"+{sql}"


def _after(prefix: str) -> str | None:
    """The least text above all that begin with `prefix`; None if there is none."""
    for at in range(len(prefix) - 1, -1, -1):
        following = ord(prefix[at]) + 1
        if following <= 0x10FFFF:
            return prefix[:at] + chr(0xE000 if following == 0xD800 else following)
    return None


def _balanced(parts: list[str], joint: str) -> str:
    """The parts in brackets by halves: SQLite allows no deep chains."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    return f"({_balanced(parts[:half], joint)}{joint}{_balanced(parts[half:], joint)})"
