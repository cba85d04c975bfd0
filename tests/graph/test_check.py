"""What may be written: conforming to types and to what is there already; else one sentence with the way out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Conflict, EctypeError, Invalid, NotFound
from ectype.graph.check import check_write, read_json
from ectype.graph.fold import Graph
from ectype.model import JSON
from tests.graph.making import (
    FARM,
    OFFSHORE,
    PART,
    TURBINE,
    alarm,
    apply_all,
    everything,
    farm,
    patch,
    put_edge,
    put_twin,
    put_types,
)
from tests.model.making import component, interface, relationship

GRAPH = farm()
Write = tuple[str, str, JSON]


def check(write: Write) -> None:
    check_write(GRAPH, *write)


@pytest.mark.parametrize(
    "write",
    [
        put_twin("t3"),
        put_twin("t3", power=7, gear={"wear": 1}),
        put_twin("t1", power=7),
        ("twin.put", "twin:t1", {"$metadata": {"$model": TURBINE, "$lastUpdateTime": "x"}, "$etag": 'W/"1"'}),
        patch("t1", {"op": "replace", "path": "/power", "value": 3}),
        patch("t1", {"op": "add", "path": "/limit", "value": 3}, {"op": "remove", "path": "/name"}),
        patch("t2", {"op": "replace", "path": "/gear/wear", "value": 3}),
        patch("t1", {"op": "replace", "path": "/$metadata/$model", "value": OFFSHORE}),
        patch("t1"),
        put_edge("t2", "n", "neighbours", "t1"),
        put_edge("farm", "c1", "contains", "t2"),
        put_edge("farm", "k", "knows", "t2"),
        ("relationship.delete", "relationship:t1/n", {}),
        ("model.put", "model:dtmi:test:New;1", interface("New", component("c", "Part"))),
        alarm("t1", "standstill", 5),
        alarm("t1", "standstill", 5, 9, cost_kwh=3),
        ("measured", "block:x", None),
        ("something.else", "x", None),
    ],
)
def test_this_may_be_written(write: Write) -> None:
    check(write)


@pytest.mark.parametrize(
    ("write", "error", "text"),
    [
        (
            put_twin("t3", "dtmi:test:Turbin;1"),
            Invalid,
            "a model that is not here: .* did you mean 'dtmi:test:Turbine;1'",
        ),
        (put_twin("a b"), Invalid, "cannot name a twin"),
        (put_twin("t3", powr=1), Invalid, "did you mean 'power'"),
        (put_twin("t3", power="much"), Invalid, "twin 't3': power: 'much' is not a number"),
        (put_twin("t3", wind=1), Invalid, "'wind' is telemetry"),
        (put_twin("t3", **{"$x": 1}), Invalid, r"a twin has no '\$x'"),
        (("twin.put", "twin:t3", {}), Invalid, 'a twin needs "\\$metadata"'),
        (("twin.put", "twin:t3", [1]), Invalid, "a twin is a JSON object"),
        (("twin.put", "twin:t3", {"$dtId": "t4"}), Invalid, "is not 't3'"),
        (("twin.put", "t3", {}), Invalid, "a subject like twin:"),
        (put_twin("t1", FARM), Invalid, "declares no relationship 'neighbours'"),
        (put_twin("t2", FARM), Invalid, "leads to twins of"),
        (patch("t9", {"op": "remove", "path": "/power"}), NotFound, "no twin 't9'"),
        (patch("t1", {"op": "replace", "path": "/power", "value": "x"}), Invalid, "power: 'x' is not a number"),
        (patch("t1", {"op": "add", "path": "/powr", "value": 1}), Invalid, "no property 'powr'"),
        (patch("t1", {"op": "add", "path": "/$dtId", "value": "x"}), Invalid, r"a twin has no '\$dtId'"),
        (patch("t1", {"op": "remove", "path": "/$metadata"}), Invalid, 'a twin needs "\\$metadata"'),
        (patch("t1", {"op": "add", "path": "/$metadata/x/y", "value": 1}), Invalid, "nothing at"),
        (("twin.patch", "twin:t1", {"op": "add"}), Invalid, "a patch is a list"),
        (("twin.delete", "twin:t9", {}), NotFound, "no twin 't9'"),
        (("twin.delete", "twin:t2", {}), Conflict, "has 2 relationships .* delete them first"),
        (("twin.delete", "twin:farm", {}), Conflict, "farm/c1"),
        (put_edge("t1", "x", "neighbors", "t2"), Invalid, "did you mean 'neighbours'"),
        (put_edge("t1", "x", "neighbours", "farm"), Invalid, "leads to twins of dtmi:test:Turbine;1"),
        (put_edge("t1", "x", "neighbours", "t9"), NotFound, "no twin 't9'"),
        (put_edge("t9", "x", "neighbours", "t1"), NotFound, "no twin 't9'"),
        (put_edge("t1", "x", "neighbours", "t1"), Invalid, "to itself"),
        (put_edge("t1", "x", "neighbours", "t2", metres="far"), Invalid, "metres: 'far' is not a number"),
        (put_edge("t1", "x/y", "neighbours", "t2"), Invalid, "cannot be the id of a relationship"),
        (("relationship.put", "relationship:t1/x", {"$sourceId": "t2"}), Invalid, "is not 't1'"),
        (("relationship.put", "relationship:t1/x", {"$targetId": "t2"}), Invalid, "needs"),
        (("relationship.delete", "relationship:t1/zz", {}), NotFound, "no relationship 'zz' of twin 't1'"),
        (put_types()[0], Conflict, "exists already"),
        (("model.put", "model:dtmi:test:X;1", interface("Y")), Invalid, "but its subject names"),
        (("model.put", "model:dtmi:test:X;1", interface("X", relationship("1"))), Invalid, "use letters, digits and _"),
        (
            (
                "model.put",
                "model:dtmi:test:X;1",
                interface("X", {"@type": "Component", "name": "c", "schema": interface("Y")}),
            ),
            Invalid,
            "holds other interfaces inside",
        ),
        (alarm("t9", "standstill", 5), NotFound, "no twin 't9'"),
        (alarm("t1", "standstill", 5, 4), Invalid, "over before it began"),
        (alarm("t1", "standstill", 2**63), Invalid, "instant in nanoseconds"),
        (alarm("t1", "standstill", 5, severity="bad"), Invalid, "warning or critical"),
        (alarm("t1", "standstill", 5, cost_kwh="x"), Invalid, "is a number"),
        (alarm("t1", "standstill", 5, text=7), Invalid, "is a text"),
        (alarm("t1", "standstill", 5, twin="t2"), Invalid, "those its subject names"),
        (("alarm.cleared", *alarm("t1", "standstill", 5)[1:]), Invalid, "until_ns"),
    ],
)
def test_this_may_not(write: Write, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        check(write)


anything: st.SearchStrategy[JSON] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["$metadata", "$model", "op", "path", "value", "twin", "power"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)
kinds = st.sampled_from(["model.put", "twin.put", "twin.patch", "twin.delete", "relationship.put", "alarm.raised"])
subjects = st.sampled_from(["twin:t1", "twin:", "relationship:t1/n", "relationship:t1", "alarm:t1/a", "model:dtmi:a;1"])


@given(kinds, subjects | st.text(max_size=10), anything)
def test_nonsense_is_refused_in_words(kind: str, subject: str, body: JSON) -> None:
    before = everything(GRAPH)
    try:
        check_write(GRAPH, kind, subject, body)
    except EctypeError:
        assert everything(GRAPH) == before


def test_a_body_that_is_not_json_is_invalid() -> None:
    for body in (b"", b"{", b"\xff", b'{"a": NaN}', b"[" * 100_000, b'"\\ud800"'):
        with pytest.raises(Invalid, match="not JSON"):
            read_json(body)


def test_a_model_cannot_change_under_edges_that_would_not_fit() -> None:
    graph = farm()
    apply_all(graph, put_twin("part", PART), put_edge("farm", "p", "knows", "part"))
    with pytest.raises(Invalid, match="declares no relationship"):
        check_write(graph, *put_twin("farm", PART))
    check_write(graph, *put_twin("part", OFFSHORE))
    assert Graph.open().models().to_documents() == []
