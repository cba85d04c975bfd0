"""From text to tree."""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingParameterType=false, reportUntypedBaseClass=false
# The parser hands over tokens and what was made of them, untyped; here is where they get their types.

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any as Untyped
from typing import cast, final

from ectype.query.errors import Unparsable
from ectype.query.grammar import parse
from ectype.query.syntax import (
    Aggregate,
    All,
    Among,
    Any,
    Call,
    Compare,
    Comparison,
    Condition,
    Edge,
    Function,
    Item,
    Not,
    Operand,
    Order,
    Path,
    Query,
    Value,
)

JOINS, HOPS, CONDITIONS, CHOICES, DEPTH = 5, 10, 200, 1000, 60
"""The most of them in one query: joins, hops of an edge, conditions, values of an IN, conditions inside each other."""

_ESCAPES = re.compile(r"\\([\\'\"])")
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.IGNORECASE)


@lru_cache(512)
def read(text: str) -> Query:
    """The query that `text` is. Raises Unparsable."""
    try:
        query = cast(Query, parse(text, _BUILDER)())
    except Unparsable as error:
        raise Unparsable(error.reason, text, error.at) from None
    query = replace(query, text=text)
    _check(query)
    return query


def instant_ns(text: str) -> int | None:
    """Nanoseconds since 1970 of `2024-05-01T12:00:00.1234567Z`; None if it is no such text."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        return None
    try:
        at = datetime.fromisoformat(match[1] + match[3].upper().replace("Z", "+00:00"))
    except ValueError:
        return None
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86400 + since.seconds) * 1_000_000_000 + int((match[2] or "0").ljust(9, "0"))


@final
class _Builder:
    """What each rule of the grammar becomes, from the leaves up: nothing here calls itself."""

    def start(self, parts: list[Untyped]) -> Callable[[], Query]:
        _, top, items, _, collection, as_of, where, group, order = parts
        rest = {"items": items, "top": top, "where": where, "group": group or (), "order": order or (), "as_of": as_of}
        return lambda: replace(cast(Query, collection()), **rest)

    def top(self, parts: list[Untyped]) -> int:
        return min(int(parts[-1]), 2**62)

    def star(self, parts: list[Untyped]) -> None:
        del parts

    def items(self, parts: list[Untyped]) -> tuple[Item, ...]:
        return tuple(parts)

    def item(self, parts: list[Untyped]) -> Item:
        return Item(parts[0], None if parts[-1] is None else _name(parts[-1]))

    def aggregate(self, parts: list[Untyped]) -> Aggregate:
        path = parts[1] if isinstance(parts[1], Path) else None
        return Aggregate(cast(Function, str(parts[0]).upper()), path, parts[0].start_pos)

    # ---- from where

    def collection(self, parts: list[Untyped]) -> Callable[[], Query]:
        return parts[0]

    def relationships(self, parts: list[Untyped]) -> Callable[[], Query]:
        name = None if parts[1] is None else str(parts[1])
        return lambda: _query(True, (name,), (), once=False)

    def twins(self, parts: list[Untyped]) -> Callable[[], Query]:
        _, name, *rest = parts
        if rest and isinstance(rest[0], _Match):
            return lambda: _matched(name, rest[0])
        return lambda: _joined(name, rest)

    def join(self, parts: list[Untyped]) -> "_Join":
        _, target, _, source, relationship, alias = parts
        return _Join(str(target), source, _name(relationship), None if alias is None else str(alias), target.start_pos)

    def match(self, parts: list[Untyped]) -> "_Match":
        return _Match(
            [each for each in parts[1:] if isinstance(each, _Node)], [e for e in parts if isinstance(e, Edge)]
        )

    def node(self, parts: list[Untyped]) -> "_Node":
        return _Node(parts[0])

    def edge(self, parts: list[Untyped]) -> Edge:
        left, first, names, hops, right = parts
        at = left.start_pos
        inwards, outwards = left.type == "ENTER", right.type == "LEAVE"
        if inwards and outwards:
            raise Unparsable("a step of a pattern goes one way: -[ ]->, <-[ ]- or -[ ]- for either", at=at)
        low, high = (0, 1) if hops is None else hops
        alias = None
        if first is not None and (names is not None or (len(first) == 1 and hops is None)):
            if len(first) > 1:
                raise Unparsable("before the colon goes one name, which stands for the relationship", at=at)
            alias, first = first[0], names
        elif names is not None:
            first = names
        if alias is not None and hops is not None and (low, high) != (0, 1):
            raise Unparsable(f"{alias!r} can stand for a relationship only where there is one hop", at=at)
        if not 0 <= low < high <= HOPS:
            raise Unparsable(f"from {low} (not counted) to {high} hops: it can be up to {HOPS}, at least one", at=at)
        way = "<" if inwards else ">" if outwards else "-"
        return Edge(0, 0, way, alias, tuple(first or ()), low, high, at)

    def names(self, parts: list[Untyped]) -> tuple[str, ...]:
        return tuple(_name(each) for each in parts)

    def exactly(self, parts: list[Untyped]) -> tuple[int, int]:
        count = _small(parts[-1])
        return count - 1, count

    def between(self, parts: list[Untyped]) -> tuple[int, int]:
        numbers = [each for each in parts if each.type == "INT"]
        return _small(numbers[0]), _small(numbers[1])

    def up_to(self, parts: list[Untyped]) -> tuple[int, int]:
        return 0, _small(parts[-1])

    def as_of(self, parts: list[Untyped]) -> int | str:
        token = parts[-1]
        if token.type == "INT":
            return min(int(token), 2**62)
        at_ns = instant_ns(_unquote(token))
        if at_ns is None:
            raise Unparsable("write an instant like '2024-05-01T12:00:00Z', or a size of the log", at=token.start_pos)
        return f"ns:{at_ns}"

    # ---- which

    def where(self, parts: list[Untyped]) -> Condition:
        return parts[1]

    def any(self, parts: list[Untyped]) -> Condition:
        return Any(tuple(parts[::2])) if len(parts) > 1 else parts[0]

    def all(self, parts: list[Untyped]) -> Condition:
        return All(tuple(parts[::2])) if len(parts) > 1 else parts[0]

    def negated(self, parts: list[Untyped]) -> Condition:
        return Not(parts[1])

    def comparison(self, parts: list[Untyped]) -> Compare:
        left, token, right = parts
        op = "!=" if str(token) == "<>" else str(token)
        return Compare(cast(Comparison, op), left, right, left.at)

    def among(self, parts: list[Untyped]) -> Among:
        path, token, *values = parts
        given = tuple(each for each in values if each is not None)
        if len(given) > CHOICES:
            raise Unparsable(f"a list has at most {CHOICES} values, this one {len(given)}", at=path.at)
        return Among(path, given, token.type == "NIN", path.at)

    def call(self, parts: list[Untyped]) -> Call:
        name, *arguments = parts
        given = tuple(cast(Operand, each) for each in arguments if each is not None)
        return Call(str(name).upper(), given, name.start_pos)

    def path(self, parts: list[Untyped]) -> Path:
        return Path(tuple(_name(each) for each in parts), parts[0].start_pos)

    def value(self, parts: list[Untyped]) -> Value:
        token = parts[0]
        match token.type:
            case "STRING":
                return Value(_unquote(token), token.start_pos)
            case "NUMBER":
                return Value(_number(str(token)), token.start_pos)
            case "NULL":
                return Value(None, token.start_pos)
            case other:
                return Value(other == "TRUE", token.start_pos)

    # ---- how

    def group(self, parts: list[Untyped]) -> tuple[Path, ...]:
        return tuple(parts[2:])

    def order(self, parts: list[Untyped]) -> tuple[Order, ...]:
        return tuple(parts[2:])

    def key(self, parts: list[Untyped]) -> Order:
        return Order(parts[0], parts[1] is not None and parts[1].type == "DESC")


@final
class _Node:
    def __init__(self, token: Untyped) -> None:
        self.token = token


@final
class _Match:
    def __init__(self, nodes: list[_Node], edges: list[Edge]) -> None:
        self.nodes, self.edges = nodes, edges


@final
class _Join:
    def __init__(self, target: str, source: Untyped, relationship: str, alias: str | None, at: int) -> None:
        self.target, self.source, self.relationship, self.alias, self.at = target, source, relationship, alias, at


_BUILDER = _Builder()


def _query(relationships: bool, nodes: tuple[str | None, ...], edges: tuple[Edge, ...], *, once: bool) -> Query:
    return Query("", None, None, relationships, nodes, edges, once, None, (), (), None)


def _matched(name: Untyped, match: _Match) -> Query:
    if name is not None:
        raise Unparsable("with MATCH the collections are named in the pattern alone", at=name.start_pos)
    nodes = tuple(None if node.token is None else str(node.token) for node in match.nodes)
    edges = tuple(replace(edge, source=k, target=k + 1) for k, edge in enumerate(match.edges))
    _distinct([*nodes, *(edge.alias for edge in edges)], match.nodes[0].token)
    return _query(False, nodes, edges, once=True)


def _joined(name: Untyped, joins: list[_Join]) -> Query:
    if len(joins) > JOINS:
        raise Unparsable(f"a query has at most {JOINS} JOINs", at=joins[JOINS].at)
    nodes: list[str | None] = [None if name is None else str(name)]
    edges: list[Edge] = []
    for join in joins:
        if str(join.source) not in nodes:
            raise Unparsable(f"there is no collection {str(join.source)[:80]!r} before this", at=join.source.start_pos)
        source = nodes.index(str(join.source))
        edges.append(Edge(source, len(nodes), ">", join.alias, (join.relationship,), 0, 1, join.at))
        nodes.append(join.target)
    _distinct([*nodes, *(edge.alias for edge in edges)], joins[0].source if joins else None)
    # A relationship that was given no name goes by that of its kind, as long as that is clear.
    taken = {*nodes, *(edge.alias for edge in edges)}
    kinds = [edge.names[0] for edge in edges]
    edges = [
        replace(edge, alias=kind) if edge.alias is None and kind not in taken and kinds.count(kind) == 1 else edge
        for edge, kind in zip(edges, kinds, strict=True)
    ]
    return _query(False, tuple(nodes), tuple(edges), once=False)


def _distinct(names: list[str | None], token: Untyped) -> None:
    given = [name for name in names if name is not None]
    twice = next((name for name in given if given.count(name) > 1), None)
    if twice is not None:
        at = 0 if token is None else int(token.start_pos)
        raise Unparsable(f"{twice!r} names two collections; call one of them something else", at=at)


def _check(query: Query) -> None:
    """What could be too much, before anything follows the tree down."""
    count, waiting = 0, [(query.where, 1)] if query.where is not None else []
    while waiting:
        each, depth = waiting.pop()
        count += 1
        if depth > DEPTH:
            raise Unparsable(f"conditions are inside each other more than {DEPTH} deep", query.text)
        if isinstance(each, All | Any):
            waiting += [(part, depth + 1) for part in each.parts]
        elif isinstance(each, Not):
            waiting.append((each.part, depth + 1))
    if count > CONDITIONS:
        raise Unparsable(f"a query has at most {CONDITIONS} conditions; a list of values goes into IN", query.text)


def _name(token: Untyped) -> str:
    text = str(token)
    return text[2:-2] if text.startswith("[[") else text


def _small(token: Untyped) -> int:
    return int(token) if len(token) < 6 else 10**6


def _unquote(token: Untyped) -> str:
    text = str(token)
    quote, inside = text[0], text[1:-1]
    return _ESCAPES.sub(r"\1", inside.replace(quote * 2, quote))


def _number(text: str) -> int | float:
    if len(text) < 40 and text.lstrip("+-").isdigit():
        value = int(text)
        if -(2**63) <= value < 2**63:
            return value
    return float(text)
