"""A small ontology whose properties share names and not schemas, and graphs of it."""

from collections.abc import Sequence
from functools import lru_cache

from hypothesis import strategies as st

from ectype.graph.fold import Graph
from ectype.model import JSON
from tests.graph.making import apply_all, put_edge, put_twin
from tests.model.making import component, interface, prop, relationship

BASE, NUMBER, TEXT, FLAG, NEWER = (f"dtmi:test:{name}" for name in ("Base;1", "Number;1", "Text;1", "Flag;1", "Base;2"))
LABELS: JSON = {
    "@type": "Map",
    "mapKey": {"name": "key", "schema": "string"},
    "mapValue": {"name": "value", "schema": "string"},
}
PLACE: JSON = {"@type": "Object", "fields": [{"name": "x", "schema": "double"}, {"name": "y", "schema": "string"}]}
LISTED: JSON = {"@type": "Array", "elementSchema": "integer"}


def _edges() -> list[JSON]:
    return [
        relationship("has", properties=[prop("weight")]),
        relationship("feeds", properties=[prop("note", "string")]),
    ]


def _make(name: str, *contents: JSON, **more: JSON) -> dict[str, JSON]:
    made = interface(name.partition(";")[0], *contents, **more)
    return {**made, "@id": f"dtmi:test:{name}"}


TYPES: list[dict[str, JSON]] = [
    _make("Part;1", prop("wear"), prop("kind", "string")),
    _make("Base;1", prop("size", "integer"), prop("labels", LABELS), *_edges()),
    _make("Base;2", prop("size", "string"), prop("place", PLACE), *_edges()),
    _make("Number;1", prop("x"), component("part", "Part"), extends=BASE),
    _make("Text;1", prop("x", "string"), prop("place", PLACE), extends=BASE),
    _make("Flag;1", prop("x", "boolean"), prop("list", LISTED), extends=BASE),
]
TEXTS = ["", "a", "ab", "abc", "b", "é", "𝄞", "a'b", 'a"b', "1", "true", "{}", "%", "\u2028"]
NUMBERS = [0, 1, -1, 2, 0.5, 1e300, -0.25]
twin_ids = ["t0", "t1", "t2", "t3", "t4", "t'5"]


def _values(model: str) -> st.SearchStrategy[dict[str, JSON]]:
    numbers: st.SearchStrategy[JSON] = st.sampled_from(NUMBERS)
    texts: st.SearchStrategy[JSON] = st.sampled_from(TEXTS)
    place = st.fixed_dictionaries({}, optional={"x": numbers, "y": texts})
    whole: st.SearchStrategy[JSON] = st.integers(0, 3)
    labels = st.dictionaries(st.sampled_from(["red", "blue"]), texts, max_size=2)
    base: dict[str, st.SearchStrategy[JSON]] = {"size": whole, "labels": labels}  # type: ignore[dict-item]
    more: dict[str, dict[str, st.SearchStrategy[JSON]]] = {
        BASE: base,
        NEWER: {"size": texts, "place": place},  # type: ignore[dict-item]
        NUMBER: {**base, "x": numbers, "part": st.fixed_dictionaries({}, optional={"wear": numbers, "kind": texts})},  # type: ignore[dict-item]
        TEXT: {**base, "x": texts, "place": place},  # type: ignore[dict-item]
        FLAG: {**base, "x": st.booleans(), "list": st.lists(st.integers(0, 2), max_size=3)},  # type: ignore[dict-item]
    }
    return st.fixed_dictionaries({}, optional=more[model])


models = st.sampled_from([BASE, NEWER, NUMBER, TEXT, FLAG])
twins = models.flatmap(lambda model: st.tuples(st.just(model), _values(model)))
edges = st.tuples(
    st.sampled_from(twin_ids),
    st.sampled_from(["e1", "e2", "e3"]),
    st.sampled_from(["has", "feeds"]),
    st.sampled_from(twin_ids),
    st.sampled_from(NUMBERS),
)
Described = tuple[Sequence[tuple[str, dict[str, JSON]]], Sequence[tuple[str, str, str, str, JSON]]]
described: st.SearchStrategy[Described] = st.tuples(st.lists(twins, max_size=6), st.lists(edges, max_size=9))


@lru_cache(1)
def typed() -> Graph:
    return apply_all(Graph.open(), *[("model.put", f"model:{each['@id']}", each) for each in TYPES])


def graph_of(described: Described, graph: Graph | None = None) -> Graph:
    """The graph; what cannot be is rejected, as anywhere."""
    graph = graph or typed()._copied(typed(), 0)
    given, linked = described
    for name, (model, values) in zip(twin_ids, given, strict=False):
        apply_all(graph, put_twin(name, model, **values))
    for source, edge, kind, target, weight in linked:
        more: dict[str, JSON] = {"weight": weight} if kind == "has" else {"note": "n"}
        apply_all(graph, put_edge(source, edge, kind, target, **more))
    return graph


# ---- queries


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


literals = st.one_of(
    st.sampled_from([repr(each) for each in NUMBERS]),
    st.sampled_from(TEXTS).map(quoted),
    st.sampled_from(["true", "FALSE"]),
)
PATHS = ["x", "size", "labels", "labels.red", "part.wear", "part.kind", "part", "place.x", "place.y", "list", "nothing"]
SYSTEM = ["$dtId", "$metadata.$model", "$etag", "$metadata.x.lastUpdateTime", "$metadata.$lastUpdateTime"]
EDGE_PATHS = ["weight", "note", "$relationshipId", "$relationshipName", "$sourceId", "$targetId", "nothing"]


def conditions(names: Sequence[str], *, twins: bool = True) -> st.SearchStrategy[str]:
    """Conditions on the collections of these names."""
    paths = st.builds(
        lambda name, path: f"{name}.{path}",
        st.sampled_from(list(names)),
        st.sampled_from([*PATHS, *SYSTEM] if twins else EDGE_PATHS),
    )
    ids = st.sampled_from(twin_ids).map(quoted)
    models = st.sampled_from([BASE, NEWER, NUMBER, TEXT, "dtmi:test:Base;3"]).map(quoted)
    name = st.sampled_from(list(names))
    leaves = [
        st.builds(lambda path, op, value: f"{path} {op} {value}", paths, st.sampled_from(OPS), literals),
        st.builds(lambda value, op, path: f"{value} {op} {path}", literals, st.sampled_from(OPS), paths),
        st.builds(lambda a, op, b: f"{a} {op} {b}", paths, st.sampled_from(OPS), paths),
        st.builds(
            lambda path, op, values: f"{path} {op} [{', '.join(values)}]",
            paths,
            st.sampled_from(["IN", "NIN", "nin"]),
            st.lists(literals, max_size=3),
        ),
        st.builds(lambda call, path: f"{call}({path})", st.sampled_from(KINDS), paths),
        st.builds(
            lambda call, path, text: f"{call}({path}, {text})",
            st.sampled_from(["STARTSWITH", "endswith", "CONTAINS"]),
            paths,
            st.sampled_from(TEXTS).map(quoted),
        ),
    ]
    if twins:
        leaves += [
            st.builds(lambda name, id: f"{name}.$dtId = {id}", name, ids),
            st.builds(lambda name, id: f"{name}.$metadata.$model = {id}", name, models),
            st.builds(lambda name, model, exact: f"IS_OF_MODEL({name}, {model}{exact})", name, models, EXACT),
            st.builds(lambda name, value: f"ARRAY_CONTAINS({name}.list, {value})", name, literals),
        ]
    else:
        leaves += [st.builds(lambda name, end, id: f"{name}.{end} = {id}", name, ENDS, ids)]
    return st.recursive(
        st.one_of(leaves),
        lambda inner: st.one_of(
            st.builds(lambda part: f"NOT ({part})", inner),
            st.builds(lambda a, b: f"({a} AND {b})", inner, inner),
            st.builds(lambda a, b: f"{a} AND {b}", inner, inner),
            st.builds(lambda a, b: f"({a} OR {b})", inner, inner),
        ),
        max_leaves=5,
    )


OPS = ["=", "!=", "<", "<=", ">", ">="]
KINDS = ["IS_DEFINED", "IS_NULL", "IS_BOOL", "IS_NUMBER", "IS_STRING", "IS_OBJECT", "IS_PRIMITIVE"]
EXACT = st.sampled_from(["", "", ", exact"])
ENDS = st.sampled_from(["$sourceId", "$targetId"])


@st.composite
def chains(draw: st.DrawFn) -> tuple[str, list[str], list[str]]:
    """A MATCH: its text, the names of its collections, those of its relationships."""
    names, edges, text = ["a"], list[str](), "(a)"
    for number in range(draw(st.integers(0, 3))):
        kinds = draw(st.sampled_from(["", ":has", ":has|feeds", ":feeds"]))
        hops = draw(st.sampled_from(["", "", "", "*2", "*..2", "*1..3", "*0..1"]))
        alias = ""
        if hops == "" and draw(st.booleans()):
            alias = f"r{number}"
            edges.append(alias)
        begin, end = draw(st.sampled_from([("-", "->"), ("<-", "-"), ("-", "-")]))
        name = draw(st.sampled_from(["bcd"[number], "bcd"[number], ""]))
        names += [name] * bool(name)
        text += f"{begin}[{alias}{kinds}{hops}]{end}({name})"
    return text, names, edges
