"""From a tree to a statement: which index leads, what is selected, in what order, from which row on."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import final

from ectype.graph.columns import Column
from ectype.graph.reading import Reading
from ectype.query import pattern
from ectype.query.cells import Place, Scope
from ectype.query.errors import Unparsable
from ectype.query.page import Key
from ectype.query.syntax import Aggregate, Item, Order, Path, Query
from ectype.query.where import Bound, Term, Terms

MANY = 20_000
"""Rows that are sorted for a page; an index that leads to more of them is not worth it."""
SMALL = 1_000
"""Below so many rows nothing is indexed."""

TWIN = (
    "t.id, (SELECT id FROM models WHERE key = t.model), t.properties, t.last_index, t.at_ns, t.part, t.put_ns, t.times"
)
EDGE = (
    "(SELECT id FROM twins WHERE key = r.source), r.id, r.name, (SELECT id FROM twins WHERE key = r.target),"
    " r.properties, r.last_index, r.at_ns, r.part"
)
WIDTH = 8
"""Columns of either."""


@final
@dataclass(frozen=True, slots=True)
class Output:
    """One column of the result: name: what it is called, None where the row is the thing itself.

    place, path: a collection and what of it; at: the column of the statement where it begins; plain: it is a value.
    """

    name: str | None
    place: Place | None
    path: tuple[str, ...]
    at: int
    plain: bool


@final
@dataclass(slots=True)
class Statement:
    """sql, bound: for SQLite; outputs: what its rows mean; keys: the column where the keys of a row begin.

    paged: there may be another page.
    """

    sql: str
    bound: dict[str, Bound | None]
    outputs: tuple[Output, ...]
    keys: int
    paged: bool


@final
@dataclass(slots=True)
class _Select:
    """The columns of a statement, as they are put together."""

    columns: list[str] = field(default_factory=list[str])
    outputs: list[Output] = field(default_factory=list[Output])
    width: int = 0

    def add(self, sql: str, width: int = 1) -> int:
        self.columns.append(sql)
        self.width += width
        return self.width - width


def missing(query: Query, reading: Reading) -> list[Column]:
    """The columns that the query needs an index of, and that have none. At most one condition's."""
    terms = _terms(query, reading)
    rows = reading.relationships if query.relationships else reading.twins
    given = terms.conjuncts(query.where)
    if rows < SMALL or any(term.unique and term.driver is not None for term in given):
        return []
    wanted = [term for term in given if term.columns and len(term.places) == 1]
    if any(term.driver is not None for term in wanted):
        return []
    wanted.sort(key=lambda term: not term.equal)
    return list(dict.fromkeys(wanted[0].columns)) if wanted else []


def plan(query: Query, reading: Reading, limit: int, after: Sequence[Key]) -> Statement:
    """A statement that gives `limit` rows and one more, from the one behind the row of keys `after` on."""
    terms = _terms(query, reading)
    given = terms.conjuncts(query.where)
    grouped = bool(query.group) or any(isinstance(item.what, Aggregate) for item in query.items or ())
    _check(query, grouped)
    counted = _counts_all(query)
    if counted is not None:
        rows = reading.relationships if query.relationships else reading.twins
        output = Output(counted, None, (), 0, True)
        return Statement("SELECT :n", {"n": rows}, (output,), 1, False)
    select = _Select()
    shown = _shown(query, terms.scope)
    start, driver, few = _lead(query, reading, terms, given, paged=not grouped)
    source = pattern.build(query, terms, given, start, driver, shown)
    if grouped:
        return _grouped(query, terms, source, select, limit, after)
    keys = source.ordered_keys()
    if few and len(keys) == 1:
        keys = [f"+{keys[0]}"]
    _columns(query, terms.scope, select)
    orders = [(terms.scope.cell(_path(query, order))[1].value, order.descending) for order in query.order]
    orders += [(key, False) for key in keys]
    first = select.width
    for sql, _ in orders:
        select.add(sql)
    if after:
        source.conditions.append(_behind(query, terms, orders, after))
    tail = ",".join(f"{first + k + 1}{' DESC' * down}" for k, (_, down) in enumerate(orders))
    if len(orders) == 1 and not few:
        tail = orders[0][0]  # in these words SQLite sees that rows come in this order anyway
    sql = f"{source.with_()}SELECT {', '.join(select.columns)}{source.from_()} ORDER BY {tail} LIMIT {limit + 1}"
    return Statement(sql, terms.bound, tuple(select.outputs), first, True)


def _terms(query: Query, reading: Reading) -> Terms:
    return Terms(Scope(query), reading.columns, partial(_of_model, reading))


def _of_model(reading: Reading, dtmi: str, exact: bool) -> Collection[int]:
    """The keys of the models that are `dtmi`, extend it, or are a higher version of those."""
    ids = {dtmi} if exact else {dtmi, *reading.models().conforming(dtmi)}
    rows = (reading.db.execute("SELECT key FROM models WHERE id = ?", (each,)).fetchone() for each in ids)
    return [row[0] for row in rows if row is not None]


# ---- what leads


def _lead(
    query: Query, reading: Reading, terms: Terms, given: list[Term], *, paged: bool
) -> tuple[int, Term | None, bool]:
    """Where to begin, the term whose index leads there, and whether it leads to few rows in no order."""
    best: tuple[int, int, Term | None] = (9, 0, None)
    for term in given:
        if len(term.places) != 1:
            continue
        alias = next(iter(term.places)).alias
        if alias[0] == "r" and not query.relationships:
            continue
        rank = 0 if term.unique else 1 if term.columns else 2
        if term.driver is None:
            rank = 4 if term.columns else 8
        best = min(best, (rank, int(alias[1:]), term), key=lambda each: each[:2])
    rank, start, driver = best
    if driver is None or rank == 0:
        return start, driver, rank == 0 and driver is not None
    place = next(iter(driver.places))
    rivals = [term for term in given if term.places == driver.places and term.driver is not None]
    if not rivals:
        return start, None, False
    if len(rivals) == 1 and (rivals[0].ordered or not paged or query.order or query.edges):
        return start, rivals[0], False
    table = "twins" if place.twins else "relationships"
    counted: list[tuple[int, Term]] = []
    for term in rivals:
        probe = f"SELECT count(*) FROM (SELECT 1 FROM {table} {place.alias} WHERE {term.driver} LIMIT {MANY})"
        counted.append((reading.db.execute(probe, terms.bound).fetchone()[0], term))
    count, driver = min(counted, key=lambda each: each[0])
    if count < MANY:
        return start, driver, not driver.ordered
    ordered = next((term for term in rivals if term.ordered), None)
    if ordered is not None:
        return start, ordered, False
    # So many that going through the twins in order finds a page sooner than sorting them would.
    return start, None if paged and not query.order and not query.edges else driver, False


# ---- what is selected


def _check(query: Query, grouped: bool) -> None:
    text = query.text
    if query.items is None and query.edges and not query.once:
        raise Unparsable("with JOIN, name what you want instead of *", text, text.upper().find("SELECT"))
    if not grouped:
        return
    for item in query.items or ():
        if isinstance(item.what, Path) and item.what.names not in [path.names for path in query.group]:
            shown = ".".join(item.what.names)[:80]
            raise Unparsable(f"{shown!r} is neither counted nor in GROUP BY", text, item.what.at)
    if query.items is None:
        raise Unparsable("with GROUP BY, name what you want instead of *", text, text.upper().find("SELECT"))


def _counts_all(query: Query) -> str | None:
    """What a count of all there is is called, if that is all that is asked."""
    match query.items:
        case (Item(Aggregate("COUNT", None), name),) if not (query.where or query.edges or query.group or query.order):
            return name or "COUNT"
        case _:
            return None


def _shown(query: Query, scope: Scope) -> set[str]:
    if query.items is None:
        return {place.alias for place in scope.places if place in scope.named.values() or place is scope.only}
    shown: set[str] = set()
    paths = [item.what if isinstance(item.what, Path) else item.what.path for item in query.items]
    paths += [order.what if isinstance(order.what, Path) else order.what.path for order in query.order]
    for path in [*paths, *query.group]:
        if path is not None and not _is_label(query, path):
            shown.add(scope.find(path)[0].alias)
    return shown


def _columns(query: Query, scope: Scope, select: _Select) -> None:
    """What to select so that rows can be made of it: each collection whole."""
    begins: dict[Place, int] = {}

    def begin(place: Place) -> int:
        if place not in begins:
            columns = (TWIN if place.twins else EDGE).replace("t." if place.twins else "r.", f"{place.alias}.")
            begins[place] = select.add(columns, WIDTH)
        return begins[place]

    if query.items is None:
        if scope.only is not None:
            select.outputs.append(Output(None, scope.only, (), begin(scope.only), False))
        else:
            for name, place in scope.named.items():
                select.outputs.append(Output(name, place, (), begin(place), False))
        if not select.outputs:
            raise Unparsable("no collection has a name; give names to those you want", query.text, 0)
        return
    for item in query.items:
        if isinstance(item.what, Path):
            place, path = scope.find(item.what)
            label = item.name or item.what.names[-1]
            select.outputs.append(Output(label, place, path, begin(place), False))
    _distinct(query, select)


def _grouped(
    query: Query, terms: Terms, source: pattern.Source, select: _Select, limit: int, after: Sequence[Key]
) -> Statement:
    for item in query.items or ():
        what = item.what
        name = item.name or (what.function if isinstance(what, Aggregate) else what.names[-1])
        select.outputs.append(Output(name, None, (), select.add(_value(terms.scope, what)), True))
    _distinct(query, select)
    groups = [_value(terms.scope, path) for path in query.group]
    orders = [(_ordered(query, terms.scope, order), order.descending) for order in query.order]
    orders += [(group, False) for group in groups]
    first = select.width
    for sql, _ in orders:
        select.add(sql)
    having = f" HAVING {_behind(query, terms, orders, after)}" if after else ""
    tail = ",".join(f"{first + k + 1}{' DESC' * down}" for k, (_, down) in enumerate(orders))
    by = f" GROUP BY {', '.join(groups)}{having} ORDER BY {tail} LIMIT {limit + 1}" if groups else ""
    sql = f"{source.with_()}SELECT {', '.join(select.columns)}{source.from_()}{by}"
    return Statement(sql, terms.bound, tuple(select.outputs), first, bool(groups))


def _distinct(query: Query, select: _Select) -> None:
    names = [output.name for output in select.outputs]
    for item, name in zip(query.items or (), names, strict=True):
        if names.count(name) > 1:
            message = f"two columns would be called {str(name)[:80]!r}; give one another name with AS"
            raise Unparsable(message, query.text, item.what.at)


def _value(scope: Scope, what: Path | Aggregate) -> str:
    if isinstance(what, Path):
        return scope.cell(what)[1].value
    if what.path is None:
        if what.function != "COUNT":
            raise Unparsable(f"{what.function} needs a property", scope.text, what.at)
        return "count(*)"
    if scope.collection(what.path) is not None and what.function == "COUNT":
        return "count(*)"
    cell = scope.cell(what.path)[1]
    if what.function == "COUNT":
        return f"count({cell.kind})"
    kinds = "'integer','real'" if what.function in ("SUM", "AVG") else "'integer','real','text'"
    function: Callable[[str], str] = f"{what.function.lower()}({{}})".format
    return function(f"CASE WHEN typeof({cell.value}) IN ({kinds}) THEN {cell.value} END")


# ---- in what order


def _is_label(query: Query, path: Path) -> bool:
    return len(path.names) == 1 and any(item.name == path.names[0] for item in query.items or ())


def _labelled(query: Query, path: Path) -> Item | None:
    found = (item for item in query.items or () if len(path.names) == 1 and item.name == path.names[0])
    return next(found, None)


def _path(query: Query, order: Order) -> Path:
    if isinstance(order.what, Aggregate):
        raise Unparsable(
            f"{order.what.function} in ORDER BY needs it in SELECT, or GROUP BY", query.text, order.what.at
        )
    item = _labelled(query, order.what)
    return item.what if item is not None and isinstance(item.what, Path) else order.what


def _ordered(query: Query, scope: Scope, order: Order) -> str:
    what = order.what
    if isinstance(what, Path):
        item = _labelled(query, what)
        what = what if item is None else item.what
    if isinstance(what, Path) and what.names not in [path.names for path in query.group]:
        raise Unparsable(f"{'.'.join(what.names)[:80]!r} is neither counted nor in GROUP BY", query.text, what.at)
    return _value(scope, what)


def _behind(query: Query, terms: Terms, orders: list[tuple[str, bool]], after: Sequence[Key]) -> str:
    """Comes after the row of these keys. NULL comes first."""
    if len(after) != len(orders):
        raise Unparsable("the continuation token is not of this query", query.text, 0)
    behind = "0"
    for (sql, down), value in reversed(list(zip(orders, after, strict=True))):
        name = terms.bind(value)
        if down:
            beyond = "0" if value is None else f"({sql} < {name} OR {sql} IS NULL)"
        else:
            beyond = f"{sql} IS NOT NULL" if value is None else f"{sql} > {name}"
        behind = beyond if behind == "0" else f"({beyond} OR ({sql} IS {name} AND {behind}))"
    return behind
