"""A query as a tree: what the text says, and where it says so (`at`, counted from 0)."""

from dataclasses import dataclass
from typing import Literal as Word
from typing import TypeAlias, final

Scalar: TypeAlias = str | int | float | bool | None
Comparison = Word["=", "!=", "<", "<=", ">", ">="]
Function = Word["COUNT", "SUM", "AVG", "MIN", "MAX"]


@final
@dataclass(frozen=True, slots=True)
class Path:
    """`T.labels.color`; the first name may be that of a collection."""

    names: tuple[str, ...]
    at: int


@final
@dataclass(frozen=True, slots=True)
class Value:
    """A text, a number, true, false or null."""

    value: Scalar
    at: int


Operand: TypeAlias = Path | Value


@final
@dataclass(frozen=True, slots=True)
class Compare:
    """`left = right`."""

    op: Comparison
    left: Operand
    right: Operand
    at: int


@final
@dataclass(frozen=True, slots=True)
class Among:
    """`path IN [1, 2]`, or NIN."""

    path: Path
    values: tuple[Value, ...]
    negated: bool
    at: int


@final
@dataclass(frozen=True, slots=True)
class Call:
    """`IS_DEFINED(T.x)`."""

    name: str
    arguments: tuple[Operand, ...]
    at: int


@final
@dataclass(frozen=True, slots=True)
class Not:
    """The contrary of `part`."""

    part: "Condition"


@final
@dataclass(frozen=True, slots=True)
class All:
    """`a AND b AND c`."""

    parts: tuple["Condition", ...]


@final
@dataclass(frozen=True, slots=True)
class Any:
    """`a OR b OR c`."""

    parts: tuple["Condition", ...]


Condition: TypeAlias = Compare | Among | Call | Not | All | Any


@final
@dataclass(frozen=True, slots=True)
class Aggregate:
    """`SUM(T.x)`; path None: `COUNT()`."""

    function: Function
    path: Path | None
    at: int


@final
@dataclass(frozen=True, slots=True)
class Item:
    """One column of the result. name: what AS calls it."""

    what: Path | Aggregate
    name: str | None


@final
@dataclass(frozen=True, slots=True)
class Edge:
    """One step of a pattern, from the collection of index `source` to that of `target` in `Query.nodes`.

    way: `>` along the relationships, `<` against them, `-` either way. names: none for any. Hops: low < hops <= high.
    """

    source: int
    target: int
    way: Word[">", "<", "-"]
    alias: str | None
    names: tuple[str, ...]
    low: int
    high: int
    at: int


@final
@dataclass(frozen=True, slots=True)
class Order:
    """One key to sort by."""

    what: Path | Aggregate
    descending: bool


@final
@dataclass(frozen=True, slots=True)
class Query:
    """The whole. items None: `*`. nodes: the names of the collections of twins, None for one that has none.

    relationships: it is about relationships, whose name is `nodes[0]`. once: no relationship is walked twice (MATCH).
    as_of: a size of the log, or an instant in nanoseconds as a text of digits after `ns:`.
    """

    text: str
    items: tuple[Item, ...] | None
    top: int | None
    relationships: bool
    nodes: tuple[str | None, ...]
    edges: tuple[Edge, ...]
    once: bool
    where: Condition | None
    group: tuple[Path, ...]
    order: tuple[Order, ...]
    as_of: int | str | None
